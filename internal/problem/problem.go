// Package problem is the one error shape that crosses an HTTP boundary: a
// stable code, a status, a sentence and, where a person can act, a hint
// (RFC 9457). Domain packages return *Error or any error with an
// ErrorCode method; the HTTP layer turns both into application/problem+json.
//
// It is not a place for domain rules: codes are declared by the packages that
// give them.
package problem

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// Error is an error that a client may be told about.
type Error struct {
	// Code is stable and machine readable: lower case, words joined by "_".
	Code string
	// Status is the HTTP status (4xx or 5xx).
	Status int
	// Message says what failed, in one lower-case sentence without content of
	// the payload that caused it.
	Message string
	// Hint says what a person can do about it; it may be empty.
	Hint string
	// Details are extension members of the problem document, such as a JSON
	// pointer. They must never hold payload content or secrets.
	Details map[string]any
	// Err is the cause. It is logged, never sent.
	Err error
}

// New makes an Error.
func New(status int, code, message string) *Error {
	return &Error{Status: status, Code: code, Message: message}
}

// Error implements error.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Err)
	}
	return e.Code + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrorCode returns the stable code.
func (e *Error) ErrorCode() string { return e.Code }

// Is reports whether target is an *Error of the same code, so that package
// level values can be compared after WithHint, With or Wrap made a copy.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// WithHint returns a copy with a hint.
func (e *Error) WithHint(hint string) *Error {
	c := *e
	c.Hint = hint
	return &c
}

// Wrap returns a copy with a cause.
func (e *Error) Wrap(err error) *Error {
	c := *e
	c.Err = err
	return &c
}

// With returns a copy with an extension member.
func (e *Error) With(key string, v any) *Error {
	c := *e
	c.Details = make(map[string]any, len(e.Details)+1)
	for k, old := range e.Details {
		c.Details[k] = old
	}
	c.Details[key] = v
	return &c
}

// coder is what domain errors implement when they carry a stable code.
type coder interface{ ErrorCode() string }

// statuser may be implemented beside ErrorCode to choose the HTTP status; 422
// is used otherwise.
type statuser interface{ ErrorStatus() int }

// hinter may be implemented beside ErrorCode to give a hint.
type hinter interface{ ErrorHint() string }

// detailer may be implemented beside ErrorCode to give extension members.
type detailer interface{ ErrorDetails() map[string]any }

// CodeOf returns the stable code of err: the first *Error or ErrorCode in its
// chain, "canceled" or "timeout" for an ended context, "internal" for anything
// else and "" for nil.
func CodeOf(err error) string {
	var c coder
	switch {
	case err == nil:
		return ""
	case errors.As(err, &c):
		return c.ErrorCode()
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	default:
		return "internal"
	}
}

// From turns any error into an *Error. An error without a code becomes status
// 500, code "internal", and keeps its text out of Message: it is in Err, for
// the log.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var c coder
	if errors.As(err, &c) {
		out := &Error{Code: c.ErrorCode(), Status: http.StatusUnprocessableEntity, Message: err.Error(), Err: err}
		var s statuser
		if errors.As(err, &s) {
			out.Status = s.ErrorStatus()
		}
		var h hinter
		if errors.As(err, &h) {
			out.Hint = h.ErrorHint()
		}
		var d detailer
		if errors.As(err, &d) {
			out.Details = d.ErrorDetails()
		}
		return out
	}
	switch CodeOf(err) {
	case "timeout":
		return &Error{Code: "timeout", Status: http.StatusGatewayTimeout, Message: "the operation took too long", Err: err}
	case "canceled":
		return &Error{Code: "canceled", Status: 499, Message: "the caller went away", Err: err}
	default:
		return &Error{Code: "internal", Status: http.StatusInternalServerError, Message: "internal error", Err: err,
			Hint: "look at the server's log under the request id"}
	}
}
