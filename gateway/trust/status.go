package trust

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/hubclient"
	"github.com/digital-spine/spine/vc"
)

// The sources below are how a vc.Verifier reads through the book: bytes come
// from the hub and the chain, are kept, and are judged by the verifier.

// definitionSource reads role definitions from the chain.
type definitionSource struct{ b *Book }

// Definition implements vc.RoleDefinitions.
func (s definitionSource) Definition(ctx context.Context, role string) (*vc.Definition, error) {
	b := s.b
	d, err := b.definitions.get(ctx, role, func(ctx context.Context) (*vc.Definition, time.Time, error) {
		def, err := b.d.Names.Role(ctx, role)
		switch {
		case errors.Is(err, ens.ErrNotFound), errors.Is(err, ens.ErrName):
			return nil, b.until(refusedFor), nil
		case err != nil:
			return nil, time.Time{}, fmt.Errorf("%w: %w", ErrAbsent, err)
		}
		return &vc.Definition{Issuers: def.IssuerDIDs, IssuerRole: def.IssuerRole}, b.until(chainFor), nil
	})
	if err == nil && d == nil {
		return nil, vc.ErrNotFound
	}
	return d, err
}

// credentialSource reads credentials from the hub.
type credentialSource struct{ b *Book }

// Credential implements vc.CredentialSource.
func (s credentialSource) Credential(ctx context.Context, digest [32]byte) ([]byte, error) {
	b := s.b
	return b.credentials.get(ctx, digest, func(ctx context.Context) ([]byte, time.Time, error) {
		raw, err := b.d.Hub.Credential(ctx, digest)
		if err == nil && vc.Digest(raw) != digest {
			err = errors.New("the hub served other bytes")
		}
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("%w: %w", ErrAbsent, err)
		}
		return raw, b.until(forEver), nil
	})
}

// statusSource reads status lists from the hub.
type statusSource struct{ b *Book }

// statusProof is what the hub served about a list, and when it was last needed.
type statusProof struct {
	*vc.StatusProof
	fresh *vc.Fresh
	used  atomic.Int64
}

// Status implements vc.StatusSource.
func (s statusSource) Status(ctx context.Context, list string) (*vc.StatusProof, error) {
	p, err := s.b.status(ctx, list)
	if err != nil {
		return nil, err
	}
	p.used.Store(s.b.now())
	return p.StatusProof, nil
}

// status returns the proof that the hub served last, asking again after a
// quarter of the TTL. While the hub is away the last one counts, to its end.
func (b *Book) status(ctx context.Context, list string) (*statusProof, error) {
	return b.statuses.get(ctx, list, func(ctx context.Context) (*statusProof, time.Time, error) {
		old, had := b.statuses.last(list)
		p, err := b.fetchStatus(ctx, list)
		if err != nil {
			if had && b.now() < old.fresh.NotAfter {
				return old, b.until(time.Second), nil
			}
			return nil, time.Time{}, err
		}
		if had {
			p.used.Store(old.used.Load())
			if old.fresh.Revision > p.fresh.Revision || old.fresh.Revision == p.fresh.Revision && old.fresh.NotAfter > p.fresh.NotAfter {
				p = old // the hub went back
			}
			if p.fresh.ListDigest != old.fresh.ListDigest {
				// Whoever asked: afterwards nothing tells that the list is another.
				b.listChanged(p)
			}
		}
		return p, b.until(b.d.StatusTTL / 4), nil
	})
}

// fetchStatus asks the hub and believes only what the issuer's gateway signed:
// a proof that another one could be measured against must itself hold. That
// the list is signed by the issuer's DID is the verifier's to check.
func (b *Book) fetchStatus(ctx context.Context, list string) (*statusProof, error) {
	s, err := b.d.Hub.Status(ctx, list)
	if err != nil {
		return nil, absent(envelope.StatusStale, "the hub does not serve "+list, err)
	}
	if len(s.List) > hubclient.MaxStatusList {
		return nil, absent(envelope.StatusStale, "the hub served a status list above the limit", nil)
	}
	f, err := freshness{b}.Check(ctx, s.Freshness, s.Certificate, b.now())
	if err != nil {
		return nil, absent(envelope.StatusStale, "freshness of "+list, err)
	}
	if issuer, ok := vc.ListIssuer(list); !ok || f.DID != issuer || f.List != list || f.ListDigest != vc.Digest(s.List) {
		return nil, absent(envelope.StatusStale, "the hub served something else than "+list, nil)
	}
	return &statusProof{StatusProof: &vc.StatusProof{List: s.List, Freshness: s.Freshness, Certificate: s.Certificate}, fresh: f}, nil
}

// freshness checks the signature that makes a status list the newest one. It
// is the book's, so that the floors it knows count here too (C4).
type freshness struct{ b *Book }

// Check implements vc.Freshness.
func (f freshness) Check(ctx context.Context, raw, certificate []byte, now int64) (*vc.Fresh, error) {
	s, err := envelope.ParseStatus(raw)
	if err != nil {
		return nil, err
	}
	c, err := f.b.certificate(ctx, certificate)
	if err != nil {
		return nil, err
	}
	if err := s.CheckCertificate(c, c.DID); err != nil {
		return nil, err
	}
	if err := s.CheckNow(now, f.b.d.StatusTTL.Milliseconds()); err != nil {
		return nil, err
	}
	if err := s.Verify(c.PublicKey()); err != nil {
		return nil, err
	}
	return &vc.Fresh{DID: c.DID, List: s.ListID, ListDigest: s.List, Revision: s.Revision, At: s.At, NotAfter: s.NotAfter}, nil
}

// revision is the highest one seen of a status list, with the digest of its
// bytes.
type revision struct {
	n      uint64
	digest [32]byte
}

// revisionStore keeps revisions of status lists for ever.
type revisionStore struct{ b *Book }

// Raise implements vc.Revisions.
func (s revisionStore) Raise(ctx context.Context, list string, n uint64, digest [32]byte) error {
	b := s.b
	b.mu.Lock()
	top, seen := b.revisions[list]
	b.mu.Unlock()
	if !seen || n > top.n {
		known, bytes, before, err := b.d.Store.RaiseRevision(ctx, list, n, digest, b.now())
		if err != nil {
			return store("keep revision", err)
		}
		top = revision{n, digest}
		if before && known >= n {
			top = revision{known, bytes}
		}
		b.mu.Lock()
		if len(b.revisions) >= maxRevisionsHeld {
			clear(b.revisions) // the store has them
		}
		if now, ok := b.revisions[list]; !ok || now.n < top.n {
			b.revisions[list] = top
		}
		b.mu.Unlock()
	}
	switch {
	case n < top.n:
		return fmt.Errorf("%w: revision %d, but %d is known", errRevision, n, top.n)
	case n == top.n && digest != top.digest:
		return fmt.Errorf("%w: two lists of revision %d", errRevision, n)
	}
	return nil
}

// errRevision says that the hub serves an older status list than one seen.
var errRevision = errors.New("an older status list than one seen before")

// maxRevisionsHeld bounds the revisions kept in memory.
const maxRevisionsHeld = 10_000
