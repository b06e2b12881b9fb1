package issuer_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/hubclient"
	"github.com/digital-spine/spine/gateway/issuer"
	"github.com/digital-spine/spine/gateway/owner"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/vc"
)

// memory is a store whose calls take no time.
type memory struct {
	issuer.Store // what is not used
	mu           sync.Mutex
	lists        []issuer.List
	issued       []issuer.Issued
}

// change calls fn for what it selects among the lists and credentials.
func (m *memory) change(fn func(l *issuer.List), and func(c *issuer.Issued)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.lists {
		fn(&m.lists[i])
	}
	for i := range m.issued {
		and(&m.issued[i])
	}
}

func (m *memory) find(good func(issuer.Issued) bool) (out []issuer.Issued) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.issued {
		if good(c) {
			out = append(out, c)
		}
	}
	return out
}

func first(list []issuer.Issued) (*issuer.Issued, error) {
	if len(list) == 0 {
		return nil, nil
	}
	return &list[0], nil
}

func noList(*issuer.List)     {}
func noIssued(*issuer.Issued) {}

func (m *memory) Lists(context.Context) ([]issuer.List, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.lists), nil
}

func (m *memory) PutList(_ context.Context, l issuer.List) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lists = append(m.lists, l)
	return nil
}

func (m *memory) Reserve(_ context.Context, list string) (next uint64, _ error) {
	m.change(func(l *issuer.List) { next = l.Next; l.Next++ }, noIssued)
	return next, nil
}

func (m *memory) Published(_ context.Context, _ string, revision uint64) error {
	m.change(func(l *issuer.List) { l.Published = revision }, noIssued)
	return nil
}

func (m *memory) Add(_ context.Context, c issuer.Issued) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.issued = append(m.issued, c)
	return nil
}

func (m *memory) Sent(_ context.Context, digest [32]byte) error {
	m.change(noList, func(c *issuer.Issued) { c.Published = c.Published || c.Digest == digest })
	return nil
}

func (m *memory) ByDigest(_ context.Context, digest [32]byte) (*issuer.Issued, error) {
	return first(m.find(func(c issuer.Issued) bool { return c.Digest == digest }))
}

func (m *memory) ByEnrolment(_ context.Context, enrolment string) (*issuer.Issued, error) {
	return first(m.find(func(c issuer.Issued) bool { return c.Enrolment == enrolment }))
}

func (m *memory) Unsent(context.Context, int64, int) ([]issuer.Issued, error) {
	return m.find(func(c issuer.Issued) bool { return !c.Published && c.Revoked == 0 }), nil
}

func (m *memory) Revoke(_ context.Context, digest [32]byte, at int64, reason string, list issuer.List) error {
	m.change(func(l *issuer.List) { l.Raw, l.Revision = list.Raw, list.Revision }, func(c *issuer.Issued) {
		if c.Digest == digest {
			c.Revoked, c.Reason = at, reason
		}
	})
	return nil
}

// breaking is a store and a hub of which one call breaks off, before it was
// made or with its answer lost.
type breaking struct {
	issuer.Store
	hub   *hub
	after bool

	mu   sync.Mutex
	left int // calls until the one that breaks off
	// What the hub was shown under a number, which must never be two things.
	lists   map[uint64]envelope.Digest
	indexes map[uint64][32]byte
	twice   []string
}

func call[T any](b *breaking, fn func() (T, error)) (T, error) {
	b.mu.Lock()
	b.left--
	broken := b.left == 0
	b.mu.Unlock()
	if !broken {
		return fn()
	}
	var none T
	if b.after {
		if _, err := fn(); err != nil {
			return none, err
		}
	}
	return none, context.Canceled
}

func do(b *breaking, fn func() error) error {
	_, err := call(b, func() (struct{}, error) { return struct{}{}, fn() })
	return err
}

func (b *breaking) Lists(ctx context.Context) ([]issuer.List, error) {
	return call(b, func() ([]issuer.List, error) { return b.Store.Lists(ctx) })
}

func (b *breaking) PutList(ctx context.Context, l issuer.List) error {
	return do(b, func() error { return b.Store.PutList(ctx, l) })
}

func (b *breaking) Reserve(ctx context.Context, list string) (uint64, error) {
	return call(b, func() (uint64, error) { return b.Store.Reserve(ctx, list) })
}

func (b *breaking) Published(ctx context.Context, list string, revision uint64) error {
	return do(b, func() error { return b.Store.Published(ctx, list, revision) })
}

func (b *breaking) Add(ctx context.Context, c issuer.Issued) error {
	return do(b, func() error { return b.Store.Add(ctx, c) })
}

func (b *breaking) Sent(ctx context.Context, digest [32]byte) error {
	return do(b, func() error { return b.Store.Sent(ctx, digest) })
}

func (b *breaking) ByDigest(ctx context.Context, digest [32]byte) (*issuer.Issued, error) {
	return call(b, func() (*issuer.Issued, error) { return b.Store.ByDigest(ctx, digest) })
}

func (b *breaking) ByEnrolment(ctx context.Context, enrolment string) (*issuer.Issued, error) {
	return call(b, func() (*issuer.Issued, error) { return b.Store.ByEnrolment(ctx, enrolment) })
}

func (b *breaking) Unsent(ctx context.Context, now int64, max int) ([]issuer.Issued, error) {
	return call(b, func() ([]issuer.Issued, error) { return b.Store.Unsent(ctx, now, max) })
}

func (b *breaking) Revoke(ctx context.Context, digest [32]byte, at int64, reason string, l issuer.List) error {
	return do(b, func() error { return b.Store.Revoke(ctx, digest, at, reason, l) })
}

func (b *breaking) Enrolment(ctx context.Context, id string) (*hubclient.Enrolment, error) {
	return call(b, func() (*hubclient.Enrolment, error) { return b.hub.Enrolment(ctx, id) })
}

func (b *breaking) PublishCredential(ctx context.Context, raw []byte) ([32]byte, error) {
	return call(b, func() ([32]byte, error) {
		if c, err := vc.ParseRole(raw); err == nil {
			if old, ok := b.indexes[c.StatusIndex]; ok && old != vc.Digest(raw) {
				b.twice = append(b.twice, fmt.Sprintf("two credentials of index %d", c.StatusIndex))
			}
			b.indexes[c.StatusIndex] = vc.Digest(raw)
		}
		return b.hub.PublishCredential(ctx, raw)
	})
}

func (b *breaking) PublishStatus(ctx context.Context, s hubclient.Status) error {
	return do(b, func() error {
		if f, err := envelope.ParseStatus(s.Freshness); err == nil {
			if old, ok := b.lists[f.Revision]; ok && old != f.List {
				b.twice = append(b.twice, fmt.Sprintf("two lists of revision %d", f.Revision))
			}
			b.lists[f.Revision] = f.List
		}
		return b.hub.PublishStatus(ctx, s)
	})
}

// TestWhatBreaksOffIsMadeOnce has each call to store and hub break off in turn,
// in issuing or revoking, with the process that goes on and with the next one:
// an enrolment gets one credential, no number names two things, and once its
// row says so a revocation reaches the hub though nobody asks again.
func TestWhatBreaksOffIsMadeOnce(t *testing.T) {
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
	store := &memory{}
	f, ctx := startWith(t, store), t.Context()
	b := &breaking{Store: store, hub: f.hub, after: after, left: n, lists: map[uint64]envelope.Digest{}, indexes: map[uint64][32]byte{}}
	f.Deps.Store, f.Deps.Hub = b, b
	var stop func()
	begin := func() {
		f.Issuer = issuer.New(f.Deps)
		run, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		wg.Go(func() { f.Run(run) })
		stop = func() { cancel(); wg.Wait() }
		synctest.Wait()
	}
	begin()
	defer func() { stop() }()
	// turn is what happens until a caller asks again.
	turn := func() {
		synctest.Wait()
		if restart && b.left <= 0 {
			restart = false
			stop()
			begin()
		}
		f.clock.Advance(3 * time.Second)
		synctest.Wait()
	}
	issue := func(enrolment string) *issuer.Issued {
		f.hub.enrolment = hubclient.Enrolment{ID: enrolment, Role: role, Subject: f.subject, Status: "requested"}
		for range 3 {
			c, err := f.Issue(ctx, enrolment, 0)
			turn()
			if err == nil {
				return c
			}
		}
		t.Fatalf("%s is not issued", enrolment)
		return nil
	}
	one := issue("e1")
	err := f.Revoke(ctx, one.Digest, "left")
	turn()
	stored, _ := store.ByDigest(ctx, one.Digest)
	if stored.Revoked == 0 {
		if err == nil {
			t.Fatal("answered as revoked and is not")
		}
		if err := f.Revoke(ctx, one.Digest, "left"); err != nil {
			t.Fatal("again:", err)
		}
	}
	f.judge(t, one.Digest, "role_revoked") // though nobody asked again when it stood
	two := issue("e2")
	f.judge(t, two.Digest, "")
	if len(b.indexes) != 2 {
		t.Errorf("%d credentials for two enrolments", len(b.indexes))
	}
	for _, what := range b.twice {
		t.Error(what)
	}
	return b.left <= 0
}

// refusing is a hub that refuses some credentials.
type refusing struct {
	*hub
	digests map[[32]byte]bool
}

func (r *refusing) PublishCredential(ctx context.Context, raw []byte) ([32]byte, error) {
	if r.digests[vc.Digest(raw)] {
		return [32]byte{}, problem.New(422, "role", "no")
	}
	return r.hub.PublishCredential(ctx, raw)
}

// A credential that the hub does not take holds up neither those after it nor
// a revocation; one that was revoked or ended before the hub had it is not
// shown at all.
func TestRefusedCredentialHoldsUpNothing(t *testing.T) {
	f, ctx := start(t), testkit.Context(t)
	r := &refusing{f.hub, map[[32]byte]bool{}}
	f.Deps.Hub = r
	f.Issuer = issuer.New(f.Deps)
	f.hub.setAway(true)
	issue := func(enrolment string, until int64) *issuer.Issued {
		f.hub.enrolment.ID = enrolment
		c, err := f.Issue(ctx, enrolment, until)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	bad, ended, revoked := issue("e1", 0), issue("e2", f.clock.Now().Add(time.Minute).UnixMilli()), issue("e3", 0)
	r.digests[bad.Digest], r.digests[ended.Digest], r.digests[revoked.Digest] = true, true, true
	if err := f.Revoke(ctx, revoked.Digest, ""); problem.CodeOf(err) != "unreachable" {
		t.Fatal(err)
	}
	f.clock.Advance(2 * time.Minute)
	f.hub.setAway(false)
	good := issue("e4", 0)
	if !good.Published {
		t.Fatal("held up by another that is refused")
	}
	f.judge(t, good.Digest, "")
	if err := f.Revoke(ctx, good.Digest, ""); err != nil {
		t.Fatal("a revocation is held up by a credential that is refused:", err)
	}
	f.judge(t, good.Digest, "role_revoked")
	if unsent, err := f.store.Issuer().Unsent(ctx, f.clock.Now().UnixMilli(), 10); err != nil || len(unsent) != 1 || unsent[0].Digest != bad.Digest {
		t.Fatal("what is revoked or over is published no more, what is refused waits:", unsent, err)
	}
	delete(r.digests, bad.Digest)
	if c, err := f.Issue(ctx, "e1", 0); err != nil || !c.Published {
		t.Fatal(c, err)
	}
}

// Two instances of one DID publish the next revision of a topic: the one whose
// record the directory does not take goes on with a revision of its own.
func TestAnotherInstancePublishedTheRevision(t *testing.T) {
	f, ctx := start(t), t.Context()
	dir := directory{}
	deps := owner.Deps{DID: f.self.did, Signer: f.key, Directory: dir, Store: f.store.Topics(), Domain: domain, Clock: f.clock}
	spec := owner.Spec{Name: "hello.market.apps.edge.iam.ewc", Version: "1.0.0", Schema: []byte(`{"type":"object"}`)}
	lost := deps
	lost.Directory = directory{} // takes nothing that others see
	if _, err := owner.New(lost).PutTopic(ctx, spec); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(time.Second)
	other := deps
	other.Store = start(t).store.Topics()
	theirs, err := owner.New(other).PutTopic(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	o := owner.New(deps)
	if same, err := o.PutTopic(ctx, spec); err != nil || same.Record.Digest() != theirs.Record.Digest() {
		t.Fatalf("the same again is not what is published: %v", err)
	}
	spec.Order = envelope.Prompt
	next, err := o.PutTopic(ctx, spec)
	if err != nil || next.Record.Revision != 2 {
		t.Fatal(err)
	}
	if err := next.Record.CheckSuccession(theirs.Record, next.Record.NotBefore); err != nil {
		t.Fatal(err)
	}
}
