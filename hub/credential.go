package hub

import (
	"context"
	"encoding/hex"
	"errors"

	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/vc"
)

// Credential is a stored role credential; Raw is empty in lists.
type Credential struct {
	Digest      [32]byte
	Raw         []byte
	Subject     string
	Role        string
	Issuer      string
	ValidFrom   int64 // ms
	ValidUntil  int64 // ms, 0: no end
	StatusList  string
	StatusIndex uint64
	ListDigest  [32]byte // of the stored list when the credential was judged, zero for none; for PutCredential only
	Revoked     int64    // ms when the hub learnt of it, 0: not revoked
	Stored      int64    // ms
}

// Selection selects credentials; empty members do not select.
type Selection struct {
	Subject, Role, Issuer string
	ValidAt               int64  // ms: only those neither revoked nor expired then
	AfterSubject          string // page: after this subject and digest
	AfterDigest           [32]byte
	Limit                 int
}

// PutCredential checks a credential as any gateway would and stores its bytes
// under their digest. It never replaces one. The codes of the verifier apply;
// quota.
func (h *Hub) PutCredential(ctx context.Context, raw []byte) ([32]byte, error) {
	digest := vc.Digest(raw)
	if old, err := h.store.Credential(ctx, digest); err == nil && len(old) > 0 {
		return digest, nil
	} else if err != nil && !errors.Is(err, ErrCredentialUnknown) {
		return digest, err
	}
	now := h.now()
	c, _, err := h.verifier.Issuance(ctx, raw, now)
	if err != nil {
		return digest, h.verdict(err)
	}
	row := &Credential{Digest: digest, Raw: raw, Subject: c.Subject, Role: c.Role, Issuer: c.Issuer, ValidFrom: c.ValidFrom,
		ValidUntil: c.ValidUntil, StatusList: c.StatusList, StatusIndex: c.StatusIndex, Stored: now}
	events := []Event{{Type: EventCredential, Subject: c.Subject, Role: c.Role, Digest: hex.EncodeToString(digest[:]), List: c.StatusList, At: now}}
	added := false
	for try := 0; ; try++ {
		var revoked bool
		if revoked, row.ListDigest, err = h.revoked(ctx, c); err != nil {
			return digest, err
		}
		if revoked {
			return digest, problem.New(422, vc.CodeRoleRevoked, "the status list of the issuer has the credential's bit set")
		}
		// A list that changes between the look and the write would leave a
		// revoked credential standing as good.
		added, err = h.store.PutCredential(ctx, row, events)
		if !errors.Is(err, ErrListChanged) || try == 3 {
			break
		}
	}
	if err != nil {
		return digest, err
	}
	if added {
		h.feed.wake()
		h.log.Info("credential stored", "digest", hex.EncodeToString(digest[:]), "role", c.Role, "subject", c.Subject, "issuer", c.Issuer)
	}
	return digest, nil
}

// verdict gives the verifier's errors an HTTP status.
func (h *Hub) verdict(err error) error {
	if errors.Is(err, ErrChainAway) {
		return ErrChainAway.Wrap(err)
	}
	switch code := problem.CodeOf(err); code {
	case "internal", "timeout", "canceled":
		return err
	case vc.CodeTooLarge:
		return problem.New(413, code, err.Error())
	case vc.CodeDIDStale, vc.CodeStatusStale:
		return problem.New(503, code, "no fresh state to judge by").WithHint("try again").Wrap(err)
	default:
		p := problem.New(422, code, err.Error()).Wrap(err)
		if errors.Is(err, vc.ErrAbsent) {
			p = problem.New(409, code, "something that the credential rests on is not here").WithHint("publish the issuer's own credential first").Wrap(err)
		}
		return p
	}
}

// revoked looks a credential's bit up in the stored list, which may not exist
// yet, and returns that list's digest.
func (h *Hub) revoked(ctx context.Context, c *vc.RoleCredential) (bool, [32]byte, error) {
	l, err := h.store.StatusList(ctx, c.StatusList)
	if errors.Is(err, ErrListUnknown) {
		return false, [32]byte{}, nil
	}
	if err != nil {
		return false, [32]byte{}, err
	}
	bits, err := listBits(l.List)
	if err != nil || c.StatusIndex >= bits.Len() {
		return false, l.Digest, err
	}
	set, err := bits.Get(c.StatusIndex)
	return set, l.Digest, err
}

// Credential returns a credential's bytes as they were issued.
func (h *Hub) Credential(ctx context.Context, digest [32]byte) ([]byte, error) {
	return h.store.Credential(ctx, digest)
}

// CredentialsOf lists a subject's credentials, also ended ones.
func (h *Hub) CredentialsOf(ctx context.Context, subject, role string, limit int) ([]Credential, error) {
	subject, err := h.did(subject)
	if err != nil {
		return nil, err
	}
	return h.store.Credentials(ctx, Selection{Subject: subject, Role: role, Limit: page(limit)})
}

// Holders lists the credentials for a role that are neither revoked nor
// expired as far as the hub knows, ordered by subject.
func (h *Hub) Holders(ctx context.Context, role, afterSubject string, afterDigest [32]byte, limit int) ([]Credential, error) {
	role, err := ens.Normalize(role)
	if err != nil {
		return nil, err
	}
	return h.store.Credentials(ctx, Selection{Role: role, ValidAt: h.now(), AfterSubject: afterSubject, AfterDigest: afterDigest, Limit: page(limit)})
}

// DropCredential stops serving a credential.
func (h *Hub) DropCredential(ctx context.Context, digest [32]byte) error {
	return h.store.DropCredential(ctx, digest)
}

// credentials gives the verifier the parents of a credential.
type credentials struct{ h *Hub }

// Credential implements vc.CredentialSource.
func (c credentials) Credential(ctx context.Context, digest [32]byte) ([]byte, error) {
	return c.h.store.Credential(ctx, digest)
}
