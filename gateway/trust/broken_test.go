package trust

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/brokerclient"
	"github.com/digital-spine/spine/gateway/hubclient"
	"github.com/digital-spine/spine/internal/problem"
)

// breaks counts calls until the one that breaks off, before it is made or with
// its answer lost.
type breaks struct {
	left  atomic.Int64
	after bool
}

func call[T any](b *breaks, fn func() (T, error)) (out T, err error) {
	if b.left.Add(-1) != 0 {
		return fn()
	}
	if b.after {
		if _, err := fn(); err != nil {
			return out, err
		}
	}
	return out, fmt.Errorf("broken off: %w", errDown)
}

func do(b *breaks, fn func() error) error {
	_, err := call(b, func() (struct{}, error) { return struct{}{}, fn() })
	return err
}

type breakingStore struct {
	Store
	*breaks
}

func (s breakingStore) Instance(ctx context.Context, did string, inst uint64) (Known, error) {
	return call(s.breaks, func() (Known, error) { return s.Store.Instance(ctx, did, inst) })
}

func (s breakingStore) RaiseFloor(ctx context.Context, did string, inst uint64, floor uint64, now int64) (bool, error) {
	return call(s.breaks, func() (bool, error) { return s.Store.RaiseFloor(ctx, did, inst, floor, now) })
}

func (s breakingStore) RaisePackage(ctx context.Context, did string, inst uint64, gen uint64, certificate, pkg []byte, now int64) error {
	return do(s.breaks, func() error { return s.Store.RaisePackage(ctx, did, inst, gen, certificate, pkg, now) })
}

func (s breakingStore) Name(ctx context.Context, did string, inst uint64, pkg envelope.Digest, now int64) error {
	return do(s.breaks, func() error { return s.Store.Name(ctx, did, inst, pkg, now) })
}

func (s breakingStore) Keep(ctx context.Context, did string, inst uint64, now int64) error {
	return do(s.breaks, func() error { return s.Store.Keep(ctx, did, inst, now) })
}

func (s breakingStore) RaiseRevision(ctx context.Context, list string, n uint64, digest [32]byte, now int64) (known uint64, bytes [32]byte, seen bool, err error) {
	err = do(s.breaks, func() (err error) {
		known, bytes, seen, err = s.Store.RaiseRevision(ctx, list, n, digest, now)
		return err
	})
	return known, bytes, seen, err
}

type breakingHub struct {
	Hub
	*breaks
}

func (h breakingHub) Holders(ctx context.Context, role string) ([]hubclient.Holder, error) {
	return call(h.breaks, func() ([]hubclient.Holder, error) { return h.Hub.Holders(ctx, role) })
}

func (h breakingHub) Credential(ctx context.Context, digest [32]byte) ([]byte, error) {
	return call(h.breaks, func() ([]byte, error) { return h.Hub.Credential(ctx, digest) })
}

func (h breakingHub) Status(ctx context.Context, list string) (*hubclient.Status, error) {
	return call(h.breaks, func() (*hubclient.Status, error) { return h.Hub.Status(ctx, list) })
}

func (h breakingHub) Feed(ctx context.Context, after uint64, wait time.Duration) (*hubclient.News, error) {
	return call(h.breaks, func() (*hubclient.News, error) { return h.Hub.Feed(ctx, after, wait) })
}

type breakingBroker struct {
	Directory
	*breaks
}

func (b breakingBroker) Object(ctx context.Context, kind string, digest [32]byte) ([]byte, error) {
	return call(b.breaks, func() ([]byte, error) { return b.Directory.Object(ctx, kind, digest) })
}

func (b breakingBroker) Instances(ctx context.Context, did string) ([]brokerclient.Instance, error) {
	return call(b.breaks, func() ([]brokerclient.Instance, error) { return b.Directory.Instances(ctx, did) })
}

// listener is what an intake does: it asks again about a sender that it judged
// only when it is told that something changed.
type listener struct {
	w     *world
	did   string
	cert  envelope.Digest
	creds []envelope.Digest
	dirty atomic.Bool
	why   error
}

func (l *listener) listen() {
	l.dirty.Store(true)
	l.w.book.OnChange(func(c Change) {
		if c.DID == l.did || c == (Change{}) {
			l.dirty.Store(true)
		}
	})
}

func (l *listener) tick() {
	if l.dirty.Swap(false) {
		l.why = l.w.book.Standing(ctx, l.did, 0, l.cert, l.creds, l.w.now())
		if l.why != nil && !isRefusal(l.why) {
			l.dirty.Store(true)
		}
	}
}

// TestWhatBreaksOffIsActedUponLater has each call to store, hub and broker break
// off in turn, with the process that goes on and with the next one: a revoked
// role and a raised floor end the standing of a sender within seconds, though
// they are told once, nothing older is sealed to than what a receipt named, and
// an older status list is never taken again.
func TestWhatBreaksOffIsActedUponLater(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, restart := range []bool{false, true} {
			for n := 1; ; n++ {
				broke := false
				t.Run(fmt.Sprintf("call %d, made %v, restarted %v", n, after, restart), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { broke = breakOff(t, n, after, restart) })
				})
				if !broke {
					break
				}
			}
		}
	}
}

func breakOff(t *testing.T, n int, after, restart bool) bool {
	w := newWorld(t)
	b := &breaks{after: after}
	b.left.Store(int64(n))
	i := w.issuer(1)
	holder, other := party(t, 2), party(t, 3)
	c := w.certificate(holder, t0, 0)
	cred := i.issue(holder.did, 1, time.Time{})
	oldList := w.hub.lists[i.id]
	c1 := w.certificate(other, t0, 0)
	p1, p2 := w.pkg(other, c1, t0), w.pkg(other, c1, t0.Add(time.Second))
	w.list(other, c1, p1)

	revoked := &listener{w: w, did: holder.did, cert: c.Digest(), creds: []envelope.Digest{cred}}
	voided := &listener{w: w, did: other.did, cert: c1.Digest()}
	var stop func()
	open := func() {
		w.openOver(breakingBroker{w.broker, b}, breakingHub{w.hub, b}, breakingStore{w.store, b})
		revoked.listen()
		voided.listen()
		run, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		wg.Go(func() { _ = w.book.Run(run) })
		stop = func() { cancel(); wg.Wait() }
	}
	open()
	defer func() { stop() }()
	// pass lets seconds pass.
	pass := func(seconds int) {
		for range seconds {
			synctest.Wait()
			revoked.tick()
			voided.tick()
			w.clock.Advance(time.Second)
		}
		synctest.Wait()
	}
	// phase is the end of a part: the process may end after it.
	phase := func() {
		if restart && b.left.Load() <= 0 {
			restart = false
			stop()
			open()
			pass(7)
		}
	}
	// until has something that may break off asked again.
	until := func(what string, fn func() error) {
		t.Helper()
		var err error
		for range 10 {
			if err = fn(); err == nil {
				return
			}
			pass(1)
		}
		t.Fatalf("%s: %v", what, err)
	}
	holds := func() bool {
		var list []Holder
		until("holders", func() (err error) { list, err = w.book.Holders(ctx, roleName); return err })
		return len(list) > 0
	}
	pass(7)
	if revoked.why != nil || voided.why != nil || !holds() {
		t.Fatal("not good at the beginning:", revoked.why, voided.why)
	}
	phase()

	i.revoke(1, holder.did, true)
	pass(7)
	if got := problem.CodeOf(revoked.why); got != "role_revoked" || holds() {
		t.Fatalf("seconds after a revocation: %v", revoked.why)
	}
	phase()

	w.book.Named(other.did, 0, p2.Digest(), 0)
	sealed := func() error {
		members, err := w.book.Instances(ctx, other.did)
		if err == nil && members[0].Package.Digest() != p2.Digest() {
			t.Fatal("sealed to an older package than a receipt named")
		}
		return err
	}
	until("seal", sealed)
	phase()
	w.broker.mu.Lock()
	delete(w.broker.objects, p2.Digest())
	w.broker.mu.Unlock()
	w.book.listings.drop(other.did)
	until("seal though the directory hides it", sealed)

	c2 := w.certificate(other, w.clock.Now(), uint64(w.clock.Now().Unix()))
	until("show", func() error { _, err := w.book.Shown(ctx, c2.Bytes()); return err })
	pass(2)
	if problem.CodeOf(voided.why) != "cert_void" {
		t.Fatalf("a floor was raised: %v", voided.why)
	}
	phase()
	if problem.CodeOf(voided.why) != "cert_void" {
		t.Fatalf("a floor was raised before the start: %v", voided.why)
	}

	w.hub.mu.Lock()
	w.hub.lists[i.id] = oldList // without the revocation
	w.hub.mu.Unlock()
	stop()
	open()
	pass(7)
	if revoked.why == nil {
		t.Fatal("an older status list was taken")
	}
	return b.left.Load() <= 0
}

// slowNames answers from what was so when it was asked.
type slowNames struct {
	Names
	asked, release chan struct{}
}

func (s *slowNames) Role(ctx context.Context, name string) (*ens.RoleDefinition, error) {
	def, err := s.Names.Role(ctx, name)
	if s.asked != nil {
		close(s.asked)
		s.asked = nil
		<-s.release
	}
	return def, err
}

// A role definition that changes while it is read for the first time is read
// again.
func TestDefinitionChangesWhileItIsRead(t *testing.T) {
	w := newWorld(t)
	i := w.issuer(1)
	cred := i.issue(party(t, 2).did, 1, time.Time{})
	slow := &slowNames{w.chain, make(chan struct{}), make(chan struct{})}
	asked := slow.asked
	w.book.d.Names = slow
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = w.book.Roles(ctx, party(t, 2).did, []envelope.Digest{cred})
	}()
	<-asked
	w.chain.mu.Lock()
	w.chain.roles[roleName] = &ens.RoleDefinition{Name: roleName}
	w.chain.mu.Unlock()
	w.chain.changed(common.Address{}, ens.Namehash(roleName))
	close(slow.release)
	<-done
	_, err := w.book.Roles(ctx, party(t, 2).did, []envelope.Digest{cred})
	code(t, err, "role")
}

// When the hub's feed forgot something, a status list read before is no reason
// to judge as before; nor is it when the hub does not serve the list just then.
func TestForgottenFeedReadsListsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		i := w.issuer(1)
		b := party(t, 2)
		cred := []envelope.Digest{i.issue(b.did, 1, time.Time{})}
		run, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = w.book.Run(run)
		}()
		defer func() { cancel(); <-done }()
		judge := func(want string) {
			t.Helper()
			synctest.Wait()
			_, err := w.book.Roles(ctx, b.did, cred)
			code(t, err, want)
		}
		judge("")
		i.revoke(1, b.did, false)
		w.book.everythingChanged()
		judge("") // the hub hides it
		i.freshen()
		w.book.everythingChanged()
		judge("role_revoked")

		c := party(t, 3)
		b, cred = c, []envelope.Digest{i.issue(c.did, 2, time.Time{})}
		judge("")
		i.revoke(2, c.did, false)
		i.freshen()
		w.hub.set(true)
		w.book.everythingChanged()
		judge("")
		w.hub.set(false)
		w.clock.Advance(feedLast)
		judge("role_revoked")
	})
}

// Who holds a role only by a key that its issuer lost is not sent to any more.
func TestHoldersFollowTheirIssuersKey(t *testing.T) {
	w := newWorld(t)
	i := w.issuer(1)
	i.issue(party(t, 2).did, 1, time.Time{})
	if list, err := w.book.Holders(ctx, roleName); err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	w.chain.remove(i.signer)
	if list, err := w.book.Holders(ctx, roleName); len(list) != 0 {
		t.Fatal(list, err)
	}
}

// A name that a receipt gives while another is forgotten stays.
func TestNamedWhileAnotherIsForgotten(t *testing.T) {
	w := newWorld(t)
	s := party(t, 2)
	w.book.Named(s.did, 0, envelope.Digest{1}, 0)
	w.book.Named(s.did, 0, envelope.Digest{2}, 0)
	if err := w.book.unname(ctx, instance{s.did, 0}, envelope.Digest{1}); err != nil {
		t.Fatal(err)
	}
	if k, err := w.store.Instance(ctx, s.did, 0); err != nil || k.Named != (envelope.Digest{2}) {
		t.Fatal(k.Named, err)
	}
}
