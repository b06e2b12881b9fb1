package httpapi

import (
	"net/http"

	"github.com/digital-spine/spine/gateway/access"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
)

// plainErrors are what parts that answer by themselves, http.ServeContent and
// websocket.Accept, refuse in plain text.
var plainErrors = map[int]error{
	http.StatusBadRequest: problem.New(http.StatusBadRequest, "handshake_invalid", "this is no handshake of a WebSocket").
		WithHint("RFC 6455 section 4: Sec-WebSocket-Version 13 and one Sec-WebSocket-Key"),
	http.StatusForbidden: access.ErrCSRF,
	http.StatusPreconditionFailed: problem.New(http.StatusPreconditionFailed, "precondition_failed", "the content is not the one that the request names").
		WithHint("read its ETag again"),
	http.StatusRequestedRangeNotSatisfiable: problem.New(http.StatusRequestedRangeNotSatisfiable, "range", "the range lies outside of the content").
		WithHint("HEAD says how long it is"),
	http.StatusUpgradeRequired: problem.New(http.StatusUpgradeRequired, "upgrade_required", "this path speaks WebSocket only").
		WithHint("GET messages reads messages without one"),
}

// problemWriter answers with problems where such a part refuses.
type problemWriter struct {
	http.ResponseWriter
	r       *http.Request
	refused bool
}

// WriteHeader implements http.ResponseWriter.
func (w *problemWriter) WriteHeader(status int) {
	if status < 400 {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	err := plainErrors[status]
	if err == nil {
		err = problem.New(http.StatusInternalServerError, "internal", "internal error")
	}
	w.refused = true
	for _, name := range []string{"Content-Disposition", "Content-Length"} { // of what is not answered
		w.Header().Del(name)
	}
	httpkit.WriteProblem(w.ResponseWriter, w.r, err)
}

// Write implements http.ResponseWriter. The text of a refusal is dropped.
func (w *problemWriter) Write(b []byte) (int, error) {
	if w.refused {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController, and for who takes the connection.
func (w *problemWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
