package outbox_test

import (
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/vc"
)

// TestSessionRotation has one case per cause of section 9.
func TestSessionRotation(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world, r *reader)
		fresh  bool // a new session follows
	}{
		"nothing": {func(*world, *reader) {}, false},
		"its end": {func(w *world, _ *reader) { w.clock.Advance(time.Hour) }, true},
		"own certificate renewed": {func(w *world, _ *reader) {
			w.self.certify(w.now(), 0)
		}, true},
		"record revised": {func(w *world, _ *reader) { w.publishTopic(2) }, true},
		"own credential": {func(w *world, _ *reader) {
			w.book.set(func() {
				w.book.own = []*vc.Verified{{Digest: envelope.Sum([]byte("c")), Role: "aggregator.roles.market.apps.edge.iam.ewc"}}
			})
		}, true},
		"a member's floor raised": {func(w *world, r *reader) {
			r.certify(w.now()+1000, uint64(w.now()/1000))
			r.renew(w.now() + 1000)
			w.book.set(func() { w.book.members[r.did] = []trust.Member{r.member()} })
		}, true},
		"a member's package renewed": {func(w *world, r *reader) {
			r.renew(w.now() + 1000)
			w.book.set(func() { w.book.members[r.did] = []trust.Member{r.member()} })
		}, false},
		"process start": {func(w *world, _ *reader) { w.stop(); w.start() }, true},
	} {
		t.Run(name, func(t *testing.T) {
			w, r, _ := pair(t, 2)
			first, s := r.last()
			c.change(w, r)
			a := w.send(draft(9))
			r.read(w.net.to(r.addr))
			next, s2 := r.last()
			if (next != first) != c.fresh {
				t.Fatalf("new session: %v, want %v", next != first, c.fresh)
			}
			if !c.fresh {
				return
			}
			if p := s2.text.Prev; p == nil || p.Session != first || p.Seq != 1 || p.Digest != s.head {
				t.Fatalf("prev %+v", p)
			}
			if s2.text.Secret == s.text.Secret || s2.grant.Core.Chan != s.grant.Core.Chan || s2.ids[0] != a.ID {
				t.Fatal("secret, channel or message are not as they should be")
			}
		})
	}
}

func TestWhoLeavesAndWhoComes(t *testing.T) {
	w, b, _ := pair(t, 1)
	c := newReader(t, newParty(began.UnixMilli()), w.self)
	w.book.admit(c.party)
	w.send(draft(1)) // growth is gathered for five seconds
	if got := w.net.to(c.addr); len(got) != 0 {
		t.Fatal("the newcomer was let in at once")
	}
	w.clock.Advance(6 * time.Second)
	w.book.set(func() {})
	third := w.send(draft(2))
	c.read(w.net.to(c.addr))
	b.read(w.net.to(b.addr))
	_, s := c.last()
	if s.text.Prev != nil || len(s.ids) != 1 || s.ids[0] != third.ID {
		t.Fatal("a newcomer sees what was before")
	}
	if _, s := b.last(); len(b.order) != 2 || s.text.Prev == nil {
		t.Fatal("the old member has no new session with prev")
	}
	w.book.dismiss(b.party)
	have := len(w.net.to(b.addr))
	w.send(draft(3)) // shrinking takes effect at once
	if len(w.net.to(b.addr)) != have {
		t.Fatal("sent to somebody who lost the role")
	}
	c.read(w.net.to(c.addr))
	if _, s := c.last(); s.text.Prev == nil || len(c.order) != 2 {
		t.Fatal("no new session after somebody left")
	}
	// Who comes back is told the last entry that was addressed to it.
	w.book.admit(b.party)
	w.clock.Advance(6 * time.Second)
	w.send(draft(4))
	w.clock.Advance(6 * time.Second)
	w.book.set(func() {})
	w.send(draft(5))
	b.read(w.net.to(b.addr))
	if _, s := b.last(); len(b.order) != 3 || s.text.Prev == nil || s.text.Prev.Session != b.order[1] || s.text.Prev.Seq != 0 {
		t.Fatalf("%d sessions", len(b.order))
	}
}

func TestRequireAnyLeavesOutAndNames(t *testing.T) {
	w := newWorld(t)
	b, c := newParty(began.UnixMilli()), newParty(began.UnixMilli())
	w.book.admit(b)
	w.book.admit(c)
	w.book.set(func() { delete(w.book.members, c.did) })
	w.start()
	held := w.send(draft(0)) // all, the default, waits
	if st := w.status(held.ID); st.State != "waiting" || st.Code != "package" {
		t.Fatalf("status %+v", st)
	}
	ch, _ := w.channels.Channel("telemetry")
	any := *ch
	any.Require = "any"
	w.channels.put(&any)
	w.net.await(t, "the message", func() bool {
		w.clock.Advance(time.Second)
		return w.status(held.ID).State == "accepted"
	})
	st := w.status(held.ID)
	if len(st.Recipients) != 2 || st.Recipients[1].DID != c.did || st.Recipients[1].Code != "package" {
		t.Fatalf("recipients %+v", st.Recipients)
	}
}
