package outbox_test

import (
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/envelope"
)

const minute = int64(time.Minute / time.Millisecond)

// checkMarks verifies the marks that a recipient got, and that their times rise.
func checkMarks(t *testing.T, w *world, r *reader) []*envelope.Mark {
	t.Helper()
	list := w.net.marks(r.addr)
	last := map[envelope.Digest]int64{}
	for _, m := range list {
		key := r.sender.keys[r.sessions[m.Session].grant.Core.Cert].Public().(ed25519.PublicKey)
		if err := m.Verify(key); err != nil {
			t.Fatal(err)
		}
		if m.Time <= last[m.Session] {
			t.Fatalf("marks at %d and %d", last[m.Session], m.Time)
		}
		last[m.Session] = m.Time
	}
	return list
}

// awaitMarks waits until a recipient has n marks.
func awaitMarks(t *testing.T, w *world, r *reader, n int) []*envelope.Mark {
	t.Helper()
	w.net.await(t, "a mark", func() bool { return len(w.net.marks(r.addr)) >= n })
	list := checkMarks(t, w, r)
	if len(list) != n {
		t.Fatalf("%d marks, want %d", len(list), n)
	}
	return list
}

// two is a sender with two recipients that have one message.
func two(t *testing.T) (w *world, b, c *reader) {
	w = newWorld(t)
	pb, pc := newParty(began.UnixMilli()), newParty(began.UnixMilli())
	w.book.admit(pb)
	w.book.admit(pc)
	w.start()
	w.send(draft(1))
	w.settle(t)
	return w, newReader(t, pb, w.self).read(w.net.to(pb.addr)), newReader(t, pc, w.self).read(w.net.to(pc.addr))
}

// settle waits until the store knows what the broker has: a mark is sent only
// then.
func (w *world) settle(t *testing.T) {
	t.Helper()
	w.net.await(t, "the cursors", func() bool {
		w.clock.Advance(100 * time.Millisecond)
		return len(must(w.store.Unpublished(background, 9))) == 0
	})
}

func (r *reader) confirm(t *testing.T, w *world) {
	t.Helper()
	sid, _ := r.last()
	if err := w.box.Receipt(background, r.addr, r.receipt(w.now(), r.custody(sid))); err != nil {
		t.Fatal(err)
	}
}

// TestMarksOfADay: a mark after a minute to whoever has not receipted, then to
// all every quarter of an hour, over a restart, and one that closes after a day.
func TestMarksOfADay(t *testing.T) {
	w, b, c := two(t)
	b.confirm(t, w)
	w.clock.Advance(time.Minute)
	m := awaitMarks(t, w, c, 1)[0]
	_, s := c.last()
	if m.Seq != 1 || m.Prev != s.head || m.State != envelope.MarkAlive || m.Time < began.UnixMilli()+minute {
		t.Fatalf("mark %+v", m)
	}
	extra := 0
	for i := 1; i < 9; i++ {
		if i == 5 { // after a start, marks go on, with one at once
			w.stop()
			w.start()
			extra = 1
			awaitMarks(t, w, b, i-1+extra)
			awaitMarks(t, w, c, i+extra)
		}
		w.clock.Advance(time.Duration(began.UnixMilli()+int64(i)*15*minute-w.now()) * time.Millisecond)
		awaitMarks(t, w, b, i+extra)
		awaitMarks(t, w, c, i+1+extra)
	}
	w.clock.Advance(21*time.Hour + 45*time.Minute) // to a quarter of an hour before the end
	awaitMarks(t, w, b, 9+extra)
	awaitMarks(t, w, c, 10+extra)
	w.clock.Advance(15 * time.Minute)
	for _, r := range []*reader{b, c} {
		w.net.await(t, "the end", func() bool {
			list := checkMarks(t, w, r)
			return list[len(list)-1].State == envelope.MarkClosed
		})
		if list := checkMarks(t, w, r); list[len(list)-2].State != envelope.MarkAlive || list[len(list)-1].Seq != 1 {
			t.Fatalf("last marks %+v", list[len(list)-2:])
		}
	}
	// Nothing follows an end: an hour later a message opens another session, and
	// only for that is there a mark again.
	ends := len(w.net.marks(b.addr))
	w.clock.Advance(time.Hour)
	w.send(draft(2))
	b.catchUp(w)
	w.clock.Advance(time.Minute)
	w.net.await(t, "the next session's mark", func() bool { return len(w.net.marks(b.addr)) > ends })
	sid, _ := b.last()
	for _, m := range checkMarks(t, w, b)[ends:] {
		if m.Session != sid {
			t.Fatalf("a mark after the end: %+v", m)
		}
	}
}

func TestReceiptsAndTrafficMakeMarksUnnecessary(t *testing.T) {
	w, b, c := two(t)
	for n := range 20 { // a message a minute, receipted at once
		for _, r := range []*reader{b, c} {
			r.catchUp(w).confirm(t, w)
		}
		w.clock.Advance(time.Minute)
		w.send(draft(n))
	}
	for _, r := range []*reader{b, c} {
		if list := w.net.marks(r.addr); len(list) != 0 {
			t.Fatalf("%d marks in busy times", len(list))
		}
	}
	// One of them falls silent: it gets one after a minute, the other none.
	c.catchUp(w).confirm(t, w)
	w.clock.Advance(time.Minute)
	m := awaitMarks(t, w, b, 1)[0]
	if _, s := b.catchUp(w).last(); m.Seq != s.next || m.Prev != s.head {
		t.Fatalf("mark %+v", m)
	}
	if len(w.net.marks(c.addr)) != 0 {
		t.Fatal("a mark to who has receipted")
	}
}

// TestWhoIsLeftOutIsToldTheEnd: at once, and again until the broker has it.
func TestWhoIsLeftOutIsToldTheEnd(t *testing.T) {
	w, b, c := two(t)
	sid, s := c.last()
	down := true
	w.net.set(func(m bus.Msg) error {
		if kind, _ := envelope.KindOf(m.Data, envelope.WireMax); kind == envelope.KindMark && down {
			return errDown
		}
		return nil
	})
	w.book.dismiss(c.party)
	w.send(draft(2))
	w.net.await(t, "a try", func() bool {
		w.net.mu.Lock()
		defer w.net.mu.Unlock()
		for _, m := range w.net.tried {
			if kind, _ := envelope.KindOf(m.Data, envelope.WireMax); kind == envelope.KindMark {
				return true
			}
		}
		return false
	})
	w.net.mu.Lock()
	down = false
	w.net.mu.Unlock()
	w.settle(t)
	w.stop()
	w.start()
	m := awaitMarks(t, w, c, 1)[0]
	if m.Session != sid || m.Seq != s.next || m.Prev != s.head || m.State != envelope.MarkClosed {
		t.Fatalf("mark %+v", m)
	}
	w.clock.Advance(time.Minute)
	awaitMarks(t, w, b.catchUp(w), 1) // of the new session, which nobody receipted
	awaitMarks(t, w, c, 1)            // no more
}

// TestMarkDoesNotOvertake: a recipient that could not be reached gets no mark
// for what is not at the broker; one that refused the session gets none at all.
func TestMarkDoesNotOvertake(t *testing.T) {
	w, b, c := two(t)
	w.net.set(func(m bus.Msg) error {
		if kind, _ := envelope.KindOf(m.Data, envelope.WireMax); kind != envelope.KindMark && m.Subject == bus.Subject(7, b.addr, w.self.addr) {
			return errDown
		}
		return nil
	})
	go w.send(draft(2))
	w.net.await(t, "the other's message", func() bool { return len(w.net.to(c.addr)) == 3 })
	w.clock.Advance(2 * time.Minute)
	awaitMarks(t, w, c.catchUp(w), 1)
	if len(w.net.marks(b.addr)) != 0 {
		t.Fatal("a mark overtook its messages")
	}
	w.net.set(nil)
	w.net.await(t, "the late message", func() bool {
		w.clock.Advance(time.Second)
		return len(w.net.to(b.addr)) == 3
	})
	sid, _ := c.last()
	if err := w.box.Receipt(background, c.addr, c.receipt(w.now(), c.refuse(sid))); err != nil {
		t.Fatal(err)
	}
	had := len(w.net.marks(c.addr))
	w.clock.Advance(20 * time.Minute)
	w.net.await(t, "a mark", func() bool { return len(w.net.marks(b.addr)) > 0 })
	if checkMarks(t, w, b.catchUp(w)); len(w.net.marks(c.addr)) != had {
		t.Fatal("a mark to who refused the session")
	}
}

// TestRestoredSenderMarksAreTrue: the store of an hour ago is put back. Its
// marks name what the recipient knows, so nobody is accused of a fork.
func TestRestoredSenderMarksAreTrue(t *testing.T) {
	w, b, _ := two(t)
	w.stop()
	backup := copyFiles(t, w.path)
	w.start()
	w.send(draft(2))
	w.stop()
	restore(t, w.path, backup)
	w.start()
	w.clock.Advance(time.Minute)
	m := awaitMarks(t, w, b.catchUp(w), 1)[0]
	if m.Prev != b.sessions[m.Session].seen[m.Seq-1] {
		t.Fatalf("mark %+v names what was never sent", m)
	}
}
