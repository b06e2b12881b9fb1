package intake_test

import (
	"errors"
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// commits counts what the store was asked to commit.
func (f *flaky) commits() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made
}

// A grant that does not hold, for a session whose secret was destroyed, costs
// one judgement, not one after the other.
func TestBadGrantForALostSecretIsJudgedOnce(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		w.settled()
		w.clock.Advance(50 * time.Hour)
		w.until("the secret is gone", func() bool {
			r, err := w.store.Intake().Session(w.ctx, f.core.Session())
			return err == nil && len(r.Secret) == 0
		})
		w.flaky.mu.Lock()
		w.flaky.most = w.flaky.made + 100 // one after the other would have no end
		w.flaky.mu.Unlock()
		f.s.send(flip(f.regrant(&envelope.BoxText{Secret: f.secret, Creds: []envelope.Digest{f.s.cred}}), -1))
		w.event("signature")
		w.settled()
		// The true one is still taken.
		e := f.seal()
		f.s.send(f.regrant(&envelope.BoxText{Secret: f.secret, Creds: []envelope.Digest{f.s.cred}}), e.Bytes())
		w.receive(1)
	})
}

// Another member of a session knows its id. What it sends under its own name
// changes nothing about the session.
func TestNumbersOfAnotherSenderDoNotCount(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		other := w.sender()
		forged := func() []byte {
			return must(f.keys.Seal(background, edSigner{other.key}, envelope.Entry{Seq: 900_000, Prev: f.head, Time: f.t}, good(1))).Bytes()
		}
		cert := f.s.cert
		w.book.set(func() { delete(w.book.certs, cert.Digest()) })
		f.s.send(f.grant) // waits for its certificate
		w.event("cert")
		other.send(forged())
		w.settled()
		w.book.set(func() { w.book.certs[cert.Digest()] = cert })
		f.s.send(f.seal().Bytes())
		w.receive(1)
		w.told(f, "a receipt", func(l *envelope.Lane) bool { return l.UpTo == 0 })
		if l := w.replies.lane(f.core.Session()); len(l.Missing) != 0 {
			t.Fatalf("asks for what its sender never sent: %+v", l.Missing)
		}
	})
}

// The same before the session is known: its own sender is asked for the grant,
// and numbers that somebody else named do not count.
func TestStrangersDoNotSpeakForASender(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		other := w.sender()
		other.send(must(f.keys.Seal(background, edSigner{other.key}, envelope.Entry{Seq: 900_000, Prev: f.head, Time: f.t}, good(1))).Bytes())
		w.settled()
		e := f.seal()
		f.s.send(e.Bytes())
		w.until("its sender is asked", func() bool { return w.replies.count(f.s.addr) > 0 })
		f.s.send(f.grant)
		w.receive(1)
		w.told(f, "a receipt", func(l *envelope.Lane) bool { return l.UpTo == 0 })
		if l := w.replies.lane(f.core.Session()); len(l.Missing) != 0 {
			t.Fatalf("asks for what its sender never sent: %+v", l.Missing)
		}
	})
}

// A standing that is looked up for long and then turns out stale is told, and
// so is that it stays so.
func TestSlowStandingIsTold(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		hold := make(chan struct{})
		w.book.set(func() { w.book.standHold, w.book.standErr = hold, envelope.StatusStale.Errorf("no fresh list") })
		f.s.send(f.seal().Bytes())
		w.pass(time.Second)
		if w.events.find("status_stale") != nil {
			t.Fatal("told before it was known")
		}
		close(hold)
		w.event("status_stale")
		w.book.set(func() { w.book.standHold, w.book.standErr = nil, nil })
		w.receive(1)
	})
}

// What waits for its sender's standing waits through a restart too: it is not
// handed over unjudged.
func TestARestartJudgesWhatWaits(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		w.book.set(func() { w.book.standErr = envelope.StatusStale.Errorf("no fresh list") })
		f.s.send(f.seal().Bytes())
		w.event("status_stale")
		w.settled()
		w.restart()
		w.pass(time.Minute)
		w.book.set(func() { w.book.standErr = envelope.RoleRevoked.Errorf("revoked") })
		w.event("role_revoked")
		w.pass(time.Minute)
		if got, err := w.inbox.Pull(w.ctx, gateway.Consumer{Name: "app", Channel: "telemetry"}, 10, 0); err != nil || len(got) > 0 {
			t.Fatalf("a message of a revoked sender was handed over: %v, %v", got, err)
		}
	})
}

// Receipts that cannot be sent hold up nobody else's, and are sent when it is
// possible again, however long it takes.
func TestReceiptsAreNotLostAndHoldUpNobody(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		down := errors.New("no way there")
		w.replies.refuse(func(string) error { return down })
		f := opened(w)
		w.settled()
		w.pass(10 * time.Minute)
		w.replies.refuse(nil)
		w.told(f, "a receipt after ten minutes", func(l *envelope.Lane) bool { return l.UpTo == 0 })

		bad := map[string]bool{}
		for range 20 {
			b := w.sender().open()
			bad[b.s.addr] = true
			b.s.send(b.grant, b.seal().Bytes())
		}
		w.replies.refuse(func(addr string) error {
			if bad[addr] {
				return down
			}
			return nil
		})
		w.receive(20)
		start := w.clock.Now()
		f.s.send(f.seal().Bytes())
		w.told(f, "the receipt", func(l *envelope.Lane) bool { return l.UpTo == 1 })
		if d := w.clock.Since(start); d > 5*time.Second {
			t.Fatalf("an honest sender waited %v for its receipt behind those that cannot be sent", d)
		}
	})
}

// One sender's inventions do not make receipts for others get lost.
func TestFloodOfInventedSessionsIsNotAnswered(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		w.settled()
		have := w.replies.count(f.s.addr)
		const n = 1500 // a known sender gets 1000 receipts at once, and few a second
		var all [][]byte
		for range n {
			x, _ := f.s.invent()
			all = append(all, x.seal().Bytes())
		}
		f.s.send(all...)
		w.settled()
		w.pass(20 * time.Second)
		if got := w.replies.count(f.s.addr) - have; got > 1100 {
			t.Fatalf("%d receipts for %d invented sessions", got, n)
		}
	})
}
