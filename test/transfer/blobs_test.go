package transfer

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/broker/brokertest"
	"github.com/digital-spine/spine/broker/node"
	"github.com/digital-spine/spine/gateway/brokerclient"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
)

func client(t testing.TB, b *brokertest.Broker) *brokerclient.Client {
	t.Helper()
	p := brokertest.New(t, 0)
	p.Login(t, b)
	c := brokerclient.New(b.URL(), httpkit.Client(0))
	c.SetToken(p.Token)
	return c
}

func from(b []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}

// never is the body of an upload that needs none.
func never() (io.ReadCloser, error) { return nil, errors.New("the body was wanted") }

func random(n int) ([]byte, blob.Hash) {
	b := make([]byte, n)
	rand.Read(b)
	return b, sha256.Sum256(b)
}

func until() int64 { return time.Now().Add(time.Hour).UnixMilli() }

func TestClientAndBrokerAgree(t *testing.T) {
	ctx := testkit.Context(t)
	b := brokertest.Start(t, "", func(d *node.Deps) { d.Config.Limits.BlobQuota = 64 << 20 })
	sender, recipient := client(t, b), client(t, b)
	var wg sync.WaitGroup
	parts := make([][]byte, 24) // more at once than the broker takes of one
	hashes := make([]blob.Hash, len(parts))
	for i := range parts {
		parts[i], hashes[i] = random(i * 50_000)
		wg.Go(func() {
			if err := sender.PutBlob(ctx, hashes[i], int64(len(parts[i])), until(), from(parts[i])); err != nil {
				t.Errorf("part %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	_, absent := random(1)
	missing, err := sender.HaveBlobs(ctx, append([]blob.Hash{absent}, hashes...), until())
	if err != nil || len(missing) != 1 || missing[0] != absent {
		t.Fatal(missing, err)
	}
	for i, h := range hashes {
		if err := sender.PutBlob(ctx, h, int64(len(parts[i])), until(), never); err != nil {
			t.Fatalf("part %d again: %v", i, err)
		}
		for _, r := range [][2]int64{{0, -1}, {0, 10}, {int64(len(parts[i]) / 2), -1}} {
			got, err := recipient.GetBlob(ctx, h, r[0], r[1])
			if err != nil {
				t.Fatalf("part %d, %v: %v", i, r, err)
			}
			all, err := io.ReadAll(got)
			want := parts[i][r[0]:]
			if r[1] > 0 {
				want = want[:min(r[1], int64(len(want)))]
			}
			if err := errors.Join(err, got.Close()); err != nil || !bytes.Equal(all, want) {
				t.Fatalf("part %d, %v: %d bytes, %v", i, r, len(all), err)
			}
		}
	}
	if _, err := recipient.GetBlob(ctx, absent, 0, -1); !errors.Is(err, brokerclient.ErrNotFound) {
		t.Fatal(err)
	}
	if _, err := recipient.GetBlob(ctx, hashes[3], 1<<20, -1); problem.CodeOf(err) != "range" {
		t.Fatal(err)
	}
	wrong := bytes.Clone(parts[5])
	wrong[7] ^= 1
	_, other := random(1)
	if err := sender.PutBlob(ctx, other, int64(len(wrong)), until(), from(wrong)); problem.CodeOf(err) != "blob_hash" {
		t.Fatal(err)
	}
	big, bigHash := random(60 << 20)
	if err := sender.PutBlob(ctx, bigHash, int64(len(big)), until(), from(big)); problem.CodeOf(err) != "quota_exceeded" {
		t.Fatal(err)
	}
	sender.SetToken("no longer")
	told := make(chan struct{}, 1)
	sender.OnUnauthorized(func() { told <- struct{}{} })
	if err := sender.PutBlob(ctx, hashes[1], 50_000, until(), never); problem.CodeOf(err) != "token" {
		t.Fatal(err)
	}
	<-told
}

// TestAnswerWhileSending: what is there already is answered while the client
// sends, when checking it took longer than the client waits.
func TestAnswerWhileSending(t *testing.T) {
	ctx := testkit.Context(t)
	b := brokertest.Start(t, "", nil)
	p := brokertest.New(t, 0)
	p.Login(t, b)
	hc := httpkit.Client(0)
	hc.Transport.(*http.Transport).ExpectContinueTimeout = time.Nanosecond
	c := brokerclient.New(b.URL(), hc)
	c.SetToken(p.Token)
	body, h := random(24 << 20)
	for i := range 10 {
		if err := c.PutBlob(ctx, h, int64(len(body)), until(), from(body)); err != nil {
			t.Fatalf("time %d: %v", i, err)
		}
	}
}

// BenchmarkBlob moves 256 MB through a broker over loopback, one request after
// the other, beside plain files on the same disk. "go test -bench Blob -run ^$
// -benchtime 3x ./test/transfer"
func BenchmarkBlob(b *testing.B) {
	const size = 256 << 20
	body, _ := random(size)
	dir := b.TempDir()
	br := brokertest.Start(b, filepath.Join(dir, "broker"), nil)
	c := client(b, br)
	fresh := func(i int) blob.Hash {
		copy(body, fmt.Sprint(i, time.Now()))
		return sha256.Sum256(body)
	}
	ctx := testkit.Context(b)
	b.Run("disk", func(b *testing.B) {
		b.SetBytes(size)
		for i := range b.N {
			f, err := os.Create(filepath.Join(dir, fmt.Sprint("plain", i)))
			if err != nil {
				b.Fatal(err)
			}
			_, err = f.Write(body)
			if err = errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name())); err != nil {
				b.Fatal(err)
			}
		}
	})
	var last blob.Hash
	b.Run("put", func(b *testing.B) {
		b.SetBytes(size)
		for i := range b.N {
			b.StopTimer()
			last = fresh(i)
			b.StartTimer()
			if err := c.PutBlob(ctx, last, size, until(), from(body)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("get", func(b *testing.B) {
		b.SetBytes(size)
		for range b.N {
			r, err := c.GetBlob(ctx, last, 0, -1)
			if err != nil {
				b.Fatal(err)
			}
			n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, make([]byte, 1<<20))
			if err := errors.Join(err, r.Close()); err != nil || n != size {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("hash", func(b *testing.B) {
		b.SetBytes(size)
		for range b.N {
			sha256.Sum256(body)
		}
	})
	b.Run("small", func(b *testing.B) {
		small := []byte(strings.Repeat("x", 64<<10))
		b.SetBytes(int64(len(small)))
		for i := range b.N {
			copy(small, fmt.Sprint(i, time.Now()))
			if err := c.PutBlob(ctx, sha256.Sum256(small), int64(len(small)), until(), from(small)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
