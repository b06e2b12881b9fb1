package hubclient

import (
	"context"
	"net/http"
	"net/url"
)

// Enrolment is a request for a role and what became of it.
type Enrolment struct {
	ID        string `json:"id"`
	Role      string `json:"role"`
	Subject   string `json:"subject"`
	Status    string `json:"status"`            // requested, issued, rejected
	Digest    string `json:"digest,omitempty"`  // of the credential, once issued
	Reason    string `json:"reason,omitempty"`  // given with a rejection
	Requested int64  `json:"requested"`         // ms
	Decided   int64  `json:"decided,omitempty"` // ms
}

// RequestEnrolment asks for a role for this gateway's own DID.
func (c *Client) RequestEnrolment(ctx context.Context, role string) (*Enrolment, error) {
	var e Enrolment
	if err := c.write(ctx, http.MethodPost, "enrolments", map[string]string{"role": role}, &e); err != nil {
		return nil, err
	}
	return &e, nil
}

// EnrolmentFilter selects enrolments; empty fields do not filter.
type EnrolmentFilter struct{ Role, Subject, Issuer, Status string }

// Enrolments lists enrolments.
func (c *Client) Enrolments(ctx context.Context, f EnrolmentFilter) ([]Enrolment, error) {
	q := url.Values{}
	for _, p := range [][2]string{{"role", f.Role}, {"subject", f.Subject}, {"issuer", f.Issuer}, {"status", f.Status}} {
		if p[1] != "" {
			q.Set(p[0], p[1])
		}
	}
	var out struct {
		Enrolments []Enrolment `json:"enrolments"`
	}
	if err := c.Call(ctx, http.MethodGet, "enrolments?"+q.Encode(), nil, &out); err != nil {
		return nil, err
	}
	return out.Enrolments, nil
}

// Enrolment returns one enrolment, or ErrNotFound.
func (c *Client) Enrolment(ctx context.Context, id string) (*Enrolment, error) {
	var e Enrolment
	if err := c.Call(ctx, http.MethodGet, "enrolments/"+url.PathEscape(id), nil, &e); err != nil {
		return nil, err
	}
	return &e, nil
}

// RejectEnrolment ends a request without a credential; the issuer's call.
func (c *Client) RejectEnrolment(ctx context.Context, id, reason string) error {
	return c.write(ctx, http.MethodPost, "enrolments/"+url.PathEscape(id)+"/reject", map[string]string{"reason": reason}, nil)
}
