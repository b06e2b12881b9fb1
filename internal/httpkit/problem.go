package httpkit

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/digital-spine/spine/internal/problem"
)

// Problem is the document of RFC 9457 that every failed request is answered
// with, as application/problem+json.
type Problem struct {
	Type    string         `json:"type" doc:"about:blank; the code tells the kind of problem"`
	Title   string         `json:"title" doc:"the status in words"`
	Status  int            `json:"status" doc:"HTTP status"`
	Code    string         `json:"code" doc:"stable, machine readable name of the problem"`
	Detail  string         `json:"detail,omitempty" doc:"what failed, in a sentence"`
	Hint    string         `json:"hint,omitempty" doc:"what a person can do about it"`
	Request string         `json:"request,omitempty" doc:"the request's id, as in the server's log"`
	Errors  []Invalid      `json:"errors,omitempty" doc:"members of the request that are not as described, 20 at most"`
	Extra   map[string]any `json:"-"`

	// The document tells that problems have further members (Extra).
	_ struct{} `additionalProperties:"true"`
}

// Invalid names a member of a request that does not fit its description. The
// member's value is never repeated.
type Invalid struct {
	Location string `json:"location" doc:"where, such as body.topic or query.wait"`
	Message  string `json:"message" doc:"what is expected there"`
}

// Bounds of what a problem says about a request, so that an answer does not grow
// with how wrong the request is: a location holds names that the client chose.
const (
	maxInvalid  = 20
	maxLocation = 200 // bytes
)

func shortened(location string) string {
	if len(location) <= maxLocation {
		return location
	}
	return strings.ToValidUTF8(location[:maxLocation], "") + "…"
}

// Error implements error.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// MarshalJSON writes the extension members beside the registered ones.
func (p *Problem) MarshalJSON() ([]byte, error) {
	type plain Problem
	b, err := json.Marshal((*plain)(p))
	if err != nil || len(p.Extra) == 0 {
		return b, err
	}
	all := make(map[string]any, len(p.Extra)+8)
	maps.Copy(all, p.Extra)
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// newProblem makes the document of err.
func newProblem(err error, request string) *Problem {
	e := problem.From(err)
	return &Problem{
		Type: "about:blank", Title: title(e.Status), Status: e.Status, Code: e.Code,
		Detail: e.Message, Hint: e.Hint, Request: request, Extra: e.Details,
	}
}

func title(status int) string {
	if t := http.StatusText(status); t != "" {
		return t
	}
	return "Request failed"
}

// WriteProblem answers a request with the problem that err is.
func WriteProblem(w http.ResponseWriter, r *http.Request, err error) {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		err = bodyTooLarge(tooLarge.Limit)
	}
	p := newProblem(err, RequestID(r.Context()))
	if p.Status == http.StatusRequestEntityTooLarge {
		drain(r)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

// maxDrain bounds what is read and dropped of a body that is too large. Clients
// that write the whole body before they read would see a reset connection
// instead of the answer.
const maxDrain = 32 << 20

func drain(r *http.Request) {
	if body, ok := r.Context().Value(bodyKey{}).(*timedBody); ok {
		body.answered()
		_, _ = io.CopyN(io.Discard, body, maxDrain)
	}
}

// WriteJSON answers with v.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func init() {
	make := func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		request := ""
		if ctx != nil {
			request = RequestID(ctx.Context())
		}
		p := &Problem{Type: "about:blank", Title: title(status), Status: status, Code: "request_invalid", Detail: msg, Request: request}
		for _, err := range errs {
			if err == nil {
				continue
			}
			var tooLarge *http.MaxBytesError
			var detail huma.ErrorDetailer
			switch {
			case errors.As(err, &tooLarge):
				return newProblem(bodyTooLarge(tooLarge.Limit), request)
			case errors.As(err, &detail):
				d := detail.ErrorDetail()
				if len(p.Errors) < maxInvalid {
					p.Errors = append(p.Errors, Invalid{Location: shortened(d.Location), Message: d.Message})
				}
			case status >= 500 || problem.CodeOf(err) != "internal":
				return newProblem(err, request)
			}
		}
		switch {
		case status == http.StatusRequestEntityTooLarge:
			p.Code = "body_too_large"
		case status >= 500:
			p.Code, p.Detail = "internal", "internal error"
		}
		return p
	}
	huma.NewErrorWithContext = make
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError { return make(nil, status, msg, errs...) }
}
