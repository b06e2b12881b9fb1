package hub

import (
	"context"
	"errors"

	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/vc"
)

// StatusList is a stored status list with the newest freshness.
type StatusList struct {
	ID          string
	Issuer      string
	List        []byte   // bytes of the list credential
	Digest      [32]byte // of List
	Freshness   []byte   // spine/status structure
	Certificate []byte   // of the key that signed Freshness
	Revision    uint64
	At          int64 // ms, when the freshness was signed
	NotAfter    int64 // ms
}

// StatusList returns a stored list.
func (h *Hub) StatusList(ctx context.Context, id string) (*StatusList, error) {
	return h.store.StatusList(ctx, id)
}

// PutStatusList stores a list of the caller: signed by its DID's key, with a
// freshness structure of one of its instances, of a revision that does not go
// back and with no revocation taken back. When bits were set since the stored
// list, the credentials they belong to are announced as revoked.
func (h *Hub) PutStatusList(ctx context.Context, caller string, p *vc.StatusProof) error {
	now := h.now()
	l, bits, f, err := h.verifier.CheckStatus(ctx, p, "", now)
	if err != nil {
		return h.listVerdict(err)
	}
	if l.Issuer != caller {
		return ErrNotIssuer.WithHint("log in as the list's issuer")
	}
	row := &StatusList{ID: l.ID, Issuer: l.Issuer, List: p.List, Digest: f.ListDigest, Freshness: p.Freshness,
		Certificate: p.Certificate, Revision: f.Revision, At: f.At, NotAfter: f.NotAfter}
	for {
		was, err := h.store.StatusList(ctx, l.ID)
		if errors.Is(err, ErrListUnknown) {
			was, err = nil, nil
		}
		if err != nil {
			return err
		}
		var older *vc.Bitstring
		if was != nil {
			switch {
			case row.Revision < was.Revision, row.Revision == was.Revision && row.Digest != was.Digest:
				return ErrRevision.With("revision", was.Revision)
			case row.Revision == was.Revision && row.At <= was.At:
				return nil // what is stored is as new
			}
			if older, err = listBits(was.List); err != nil {
				return err
			}
			if !bits.Includes(older) {
				return ErrUndone
			}
		}
		revoked := newRevoked(bits, older)
		var events []Event
		if was == nil || was.Digest != row.Digest || was.NotAfter <= now {
			events = []Event{{Type: EventStatus, List: l.ID, Subject: l.Issuer, At: now}}
		}
		done, err := h.store.PutStatusList(ctx, row, was, revoked, now, events)
		if err != nil {
			return err
		}
		if done {
			if len(events) > 0 {
				h.feed.wake()
				h.log.Info("status list stored", "list", l.ID, "revision", row.Revision)
			}
			return nil
		}
		// Another request of the same issuer was stored in between: judge
		// against that one. Each turn needs such a request, so this ends.
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// Revoked are the bits that a list sets and the one before did not.
type Revoked struct {
	// Indexes are those bits when there are at most MaxIndexes.
	Indexes []uint64
	// Set tells of any index whether it is one of them; it is nil unless there
	// are more. An issuer may set millions of bits that belong to nothing.
	Set func(index uint64) bool
}

// MaxIndexes bounds Revoked.Indexes.
const MaxIndexes = 1000

func newRevoked(bits, older *vc.Bitstring) Revoked {
	var r Revoked
	bits.Added(older, func(i uint64) bool {
		r.Indexes = append(r.Indexes, i)
		return len(r.Indexes) <= MaxIndexes
	})
	if len(r.Indexes) > MaxIndexes {
		return Revoked{Set: func(i uint64) bool {
			now, err := bits.Get(i)
			if err != nil || !now || older == nil {
				return err == nil && now
			}
			before, err := older.Get(i)
			return err != nil || !before
		}}
	}
	return r
}

// listVerdict gives the verdict on a list that was sent in an HTTP status: here
// stale means that the sender's own structures do not hold.
func (h *Hub) listVerdict(err error) error {
	if problem.CodeOf(err) == vc.CodeStatusStale {
		return problem.New(422, vc.CodeStatusStale, "the list, its freshness or its certificate does not hold").Wrap(err).With("reason", err.Error())
	}
	return h.verdict(err)
}

func listBits(raw []byte) (*vc.Bitstring, error) {
	l, err := vc.ParseList(raw)
	if err != nil {
		return nil, err
	}
	return l.Bits()
}

// statuses gives the verifier the stored lists.
type statuses struct{ h *Hub }

// Status implements vc.StatusSource.
func (s statuses) Status(ctx context.Context, id string) (*vc.StatusProof, error) {
	l, err := s.h.store.StatusList(ctx, id)
	if err != nil {
		return nil, err
	}
	return &vc.StatusProof{List: l.List, Freshness: l.Freshness, Certificate: l.Certificate}, nil
}

// stored is the Revisions of a hub: its store only ever holds the newest.
type stored struct{}

// Raise implements vc.Revisions.
func (stored) Raise(context.Context, string, uint64, [32]byte) error { return nil }
