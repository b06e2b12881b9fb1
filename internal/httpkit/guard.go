package httpkit

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/digital-spine/spine/internal/problem"
)

type requestIDKey struct{}

// RequestID returns the id that the server gave to the request of ctx; it is
// also in the answer's X-Request-Id header and in problems.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// Bounds on how long a request's body may take. Without them a client that
// says it has a body, and sends none, would hold its connection for ever.
const (
	bodyTimeout   = 2 * time.Minute // all of it; handlers of streams set their own
	unreadTimeout = 5 * time.Second // what is left of it when its request was answered
)

// guard is the outermost middleware: a request id, a bounded body, a query that
// can be read, and panics turned into a problem and a log line.
func (s *Server) guard(maxBody int64) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var b [8]byte
			rand.Read(b[:])
			id := hex.EncodeToString(b[:])
			ctx := context.WithValue(r.Context(), requestIDKey{}, id)
			h := w.Header()
			h.Set("X-Request-Id", id)
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Cache-Control", "no-store")
			// The unbounded body is kept aside for AllowBody.
			timed := s.timed(w, r)
			defer timed.answered()
			ctx = context.WithValue(ctx, bodyKey{}, timed)
			r = r.WithContext(ctx)
			r.Body = http.MaxBytesReader(w, timed, maxBody)
			defer func() {
				p := recover()
				if p == nil {
					return
				}
				if p == http.ErrAbortHandler {
					panic(p)
				}
				s.log.Error("handler panicked", "request", id, "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				WriteProblem(w, r, problem.New(http.StatusInternalServerError, "internal", "internal error"))
			}()
			// What cannot be read would be left out, and another question answered.
			if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
				WriteProblem(w, r, problem.New(http.StatusBadRequest, "query_malformed", "the query cannot be read").WithHint("members are joined by &, and escaped with %"))
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// timedBody is a request's body whose reads end in time.
type timedBody struct {
	io.ReadCloser
	rc    *http.ResponseController
	left  time.Duration // for what is unread when the request was answered
	ended bool
}

func (s *Server) timed(w http.ResponseWriter, r *http.Request) *timedBody {
	b := &timedBody{ReadCloser: r.Body, rc: http.NewResponseController(w), left: s.unreadFor, ended: r.ContentLength == 0}
	if !b.ended {
		_ = b.rc.SetReadDeadline(time.Now().Add(s.bodyFor)) // not every writer has deadlines
	}
	return b
}

// Read implements io.Reader. At the end the connection is free for waiting.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF && !b.ended {
		b.ended = true
		_ = b.rc.SetReadDeadline(time.Time{})
	}
	return n, err
}

// answered bounds what the server still reads before it takes the connection's
// next request.
func (b *timedBody) answered() {
	if !b.ended {
		_ = b.rc.SetReadDeadline(time.Now().Add(b.left))
	}
}

type bodyKey struct{}

// AllowBody lets a handler read a body of up to max bytes, above or below the
// server's own bound. It has as long for it as any other, unless it sets a read
// deadline of its own.
func AllowBody(w http.ResponseWriter, r *http.Request, max int64) {
	if body, ok := r.Context().Value(bodyKey{}).(*timedBody); ok {
		r.Body = http.MaxBytesReader(w, body, max)
	}
}

// Bearer returns the token of the Authorization header, "" when there is none.
func Bearer(r *http.Request) string { return BearerOf(r.Header.Get("Authorization")) }

// BearerOf returns the token of an Authorization header's value.
func BearerOf(header string) string {
	const prefix = "bearer "
	if len(header) < len(prefix) || !strings.EqualFold(header[:len(prefix)], prefix) {
		return ""
	}
	return strings.TrimSpace(header[len(prefix):])
}
