package vc

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

const (
	roleA = "aggregator.roles.market.apps.edge.iam.ewc"
	roleB = "registrar.roles.market.apps.edge.iam.ewc"
)

// market has an owner who names registrars, who name aggregators.
func market(t *testing.T) (w *world, owner, registrar, holder *party, parent, credential [32]byte) {
	w = newWorld()
	owner, registrar, holder = newParty(t, 1), newParty(t, 2), newParty(t, 3)
	w.definitions[roleB] = &Definition{Issuers: []common.Address{owner.address()}}
	w.definitions[roleA] = &Definition{IssuerRole: roleB}
	parent = w.issue(t, owner, registrar.did, roleB, nil)
	credential = w.issue(t, registrar, holder.did, roleA, func(c *RoleCredential) { c.Parent, c.StatusIndex = parent, 7 })
	w.publish(t, owner, 1)
	w.publish(t, registrar, 1)
	return w, owner, registrar, holder, parent, credential
}

func TestChain(t *testing.T) {
	w, owner, registrar, holder, parent, credential := market(t)
	got, err := w.verifier.Role(t.Context(), credential, holder.did, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got.Role != roleA || got.Issuer != registrar.did || got.Subject != holder.did || got.ValidUntil != 0 || got.FreshUntil != w.now()+60_000 {
		t.Errorf("verified %+v", got)
	}
	if len(got.Chain) != 2 || got.Chain[0] != credential || got.Chain[1] != parent {
		t.Errorf("chain %x", got.Chain)
	}
	if len(got.DIDs) != 2 || got.DIDs[1] != owner.did || len(got.Roles) != 2 || len(got.StatusKeys) != 2 || got.StatusKeys[0].Index != 7 {
		t.Errorf("rests on %+v", got)
	}
}

func TestVerdicts(t *testing.T) {
	stranger := newParty(t, 9)
	for _, tc := range []struct {
		name   string
		do     func(w *world, owner, registrar, holder *party, parent [32]byte, credential *[32]byte)
		code   string
		absent bool
	}{
		{"revoked", func(w *world, _, registrar, _ *party, _ [32]byte, _ *[32]byte) { w.publish(t, registrar, 2, 7) }, CodeRoleRevoked, false},
		{"another's bit", func(w *world, _, registrar, _ *party, _ [32]byte, _ *[32]byte) { w.publish(t, registrar, 2, 8) }, "", false},
		{"issuer revoked", func(w *world, owner, _, _ *party, _ [32]byte, _ *[32]byte) { w.publish(t, owner, 2, 0) }, CodeRoleRevoked, false},
		{"list out of date", func(w *world, _, _, _ *party, _ [32]byte, _ *[32]byte) { w.clock.Advance(61 * time.Second) }, CodeStatusStale, false},
		{"no list", func(w *world, owner, _, _ *party, _ [32]byte, _ *[32]byte) { delete(w.lists, ListID(owner.did, "1")) }, CodeStatusStale, true},
		{"list of another issuer", func(w *world, owner, registrar, _ *party, _ [32]byte, _ *[32]byte) {
			w.lists[ListID(owner.did, "1")] = w.lists[ListID(registrar.did, "1")]
		}, CodeStatusStale, false},
		{"freshness of another instance's DID", func(w *world, owner, registrar, _ *party, _ [32]byte, _ *[32]byte) {
			p := *w.lists[ListID(owner.did, "1")]
			p.Freshness, p.Certificate = w.lists[ListID(registrar.did, "1")].Freshness, registrar.cert
			w.lists[ListID(owner.did, "1")] = &p
		}, CodeStatusStale, false},
		{"expired", func(w *world, _, registrar, holder *party, parent [32]byte, c *[32]byte) {
			*c = w.issue(t, registrar, holder.did, roleA, func(c *RoleCredential) { c.Parent, c.ValidUntil = parent, t0+900_000 })
		}, CodeRoleExpired, false},
		{"issuer's expired", func(w *world, owner, registrar, holder *party, _ [32]byte, c *[32]byte) {
			p := w.issue(t, owner, registrar.did, roleB, func(c *RoleCredential) { c.ValidUntil = t0 + 900_000 })
			*c = w.issue(t, registrar, holder.did, roleA, func(c *RoleCredential) { c.Parent = p })
		}, CodeRoleExpired, false},
		{"not yet valid", func(w *world, _, registrar, holder *party, parent [32]byte, c *[32]byte) {
			*c = w.issue(t, registrar, holder.did, roleA, func(c *RoleCredential) { c.Parent, c.ValidFrom = parent, w.now()+180_000 })
		}, CodeRole, false},
		{"ahead within the skew", func(w *world, _, registrar, holder *party, parent [32]byte, c *[32]byte) {
			*c = w.issue(t, registrar, holder.did, roleA, func(c *RoleCredential) { c.Parent, c.ValidFrom = parent, w.now()+60_000 })
		}, "", false},
		{"another subject", func(w *world, _, registrar, _ *party, parent [32]byte, c *[32]byte) {
			*c = w.issue(t, registrar, stranger.did, roleA, func(c *RoleCredential) { c.Parent = parent })
		}, CodeRole, false},
		{"issuer without credential", func(w *world, _, registrar, holder *party, _ [32]byte, c *[32]byte) {
			*c = w.issue(t, registrar, holder.did, roleA, nil)
		}, CodeRole, false},
		{"stranger relies on another's credential", func(w *world, _, _, holder *party, parent [32]byte, c *[32]byte) {
			*c = w.issue(t, stranger, holder.did, roleA, func(c *RoleCredential) { c.Parent = parent })
			w.publish(t, stranger, 1)
		}, CodeRole, false},
		{"parent of another role", func(w *world, owner, registrar, holder *party, _ [32]byte, c *[32]byte) {
			w.definitions["x.roles.iam.ewc"] = &Definition{Issuers: []common.Address{owner.address()}}
			p := w.issue(t, owner, registrar.did, "x.roles.iam.ewc", nil)
			*c = w.issue(t, registrar, holder.did, roleA, func(c *RoleCredential) { c.Parent = p })
		}, CodeRole, false},
		{"parent where the definition names DIDs", func(w *world, owner, registrar, _ *party, parent [32]byte, c *[32]byte) {
			*c = w.issue(t, owner, newParty(t, 3).did, roleB, func(c *RoleCredential) { c.Parent = parent })
		}, CodeRole, false},
		{"self-issued", func(w *world, _, _, holder *party, _ [32]byte, c *[32]byte) {
			*c = w.issue(t, holder, holder.did, roleB, nil)
		}, CodeRole, false},
		{"definition gone", func(w *world, _, _, _ *party, _ [32]byte, _ *[32]byte) { delete(w.definitions, roleB) }, CodeRole, false},
		{"definition changed", func(w *world, _, _, _ *party, _ [32]byte, _ *[32]byte) {
			w.definitions[roleB] = &Definition{Issuers: []common.Address{stranger.address()}}
		}, CodeRole, false},
		{"chain away", func(w *world, _, _, _ *party, _ [32]byte, _ *[32]byte) { w.definitionE = errors.New("eof") }, CodeRole, true},
		{"parent absent", func(w *world, _, _, _ *party, parent [32]byte, _ *[32]byte) { delete(w.creds, parent) }, CodeRole, true},
		{"absent", func(w *world, _, _, _ *party, _ [32]byte, c *[32]byte) { *c = [32]byte{1} }, CodeRole, true},
		{"other bytes served", func(w *world, _, _, _ *party, parent [32]byte, c *[32]byte) { w.creds[*c] = w.creds[parent] }, CodeRole, true},
		{"not a credential", func(w *world, _, _, _ *party, _ [32]byte, c *[32]byte) {
			*c = Digest([]byte("{}"))
			w.creds[*c] = []byte("{}")
		}, CodeRole, false},
		{"DID stale", func(w *world, owner, _, _ *party, _ [32]byte, _ *[32]byte) { w.stale[owner.did] = true }, CodeDIDStale, true},
		{"signed by another", func(w *world, owner, registrar, holder *party, _ [32]byte, c *[32]byte) {
			impostor := *stranger
			impostor.did = owner.did
			*c = w.issue(t, &impostor, holder.did, roleB, nil)
		}, CodeRole, false},
		{"index outside the list", func(w *world, owner, _, holder *party, _ [32]byte, c *[32]byte) {
			*c = w.issue(t, owner, holder.did, roleB, func(c *RoleCredential) { c.StatusIndex = MinBits })
		}, CodeRole, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, owner, registrar, holder, parent, credential := market(t)
			tc.do(w, owner, registrar, holder, parent, &credential)
			_, err := w.verifier.Role(t.Context(), credential, holder.did, 0)
			if codeOf(err) != tc.code {
				t.Fatalf("code %q, want %q: %v", codeOf(err), tc.code, err)
			}
			if got := errors.Is(err, ErrAbsent); got != tc.absent {
				t.Errorf("waits for a look-up: %v, want %v: %v", got, tc.absent, err)
			}
		})
	}
}

func TestOtherDomain(t *testing.T) {
	w, _, _, holder, _, credential := market(t)
	d := testDomain
	d.Registry[0]++
	v := NewVerifier(Deps{Roles: w, DIDs: w, Credentials: w, Status: w, Domain: d, Clock: w.clock})
	if _, err := v.Role(t.Context(), credential, holder.did, 0); codeOf(err) != CodeRole {
		t.Errorf("other registry: %v", err)
	}
}

// A chain of roles issued by their own holders ends at MaxDepth.
func TestDepth(t *testing.T) {
	w := newWorld()
	p := newParty(t, 1)
	w.definitions[roleB] = &Definition{IssuerRole: roleB, Issuers: []common.Address{p.address()}}
	w.publish(t, p, 1)
	c := w.issue(t, p, p.did, roleB, nil)
	for i := 1; ; i++ {
		_, err := w.verifier.Role(t.Context(), c, p.did, 0)
		if i <= MaxDepth && err != nil {
			t.Fatalf("chain of %d: %v", i, err)
		}
		if i > MaxDepth {
			if codeOf(err) != CodeRole {
				t.Fatalf("chain of %d: %v", i, err)
			}
			return
		}
		parent := c
		c = w.issue(t, p, p.did, roleB, func(c *RoleCredential) { c.Parent = parent })
	}
}

// An older list, still within its time, does not undo a revocation.
func TestRevisionRises(t *testing.T) {
	w, _, registrar, holder, _, credential := market(t)
	id := ListID(registrar.did, "1")
	older := w.lists[id]
	w.publish(t, registrar, 2, 7)
	if _, err := w.verifier.Role(t.Context(), credential, holder.did, 0); codeOf(err) != CodeRoleRevoked {
		t.Fatalf("revoked: %v", err)
	}
	w.lists[id] = older
	if _, err := w.verifier.Role(t.Context(), credential, holder.did, 0); codeOf(err) != CodeStatusStale {
		t.Fatalf("older list: %v", err)
	}
	w.publish(t, registrar, 2) // the same revision, other bits
	if bytes.Equal(w.lists[id].List, older.List) {
		t.Fatal("lists do not differ")
	}
	if _, err := w.verifier.Role(t.Context(), credential, holder.did, 0); codeOf(err) != CodeStatusStale {
		t.Fatalf("second list of one revision: %v", err)
	}
}

func TestCachesAreBounded(t *testing.T) {
	c := newListCache(10)
	for i := range byte(100) {
		c.put([32]byte{i}, &cachedList{size: 3})
	}
	if c.order.Len() != 3 || len(c.m) != 3 || c.used != 9 {
		t.Errorf("cache holds %d of %d bytes", c.order.Len(), c.used)
	}
	r := NewRevisions(5).(*revisions)
	for i := range 50 {
		_ = r.Raise(t.Context(), string(rune('a'+i)), 1, [32]byte{})
	}
	if len(r.m) != 5 {
		t.Errorf("%d revisions kept", len(r.m))
	}
}
