package httpkit

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/digital-spine/spine/internal/problem"
)

type requestIDKey struct{}

// RequestID returns the id that the server gave to the request of ctx; it is
// also in the answer's X-Request-Id header and in problems.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// guard is the outermost middleware: a request id, a bounded body, and panics
// turned into a problem and a log line.
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
			ctx = context.WithValue(ctx, bodyKey{}, r.Body)
			r = r.WithContext(ctx)
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
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
			next.ServeHTTP(w, r)
		})
	}
}

type bodyKey struct{}

// AllowBody lets a handler read a body of up to max bytes, above or below the
// server's own bound.
func AllowBody(w http.ResponseWriter, r *http.Request, max int64) {
	if body, ok := r.Context().Value(bodyKey{}).(interface {
		Read([]byte) (int, error)
		Close() error
	}); ok {
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
