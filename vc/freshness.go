package vc

import (
	"context"
	"time"

	"github.com/digital-spine/spine/envelope"
)

// Fresh is what a freshness structure says once its signature held.
type Fresh struct {
	DID        string // of the certificate that signed it
	List       string
	ListDigest [32]byte
	Revision   uint64
	At         int64 // ms
	NotAfter   int64 // ms
}

// Freshness checks a spine/status structure under an instance certificate:
// C1 to C5 of the certificate, then the signature. Errors carry the code of
// the check that failed.
type Freshness interface {
	Check(ctx context.Context, freshness, certificate []byte, now int64) (*Fresh, error)
}

// Floors remembers certificate floors (protocol section 6, C4).
type Floors interface {
	// RaiseFloor notes the floor of an instance whose certificate held, and
	// returns the highest one known.
	RaiseFloor(ctx context.Context, did string, inst, floor uint64) (uint64, error)
}

// NewFreshness returns a Freshness that checks certificates by itself; ttl is
// the network's bound on naf - at. With nil floors none are remembered, and C4
// is left out.
func NewFreshness(dids DIDStates, d Domain, ttl time.Duration, floors Floors) Freshness {
	return &freshness{dids: dids, domain: d, ttl: ttl, floors: floors}
}

type freshness struct {
	dids   DIDStates
	domain Domain
	ttl    time.Duration
	floors Floors
}

// Check implements Freshness, cheap checks first.
func (f *freshness) Check(ctx context.Context, raw, certificate []byte, now int64) (*Fresh, error) {
	s, err := envelope.ParseStatus(raw)
	if err != nil {
		return nil, err
	}
	cert, err := envelope.ParseCertificate(certificate)
	if err != nil {
		return nil, err
	}
	if err := s.CheckNow(now, f.ttl.Milliseconds()); err != nil {
		return nil, err
	}
	if err := s.CheckCertificate(cert, cert.DID); err != nil {
		return nil, err
	}
	if err := s.Verify(cert.PublicKey()); err != nil {
		return nil, err
	}
	if err := cert.Check(ctx, now, f.domain, f.dids, 0); err != nil {
		return nil, err
	}
	if f.floors != nil {
		highest, err := f.floors.RaiseFloor(ctx, cert.DID, cert.Inst, cert.Floor)
		if err != nil {
			return nil, err
		}
		if err := cert.CheckFloor(highest); err != nil {
			return nil, err
		}
	}
	return &Fresh{DID: cert.DID, List: s.ListID, ListDigest: s.List, Revision: s.Revision, At: s.At, NotAfter: s.NotAfter}, nil
}
