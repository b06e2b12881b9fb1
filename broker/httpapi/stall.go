package httpapi

import (
	"io"
	"net/http"
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
