package intake_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/intake"
	"github.com/digital-spine/spine/gateway/trust"
)

// forget drops the receipts that were sent.
func (r *replies) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = nil
}

// What was parked for a session that is open, and not at hand yet, is taken up
// by the next process: at once, or asked for when it was parked for too long.
func TestParkedForAnOpenSession(t *testing.T) {
	for _, long := range []bool{false, true} {
		t.Run(map[bool]string{false: "soon", true: "after minutes"}[long], func(t *testing.T) {
			held(t, func(t *testing.T, w *world) {
				f := opened(w)
				w.settled()
				w.pass(time.Minute)
				w.restart()
				var topics map[envelope.Digest]*trust.Topic
				w.book.set(func() { topics, w.book.topics = w.book.topics, nil })
				e := f.seal()
				f.s.send(e.Bytes())
				w.settled()
				w.restart()
				if long {
					w.pass(5 * time.Minute)
				}
				w.replies.forget()
				w.book.set(func() { w.book.topics = topics })
				if long {
					w.asked(f, 1, envelope.WhyHole)
					f.s.send(e.Bytes())
				}
				w.receive(1)
			})
		})
	}
}

// A number that came damaged is asked for after a restart.
func TestDamagedIsAskedForByTheNextProcess(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		e := f.seal()
		f.s.send(flip(e.Bytes(), -5))
		w.settled()
		w.pass(time.Minute)
		w.restart()
		w.replies.forget()
		w.asked(f, 1, envelope.WhyBytes)
		f.s.send(e.Bytes())
		w.receive(1)
		w.upto(f, 1)
	})
}

// A receipt is owed until it was sent: also by the next process.
func TestAReceiptIsOwedUntilItIsSent(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		hold := make(chan struct{})
		w.replies.refuse(func(string) error {
			<-hold
			return errors.New("its connection is gone")
		})
		f := opened(w)
		w.settled()
		w.pass(30 * time.Second)
		w.halt()
		w.replies.refuse(nil)
		close(hold)
		w.start()
		w.upto(f, 0)
	})
}

// A receipt that came in is acknowledged to the broker when the outbox dealt
// with it, and not before; a newer one of its sender waits for it, and none of
// a hundred at once is dropped.
func TestReceiptsAreAcknowledgedWhenDealtWith(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		s := w.sender()
		receipt := func(at int64) []byte {
			return must(envelope.NewReceipt(background, edSigner{s.key}, envelope.ReceiptBody{Cert: s.cert.Digest(), Package: s.pkg.Digest(), At: at,
				Lanes: []envelope.Lane{{UpTo: -1}}})).Bytes()
		}
		got := func() int { w.sink.mu.Lock(); defer w.sink.mu.Unlock(); return w.sink.got }
		w.sink.mu.Lock()
		w.sink.fail = 2
		w.sink.mu.Unlock()
		s.send(receipt(1), receipt(2))
		w.pass(time.Minute)
		if got() > 0 || w.mail.acked > 0 {
			t.Fatalf("%d were taken, %d acknowledged, the first could not be dealt with", got(), w.mail.acked)
		}
		w.mail.again()
		w.pass(5 * time.Second)
		if got() > 0 || w.mail.acked > 0 {
			t.Fatalf("%d were taken, %d acknowledged, the first could not be dealt with", got(), w.mail.acked)
		}
		w.mail.again()
		w.settled()
		for i, wire := range w.sink.wire {
			if !bytes.Equal(wire, receipt(int64(i+1))) {
				t.Fatal("the newer was taken first")
			}
		}
		w.sink.mu.Lock()
		w.sink.fail = 1
		w.sink.mu.Unlock()
		s.send(receipt(3))
		w.pass(time.Second)
		w.restart() // it comes again to the next process
		w.settled()
		var many [][]byte
		for range 100 {
			many = append(many, receipt(4))
		}
		s.send(many...)
		w.until("all are dealt with", func() bool { return got() == 103 })
		w.settled()
	})
}

// A session without its secret waits for the judgement of another grant through
// a restart, too.
func TestGrantedAgainThroughARestart(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		w.settled()
		w.clock.Advance(50 * time.Hour)
		w.until("the secret is gone", func() bool { return len(must(w.store.Intake().Session(w.ctx, f.core.Session())).Secret) == 0 })
		var certs map[envelope.Digest]*envelope.Certificate
		w.book.set(func() { certs, w.book.certs = w.book.certs, nil })
		f.s.send(f.regrant(&envelope.BoxText{Secret: f.secret, Creds: []envelope.Digest{f.s.cred}}), f.seal().Bytes())
		w.settled()
		w.restart()
		w.book.set(func() { w.book.certs = certs })
		w.receive(1)
	})
}

// The key of the package may go while a session that is open waits to be granted
// again: the receipts do not go back, and yet another grant is asked for.
func TestPackageGoneOfAnOpenSession(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		custody := w.custody()
		f := opened(w)
		w.upto(f, 0)
		w.clock.Advance(50 * time.Hour)
		w.until("the secret is gone", func() bool { return len(must(w.store.Intake().Session(w.ctx, f.core.Session())).Secret) == 0 })
		var certs map[envelope.Digest]*envelope.Certificate
		w.book.set(func() { certs, w.book.certs = w.book.certs, nil })
		e := f.seal()
		f.s.send(f.regrant(&envelope.BoxText{Secret: f.secret, Creds: []envelope.Digest{f.s.cred}}), e.Bytes())
		w.settled()
		w.self.mu.Lock()
		w.self.gone[w.self.pkg.Digest()] = true
		w.self.mu.Unlock()
		w.book.set(func() { w.book.certs = certs })
		w.event("package_gone")
		w.replies.forget()
		w.asked(f, 1, envelope.WhySecret)
		w.self.renew(w.clock.Now().UnixMilli())
		f.s.send(f.regrant(&envelope.BoxText{Secret: f.secret, Creds: []envelope.Digest{f.s.cred}}), e.Bytes())
		w.receive(1)
		w.upto(f, 1)
		custody()
	})
}

// Secrets are destroyed in time, also of sessions that nothing is heard of after
// a restart.
func TestSecretsOfQuietSessionsAreDestroyed(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		w.upto(f, 0)
		w.pass(time.Minute)
		w.restart()
		w.clock.Advance(50 * time.Hour)
		w.pass(5 * time.Minute)
		if len(must(w.store.Intake().Session(w.ctx, f.core.Session())).Secret) > 0 {
			t.Fatal("its secret is still in the store")
		}
	})
}

// The order over the sessions of a lane group does not depend on which of them
// are still remembered.
func TestOrderOutlivesForgottenSessions(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		w.halt()
		w.config.StrictWait = 24 * time.Hour
		w.start()
		a := opened(w)
		w.settled()
		w.clock.Advance(48 * time.Hour)
		b := a.s.open(a.after())
		late := b.seal()
		b.s.send(b.grant)
		w.upto(b, -1)
		b.s.send(b.mark(envelope.MarkClosed))
		w.asked(b, 0, envelope.WhyHole)
		b.s.send(late.Bytes())
		w.receive(1)
		gone := func(f *flow) {
			t.Helper()
			w.clock.Advance(max(0, time.UnixMilli(f.core.NotAfter).Add(retention+time.Second).Sub(w.clock.Now())))
			w.until("the session is forgotten", func() bool {
				r := must(w.store.Intake().Session(w.ctx, f.core.Session()))
				return r == nil || r.Code == string(envelope.SessionOver)
			})
		}
		gone(a)
		w.clock.Advance(max(0, time.UnixMilli(b.core.NotAfter).Add(retention-time.Hour).Sub(w.clock.Now())))
		c := a.s.open(b.after())
		x, y, z := frame(`{"n":1}`), frame(`{"n":2}`), frame(`{"n":3}`)
		first := c.seal(x)
		c.s.send(c.grant, c.seal(y).Bytes())
		w.asked(c, 0, envelope.WhyHole)
		gone(b)
		d := a.s.open(c.after())
		d.s.send(d.grant, d.seal(z).Bytes())
		w.upto(d, 0)
		c.s.send(first.Bytes())
		w.receiveIDs(ids(x, y, z)...)
	})
}

// A session that another one followed, and that goes on all the same, is handed
// over when what it waits for is known.
func TestAFollowedSessionGoesOn(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		g := f.s.open(f.after())
		f.s.send(g.grant, g.seal().Bytes())
		w.receive(1)
		w.pass(time.Minute)
		w.book.set(func() { w.book.standErr = envelope.StatusStale.Errorf("no fresh list") })
		f.s.send(f.seal().Bytes())
		w.event("prev_regressed")
		w.settled()
		w.book.set(func() { w.book.standErr = nil })
		w.receive(1)
	})
}

// An answer of the book from before a change does not count.
func TestStandingOfBeforeAChange(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		hold := make(chan struct{})
		w.book.set(func() { w.book.standHold = hold })
		f.s.send(f.seal().Bytes())
		w.settled()
		w.book.set(func() { w.book.standHold, w.book.standErr = nil, envelope.RoleRevoked.Errorf("revoked") })
		w.pass(time.Second)
		close(hold)
		w.event("role_revoked")
		w.pass(time.Minute)
		if got := must(w.inbox.Pull(w.ctx, gateway.Consumer{Name: "app", Channel: "telemetry"}, 10, 0)); len(got) > 0 {
			t.Fatalf("handed over on an answer of before: %v", got)
		}
	})
}

// Objects that wait for room are brought when a session that took it is
// forgotten.
func TestRoomOfAForgottenSession(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		var frames []envelope.Frame
		for range 32 {
			frames = append(frames, carries(file("a", "text/csv", 5)))
		}
		f.s.send(f.grant, f.seal(frames...).Bytes())
		w.until("they are taken", func() bool { return w.objects.count() == 32 })
		w.clock.Advance(time.UnixMilli(f.core.NotAfter).Add(retention - time.Hour).Sub(w.clock.Now()))
		g := f.s.open(f.after())
		g.s.send(g.grant, g.seal(carries(file("b", "text/csv", 5))).Bytes())
		w.settled()
		w.pass(time.Minute)
		if n := w.objects.count(); n != 32 {
			t.Fatalf("%d are taken, the sender has room for 32", n)
		}
		w.clock.Advance(max(0, time.UnixMilli(f.core.NotAfter).Add(retention+time.Second).Sub(w.clock.Now())))
		w.until("the next is taken", func() bool { return w.objects.count() == 33 })
	})
}

// A broker that was rolled back is noticed although the store does not answer at
// once.
func TestBrokerRolledBackWhileTheStoreBreaksOff(t *testing.T) {
	for _, b := range []*breaks{{left: 1, row: 1, only: "stream"}, {left: 1, row: 1, only: "commit"}} {
		t.Run(b.only, func(t *testing.T) {
			held(t, func(t *testing.T, w *world) {
				f := opened(w)
				f.s.send(f.seal().Bytes(), f.seal().Bytes())
				w.receive(2)
				w.settled()
				w.pass(time.Minute)
				w.wrap = func(s intake.Store) intake.Store { return breaking{s, b} }
				w.restart()
				w.mail.mu.Lock()
				w.mail.seq = 1
				w.mail.mu.Unlock()
				f.s.send(f.seal().Bytes())
				w.receive(1)
				w.pass(10 * time.Second)
				w.mail.mu.Lock()
				defer w.mail.mu.Unlock()
				if len(w.mail.rewind) != 1 {
					t.Fatalf("asked %d times to read again from the first", len(w.mail.rewind))
				}
			})
		})
	}
}

// A store that breaks off again and again has no body fetched twice at a time.
func TestABodyIsFetchedOnceAtATime(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		apart := f.seal(large())
		w.bodies.put(apart)
		hold := make(chan struct{})
		w.bodies.set(func() { w.bodies.hold = hold })
		f.s.send(apart.Notice().Bytes())
		w.until("its body is asked for", func() bool { return w.bodies.count() == 1 })
		for range 5 {
			w.flaky.mu.Lock()
			w.flaky.before = 1
			w.flaky.mu.Unlock()
			f.s.send(f.seal().Bytes())
			w.settled()
		}
		w.pass(10 * time.Second)
		if n := w.bodies.count(); n != 1 {
			t.Fatalf("asked for %d times at once", n)
		}
		close(hold)
		w.receive(6)
	})
}

// A store that breaks off does not start the watch on a lane group anew: that it
// is silent is told in time, and once.
func TestSilenceIsToldOnceThoughTheStoreBreaksOff(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		w.settled()
		other := w.sender().open()
		other.s.send(other.grant)
		breakOff := func() {
			w.flaky.mu.Lock()
			w.flaky.before = 1
			w.flaky.mu.Unlock()
			other.s.send(other.seal().Bytes())
			w.settled()
		}
		of := func() (n int) {
			w.events.mu.Lock()
			defer w.events.mu.Unlock()
			for _, e := range w.events.list {
				if e.Code == "lane_silent" && e.DID == f.s.did {
					n++
				}
			}
			return n
		}
		for range 3 {
			w.pass(7 * time.Minute)
			breakOff()
		}
		w.until("it is told", func() bool { return of() == 1 })
		breakOff()
		w.pass(25 * time.Minute)
		if n := of(); n != 1 {
			t.Fatalf("told %d times", n)
		}
	})
}

// A grant may be with two judges, as memory is read again after a round that
// failed: what the slower one finds does not close what the other opened.
func TestJudgedTwice(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		custody := w.custody()
		f := w.sender().open()
		hold := make(chan struct{})
		w.book.set(func() { w.book.topicHold = hold })
		f.s.send(f.grant)
		w.settled()
		w.pass(time.Second)
		w.book.set(func() { w.book.topicHold = nil })
		w.flaky.mu.Lock()
		w.flaky.before = 1
		w.flaky.mu.Unlock()
		f.s.send(f.seal().Bytes())
		w.receive(1)
		w.upto(f, 0)
		w.self.mu.Lock()
		w.self.gone[w.self.pkg.Digest()] = true
		w.self.mu.Unlock()
		close(hold)
		w.pass(time.Minute)
		f.s.send(f.seal().Bytes())
		w.receive(1)
		w.upto(f, 1)
		custody()
	})
}
