package intake_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/intake"
	"github.com/digital-spine/spine/gateway/trust"
)

// TestFirstMessage is the way of one message from the wire to the application.
func TestFirstMessage(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		e := f.seal(good(3)...)
		f.s.send(f.grant, e.Bytes())
		got := w.receive(3)
		if got[0].From != f.s.did || got[0].Channel != "telemetry" || got[0].Redelivered || got[0].Late || got[0].Version != "1.0.0" {
			t.Fatalf("message %+v", got[0])
		}
		for _, name := range []string{"signature", "session", "role", "topic", "sequence", "seal", "content", "schema"} {
			if got[0].Checks[name] != "ok" {
				t.Errorf("check %s: %q", name, got[0].Checks[name])
			}
		}
		w.settled()
		w.until("receipt", func() bool {
			l := w.replies.lane(f.core.Session())
			return l != nil && l.UpTo == 0 && l.Head == e.Digest() && len(l.Missing) == 0 && len(l.Refused) == 0
		})
		w.restart()
		f.s.send(f.seal(good(2)...).Bytes())
		w.receive(2)
	})
}

// told waits until what a receipt says of a flow once it satisfies ok.
func (w *world) told(f *flow, what string, ok func(l *envelope.Lane) bool) {
	w.t.Helper()
	w.until("a receipt that says "+what, func() bool { l := w.replies.lane(f.core.Session()); return l != nil && ok(l) })
}

func bodies(got []gateway.Message) (out []string) {
	for _, m := range got {
		out = append(out, string(m.Body))
	}
	return out
}

func TestRemovedInTheMiddle(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		a, b, c := f.seal(), f.seal(), f.seal()
		f.s.send(a.Bytes(), c.Bytes())
		w.receive(1)
		e := w.event("hole")
		if e.DID != f.s.did || e.Session != f.core.Session().String() || *e.Seq != 2 {
			t.Errorf("hole event %+v", e)
		}
		w.told(f, "one is missing", func(l *envelope.Lane) bool {
			return l.UpTo == 3 && l.Head == c.Digest() && len(l.Missing) == 1 && l.Missing[0].First == 2 && l.Missing[0].Last == 2 && l.Missing[0].Why == 1
		})
		f.s.send(b.Bytes())
		got := w.receive(2)
		if got[0].Late || got[1].Late {
			t.Error("marked late although later messages waited")
		}
		w.event("repaired")
		w.told(f, "nothing is missing", func(l *envelope.Lane) bool { return l.UpTo == 3 && len(l.Missing) == 0 })
	})
}

func TestSwappedIsPutInOrder(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		x, y := frame(`{"n":1}`), frame(`{"n":2}`)
		a, b := f.seal(x), f.seal(y)
		f.s.send(b.Bytes())
		w.settled()
		f.s.send(a.Bytes())
		if got := bodies(w.receive(2)); got[0] != `{"n":1}` || got[1] != `{"n":2}` {
			t.Errorf("order %v", got)
		}
	})
}

func TestGapThenLate(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		a, b := f.seal(), f.seal()
		f.s.send(b.Bytes())
		w.settled()
		w.pass(8 * time.Second)
		if w.events.find("gap") != nil {
			t.Fatal("gap before ten seconds")
		}
		w.pass(3 * time.Second)
		w.event("gap")
		w.receive(1)
		w.restart()
		f.s.send(a.Bytes())
		if got := w.receive(1); !got[0].Late {
			t.Error("a late fill is not marked")
		}
		w.event("late")
		if w.events.find("forked") != nil {
			t.Error("a late fill was called forked")
		}
	})
}

func TestNeverFilledIsLost(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		f.seal()
		f.s.send(f.seal().Bytes())
		w.event("gap")
		w.settled()
		w.clock.Advance(retention + 2*time.Hour)
		w.event("lost")
	})
}

func TestAskedAgainOnSchedule(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		f.seal()
		start := w.clock.Now()
		f.s.send(f.seal().Bytes())
		asks := func() (n int) {
			w.replies.mu.Lock()
			defer w.replies.mu.Unlock()
			for _, r := range w.replies.list {
				if len(r.Lanes) == 1 && len(r.Lanes[0].Missing) > 0 {
					n++
				}
			}
			return n
		}
		w.until("four asks", func() bool { return asks() >= 4 })
		if d := w.clock.Now().Sub(start); d < 9*time.Second || d > 13*time.Second {
			t.Errorf("asked at once, after 1, 3 and 9 s took %v", d)
		}
		w.pass(5 * time.Minute)
		if n := asks(); n != 4 {
			t.Errorf("%d asks before ten minutes were over", n)
		}
		w.pass(6 * time.Minute)
		w.until("a fifth ask", func() bool { return asks() == 5 })
	})
}

func TestWholeSessionWithheld(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		g := f.s.open(f.after())
		lost := g.seal(frame(`{"n":1}`))
		h := f.s.open(g.after())
		f.s.send(h.grant, h.seal(frame(`{"n":2}`)).Bytes())
		w.event("hole")
		w.told(g, "a grant is missing", func(l *envelope.Lane) bool { return l.UpTo == -1 && len(l.Missing) == 1 && l.Missing[0].Why == 2 })
		f.s.send(g.grant, lost.Bytes())
		if got := bodies(w.receive(2)); got[0] != `{"n":1}` {
			t.Errorf("order over sessions %v", got)
		}
		w.event("repaired")
	})
}

func TestTailOfASessionWithheld(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		tail := []*envelope.Envelope{f.seal(), f.seal()}
		g := f.s.open(f.after())
		f.s.send(g.grant, g.seal().Bytes())
		w.told(f, "the tail is missing", func(l *envelope.Lane) bool {
			return len(l.Missing) == 1 && l.Missing[0].First == 1 && l.Missing[0].Last == 2
		})
		f.s.send(tail[1].Bytes(), tail[0].Bytes())
		w.receive(3)
	})
}

func TestGrantWaitsAnHourForTheHub(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		w.book.set(func() { w.book.roleErr = fmt.Errorf("%w: %w", envelope.BadRole.Errorf("absent"), trust.ErrAbsent) })
		var all [][]byte
		for range 5 {
			all = append(all, f.seal().Bytes())
		}
		f.s.send(f.grant)
		f.s.send(all[:4]...) // the fifth is withheld
		w.event("role")
		w.settled()
		w.pass(time.Hour)
		w.restart()
		w.book.set(func() { w.book.roleErr = nil })
		w.told(f, "all of it is missing", func(l *envelope.Lane) bool { return len(l.Missing) == 1 && l.Missing[0].Last == 3 })
		f.s.send(all...)
		w.receive(5)
	})
}

func TestEnvelopeBeforeItsGrant(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		f.s.send(f.seal().Bytes(), f.seal().Bytes())
		w.told(f, "the grant is missing", func(l *envelope.Lane) bool { return l.Missing[0].Why == 2 && l.Missing[0].Last == 1 })
		w.settled()
		w.restart()
		f.s.send(f.grant)
		w.receive(2)
	})
}

func TestSecretIsDestroyedAndGrantedAgain(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		text := &envelope.BoxText{}
		f := w.sender().open(func(_ *envelope.CoreBody, b *envelope.BoxText) { *text = *b; text.Secret = b.Secret })
		text.Secret = f.secret
		f.s.send(f.grant, f.seal().Bytes())
		w.receive(1)
		w.settled()
		w.clock.Advance(50 * time.Hour)
		w.until("the secret is gone", func() bool {
			r, err := w.store.Intake().Session(w.ctx, f.core.Session())
			return err == nil && len(r.Secret) == 0
		})
		e := f.seal()
		f.s.send(e.Bytes())
		w.told(f, "a secret is missing", func(l *envelope.Lane) bool { return len(l.Missing) > 0 && l.Missing[0].Why == 2 })
		f.s.send(f.regrant(text), e.Bytes())
		w.receive(1)
	})
}

func TestCommitFailsBeforeAndAfter(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(f *flaky)
	}{
		{"nothing was written", func(f *flaky) { f.before = 2 }},
		{"written, but the answer was lost", func(f *flaky) { f.after = 1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			held(t, func(t *testing.T, w *world) {
				f := opened(w)
				w.settled()
				w.flaky.mu.Lock()
				c.set(w.flaky)
				w.flaky.mu.Unlock()
				f.s.send(f.seal().Bytes(), f.seal().Bytes())
				w.receive(2)
				w.settled()
				f.s.send(f.seal().Bytes())
				w.receive(1)
			})
		})
	}
}

func TestRedeliveredByTheBroker(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		all := f.wires(300)
		f.s.send(all...)
		w.receive(300)
		w.settled()
		w.mail.mu.Lock()
		for i, b := range all {
			w.mail.add(uint64(3+i), w.subject(f.s.addr), b, true)
		}
		w.mail.mu.Unlock()
		f.s.send(f.seal().Bytes())
		w.receive(1)
		w.until("all known", func() bool { return w.events.count("replayed") == 300 })
		if w.events.find("throttled") != nil {
			t.Error("the sender was throttled for the broker's redelivery")
		}
	})
}

func TestOneHoleNeverFilled(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		f.seal()
		const n = 500
		f.s.send(f.wires(n)...)
		w.receive(n)
		w.settled()
		r := must(w.store.Intake().Session(w.ctx, f.core.Session()))
		if len(r.Ledger) > 1000 {
			t.Errorf("ledger of one hole takes %d bytes", len(r.Ledger))
		}
	})
}

func TestTooManyHoles(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		var all [][]byte
		for range intake.MaxHoles + 10 {
			f.skip()
			all = append(all, f.seal().Bytes())
		}
		f.s.send(all...)
		w.event("throttled")
		w.receive(intake.MaxHoles)
	})
}

func TestBrokerRolledBack(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		f.s.send(f.seal().Bytes(), f.seal().Bytes())
		w.receive(2)
		w.mail.mu.Lock()
		w.mail.seq = 1
		w.mail.mu.Unlock()
		f.s.send(f.seal().Bytes())
		w.receive(1)
		w.until("read again from the first", func() bool {
			w.mail.mu.Lock()
			defer w.mail.mu.Unlock()
			return len(w.mail.rewind) == 1 && w.mail.rewind[0] == 1
		})
	})
}

func TestReceiptsGoToTheOutbox(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		s := w.sender()
		r := must(envelope.NewReceipt(background, edSigner{s.key}, envelope.ReceiptBody{Cert: s.cert.Digest(), Package: s.pkg.Digest(), At: 1,
			Lanes: []envelope.Lane{{UpTo: -1}}}))
		s.send(r.Bytes())
		w.until("the outbox has it", func() bool { w.sink.mu.Lock(); defer w.sink.mu.Unlock(); return w.sink.got == 1 })
		w.settled()
	})
}

func TestManySendersManyLanes(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		n := 0
		for range 20 {
			f := w.sender().open()
			f.s.send(f.grant)
			for range 5 {
				f.s.send(f.seal(good(3)...).Bytes())
				n += 3
			}
		}
		w.receive(n)
		w.settled()
	})
}

// TestKilledBetweenDeliveries ends the process when a part of what the broker
// holds was delivered: what was not acknowledged comes again, and all of it is
// handed over once.
func TestKilledBetweenDeliveries(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := opened(w)
		var wires [][]byte
		want := map[string]bool{}
		for range 20 {
			frames := good(1)
			want[frames[0].ID.String()] = true
			wires = append(wires, f.seal(frames...).Bytes())
		}
		f.s.send(wires[:10]...)
		w.restart()
		f.s.send(wires[10:]...)
		for _, m := range w.receive(20) {
			if !want[m.ID] {
				t.Errorf("message %s came twice or was never sent", m.ID)
			}
			delete(want, m.ID)
		}
		w.settled()
	})
}

// TestRecipientRestored goes on with the store of before some messages that
// were acknowledged: they are asked for and come again. The sender may have
// been restored, too, and then goes on in a new session.
func TestRecipientRestored(t *testing.T) {
	for _, both := range []bool{false, true} {
		t.Run(map[bool]string{false: "alone", true: "and the sender too"}[both], func(t *testing.T) {
			held(t, func(t *testing.T, w *world) {
				f := opened(w)
				w.settled()
				senderThen := *f
				w.halt()
				backup := must(os.ReadFile(w.path))
				w.start()
				late := [][]byte{f.seal().Bytes(), f.seal().Bytes()}
				f.s.send(late...)
				w.receive(2)
				w.settled()
				w.halt()
				for _, suffix := range []string{"", "-wal", "-shm"} {
					if err := os.Remove(w.path + suffix); err != nil && suffix == "" {
						t.Fatal(err)
					}
				}
				if err := os.WriteFile(w.path, backup, 0o600); err != nil {
					t.Fatal(err)
				}
				w.start()
				if both {
					g := f.s.open(senderThen.after())
					f.s.send(g.grant, g.seal().Bytes())
					w.receive(1)
					return
				}
				f.s.send(f.seal().Bytes())
				w.told(f, "the lost ones are asked for", func(l *envelope.Lane) bool {
					return len(l.Missing) == 1 && l.Missing[0].First == 1 && l.Missing[0].Last == 2
				})
				f.s.send(late...)
				w.receive(3)
				w.event("repaired")
			})
		})
	}
}
