package trust

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/vc"
)

// verdictKey names a judgement: a credential for a subject.
type verdictKey struct {
	digest  [32]byte
	subject string
}

// atOnce bounds how many holders are judged at the same time.
const atOnce = 8

// role judges one credential (G9). A verdict is used again until the first of
// the things it rests on ends: status freshness, validity, chain state.
func (b *Book) role(ctx context.Context, digest [32]byte, subject string) (*vc.Verified, error) {
	return b.verdicts.get(ctx, verdictKey{digest, subject}, func(ctx context.Context) (*vc.Verified, time.Time, error) {
		v, err := b.verifier.Role(ctx, digest, subject, b.now())
		if err != nil {
			return nil, time.Time{}, waits(err)
		}
		return v, b.until(chainFor, v.FreshUntil, v.ValidUntil), nil
	})
}

// Roles judges the credentials that a sender relies on (G9): chain of issuers
// up to the role definition, subject, status, validity. It returns those that
// hold; the error is the first one's that does not. Codes role (with ErrAbsent
// when it cannot be found), role_revoked, role_expired, status_stale, did_stale.
func (b *Book) Roles(ctx context.Context, did string, credentials []envelope.Digest) ([]*vc.Verified, error) {
	if len(credentials) > envelope.MaxCreds {
		return nil, envelope.BadRole.Errorf("more than %d credentials", envelope.MaxCreds)
	}
	var held []*vc.Verified
	var first error
	for _, c := range credentials {
		v, err := b.role(ctx, c, did)
		if err == nil {
			held = append(held, v)
		} else if first == nil {
			first = err
		}
	}
	return held, first
}

// Holders returns who holds a role, each by a credential verified here. Who
// held it before and is no longer listed by the hub stays while the credential
// holds, and is told as holder_missing. The hub being away does not empty the
// list. Code role with ErrAbsent when the hub was never heard about the role.
func (b *Book) Holders(ctx context.Context, role string) ([]Holder, error) {
	list, err := b.holders.get(ctx, role, func(ctx context.Context) ([]Holder, time.Time, error) { return b.listHolders(ctx, role) })
	if err != nil {
		return nil, err
	}
	// Verdicts end before the list does: judge again, from the cache.
	now := b.now()
	for _, h := range list {
		if v := h.Verified; v.FreshUntil != 0 && v.FreshUntil <= now || v.ValidUntil != 0 && v.ValidUntil <= now {
			return b.judge(ctx, role, list), nil
		}
	}
	return slices.Clone(list), nil
}

func (b *Book) listHolders(ctx context.Context, role string) ([]Holder, time.Time, error) {
	before, heard := b.holders.last(role)
	listed, err := b.d.Hub.Holders(ctx, role)
	if err != nil {
		if !heard {
			return nil, time.Time{}, absent(envelope.BadRole, "the hub does not say who holds "+role, err)
		}
		return b.judge(ctx, role, before), b.until(unreachableMax), nil
	}
	type who struct {
		did    string
		digest envelope.Digest
	}
	seen := make(map[who]bool, len(listed))
	dids := make(map[string]bool, len(listed))
	var candidates []Holder
	for _, l := range listed {
		w := who{l.DID, l.Credential}
		if seen[w] {
			continue
		}
		if len(candidates) == maxHolders {
			b.d.Log.Warn("more holders of a role than can be sent to", "role", role, "used", maxHolders)
			break
		}
		seen[w], dids[l.DID] = true, true
		candidates = append(candidates, Holder{DID: l.DID, Credential: l.Credential})
	}
	var hidden []Holder
	for _, h := range before {
		if !dids[h.DID] && !seen[who{h.DID, h.Credential}] {
			hidden = append(hidden, h)
		}
	}
	hidden = b.judge(ctx, role, hidden)
	for _, h := range hidden {
		b.emitOnce(ctx, role+" "+h.DID, gateway.Event{Kind: gateway.KindDetected, Code: "holder_missing", DID: h.DID,
			Digest: h.Credential.String(), Detail: "the hub no longer lists a holder of " + role + " whose credential holds"})
	}
	held := b.judge(ctx, role, append(candidates, hidden...))
	if len(held) == 0 {
		return nil, b.until(nobodyFor), nil
	}
	return held, b.until(holdersFor), nil
}

// judge keeps of a list of holders those whose credential holds now, one
// credential for each DID.
func (b *Book) judge(ctx context.Context, role string, list []Holder) []Holder {
	out := make([]*vc.Verified, len(list))
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i, h := range list {
		if v, err, fresh := b.verdicts.peek(verdictKey{h.Credential, h.DID}); fresh {
			if err == nil && v.Role == role {
				out[i] = v
			}
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			v, err := b.role(ctx, h.Credential, h.DID)
			if err != nil {
				b.d.Log.Debug("a listed holder does not hold", "role", role, "did", h.DID, "error", err)
			} else if v.Role == role {
				out[i] = v
			}
		})
	}
	wg.Wait()
	held := make([]Holder, 0, len(list))
	seen := make(map[string]bool, len(list))
	for i, h := range list {
		if out[i] != nil && !seen[h.DID] {
			seen[h.DID] = true
			held = append(held, Holder{DID: h.DID, Credential: h.Credential, Verified: out[i]})
		}
	}
	return held
}

// Own returns this gateway's own role credentials that hold now, for its
// grants. The hub being away does not empty the list. Code role with ErrAbsent
// when the hub was never heard.
func (b *Book) Own(ctx context.Context) ([]*vc.Verified, error) {
	list, err := b.subjects.get(ctx, b.d.DID, func(ctx context.Context) ([]*vc.Verified, time.Time, error) {
		before, heard := b.subjects.last(b.d.DID)
		listed, err := b.d.Hub.CredentialsOf(ctx, b.d.DID)
		if err != nil && !heard {
			return nil, time.Time{}, absent(envelope.BadRole, "the hub does not list the own credentials", err)
		}
		var digests [][32]byte
		for _, c := range listed {
			digests = append(digests, c.Digest)
		}
		for _, v := range before { // the hub may be away, or hide some
			if !slices.Contains(digests, v.Digest) {
				digests = append(digests, v.Digest)
			}
		}
		held := make([]*vc.Verified, 0, len(digests))
		until := b.until(holdersFor)
		for _, d := range digests[:min(len(digests), maxRoles)] {
			v, err := b.role(ctx, d, b.d.DID)
			if err == nil {
				held = append(held, v)
			} else if !isRefusal(err) {
				until = b.until(time.Second)
			}
		}
		if err != nil {
			until = b.until(unreachableMax)
		}
		return held, until, nil
	})
	if err != nil {
		return nil, err
	}
	now := b.now()
	held := make([]*vc.Verified, 0, len(list))
	for _, v := range list {
		if v.FreshUntil != 0 && v.FreshUntil <= now || v.ValidUntil != 0 && v.ValidUntil <= now {
			var err error
			if v, err = b.role(ctx, v.Digest, b.d.DID); err != nil {
				continue
			}
		}
		held = append(held, v)
	}
	return held, nil
}

// standingKey names a sender of an open session and what it relies on.
type standingKey struct {
	instance
	cert  envelope.Digest
	creds envelope.Digest // sum of the digests
}

// standing is what a sender's standing rests on.
type standing struct{ verdicts []*vc.Verified }

// Standing is E7: whether a sender whose session is open is still good, its
// certificate (C1 to C4) and the credentials of its box. It answers from memory
// unless something changed or ended. now (ms) is when the caller judges. Codes
// cert_void, cert, did_stale, role, role_revoked, role_expired, status_stale.
func (b *Book) Standing(ctx context.Context, did string, inst uint64, cert envelope.Digest, credentials []envelope.Digest, now int64) error {
	key := standingKey{instance{did, inst}, cert, sumOf(credentials)}
	s, err := b.standings.get(ctx, key, func(ctx context.Context) (*standing, time.Time, error) {
		c, err := b.Certificate(ctx, cert)
		if err != nil {
			return nil, time.Time{}, err
		}
		if c.DID != did || c.Inst != inst {
			return nil, time.Time{}, envelope.BadCert.Errorf("the certificate is of another instance")
		}
		held, err := b.Roles(ctx, did, credentials)
		if err != nil {
			return nil, time.Time{}, err
		}
		if err := b.Keep(ctx, did, inst); err != nil {
			return nil, time.Time{}, err
		}
		until := b.until(chainFor)
		for _, v := range held {
			if end := b.until(chainFor, v.FreshUntil, v.ValidUntil); end.Before(until) {
				until = end
			}
		}
		return &standing{held}, until, nil
	})
	if err != nil {
		return err
	}
	for _, v := range s.verdicts {
		if v.ValidUntil != 0 && now >= v.ValidUntil {
			return envelope.RoleExpired.Errorf("credential for %s has ended", v.Role)
		}
	}
	return nil
}

func sumOf(credentials []envelope.Digest) envelope.Digest {
	if len(credentials) == 0 {
		return envelope.Digest{}
	}
	all := make([]byte, 0, 32*len(credentials))
	for _, c := range credentials {
		all = append(all, c[:]...)
	}
	return envelope.Sum(all)
}
