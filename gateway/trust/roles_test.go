package trust

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/hubclient"
)

func (w *world) roles(did string, creds ...envelope.Digest) error {
	_, err := w.book.Roles(ctx, did, creds)
	return err
}

func TestRoles(t *testing.T) {
	w := newWorld(t)
	i := w.issuer(1)
	b, x := party(t, 2), party(t, 3)
	cred := i.issue(b.did, 1, time.Time{})
	held, err := w.book.Roles(ctx, b.did, []envelope.Digest{cred})
	if err != nil || len(held) != 1 || held[0].Role != roleName || held[0].Issuer != i.did {
		t.Fatalf("%+v, %v", held, err)
	}
	code(t, w.roles(x.did, cred), "role") // of another subject
	err = w.roles(b.did, envelope.Digest{1})
	code(t, err, "role")
	if !errors.Is(err, ErrAbsent) {
		t.Fatal("an absent credential is to be waited for")
	}
	// Issued by one whom the definition does not name.
	stranger := &issuer{signer: x, w: w, cert: w.certificate(x, t0, 0), bits: i.bits, id: "" + x.did + "/status/1"}
	stranger.publish()
	code(t, w.roles(b.did, stranger.issue(b.did, 1, time.Time{})), "role")
	// Bytes that are not those of the digest.
	w.hub.credentials[envelope.Digest{7}] = w.hub.credentials[cred]
	code(t, w.roles(b.did, envelope.Digest{7}), "role")
}

func TestRoleExpires(t *testing.T) {
	w := newWorld(t)
	i := w.issuer(1)
	b := party(t, 2)
	c := w.certificate(b, t0, 0)
	cred := i.issue(b.did, 1, t0.Add(time.Minute))
	if err := w.book.Standing(ctx, b.did, 0, c.Digest(), []envelope.Digest{cred}, w.now()); err != nil {
		t.Fatal(err)
	}
	code(t, w.book.Standing(ctx, b.did, 0, c.Digest(), []envelope.Digest{cred}, t0.Add(time.Minute).UnixMilli()), "role_expired")
	w.clock.Advance(time.Minute)
	i.freshen()
	code(t, w.book.Standing(ctx, b.did, 0, c.Digest(), []envelope.Digest{cred}, w.now()), "role_expired")
	code(t, w.roles(b.did, cred), "role_expired")
}

func TestRoleDefinitionChanges(t *testing.T) {
	w := newWorld(t)
	i := w.issuer(1)
	b := party(t, 2)
	cred := i.issue(b.did, 1, time.Time{})
	if err := w.roles(b.did, cred); err != nil {
		t.Fatal(err)
	}
	w.chain.roles[roleName] = &ens.RoleDefinition{Name: roleName, IssuerDIDs: []common.Address{party(t, 9).Address()}}
	w.chain.changed(common.Address{}, ens.Namehash(roleName))
	code(t, w.roles(b.did, cred), "role")
	if !w.told(Change{Role: roleName}) || !w.told(Change{DID: b.did}) {
		t.Fatalf("told %v", w.changes)
	}
}

func TestIssuerLosesItsKey(t *testing.T) {
	w := newWorld(t)
	i := w.issuer(1)
	b := party(t, 2)
	c := w.certificate(b, t0, 0)
	cred := i.issue(b.did, 1, time.Time{})
	if err := w.book.Standing(ctx, b.did, 0, c.Digest(), []envelope.Digest{cred}, w.now()); err != nil {
		t.Fatal(err)
	}
	w.chain.remove(i.signer)
	code(t, w.book.Standing(ctx, b.did, 0, c.Digest(), []envelope.Digest{cred}, w.now()), "role")
	if !w.told(Change{DID: b.did}) {
		t.Fatal("its subject was not told")
	}
}

// bubble runs a test with the book's Run, in a bubble where time is fake and
// waits are exact.
func bubble(t *testing.T, fn func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = w.book.Run(ctx)
		}()
		defer func() {
			cancel()
			<-done
		}()
		w.pass(time.Second)
		fn(t, w)
	})
}

// pass lets time pass, with whatever happens in it.
func (w *world) pass(d time.Duration) {
	synctest.Wait()
	for d > 0 {
		step := min(d, time.Second)
		w.clock.Advance(step)
		synctest.Wait()
		d -= step
	}
}

func TestRevocationIsKnownAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		i := w.issuer(1)
		b := party(t, 2)
		c := w.certificate(b, t0, 0)
		cred := i.issue(b.did, 1, time.Time{})
		other := i.issue(party(t, 3).did, 2, time.Time{})
		standing := func() error {
			return w.book.Standing(ctx, b.did, 0, c.Digest(), []envelope.Digest{cred}, w.now())
		}
		if err := standing(); err != nil {
			t.Fatal(err)
		}
		i.revoke(1, b.did, true)
		synctest.Wait() // no time passes
		code(t, standing(), "role_revoked")
		code(t, w.roles(b.did, cred), "role_revoked")
		if !w.told(Change{DID: b.did, Role: roleName}) {
			t.Fatalf("told %v", w.changes)
		}
		if err := w.roles(party(t, 3).did, other); err != nil {
			t.Fatal("somebody else's role went with it:", err)
		}
		holders, err := w.book.Holders(ctx, roleName)
		if err != nil || len(holders) != 1 || holders[0].DID != party(t, 3).did {
			t.Fatalf("%+v, %v", holders, err)
		}
	})
}

func TestRevocationWithoutFeed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		i := w.issuer(1)
		b := party(t, 2)
		cred := i.issue(b.did, 1, time.Time{})
		if err := w.roles(b.did, cred); err != nil {
			t.Fatal(err)
		}
		// The hub serves the new list, but says nothing in its feed.
		i.revoke(1, b.did, false)
		w.pass(time.Second)
		i.freshen()
		w.pass(35 * time.Second)
		code(t, w.roles(b.did, cred), "role_revoked")
		if !w.told(Change{DID: b.did}) {
			t.Fatal("the change was not told")
		}
	})
}

func TestHubHidesARevocation(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		i := w.issuer(1)
		b := party(t, 2)
		c := w.certificate(b, t0, 0)
		cred := i.issue(b.did, 1, time.Time{})
		standing := func() error {
			return w.book.Standing(ctx, b.did, 0, c.Digest(), []envelope.Digest{cred}, w.now())
		}
		if err := standing(); err != nil {
			t.Fatal(err)
		}
		old := *w.hub.lists[i.id]
		// Revoked, but the hub goes on serving what it had.
		i.revoke(1, b.did, false)
		w.pass(58 * time.Second)
		if err := standing(); err != nil {
			t.Fatal("within the TTL the old list counts:", err)
		}
		w.pass(3 * time.Second)
		code(t, standing(), "status_stale")
		code(t, w.roles(b.did, cred), "status_stale")
		// It shows the new one for a moment, then the old list under a freshness
		// that was signed before: the revision is known.
		i.freshen()
		w.pass(6 * time.Second)
		code(t, standing(), "role_revoked")
		w.hub.lists[i.id] = &old
		w.pass(2 * time.Minute)
		code(t, standing(), "status_stale")
		w.open()
		code(t, w.roles(b.did, cred), "status_stale")
	})
}

func TestOldRevisionWithAFreshWindow(t *testing.T) {
	w := newWorld(t)
	i := w.issuer(1)
	b := party(t, 2)
	cred := i.issue(b.did, 1, time.Time{})
	list, revision := i.list, i.revision
	i.revoke(1, b.did, false)
	i.freshen()
	code(t, w.roles(b.did, cred), "role_revoked")
	// A restored issuer signs its old list again: it does not count, also after
	// a restart.
	i.list, i.revision = list, revision
	w.clock.Advance(2 * time.Minute)
	i.freshen()
	code(t, w.roles(b.did, cred), "status_stale")
	w.open()
	code(t, w.roles(b.did, cred), "status_stale")
}

func TestHubDown(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		i := w.issuer(1)
		b := party(t, 2)
		c := w.certificate(b, t0, 0)
		cred := i.issue(b.did, 1, time.Time{})
		standing := func() error {
			return w.book.Standing(ctx, b.did, 0, c.Digest(), []envelope.Digest{cred}, w.now())
		}
		if err := standing(); err != nil {
			t.Fatal(err)
		}
		holders, err := w.book.Holders(ctx, roleName)
		if err != nil || len(holders) != 1 {
			t.Fatal(err)
		}
		w.hub.set(true)
		w.pass(50 * time.Second)
		if err := standing(); err != nil {
			t.Fatal("within the TTL:", err)
		}
		if holders, err = w.book.Holders(ctx, roleName); err != nil || len(holders) != 1 {
			t.Fatalf("the list is empty while the hub is away: %v, %v", holders, err)
		}
		w.pass(12 * time.Second)
		code(t, standing(), "status_stale")
		w.pass(time.Hour)
		err = standing()
		code(t, err, "status_stale")
		if isRefusal(err) {
			t.Fatal("status_stale is not final")
		}
		// It comes back, with a revocation made meanwhile.
		i.revoke(1, b.did, false)
		i.freshen()
		w.hub.set(false)
		w.pass(10 * time.Second)
		code(t, standing(), "role_revoked")
	})
}

func TestStatusStaysFreshByItself(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		i := w.issuer(1)
		b := party(t, 2)
		cred := i.issue(b.did, 1, time.Time{})
		for range 20 {
			if err := w.roles(b.did, cred); err != nil {
				t.Fatal(err)
			}
			w.pass(30 * time.Second)
			i.freshen()
		}
	})
}

func TestHoldersHiddenByTheHub(t *testing.T) {
	w := newWorld(t)
	i := w.issuer(1)
	b, x := party(t, 2), party(t, 3)
	i.issue(b.did, 1, time.Time{})
	i.issue(x.did, 2, time.Time{})
	// One that the hub invents.
	w.hub.holders[roleName] = append(w.hub.holders[roleName], hubclient.Holder{DID: party(t, 4).did, Credential: w.hub.holders[roleName][0].Credential})
	holders, err := w.book.Holders(ctx, roleName)
	if err != nil || len(holders) != 2 {
		t.Fatalf("%+v, %v", holders, err)
	}
	w.hub.holders[roleName] = w.hub.holders[roleName][:1]
	w.clock.Advance(holdersFor)
	i.freshen()
	holders, err = w.book.Holders(ctx, roleName)
	if err != nil || len(holders) != 2 || !w.events.has("holder_missing") {
		t.Fatalf("%+v, %v, %v", holders, err, w.events.codes)
	}
	// Revoked: it goes, and nobody wonders.
	i.revoke(2, x.did, false)
	i.freshen()
	w.clock.Advance(2 * holdersFor)
	i.freshen()
	holders, err = w.book.Holders(ctx, roleName)
	if err != nil || len(holders) != 1 || holders[0].DID != b.did {
		t.Fatalf("%+v, %v", holders, err)
	}
	if n := slices.Index(w.events.codes, "holder_missing"); slices.Contains(w.events.codes[n+1:], "holder_missing") {
		t.Fatal("told of a revoked holder")
	}
}

func TestOwn(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		i := w.issuer(1)
		me := party(t, 99).did
		own, err := w.book.Own(ctx)
		if err != nil || len(own) != 0 {
			t.Fatal(own, err)
		}
		cred := i.issue(me, 1, time.Time{})
		w.hub.tell(hubclient.Event{Type: "credential", Subject: me, Role: roleName, Digest: cred.String()})
		synctest.Wait()
		if own, err = w.book.Own(ctx); err != nil || len(own) != 1 {
			t.Fatal(own, err)
		}
		if !w.told(Change{DID: me, Role: roleName}) {
			t.Fatal("not told")
		}
	})
}

func TestFeedReset(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.changes = nil
		w.hub.mu.Lock()
		w.hub.reset = true
		w.hub.mu.Unlock()
		w.hub.news <- struct{}{}
		w.pass(time.Second)
		if !w.told(Change{}) {
			t.Fatal("a reset of the feed is a change of everything")
		}
	})
}

func TestStrangersAreNotKept(t *testing.T) {
	w := newWorld(t)
	b := party(t, 2)
	c := w.certificate(b, t0, 0)
	if _, err := w.book.Certificate(ctx, c.Digest()); err != nil || w.store.instances[instance{b.did, 0}].Kept {
		t.Fatal("a certificate alone makes nobody known")
	}
	if err := w.book.Standing(ctx, b.did, 0, c.Digest(), nil, w.now()); err != nil || !w.store.instances[instance{b.did, 0}].Kept {
		t.Fatal("who has an open session is no stranger")
	}
	code(t, w.book.Standing(ctx, b.did, 1, c.Digest(), nil, w.now()), "cert")
}
