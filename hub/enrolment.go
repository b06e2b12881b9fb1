package hub

import (
	"context"
	"crypto/rand"
	"encoding/hex"

	"github.com/digital-spine/spine/ens"
)

// States of an enrolment.
const (
	Requested = "requested"
	Issued    = "issued"
	Rejected  = "rejected"
)

// Enrolment is a request for a role and what became of it.
type Enrolment struct {
	ID        string `json:"id"`
	Role      string `json:"role"`
	Subject   string `json:"subject" doc:"DID in normal form"`
	Status    string `json:"status" enum:"requested,issued,rejected"`
	Digest    string `json:"digest,omitempty" doc:"of the credential, once issued"`
	Reason    string `json:"reason,omitempty" doc:"given with a rejection"`
	Requested int64  `json:"requested" doc:"ms since 1970"`
	Decided   int64  `json:"decided,omitempty" doc:"ms since 1970"`
}

// EnrolmentFilter selects enrolments; empty members do not select.
type EnrolmentFilter struct {
	Role, Subject, Status string
	Issuer                string // DID that may issue the role, by indexed definitions and credentials
	Limit                 int
}

// RequestRole stores a request of a subject for a role on the chain. A second
// request for the same role returns the first as long as it is open, or the
// issued one while its credential is good.
func (h *Hub) RequestRole(ctx context.Context, subject, role string) (*Enrolment, error) {
	role, err := ens.Normalize(role)
	if err != nil {
		return nil, err
	}
	r, err := h.role(ctx, role)
	if err != nil {
		return nil, err
	}
	held, err := h.store.Credentials(ctx, Selection{Subject: subject, Role: role, ValidAt: h.now(), Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(held) > 0 {
		done, err := h.store.Enrolments(ctx, EnrolmentFilter{Role: role, Subject: subject, Status: Issued, Limit: MaxPage})
		if err != nil {
			return nil, err
		}
		for i := len(done) - 1; i >= 0; i-- {
			if done[i].Digest == hex.EncodeToString(held[0].Digest[:]) {
				return &done[i], nil
			}
		}
	}
	if err := h.prerequisites(ctx, r, subject); err != nil {
		return nil, err
	}
	// The list of requests for an issuer rests on the indexed definition, which
	// may not have been written yet.
	if err := h.store.AddRole(ctx, r); err != nil {
		return nil, err
	}
	var id [16]byte
	rand.Read(id[:])
	e, err := h.store.PutEnrolment(ctx, &Enrolment{ID: hex.EncodeToString(id[:]), Role: role, Subject: subject, Status: Requested, Requested: h.now()})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// prerequisites spares an issuer requests that cannot be granted. What the hub
// knows of the subject's roles is a hint; issuers check for themselves.
func (h *Hub) prerequisites(ctx context.Context, r *Role, subject string) error {
	if len(r.Prerequisites) == 0 {
		return nil
	}
	held := 0
	for _, p := range r.Prerequisites {
		list, err := h.store.Credentials(ctx, Selection{Subject: subject, Role: p, ValidAt: h.now(), Limit: 1})
		if err != nil {
			return err
		}
		held += len(list)
	}
	if held == 0 || r.AllOfThem && held < len(r.Prerequisites) {
		return ErrPrerequisite.With("prerequisites", r.Prerequisites)
	}
	return nil
}

// Enrolment returns one enrolment.
func (h *Hub) Enrolment(ctx context.Context, id string) (*Enrolment, error) {
	return h.store.Enrolment(ctx, id)
}

// Enrolments lists enrolments, oldest first.
func (h *Hub) Enrolments(ctx context.Context, f EnrolmentFilter) ([]Enrolment, error) {
	var err error
	for _, d := range []*string{&f.Subject, &f.Issuer} {
		if *d != "" {
			if *d, err = h.did(*d); err != nil {
				return nil, err
			}
		}
	}
	f.Limit = page(f.Limit)
	return h.store.Enrolments(ctx, f)
}

// Reject ends a request; only who may issue the role, or the subject itself,
// may do so.
func (h *Hub) Reject(ctx context.Context, caller, id, reason string) (*Enrolment, error) {
	if len(reason) > MaxReason {
		return nil, ErrTooMany
	}
	e, err := h.store.Enrolment(ctx, id)
	if err != nil {
		return nil, err
	}
	if caller != e.Subject {
		r, err := h.role(ctx, e.Role)
		if err != nil {
			return nil, err
		}
		if ok, err := h.mayIssue(ctx, r, caller); err != nil {
			return nil, err
		} else if !ok {
			return nil, ErrNotIssuer
		}
	}
	h.log.Info("enrolment rejected", "enrolment", id, "role", e.Role, "subject", e.Subject, "by", caller)
	return h.store.RejectEnrolment(ctx, id, reason, h.now())
}
