package vc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/did/ethr"
)

// Definition is the part of a role definition on the chain that says who may
// issue: the listed addresses, or who holds the role IssuerRole.
type Definition struct {
	Issuers    []common.Address
	IssuerRole string
}

// RoleDefinitions reads role definitions. ErrNotFound is final; any other
// error means that the answer has to be waited for.
type RoleDefinitions interface {
	Definition(ctx context.Context, role string) (*Definition, error)
}

// DIDStates tells whether an address may sign for a DID now: nil, or an error
// with the code "cert" (it may not) or "did_stale". It is envelope.DIDStates.
type DIDStates interface {
	Entitled(ctx context.Context, did string, signer common.Address) error
}

// CredentialSource finds a credential's bytes by their digest. Any error means
// that it has to be waited for. The bytes are checked against the digest.
type CredentialSource interface {
	Credential(ctx context.Context, digest [32]byte) ([]byte, error)
}

// StatusProof is a status list with what shows that it is the newest one.
type StatusProof struct {
	List        []byte // ParseList
	Freshness   []byte // spine/status structure
	Certificate []byte // instance certificate whose key signed Freshness
}

// StatusSource finds a status list by its id. Any error means status_stale.
type StatusSource interface {
	Status(ctx context.Context, list string) (*StatusProof, error)
}

// Deps are what a Verifier needs. Freshness and Revisions may be nil, for
// NewFreshness and NewRevisions with their defaults.
type Deps struct {
	Roles       RoleDefinitions
	DIDs        DIDStates
	Credentials CredentialSource
	Status      StatusSource
	Freshness   Freshness
	Revisions   Revisions
	Domain      Domain
	StatusTTL   time.Duration // the network's; DefaultStatusTTL when zero
	Clock       clockwork.Clock
}

// DefaultStatusTTL is how long a freshness structure counts at most.
const DefaultStatusTTL = 60 * time.Second

// Verifier judges role credentials. It keeps parsed status lists only; caching
// verdicts is the caller's. It may be used by many goroutines.
type Verifier struct {
	deps  Deps
	lists *listCache
}

// NewVerifier makes a Verifier.
func NewVerifier(d Deps) *Verifier {
	if d.Clock == nil {
		d.Clock = clockwork.NewRealClock()
	}
	if d.StatusTTL <= 0 {
		d.StatusTTL = DefaultStatusTTL
	}
	if d.Freshness == nil {
		d.Freshness = NewFreshness(d.DIDs, d.Domain, d.StatusTTL, nil)
	}
	if d.Revisions == nil {
		d.Revisions = NewRevisions(DefaultRevisions)
	}
	return &Verifier{deps: d, lists: newListCache(cachedBytes)}
}

// StatusKey is one status bit that a verdict rests on.
type StatusKey struct {
	List  string
	Index uint64
}

// Verified is a credential that passed, and everything that verdict rests on,
// so that a change of any of it can void the verdict.
type Verified struct {
	Digest     [32]byte
	Role       string // fully qualified
	Issuer     string
	Subject    string
	ValidUntil int64       // ms, the earliest end in the chain; 0: none
	FreshUntil int64       // ms, when the first status freshness in the chain ends: judge again before
	Chain      [][32]byte  // digests from this credential up to the one whose issuer the definition names
	DIDs       []string    // issuers whose DID state counted
	Roles      []string    // definitions that counted
	StatusKeys []StatusKey // status bits that counted
}

// Now returns the verifier's time in ms.
func (v *Verifier) Now() int64 { return v.deps.Clock.Now().UnixMilli() }

// Role judges the credential named by digest for a subject at now (ms; 0 means
// the verifier's clock): its bytes, its subject, validity, the issuer's
// signature and entitlement up to the role definition, and the status of
// every credential in that chain.
//
// Codes role, role_revoked, role_expired, status_stale, did_stale. A verdict
// that may change when a look-up is answered satisfies errors.Is(err,
// ErrAbsent); status_stale and did_stale wait in any case.
func (v *Verifier) Role(ctx context.Context, digest [32]byte, subject string, now int64) (*Verified, error) {
	raw, err := v.fetch(ctx, digest)
	if err != nil {
		return nil, err
	}
	return v.judge(ctx, raw, subject, now)
}

// Check is Role for a credential whose bytes are at hand.
func (v *Verifier) Check(ctx context.Context, raw []byte, subject string, now int64) (*Verified, error) {
	return v.judge(ctx, raw, subject, now)
}

// Issuance judges like Check, but leaves out the status of the credential
// itself (not that of the credentials above it): a list that does not cover a
// new credential yet must not keep it from being published.
func (v *Verifier) Issuance(ctx context.Context, raw []byte, now int64) (*RoleCredential, *Verified, error) {
	c, err := ParseRole(raw)
	if err != nil {
		return nil, nil, err
	}
	out, err := v.walk(ctx, raw, c.Subject, now, false)
	return c, out, err
}

func (v *Verifier) judge(ctx context.Context, raw []byte, subject string, now int64) (*Verified, error) {
	return v.walk(ctx, raw, subject, now, true)
}

func (v *Verifier) fetch(ctx context.Context, digest [32]byte) ([]byte, error) {
	raw, err := v.deps.Credentials.Credential(ctx, digest)
	if err != nil {
		return nil, &Error{Code: CodeRole, Text: fmt.Sprintf("credential %x", digest[:4]), Err: absent(err)}
	}
	if Digest(raw) != digest {
		// Whoever served it lies; another source may have the right bytes.
		return nil, &Error{Code: CodeRole, Text: fmt.Sprintf("other bytes than credential %x were served", digest[:4]), Err: ErrAbsent}
	}
	return raw, nil
}

// walk judges a credential and all above it. A credential names its parent by
// digest, so credentials cannot form a loop; roles may (A issued by holders of
// A), and such a chain is cut at MaxDepth.
func (v *Verifier) walk(ctx context.Context, raw []byte, subject string, now int64, status bool) (*Verified, error) {
	if now == 0 {
		now = v.Now()
	}
	out := &Verified{Digest: Digest(raw)}
	role := "" // that the next credential must be for; any for the first
	for depth := 0; ; depth++ {
		if depth == MaxDepth {
			return nil, fail(CodeRole, "more than %d credentials up to the role definition", MaxDepth)
		}
		c, err := ParseRole(raw)
		if err != nil {
			return nil, &Error{Code: CodeRole, Text: "credential", Err: err}
		}
		if depth == 0 {
			out.Role, out.Issuer, out.Subject = c.Role, c.Issuer, c.Subject
		}
		out.Chain = append(out.Chain, Digest(raw))
		if c.Subject != subject {
			return nil, fail(CodeRole, "credential of another subject than %s", subject)
		}
		if role != "" && c.Role != role {
			return nil, fail(CodeRole, "issuer's credential is for %s, not %s", c.Role, role)
		}
		if err := v.own(ctx, c, now, out); err != nil {
			return nil, err
		}
		next, err := v.entitlement(ctx, c, out)
		if err != nil {
			return nil, err
		}
		if status || depth > 0 {
			if err := v.status(ctx, c, now, out); err != nil {
				return nil, err
			}
		}
		if next == "" {
			return out, nil
		}
		role, subject = next, c.Issuer
		if raw, err = v.fetch(ctx, c.Parent); err != nil {
			return nil, err
		}
	}
}

// own checks what a credential says by itself: window and signature.
func (v *Verifier) own(ctx context.Context, c *RoleCredential, now int64, out *Verified) error {
	if c.ValidFrom > now+Skew.Milliseconds() {
		return fail(CodeRole, "credential begins %s ahead", time.Duration(c.ValidFrom-now)*time.Millisecond)
	}
	if c.ValidUntil != 0 {
		if c.ValidUntil <= now {
			return fail(CodeRoleExpired, "credential for %s ended at %s", c.Role, formatTime(c.ValidUntil))
		}
		if out.ValidUntil == 0 || c.ValidUntil < out.ValidUntil {
			out.ValidUntil = c.ValidUntil
		}
	}
	signer, err := c.Signer(v.deps.Domain)
	if err != nil {
		return &Error{Code: CodeRole, Text: "proof", Err: err}
	}
	out.DIDs = appendNew(out.DIDs, c.Issuer)
	return v.entitled(ctx, c.Issuer, signer)
}

// entitled asks whether an address may sign for a DID.
func (v *Verifier) entitled(ctx context.Context, did string, signer common.Address) error {
	err := v.deps.DIDs.Entitled(ctx, did, signer)
	switch {
	case err == nil:
		return nil
	case codeOf(err) == "cert":
		return &Error{Code: CodeRole, Text: "signature is not by a key of " + did, Err: err}
	default:
		return &Error{Code: CodeDIDStale, Text: did, Err: absent(err)}
	}
}

// entitlement checks that the issuer may issue the role. It returns the role
// that the parent has to be for, "" when the definition names the issuer.
func (v *Verifier) entitlement(ctx context.Context, c *RoleCredential, out *Verified) (string, error) {
	def, err := v.deps.Roles.Definition(ctx, c.Role)
	if errors.Is(err, ErrNotFound) {
		return "", &Error{Code: CodeRole, Text: c.Role, Err: ErrNotFound}
	}
	if err != nil {
		return "", &Error{Code: CodeRole, Text: "definition of " + c.Role, Err: absent(err)}
	}
	out.Roles = appendNew(out.Roles, c.Role)
	if c.HasParent() {
		if def.IssuerRole == "" {
			return "", fail(CodeRole, "%s is not issued by holders of a role", c.Role)
		}
		return def.IssuerRole, nil
	}
	id, err := ethr.Parse(c.Issuer)
	if err != nil || id.ChainID != v.deps.Domain.ChainID || !slices.Contains(def.Issuers, id.Address) {
		return "", fail(CodeRole, "%s may not issue %s", c.Issuer, c.Role)
	}
	return "", nil
}

// status checks one credential's bit.
func (v *Verifier) status(ctx context.Context, c *RoleCredential, now int64, out *Verified) error {
	bits, until, err := v.List(ctx, c.StatusList, now)
	if err != nil {
		return err
	}
	revoked, err := bits.Get(c.StatusIndex)
	if err != nil {
		return &Error{Code: CodeRole, Text: "status", Err: err}
	}
	if revoked {
		return fail(CodeRoleRevoked, "credential for %s was revoked by %s", c.Role, c.Issuer)
	}
	if out.FreshUntil == 0 || until < out.FreshUntil {
		out.FreshUntil = until
	}
	key := StatusKey{List: c.StatusList, Index: c.StatusIndex}
	out.StatusKeys = append(out.StatusKeys, key)
	return nil
}

// List fetches a status list and judges it: signed by its issuer's DID, named
// by a freshness structure of that DID that counts at now, and of a revision
// that never goes back. It returns the bits (not to be changed) and when the
// freshness ends. Codes status_stale, did_stale.
func (v *Verifier) List(ctx context.Context, id string, now int64) (*Bitstring, int64, error) {
	if now == 0 {
		now = v.Now()
	}
	p, err := v.deps.Status.Status(ctx, id)
	if err != nil {
		return nil, 0, &Error{Code: CodeStatusStale, Text: id, Err: absent(err)}
	}
	_, bits, f, err := v.CheckStatus(ctx, p, id, now)
	if err != nil {
		return nil, 0, err
	}
	if err := v.deps.Revisions.Raise(ctx, id, f.Revision, f.ListDigest); err != nil {
		return nil, 0, &Error{Code: CodeStatusStale, Text: id, Err: err}
	}
	return bits, f.NotAfter, nil
}

// CheckStatus judges a status proof as List does, except for its revision,
// which the caller compares. id may be empty to accept the list's own.
func (v *Verifier) CheckStatus(ctx context.Context, p *StatusProof, id string, now int64) (*StatusList, *Bitstring, *Fresh, error) {
	if now == 0 {
		now = v.Now()
	}
	digest := Digest(p.List)
	known, err := v.parsed(digest, p.List)
	if err != nil {
		return nil, nil, nil, &Error{Code: CodeStatusStale, Text: "status list", Err: err}
	}
	l := known.list
	if id != "" && l.ID != id {
		return nil, nil, nil, fail(CodeStatusStale, "another list than %s was served", id)
	}
	f, err := v.deps.Freshness.Check(ctx, p.Freshness, p.Certificate, now)
	if err != nil {
		if codeOf(err) == CodeDIDStale {
			return nil, nil, nil, &Error{Code: CodeDIDStale, Text: l.Issuer, Err: absent(err)}
		}
		return nil, nil, nil, &Error{Code: CodeStatusStale, Text: "freshness of " + l.ID, Err: err}
	}
	switch {
	case f.DID != l.Issuer || f.List != l.ID || !bytes.Equal(f.ListDigest[:], digest[:]):
		return nil, nil, nil, fail(CodeStatusStale, "freshness is not about this list")
	case l.ValidFrom > now+Skew.Milliseconds() || f.At > now+Skew.Milliseconds():
		return nil, nil, nil, fail(CodeStatusStale, "status list is ahead of the clock")
	case f.NotAfter < now || f.NotAfter > f.At+v.deps.StatusTTL.Milliseconds():
		return nil, nil, nil, fail(CodeStatusStale, "freshness of %s is over", l.ID)
	}
	if err := v.entitled(ctx, l.Issuer, known.signer); err != nil {
		if codeOf(err) == CodeRole {
			err = &Error{Code: CodeStatusStale, Text: "list", Err: err}
		}
		return nil, nil, nil, err
	}
	return l, known.bits, f, nil
}

// parsed returns a list by the digest of its bytes, decoding it and recovering
// its signer once.
func (v *Verifier) parsed(digest [32]byte, raw []byte) (*cachedList, error) {
	if e, ok := v.lists.get(digest); ok {
		return e, nil
	}
	l, err := ParseList(raw)
	if err != nil {
		return nil, err
	}
	signer, err := l.Signer(v.deps.Domain)
	if err != nil {
		return nil, err
	}
	bits, err := l.Bits()
	if err != nil {
		return nil, err
	}
	e := &cachedList{list: l, bits: bits, signer: signer, size: len(raw) + len(bits.b)}
	v.lists.put(digest, e)
	return e, nil
}

// absent marks err as one to wait for.
func absent(err error) error {
	if errors.Is(err, ErrAbsent) {
		return err
	}
	return errors.Join(ErrAbsent, err)
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
