package trust

import (
	"context"
	"errors"
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
// An *Unjudged comes with those that hold: more may.
func (b *Book) Holders(ctx context.Context, role string) ([]Holder, error) {
	list, err := b.holders.get(ctx, role, func(ctx context.Context) ([]Holder, time.Time, error) { return b.listHolders(ctx, role) })
	var some *Unjudged
	if errors.As(err, &some) {
		return slices.Clone(some.holders), err
	}
	if err != nil {
		return nil, err
	}
	// Verdicts end before the list does: judge again, from the cache.
	now := b.now()
	for _, h := range list {
		if v := h.Verified; v.FreshUntil != 0 && v.FreshUntil <= now || v.ValidUntil != 0 && v.ValidUntil <= now {
			return b.judge(ctx, role, list)
		}
	}
	return slices.Clone(list), nil
}

func (b *Book) listHolders(ctx context.Context, role string) ([]Holder, time.Time, error) {
	before, heard := b.holders.last(role)
	listed, err := b.d.Hub.Holders(ctx, role)
	if err != nil {
		if !heard || len(before) == 0 {
			// That nobody held it once is no reason to say that nobody does.
			return nil, time.Time{}, absent(envelope.BadRole, "the hub does not say who holds "+role, err)
		}
		held, err := b.judge(ctx, role, before)
		return held, b.until(unreachableMax), err
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
	hidden, _ = b.judge(ctx, role, hidden)
	for _, h := range hidden {
		b.emitOnce(ctx, role+" "+h.DID, gateway.Event{Kind: gateway.KindDetected, Code: "holder_missing", DID: h.DID,
			Digest: h.Credential.String(), Detail: "the hub no longer lists a holder of " + role + " whose credential holds"})
	}
	held, err := b.judge(ctx, role, append(candidates, hidden...))
	if err != nil {
		return nil, time.Time{}, err
	}
	if len(held) == 0 {
		return nil, b.until(nobodyFor), nil
	}
	return held, b.until(holdersFor), nil
}

// judge keeps of a list of holders those whose credential holds now, one
// credential for each DID. Those that cannot be judged for want of an answer
// are an *Unjudged error: who leaves them out sends them nothing. One that
// nobody could judge for long holds up the others no more.
func (b *Book) judge(ctx context.Context, role string, list []Holder) ([]Holder, error) {
	out := make([]*vc.Verified, len(list))
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i, h := range list {
		if v, err, fresh := b.verdicts.peek(verdictKey{h.Credential, h.DID}); fresh {
			out[i], errs[i] = v, err
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			out[i], errs[i] = b.role(ctx, h.Credential, h.DID)
		})
	}
	wg.Wait()
	held := make([]Holder, 0, len(list))
	seen := make(map[string]bool, len(list))
	for i, h := range list {
		if errs[i] == nil && out[i].Role == role && !seen[h.DID] {
			seen[h.DID] = true
			held = append(held, Holder{DID: h.DID, Credential: h.Credential, Verified: out[i]})
		}
	}
	for i, h := range list {
		if errs[i] == nil || seen[h.DID] {
			continue
		}
		b.d.Log.Debug("a listed holder does not hold", "role", role, "did", h.DID, "error", errs[i])
		since, failing := b.verdicts.failing(verdictKey{h.Credential, h.DID})
		patient := !failing || b.d.Clock.Since(since) < unjudgedFor
		if !isRefusal(errs[i]) && (patient || len(held) == 0) {
			return nil, &Unjudged{Roles: []string{role}, holders: held, err: errs[i]}
		}
	}
	return held, nil
}

// unjudgedFor is how long a holder that cannot be judged holds up what is sent
// to all holders.
const unjudgedFor = time.Minute

// Unjudged is the error of a list that may lack some: they could not be judged
// for want of an answer. It passes; ask again.
type Unjudged struct {
	Roles []string // that the lacking credentials are for, as the hub names them

	held    []*vc.Verified
	holders []Holder
	err     error // of the first
}

// Error implements error.
func (u *Unjudged) Error() string { return "trust: not all can be judged at present: " + u.err.Error() }

// Unwrap makes it an ErrAbsent with the code of the first one lacking.
func (u *Unjudged) Unwrap() []error { return []error{u.err, ErrAbsent} }

// Own returns this gateway's own role credentials that hold now, for its
// grants, and those that held when they could last be judged: recipients judge
// for themselves. The hub being away does not empty the list. Code role with
// ErrAbsent when the hub was never heard. An *Unjudged comes with those that
// hold: without the others a recipient may refuse for good what it would take.
func (b *Book) Own(ctx context.Context) ([]*vc.Verified, error) {
	list, err := b.subjects.get(ctx, b.d.DID, b.listOwn)
	var some *Unjudged
	if errors.As(err, &some) {
		list = some.held
	} else if err != nil {
		return nil, err
	}
	now := b.now()
	held := make([]*vc.Verified, 0, len(list))
	for _, v := range list {
		if v.FreshUntil != 0 && v.FreshUntil <= now || v.ValidUntil != 0 && v.ValidUntil <= now {
			again, err := b.role(ctx, v.Digest, b.d.DID)
			switch {
			case err == nil:
				v = again
			case isRefusal(err):
				continue
			}
		}
		held = append(held, v)
	}
	return held, err
}

// listOwn asks the hub for the own credentials and judges them.
func (b *Book) listOwn(ctx context.Context) ([]*vc.Verified, time.Time, error) {
	before, heard := b.subjects.last(b.d.DID)
	lacks := b.ownLacks.Swap(false)
	listed, err := b.d.Hub.CredentialsOf(ctx, b.d.DID)
	if err != nil && (!heard || lacks) {
		b.ownLacks.Store(true)
		return nil, time.Time{}, absent(envelope.BadRole, "the hub does not list the own credentials", err)
	}
	until := b.until(holdersFor)
	if err != nil {
		until = b.until(unreachableMax)
	}
	known := make(map[[32]byte]*vc.Verified, len(before))
	roles := make(map[[32]byte]string, len(listed))
	var digests [][32]byte
	for _, c := range listed {
		roles[c.Digest] = c.Role
		digests = append(digests, c.Digest)
	}
	for _, v := range before { // the hub may be away, or hide some
		known[v.Digest] = v
		if _, ok := roles[v.Digest]; !ok {
			digests = append(digests, v.Digest)
		}
	}
	held := make([]*vc.Verified, 0, len(digests))
	var lacking Unjudged
	for _, d := range digests[:min(len(digests), maxRoles)] {
		v, err := b.role(ctx, d, b.d.DID)
		switch {
		case err == nil:
			held = append(held, v)
		case isRefusal(err):
		case known[d] != nil:
			held = append(held, known[d])
			until = b.until(time.Second)
		default:
			lacking.Roles = append(lacking.Roles, roles[d])
			if lacking.err == nil {
				lacking.err = err
			}
		}
	}
	if lacking.err != nil {
		b.ownLacks.Store(true)
		lacking.held = held
		return nil, time.Time{}, &lacking
	}
	return held, until, nil
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
