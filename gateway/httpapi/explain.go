package httpapi

import (
	"errors"
	"net/http"

	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/schema"
)

// status gives the HTTP status of codes that come from rooms which know
// nothing of HTTP; any other code is 422.
var status = map[string]int{
	"too_large":            http.StatusRequestEntityTooLarge,
	"body_too_large":       http.StatusRequestEntityTooLarge,
	"outbox_full":          http.StatusTooManyRequests,
	"throttled":            http.StatusTooManyRequests,
	"did_stale":            http.StatusServiceUnavailable,
	"status_stale":         http.StatusServiceUnavailable,
	"clock":                http.StatusServiceUnavailable,
	"message_unknown":      http.StatusNotFound,
	"channel_unknown":      http.StatusNotFound,
	"idempotency_conflict": http.StatusConflict,
}

// hints say what a caller can do about codes of the protocol.
var hints = map[string]string{
	"too_large":    "send large content as a file, or in parts",
	"no_recipient": "check who holds the channel's roles, and that their gateways have come up once",
	"outbox_full":  "try again later",
	"topic":        "check that the topic's owner has published a record that is in force",
	"did_stale":    "check the gateway's RPC endpoint",
	"status_stale": "the issuer's gateway or the hub is away; try again",
	"role":         "check the role credentials with GET /api/v1/credentials",
}

// explain turns the errors of the rooms below into problems that say where
// and what, without any content.
func explain(err error) error {
	var p *problem.Error
	if errors.As(err, &p) {
		return p
	}
	var se *schema.Error
	if errors.As(err, &se) {
		message := se.Message
		if se.Row > 0 {
			message = se.Place() + " " + message
		}
		e := problem.New(se.ErrorStatus(), se.Code, message).WithHint(se.ErrorHint())
		e.Details = se.ErrorDetails()
		return e
	}
	p = problem.From(err)
	if p.Status == http.StatusUnprocessableEntity {
		c := *p
		if s, ok := status[c.Code]; ok {
			c.Status = s
		}
		if c.Hint == "" {
			c.Hint = hints[c.Code]
		}
		return &c
	}
	return p
}
