package httpapi

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/jonboulle/clockwork"
)

// stallAfter is how long a transfer may stand still. There is no other limit on
// its time: a slow line takes as long as it takes.
const stallAfter = time.Minute

// sendChunk is how many bytes of a download make progress, at least.
const sendChunk = 256 << 10

// stallReader reads a request's body and ends it when a read waits for
// stallAfter without a byte. What is done between two reads does not count.
type stallReader struct {
	r     io.Reader
	timer clockwork.Timer
}

// readWithin makes the reader; stop ends its timer.
func readWithin(c clockwork.Clock, w http.ResponseWriter, r io.Reader) (_ io.Reader, stop func()) {
	rc := http.NewResponseController(w)
	t := c.AfterFunc(stallAfter, func() { _ = rc.SetReadDeadline(time.Unix(1, 0)) })
	t.Stop()
	return &stallReader{r, t}, func() { t.Stop() }
}

func (s *stallReader) Read(p []byte) (int, error) {
	s.timer.Reset(stallAfter)
	defer s.timer.Stop()
	return s.r.Read(p)
}

// stallWriter writes an answer and cuts it when a chunk is not taken within
// stallAfter.
type stallWriter struct {
	http.ResponseWriter
	timer clockwork.Timer
}

func writeWithin(c clockwork.Clock, w http.ResponseWriter) (_ *stallWriter, stop func()) {
	rc := http.NewResponseController(w)
	t := c.AfterFunc(stallAfter, func() { _ = rc.SetWriteDeadline(time.Unix(1, 0)) })
	t.Stop()
	return &stallWriter{w, t}, func() { t.Stop() }
}

func (s *stallWriter) Write(p []byte) (int, error) {
	s.timer.Reset(stallAfter)
	defer s.timer.Stop()
	return s.ResponseWriter.Write(p)
}

// ReadFrom sends src in chunks, each by the connection's fast way: from a file
// the kernel copies.
func (s *stallWriter) ReadFrom(src io.Reader) (total int64, err error) {
	whole, limited := src.(*io.LimitedReader)
	if !limited {
		whole = &io.LimitedReader{R: src, N: 1<<63 - 1}
	}
	defer s.timer.Stop()
	for whole.N > 0 {
		s.timer.Reset(stallAfter)
		chunk := min(whole.N, sendChunk)
		n, err := io.Copy(s.ResponseWriter, &io.LimitedReader{R: whole.R, N: chunk})
		total, whole.N = total+n, whole.N-n
		if err != nil || n < chunk {
			return total, err
		}
	}
	return total, nil
}

// upstream is a request's body that knows whether it was read to its end.
type upstream struct {
	io.ReadCloser
	ended bool
}

func (u *upstream) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	u.ended = u.ended || err == io.EOF
	return n, err
}

// answer holds the answer to an upload until it is whole, so that it carries
// its length: the client has all of it while its own bytes are dropped still.
type answer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader notes the status.
func (a *answer) WriteHeader(status int) { a.status = status }

func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) send() {
	a.Header().Set("Content-Length", strconv.Itoa(a.body.Len()))
	a.ResponseWriter.WriteHeader(a.status)
	_, _ = a.ResponseWriter.Write(a.body.Bytes())
}

// lingerFor is how long a client that was answered early may go on sending.
const lingerFor = 2 * time.Second

// linger sends the answer and drops what a client still sends: if the
// connection were closed at once, a client that sends would see it reset and
// not the answer.
func linger(w http.ResponseWriter, body io.Reader) {
	rc := http.NewResponseController(w)
	if rc.Flush() == nil && rc.SetReadDeadline(time.Now().Add(lingerFor)) == nil {
		_, _ = io.Copy(io.Discard, body)
	}
}
