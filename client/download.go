package client

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
)

// DownloadOptions say how a download goes on.
type DownloadOptions struct {
	From int64 // bytes that are there already
	// Hash is fed with what comes and compared with the file's SHA-256 at the
	// end; it has seen what is there already. Nil: nothing is compared. The
	// gateway authenticated every byte, so this finds damage on the way from the
	// gateway, or in what was there already.
	Hash     hash.Hash
	Progress func(through, total int64) // may be nil
}

// Download writes a file's content to w, from byte o.From on; it goes on by
// itself after the connection broke. A w with a method Sync, such as *os.File,
// is forced to disk while more comes, so that the caller's own Sync at the end
// finds little to do. Code content_hash when o.Hash is given
// and is not that of the file at the end.
func (c *Client) Download(ctx context.Context, id string, w io.WriterAt, o DownloadOptions) (*gateway.File, error) {
	f, err := c.File(ctx, id)
	if err != nil {
		return nil, err
	}
	at, again := o.From, backoff{}
	buf := make([]byte, copyBuffer)
	disk := &syncing{WriterAt: w}
	disk.disk, _ = w.(syncer)
	defer disk.wg.Wait()
	for at < f.Size {
		before := at
		at, err = c.ranged(ctx, f, at, disk, buf, o)
		var own *ownError
		switch {
		case errors.As(err, &own):
			return nil, own.err
		case err != nil && !passes(err):
			return nil, err
		}
		if err := again.wait(ctx, at > before, err); err != nil {
			return nil, err
		}
	}
	if disk.wg.Wait(); disk.err != nil {
		return nil, disk.err
	}
	if o.Hash != nil && hex.EncodeToString(o.Hash.Sum(nil)) != f.SHA256 {
		return nil, problem.New(http.StatusBadGateway, "content_hash", "the content is not that of the file").WithHint("download it anew")
	}
	return &f.File, nil
}

type syncer interface{ Sync() error }

// syncing forces what was written to disk from time to time, beside the writing.
type syncing struct {
	io.WriterAt
	disk  syncer // may be nil
	fresh int64  // bytes since the last Sync began
	busy  atomic.Bool
	wg    sync.WaitGroup
	err   error // of a Sync, which would tell it once only; read after wg
}

// syncEvery is how many bytes are written before they are forced to disk.
const syncEvery = 16 << 20

// WriteAt implements io.WriterAt.
func (s *syncing) WriteAt(p []byte, off int64) (int, error) {
	n, err := s.WriterAt.WriteAt(p, off)
	if s.fresh += int64(n); s.disk != nil && s.fresh >= syncEvery && s.busy.CompareAndSwap(false, true) {
		s.fresh = 0
		s.wg.Go(func() {
			if err := s.disk.Sync(); err != nil {
				s.err = err // and busy stays: there is no other Sync
				return
			}
			s.busy.Store(false)
		})
	}
	return n, err
}

// ownError is one of the destination's.
type ownError struct{ err error }

func (e *ownError) Error() string { return e.err.Error() }

// ranged downloads from a byte on, as far as one connection goes.
func (c *Client) ranged(ctx context.Context, f *gateway.StoredFile, at int64, w io.WriterAt, buf []byte, o DownloadOptions) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/files/"+url.PathEscape(f.ID)+"/content", nil)
	if err != nil {
		return at, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Accept-Encoding", "identity")
	if at > 0 {
		req.Header.Set("Range", "bytes="+strconv.FormatInt(at, 10)+"-")
		req.Header.Set("If-Match", `"`+f.SHA256+`"`)
	}
	resp, err := c.fetch(req)
	if err != nil {
		return at, err
	}
	defer resp.Body.Close()
	if want := http.StatusPartialContent; at > 0 && resp.StatusCode != want || resp.Header.Get("Content-Encoding") != "" {
		return at, answerInvalid()
	}
	for {
		n, err := resp.Body.Read(buf)
		if int64(n) > f.Size-at {
			return at, answerInvalid()
		}
		if n > 0 {
			if _, err := w.WriteAt(buf[:n], at); err != nil {
				return at, &ownError{err}
			}
			if o.Hash != nil {
				o.Hash.Write(buf[:n])
			}
			at += int64(n)
			if o.Progress != nil {
				o.Progress(at, f.Size)
			}
		}
		switch {
		case err == io.EOF && at == f.Size:
			return at, nil
		case err != nil && ctx.Err() != nil:
			return at, ctx.Err()
		case err != nil:
			return at, problem.New(http.StatusBadGateway, "unreachable", "the gateway's answer broke off").Wrap(err)
		}
	}
}
