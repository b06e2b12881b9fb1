package intake_test

import (
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
)

// upto waits until a receipt said that everything up to seq is in custody.
func (w *world) upto(f *flow, seq int64) *envelope.Lane {
	w.t.Helper()
	w.until("receipt", func() bool {
		l := w.replies.lane(f.core.Session())
		return l != nil && l.UpTo >= seq && len(l.Missing) == 0
	})
	return w.replies.lane(f.core.Session())
}

// asked waits until a receipt asked for a number, and returns why.
func (w *world) asked(f *flow, seq uint64, why uint64) {
	w.t.Helper()
	w.until("ask", func() bool {
		l := w.replies.lane(f.core.Session())
		if l == nil {
			return false
		}
		for _, m := range l.Missing {
			if m.First <= seq && seq <= m.Last && m.Why == why {
				return true
			}
		}
		return false
	})
}

func ids(fs ...envelope.Frame) (out []string) {
	for _, f := range fs {
		out = append(out, f.ID.String())
	}
	return out
}

func (w *world) receiveIDs(want ...string) {
	w.t.Helper()
	for i, m := range w.receive(len(want)) {
		if m.ID != want[i] {
			w.t.Fatalf("message %d is %s, expected %s", i, m.ID, want[i])
		}
	}
}

// TestNotice: a body in the blob store is fetched and handed over in its place.
func TestNotice(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		a, b, c := good(1)[0], large(), good(1)[0]
		first, apart, last := f.seal(a), f.seal(b), f.seal(c)
		w.bodies.put(apart)
		hold := make(chan struct{})
		w.bodies.set(func() { w.bodies.hold = hold })
		f.s.send(f.grant, first.Bytes(), apart.Notice().Bytes(), last.Bytes())
		w.settled()
		w.receiveIDs(ids(a)...)
		w.pass(15 * time.Second) // the lane is strict, and the body is on its way
		if l := w.replies.lane(f.core.Session()); l.UpTo != 0 || len(l.Missing) != 0 {
			t.Fatalf("custody of what is not here: %+v", l)
		}
		if w.events.find("gap") != nil {
			t.Fatal("a body that is on its way was given up")
		}
		close(hold)
		w.receiveIDs(ids(b, c)...)
		w.upto(f, 2)
		if e := w.activity.of(b.ID.String()); e.State != "verified" || e.Size != int64(len(b.Body)) {
			t.Fatalf("activity: %+v", e)
		}
	})
}

// TestNoticeAbsent: a body that the store has not is asked for, and what is
// behind it waits no longer than for a missing message.
func TestNoticeAbsent(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		b, c := large(), good(1)[0]
		apart, last := f.seal(b), f.seal(c)
		f.s.send(f.grant, apart.Notice().Bytes(), last.Bytes())
		w.event("content_hash")
		w.asked(f, 0, envelope.WhyBody)
		w.event("gap")
		w.receiveIDs(ids(c)...)
		w.bodies.put(apart)
		f.s.send(apart.Notice().Bytes()) // sent again: it is there now
		got := w.receive(1)[0]
		if got.ID != b.ID.String() || !got.Late {
			t.Fatalf("got %+v", got)
		}
		w.event("repaired")
		w.upto(f, 1)
		if n := w.events.count("content_hash"); n != 1 {
			t.Fatalf("reported %d times", n)
		}
		if w.events.find("replayed") != nil {
			t.Fatal("what was asked for is called a replay")
		}
	})
}

// TestNoticeReplaced: other bytes under the hash are told from the body.
func TestNoticeReplaced(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		b := large()
		apart := f.seal(b)
		other := append([]byte(nil), apart.Ciphertext...)
		other[100] ^= 1
		w.bodies.set(func() { w.bodies.has[apart.CiphertextHash()] = other })
		f.s.send(f.grant, apart.Notice().Bytes())
		w.event("content_hash")
		w.asked(f, 0, envelope.WhyBody)
		for _, cut := range [][]byte{apart.Ciphertext[:len(apart.Ciphertext)-1], append(append([]byte(nil), apart.Ciphertext...), 0)} {
			before := w.bodies.count()
			w.bodies.set(func() { w.bodies.has[apart.CiphertextHash()] = cut })
			w.until("another try", func() bool { return w.bodies.count() > before })
		}
		// The sender sends the whole envelope instead: it is the same entry.
		f.s.send(apart.Bytes())
		w.receiveIDs(ids(b)...)
		w.upto(f, 0)
	})
}

// TestNoticeRestart: a body that did not come before the process ended is
// fetched by the next; the mailbox was acknowledged long before.
func TestNoticeRestart(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		b := large()
		apart := f.seal(b)
		w.bodies.set(func() { w.bodies.down = true })
		f.s.send(f.grant, apart.Notice().Bytes())
		w.settled()
		w.until("a try", func() bool { return w.bodies.count() > 0 })
		w.restart()
		w.bodies.put(apart)
		w.bodies.set(func() { w.bodies.down = false })
		w.receiveIDs(ids(b)...)
		w.upto(f, 0)
		if w.events.find("content_hash") != nil {
			t.Fatal("a store that does not answer is no proof against the body")
		}
	})
}

// TestNoticeRefused: what is signed and does not open is the sender's fault,
// also when it came apart; a frame that fails its schema likewise.
func TestNoticeRefused(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		bad, fine := frame(`{"n":"no number"}`), large()
		schemaFails := f.seal(bad, fine)
		w.bodies.put(schemaFails)
		h := envelope.Header{Session: f.core.Session(), Seq: f.next, Prev: f.head, Time: f.t}
		garbage := must(envelope.SignEnvelope(background, edSigner{f.s.key}, h, make([]byte, 5000)))
		w.bodies.put(garbage)
		f.s.send(f.grant, schemaFails.Notice().Bytes(), garbage.Notice().Bytes())
		w.event("schema")
		w.event("seal")
		w.receiveIDs(ids(fine)...)
		l := w.upto(f, 1)
		if len(l.Refused) != 2 || l.Refused[0].Code != envelope.BadSchema || l.Refused[0].Frame != 0 || l.Refused[1].Code != envelope.BadSeal {
			t.Fatalf("told %+v", l.Refused)
		}
	})
}

// TestNoticeChecks: the checks of an envelope are made on its notice.
func TestNoticeChecks(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		apart := f.seal(large())
		n := append([]byte(nil), apart.Notice().Bytes()...)
		n[len(n)-40] ^= 1 // its signature, or the hash it signs
		f.s.send(f.grant, n)
		w.event("signature")
		w.asked(f, 0, envelope.WhyBytes)
		w.bodies.put(apart)
		f.s.send(apart.Notice().Bytes(), apart.Notice().Bytes())
		w.receive(1)
		f.s.send(apart.Notice().Bytes())
		w.event("replayed")
		// Another entry for the same number, as a notice.
		g := &flow{s: f.s, core: f.core, keys: f.keys, head: f.core.Session(), t: f.t}
		f.s.send(g.seal(large()).Notice().Bytes())
		w.event("forked")
	})
}

// TestNoticeFlood: notices whose bodies never come take their sender's share
// and no more, and hold up nobody else.
func TestNoticeFlood(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		bad, fine := w.sender().open(), w.sender().open()
		w.bodies.set(func() { w.bodies.down = true })
		bad.s.send(bad.grant)
		var wires [][]byte
		for range 1100 { // of 1024 of a session
			wires = append(wires, bad.seal(frame(`{"n":1}`)).Notice().Bytes())
		}
		bad.s.send(wires...)
		w.settled()
		w.event("throttled")
		w.bodies.set(func() { w.bodies.down = false })
		b := large()
		apart := fine.seal(b)
		w.bodies.put(apart)
		fine.s.send(fine.grant, apart.Notice().Bytes())
		w.receiveIDs(ids(b)...)
		row := must(w.store.Intake().Session(w.ctx, bad.core.Session()))
		if len(row.Ledger) > 100<<10 {
			t.Fatalf("the ledger of a flood has %d bytes", len(row.Ledger))
		}
		w.bodies.mu.Lock()
		most := w.bodies.most
		w.bodies.mu.Unlock()
		if most > 8 {
			t.Fatalf("%d bodies at once", most)
		}
	})
}

// TestNoticeLengthChanges: the length in a notice is not signed. Another one in
// the same notice makes no room in its sender's share.
func TestNoticeLengthChanges(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		w.halt()
		w.config.ShareBytes = 40_000
		w.start()
		f := w.sender().open()
		b := large()
		apart := f.seal(b)
		hold := make(chan struct{})
		w.bodies.set(func() { w.bodies.hold = hold })
		n := apart.Notice().Bytes()
		longer := append(append([]byte(nil), n[:len(n)-3]...), 0x1a, 0, 0x0f, 0x32, 0x58) // 995,928 bytes
		f.s.send(f.grant, n)
		w.settled()
		f.s.send(longer)
		w.settled()
		w.bodies.put(apart)
		close(hold)
		w.receiveIDs(ids(b)...)
		for w.events.find("throttled") == nil { // a round looks at the share before it takes what came
			if f.next > 20 {
				t.Fatal("its share has no end")
			}
			f.s.send(f.seal(large()).Bytes())
			w.settled()
		}
	})
}

// TestApartCommitFails: a commit that fails, or whose answer is lost, in any
// round of a message that comes apart: it is handed over once, in order.
func TestApartCommitFails(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(map[bool]string{false: "nothing was written", true: "the answer was lost"}[lost], func(t *testing.T) {
			held(t, func(t *testing.T, w *world) {
				f := w.sender().open()
				f.s.send(f.grant, f.seal().Bytes())
				w.receive(1)
				o := file("a", "text/csv", 5)
				a, b, c := large(), carries(o), good(1)[0]
				apart := f.seal(a, b)
				w.bodies.put(apart)
				fail := func() {
					w.flaky.mu.Lock()
					defer w.flaky.mu.Unlock()
					if lost {
						w.flaky.after = 1
					} else {
						w.flaky.before = 1
					}
				}
				hold := make(chan struct{})
				w.bodies.set(func() { w.bodies.hold = hold })
				fail()
				f.s.send(apart.Notice().Bytes(), f.seal(c).Bytes())
				w.settled()
				fail()
				close(hold)
				w.until("its description is taken", func() bool { return w.objects.count() == 1 })
				fail()
				w.objects.end(o.OID, nil)
				w.until("the failures are through", func() bool {
					w.flaky.mu.Lock()
					defer w.flaky.mu.Unlock()
					return w.flaky.before+w.flaky.after == 0
				})
				w.objects.end(o.OID, nil) // as Objects does when it is asked again
				w.receiveIDs(ids(a, b, c)...)
				w.upto(f, 2)
			})
		})
	}
}
