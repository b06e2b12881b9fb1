package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
)

// How transfers of files go on after the connection breaks.
const (
	tries      = 8 // in a row that brought nothing
	retryFirst = 100 * time.Millisecond
	retryMost  = 10 * time.Second
	copyBuffer = 256 << 10
)

// UploadOptions say what a file is and what becomes of it.
type UploadOptions struct {
	Name    string   // never a path; may be empty
	Type    string   // media type; empty: application/octet-stream
	Channel string   // to send it on
	To      []string // DIDs; empty: everybody whom the channel admits
	Send    bool     // send it as soon as it is complete
	// Resume is the upload to go on with: what Began told before. One that is
	// gone is begun anew.
	Resume   string
	Began    func(upload string)        // told of a new upload; may be nil
	Progress func(through, total int64) // may be nil
}

// Upload stores size bytes of r at the gateway, and sends them where that is
// asked for. It goes on by itself after the connection broke or the gateway was
// started again. Codes are the gateway's, such as name_invalid, too_large,
// storage_full and, when it is sent, schema.
func (c *Client) Upload(ctx context.Context, r io.ReaderAt, size int64, o UploadOptions) (*gateway.File, *gateway.Accepted, error) {
	u := &upload{c: c, r: r, size: size, o: o, at: -1}
	if o.Resume != "" {
		u.path = "/uploads/" + url.PathEscape(o.Resume)
	}
	again := backoff{}
	for {
		before := u.at
		done, err := u.step(ctx)
		if done {
			break
		}
		if err != nil && !passes(err) {
			return nil, nil, err
		}
		if err := again.wait(ctx, u.at > before, err); err != nil {
			return nil, nil, err
		}
	}
	f, err := c.File(ctx, u.file)
	if err != nil {
		return nil, nil, err
	}
	return &f.File, u.sent, nil
}

// upload is one that is under way (tus 1.0).
type upload struct {
	c    *Client
	r    io.ReaderAt
	size int64
	o    UploadOptions
	path string
	at   int64 // where it goes on, below 0: not known
	file string
	sent *gateway.Accepted
}

// step does the next request; done when the file is complete.
func (u *upload) step(ctx context.Context) (done bool, err error) {
	switch {
	case u.path == "":
		err = u.create(ctx)
		return false, err
	case u.at < 0:
		done, err = u.ask(ctx)
		if problem.CodeOf(err) == "http_404" || problem.CodeOf(err) == "upload_unknown" {
			if u.o.Resume == "" {
				return false, err
			}
			u.o.Resume, u.path = "", "" // it is over: a new one
			return false, nil
		}
		return done, err
	}
	return u.patch(ctx)
}

func (u *upload) create(ctx context.Context) error {
	var meta []string
	add := func(name, value string) {
		if value != "" {
			meta = append(meta, name+" "+base64.StdEncoding.EncodeToString([]byte(value)))
		}
	}
	add("filename", u.o.Name)
	add("filetype", u.o.Type)
	add("channel", u.o.Channel)
	add("to", strings.Join(u.o.To, " "))
	if u.o.Send {
		add("send", "true")
	}
	resp, err := u.do(ctx, http.MethodPost, u.c.base+"/uploads", nil, 0, map[string]string{"Upload-Length": strconv.FormatInt(u.size, 10), "Upload-Metadata": strings.Join(meta, ",")})
	if err != nil {
		return err
	}
	_, id, ok := strings.Cut(resp.Header.Get("Location"), "/uploads/")
	if !ok || id == "" {
		return answerInvalid()
	}
	u.path, u.at = "/uploads/"+id, 0
	if u.o.Began != nil {
		u.o.Began(id)
	}
	return nil
}

func answerInvalid() *problem.Error {
	return problem.New(http.StatusBadGateway, "answer_invalid", "the gateway's answer is not what it documents")
}

func (u *upload) ask(ctx context.Context) (bool, error) {
	resp, err := u.do(ctx, http.MethodHead, u.c.base+u.path, nil, 0, nil)
	if err != nil {
		return false, err
	}
	if n, err := strconv.ParseInt(resp.Header.Get("Upload-Length"), 10, 64); err != nil || n != u.size {
		return false, problem.New(http.StatusConflict, "upload_length", "the upload is of a file of another length")
	}
	return u.state(resp)
}

func (u *upload) patch(ctx context.Context) (bool, error) {
	body := &counted{r: io.NewSectionReader(u.r, u.at, u.size-u.at), at: u.at, total: u.size, told: u.o.Progress}
	at := u.at
	u.at = -1 // if this fails, it is asked for
	resp, err := u.do(ctx, http.MethodPatch, u.c.base+u.path, body, u.size-at, map[string]string{
		"Upload-Offset": strconv.FormatInt(at, 10), "Content-Type": "application/offset+octet-stream"})
	if err != nil {
		if body.err != nil {
			return false, body.err // of the source
		}
		return false, err
	}
	return u.state(resp)
}

// state reads where the upload stands.
func (u *upload) state(resp *http.Response) (done bool, err error) {
	if u.at, err = strconv.ParseInt(resp.Header.Get("Upload-Offset"), 10, 64); err != nil || u.at < 0 || u.at > u.size {
		return false, answerInvalid()
	}
	if u.file = resp.Header.Get("Spine-File"); u.file == "" {
		return false, nil
	}
	if id := resp.Header.Get("Spine-Message"); id != "" {
		u.sent = &gateway.Accepted{ID: id, State: gateway.State(resp.Header.Get("Spine-Message-State"))}
	}
	return true, nil
}

// do sends one request of the upload and returns a 2xx answer without its body.
func (u *upload) do(ctx context.Context, method, to string, body io.Reader, size int64, headers map[string]string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.ContentLength = size
	if size == 0 {
		req.Body = nil
	}
	req.Header.Set("Tus-Resumable", "1.0.0")
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := u.c.fetch(req)
	if err != nil {
		return nil, err
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 1<<20)
	return resp, resp.Body.Close()
}

// fetch sends a request and returns a 2xx answer; others are problems.
func (c *Client) fetch(req *http.Request) (*http.Response, error) {
	req.Header.Set("Authorization", "Bearer "+c.key)
	resp, err := c.http.Do(req)
	if err != nil {
		if req.Context().Err() != nil {
			return nil, req.Context().Err()
		}
		return nil, problem.New(http.StatusBadGateway, "unreachable", "the gateway cannot be reached").Wrap(err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, problem.New(http.StatusBadGateway, "unreachable", "the gateway's answer broke off").Wrap(err)
	}
	return nil, httpkit.DecodeProblem(resp.StatusCode, b)
}

// counted tells how much of a source was read.
type counted struct {
	r         io.Reader
	at, total int64
	told      func(through, total int64)
	err       error
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.at += int64(n); n > 0 && c.told != nil {
		c.told(c.at, c.total)
	}
	if err == io.EOF && c.at < c.total {
		err = fmt.Errorf("the source has %d of %d bytes: %w", c.at, c.total, io.ErrUnexpectedEOF)
	}
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// passes reports whether a failure may go away by itself.
func passes(err error) bool {
	switch problem.CodeOf(err) {
	case "unreachable", "upload_offset", "upload_busy", "throttled", "not_ready", "body_incomplete":
		return true
	}
	return false
}

// backoff waits between tries.
type backoff struct{ n int }

// wait waits before the next try; it gives up with err after too many that
// brought nothing.
func (b *backoff) wait(ctx context.Context, moved bool, err error) error {
	if moved {
		b.n = 0
	}
	if err == nil {
		return ctx.Err()
	}
	if b.n++; b.n > tries {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(min(retryFirst<<b.n, retryMost)):
		return nil
	}
}

// PostFile stores what r gives at the gateway in one request, for content whose
// length is not known; it cannot be resumed.
func (c *Client) PostFile(ctx context.Context, r io.Reader, o UploadOptions) (*gateway.File, *gateway.Accepted, error) {
	q := url.Values{"to": o.To}
	for k, v := range map[string]string{"name": o.Name, "channel": o.Channel} {
		if v != "" {
			q.Set(k, v)
		}
	}
	if o.Send {
		q.Set("send", "true")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/files?"+q.Encode(), r)
	if err != nil {
		return nil, nil, fmt.Errorf("make request: %w", err)
	}
	if o.Type != "" {
		req.Header.Set("Content-Type", o.Type)
	}
	resp, err := c.fetch(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	var out gateway.Uploaded
	if err := decode(resp.Body, &out); err != nil {
		return nil, nil, err
	}
	return &out.File, out.Message, nil
}

// FileFilter selects files; empty members do not filter.
type FileFilter struct {
	Direction string // gateway.In, gateway.Out or stored
	Before    string // the next of an earlier answer
	Max       int    // 1 to 200, 50 when 0
}

// Files lists files, newest first, and what to pass as Before to go on; it is
// empty at the end.
func (c *Client) Files(ctx context.Context, f FileFilter) ([]gateway.StoredFile, string, error) {
	q := url.Values{}
	for k, v := range map[string]string{"direction": f.Direction, "before": f.Before} {
		if v != "" {
			q.Set(k, v)
		}
	}
	if f.Max > 0 {
		q.Set("max", strconv.Itoa(f.Max))
	}
	var out struct {
		Files []gateway.StoredFile `json:"files"`
		Next  string               `json:"next"`
	}
	err := c.call(ctx, http.MethodGet, "/files?"+q.Encode(), nil, &out)
	return out.Files, out.Next, err
}

// File tells about one file, its state and progress; code file_unknown.
func (c *Client) File(ctx context.Context, id string) (*gateway.StoredFile, error) {
	var f gateway.StoredFile
	return &f, c.call(ctx, http.MethodGet, "/files/"+url.PathEscape(id), nil, &f)
}

// VerifyFile has the gateway read a whole file again and check all of it.
func (c *Client) VerifyFile(ctx context.Context, id string) (ok bool, checks []gateway.Check, err error) {
	var out struct {
		OK     bool            `json:"ok"`
		Checks []gateway.Check `json:"checks"`
	}
	err = c.call(ctx, http.MethodGet, "/files/"+url.PathEscape(id)+"/verify", nil, &out)
	return out.OK, out.Checks, err
}

// DeleteFile deletes a file; codes file_unknown, file_in_use.
func (c *Client) DeleteFile(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/files/"+url.PathEscape(id), nil, nil)
}

// decode reads a JSON answer.
func decode(r io.Reader, out any) error {
	if err := json.NewDecoder(io.LimitReader(r, httpkit.MaxAnswer)).Decode(out); err != nil {
		return answerInvalid().Wrap(err)
	}
	return nil
}
