package brokerclient

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
)

// Bounds of blobs, as the broker has them.
const (
	MaxBlob  = 1<<30 + 1<<20 // bytes of one
	maxHave  = 8192          // hashes of one question
	maxWrite = 6             // uploads and questions under way; the broker takes 8 of a DID
	// stallAfter is how long a transfer may stand still; there is no other limit
	// on its time. An answer after an upload waits for a disk, so it has longer.
	stallAfter  = time.Minute
	answerAfter = 5 * time.Minute
)

var (
	errStalled = problem.New(http.StatusGatewayTimeout, "stalled", "the transfer stood still for too long")
	errRange   = problem.New(http.StatusRequestedRangeNotSatisfiable, "range", "the range lies outside of the blob")
)

// transfers is how a Client moves blobs: without a limit on the whole time.
type transfers struct {
	hc    *http.Client
	clock clockwork.Clock
	slots chan struct{} // one per upload or question under way
}

func newTransfers(hc http.Client) transfers {
	hc.Timeout = 0
	return transfers{hc: &hc, clock: clockwork.NewRealClock(), slots: make(chan struct{}, maxWrite)}
}

// slot waits for a place among the uploads.
func (t *transfers) slot(ctx context.Context) (func(), error) {
	select {
	case t.slots <- struct{}{}:
		return func() { <-t.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// watch is a timer that ends a transfer which stands still.
type watch struct {
	ctx    context.Context
	timer  clockwork.Timer
	cancel context.CancelCauseFunc
}

func (t *transfers) watch(ctx context.Context) *watch {
	ctx, cancel := context.WithCancelCause(ctx)
	return &watch{ctx: ctx, cancel: cancel, timer: t.clock.AfterFunc(stallAfter, func() { cancel(errStalled) })}
}

func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// told is err, or that the transfer stood still when that is what ended it.
func (w *watch) told(err error) error {
	if err != nil && errors.Is(context.Cause(w.ctx), errStalled) {
		return errStalled.Wrap(err)
	}
	return err
}

// PutBlob brings the size bytes of body into the broker's store under their
// hash, where they stay at least until a time (ms). It is durable there when it
// returns nil; having it there already is fine and costs no transfer. body is
// called at most once and may be called not at all. Codes are the broker's:
// blob_hash, quota_exceeded, storage_full, transfers and others; "unreachable"
// when the connection broke.
func (c *Client) PutBlob(ctx context.Context, hash [32]byte, size, until int64, body func() (io.ReadCloser, error)) error {
	if err := c.LoggedIn("put blob"); err != nil {
		return err
	}
	free, err := c.blobs.slot(ctx)
	if err != nil {
		return err
	}
	defer free()
	w := c.blobs.watch(ctx)
	defer w.stop()
	src := &source{open: body, watch: w}
	defer src.Close()
	path := "/api/v1/blobs/" + hex.EncodeToString(hash[:]) + "?until=" + strconv.FormatInt(until, 10)
	req, err := http.NewRequestWithContext(w.ctx, http.MethodPut, c.URL()+path, src)
	if err != nil {
		return fmt.Errorf("broker: put blob: %w", err)
	}
	req.ContentLength = size
	if size == 0 {
		req.Body = http.NoBody
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("Expect", "100-continue") // what is there already, or refused, is not sent
	resp, err := c.transfer(w, req)
	if own := src.failed(); own != nil {
		// The own side failed; what the server made of it does not matter.
		if err == nil {
			resp.Body.Close()
		}
		return fmt.Errorf("broker: put blob: read: %w", own)
	}
	if err != nil {
		return fmt.Errorf("broker: put blob: %w", err)
	}
	_, err = io.CopyN(io.Discard, resp.Body, httpkit.MaxAnswer)
	resp.Body.Close()
	if err != nil && err != io.EOF {
		return fmt.Errorf("broker: put blob: %w", w.told(unreachable(err)))
	}
	return nil
}

// source is an upload's body: opened when the first byte is wanted. The HTTP
// client may still read it when the answer is there, hence the lock.
type source struct {
	open  func() (io.ReadCloser, error)
	watch *watch
	mu    sync.Mutex
	r     io.ReadCloser
	err   error
	ended bool
}

func (s *source) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return 0, fs.ErrClosed
	case s.err != nil:
		return 0, s.err
	case s.r == nil:
		if s.r, s.err = s.open(); s.err != nil {
			return 0, s.err
		}
	}
	n, err := s.r.Read(p)
	switch {
	case err == io.EOF:
		s.watch.timer.Reset(answerAfter)
	case err != nil:
		s.err = err
	default:
		s.watch.timer.Reset(stallAfter)
	}
	return n, err
}

// failed is the error of the source itself.
func (s *source) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.r == nil {
		s.ended = true
		return nil
	}
	s.ended = true
	return s.r.Close()
}

// transfer sends a request and returns a 2xx answer; any other is an error.
func (c *Client) transfer(w *watch, req *http.Request) (*http.Response, error) {
	req.Header.Set("Authorization", "Bearer "+c.Bearer())
	req.Header.Set("Accept-Encoding", "identity") // a hash is checked over what is sent
	resp, err := c.blobs.hc.Do(req)
	if err != nil {
		if told := w.told(err); errors.Is(told, errStalled) {
			return nil, told
		}
		if cause := w.ctx.Err(); cause != nil {
			return nil, cause
		}
		return nil, unreachable(err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, w.told(unreachable(err))
	}
	return nil, c.Failed(httpkit.DecodeProblem(resp.StatusCode, b))
}

func unreachable(err error) error {
	return problem.New(http.StatusBadGateway, "unreachable", "the broker cannot be reached, or the connection broke").Wrap(err)
}

// HaveBlobs asks which of the blobs are missing at the broker. Those that are
// there are kept for this gateway until a time (ms). It takes any number of
// hashes; more than 8,192 are several questions.
func (c *Client) HaveBlobs(ctx context.Context, hashes [][32]byte, until int64) (missing [][32]byte, err error) {
	if err := c.LoggedIn("have blobs"); err != nil {
		return nil, err
	}
	for len(hashes) > 0 {
		some := hashes[:min(len(hashes), maxHave)]
		hashes = hashes[len(some):]
		more, err := c.haveSome(ctx, some, until)
		if err != nil {
			return nil, err
		}
		missing = append(missing, more...)
	}
	return missing, nil
}

func (c *Client) haveSome(ctx context.Context, hashes [][32]byte, until int64) (missing [][32]byte, err error) {
	free, err := c.blobs.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer free()
	type question struct {
		Hashes []string `json:"hashes"`
		Until  int64    `json:"until"`
	}
	in := question{Hashes: make([]string, 0, len(hashes)), Until: until}
	asked := make(map[[32]byte]bool, len(hashes))
	for _, h := range hashes {
		if !asked[h] {
			asked[h] = true
			in.Hashes = append(in.Hashes, hex.EncodeToString(h[:]))
		}
	}
	var out struct {
		Missing []string `json:"missing"`
	}
	w := c.blobs.watch(ctx)
	defer w.stop()
	if err := c.Call(w.ctx, http.MethodPost, "blobs/have", in, &out); err != nil {
		return nil, w.told(err)
	}
	for _, text := range out.Missing {
		h, err := c.Digest(text)
		if err != nil {
			return nil, err
		}
		if !asked[h] {
			return nil, c.Invalid("a blob is missing that was not asked for")
		}
		delete(asked, h)
		missing = append(missing, h)
	}
	return missing, nil
}

// GetBlob reads length bytes of a blob from offset on, or to its end when
// length < 0; ErrNotFound when the broker has none. What comes is at most what
// was asked for, at most MaxBlob, and otherwise the broker's word: it may be
// other bytes or fewer, so whoever reads it hashes it. Reading ends with code
// stalled when nothing comes for a minute.
func (c *Client) GetBlob(ctx context.Context, hash [32]byte, offset, length int64) (io.ReadCloser, error) {
	switch {
	case c.Bearer() == "":
		return nil, fmt.Errorf("broker: get blob: %w", ErrNoLogin)
	case offset < 0 || offset > MaxBlob:
		return nil, fmt.Errorf("broker: get blob: %w", errRange)
	case length == 0:
		return http.NoBody, nil
	}
	w := c.blobs.watch(ctx)
	req, err := http.NewRequestWithContext(w.ctx, http.MethodGet, c.URL()+"/api/v1/blobs/"+hex.EncodeToString(hash[:]), nil)
	if err != nil {
		w.stop()
		return nil, fmt.Errorf("broker: get blob: %w", err)
	}
	limit := MaxBlob - offset
	last := ""
	if length > 0 {
		limit = min(limit, length)
		last = strconv.FormatInt(offset+limit-1, 10)
	}
	part := offset > 0 || length > 0
	if part {
		req.Header.Set("Range", "bytes="+strconv.FormatInt(offset, 10)+"-"+last)
	}
	resp, err := c.transfer(w, req)
	var p *problem.Error
	if offset == 0 && errors.As(err, &p) && p.Status == http.StatusRequestedRangeNotSatisfiable {
		w.stop()
		return http.NoBody, nil // there is no range of an empty blob
	}
	if err == nil {
		err = c.served(resp, offset)
		if err != nil {
			resp.Body.Close()
		}
	}
	if err != nil {
		w.stop()
		return nil, fmt.Errorf("broker: get blob: %w", err)
	}
	w.timer.Stop()
	return &download{watch: w, body: resp.Body, left: limit}, nil
}

// served checks that the answer begins at the offset.
func (c *Client) served(resp *http.Response, offset int64) error {
	if resp.Header.Get("Content-Encoding") != "" {
		return c.Invalid("a blob in a content encoding")
	}
	switch {
	case resp.StatusCode == http.StatusOK && offset == 0:
		return nil
	case resp.StatusCode == http.StatusPartialContent:
		if strings.HasPrefix(resp.Header.Get("Content-Range"), "bytes "+strconv.FormatInt(offset, 10)+"-") {
			return nil
		}
	}
	return c.Invalid("not the range that was asked for")
}

// download is a blob that comes; its timer runs while a Read waits.
type download struct {
	watch *watch
	body  io.ReadCloser
	left  int64
}

func (d *download) Read(p []byte) (int, error) {
	if d.left <= 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > d.left {
		p = p[:d.left]
	}
	d.watch.timer.Reset(stallAfter)
	n, err := d.body.Read(p)
	d.watch.timer.Stop()
	d.left -= int64(n)
	if err != nil && err != io.EOF {
		if err = d.watch.told(err); !errors.Is(err, errStalled) && d.watch.ctx.Err() == nil {
			err = unreachable(err)
		}
	}
	return n, err
}

func (d *download) Close() error {
	d.watch.stop()
	return d.body.Close()
}
