package vc

import (
	"context"
	"time"
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
// the certificate check that failed, or any other code.
type Freshness interface {
	Check(ctx context.Context, freshness, certificate []byte, now int64) (*Fresh, error)
}

// NewFreshness returns a Freshness that checks certificates by itself and
// remembers no floors between calls; ttl bounds naf - at.
func NewFreshness(dids DIDStates, d Domain, ttl time.Duration) Freshness {
	return &freshness{dids: dids, domain: d, ttl: ttl}
}

type freshness struct {
	dids   DIDStates
	domain Domain
	ttl    time.Duration
}

// Check implements Freshness.
func (f *freshness) Check(context.Context, []byte, []byte, int64) (*Fresh, error) {
	return nil, fail(CodeStatusStale, "freshness cannot be judged")
}
