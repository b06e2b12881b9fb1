package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/participant/market"
)

// fileRuns is the number of transfers of which the median is shown.
const fileRuns = 3

// fileFigures is what the demo says about files: one that lies at the sender's
// gateway, from the call that sends it until the receiving participant has
// forced it to disk, beside the same file moved plainly; and with the upload
// from the sending participant, which has no counterpart on the plain side.
type fileFigures struct {
	Bytes      int64   `json:"bytes"`
	SHA256OK   bool    `json:"sha256_ok"`
	MBPerS     float64 `json:"mb_per_s"`
	PlainMBPer float64 `json:"plain_mb_per_s"`
	WithUpload float64 `json:"with_upload_mb_per_s"`
}

// files moves a file of mb megabytes from the network operator to the market
// operator, and the same file plainly, in turn.
func (d *demo) files(ctx context.Context, mb int, say func(string, ...any)) (*fileFigures, error) {
	dir, err := os.MkdirTemp(d.Data, "file-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	source, hash, err := randomFile(dir, int64(mb)*1_000_000)
	if err != nil {
		return nil, err
	}
	f := &fileFigures{Bytes: int64(mb) * 1_000_000, SHA256OK: true}
	var plain, ours, whole []float64
	for n := range fileRuns {
		took, err := plainTransfer(ctx, dir, source, hash)
		if err != nil {
			return nil, err
		}
		plain = append(plain, float64(mb)/took.Seconds())
		t, err := d.transfer(ctx, dir, source, hash)
		if err != nil {
			return nil, err
		}
		ours = append(ours, float64(mb)/t.sent.Seconds())
		whole = append(whole, float64(mb)/(t.uploaded+t.sent).Seconds())
		f.SHA256OK = f.SHA256OK && t.same
		say("file of %d MB, %d of %d: %.0f MB/s sealed, checked and signed for (%.0f with its upload); %.0f MB/s plain", mb, n+1, fileRuns, ours[n], whole[n], plain[n])
	}
	f.MBPerS, f.PlainMBPer, f.WithUpload = round1(median(ours)), round1(median(plain)), round1(median(whole))
	return f, nil
}

func round1(v float64) float64 { return float64(int64(v*10+0.5)) / 10 }

// randomFile makes a file that does not compress.
func randomFile(dir string, size int64) (path string, hash blob.Hash, err error) {
	f, err := os.Create(filepath.Join(dir, "source"))
	if err != nil {
		return "", hash, err
	}
	h := sha256.New()
	_, err = io.CopyN(io.MultiWriter(f, h), rand.NewChaCha8([32]byte{1}), size)
	return f.Name(), blob.Hash(h.Sum(nil)), errors.Join(err, f.Sync(), f.Close())
}

// transfer is how long a file took.
type transfer struct {
	uploaded time.Duration // from the sending participant to its gateway, which seals it
	sent     time.Duration // from the call that sends it until it is on the receiver's disk
	same     bool          // there
}

// transfer sends a file through the spine.
func (d *demo) transfer(ctx context.Context, dir, source string, hash blob.Hash) (t transfer, err error) {
	from, to := d.gateways[market.NetworkOperator], d.gateways[market.MarketOperator]
	receiver, err := to.Identity(ctx)
	if err != nil {
		return t, err
	}
	in, err := os.Open(source)
	if err != nil {
		return t, err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return t, err
	}
	out, err := os.Create(filepath.Join(dir, "received"))
	if err != nil {
		return t, err
	}
	defer os.Remove(out.Name())
	defer out.Close()

	begin := time.Now()
	stored, _, err := from.Upload(ctx, in, st.Size(), client.UploadOptions{Name: "demo.bin"})
	if err != nil {
		return t, fmt.Errorf("upload a file: %w", err)
	}
	t.uploaded, begin = time.Since(begin), time.Now()
	accepted, err := from.Send(ctx, gateway.Draft{Channel: "files", To: []string{receiver.DID}, File: stored.ID})
	if err != nil {
		return t, fmt.Errorf("send a file: %w", err)
	}
	got, err := receiveFile(ctx, to, accepted.ID)
	if err != nil {
		return t, err
	}
	if _, err := to.Download(ctx, got.ID, out, client.DownloadOptions{}); err != nil {
		return t, fmt.Errorf("download a file: %w", err)
	}
	if err := out.Sync(); err != nil {
		return t, err
	}
	t.sent = time.Since(begin)

	// What follows is beside the clock: is it the same, and away with it.
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(out, 0, st.Size()+1)); err != nil {
		return t, err
	}
	t.same = blob.Hash(h.Sum(nil)) == hash
	_ = to.DeleteFile(ctx, got.ID)
	_ = from.DeleteFile(ctx, stored.ID) // it may be needed still
	return t, nil
}

// receiveFile waits for the message that carries the file and acknowledges it.
func receiveFile(ctx context.Context, g *client.Client, id string) (*gateway.File, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	for {
		ms, err := g.Receive(ctx, client.Receive{Channel: "files", Consumer: "demo", Wait: 20 * time.Second})
		if err != nil {
			return nil, fmt.Errorf("receive a file: %w", err)
		}
		for i := range ms {
			if err := g.Ack(ctx, ms[i].Ack); err != nil {
				return nil, err
			}
			if ms[i].ID == id && ms[i].File != nil {
				return ms[i].File, nil
			}
		}
	}
}
