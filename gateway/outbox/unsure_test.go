package outbox_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/outbox"
)

// unsure is a store that makes a write and loses the answer to it, as often as
// its counters say.
type unsure struct {
	outbox.Store
	commits, waits, reopens, pushes, drops, reads atomic.Int64
}

// lost reports whether this time counts.
func lost(n *atomic.Int64) error {
	if n.Add(-1) >= 0 {
		return errBroken
	}
	return nil
}

func (u *unsure) Commit(ctx context.Context, c *outbox.Commit) error {
	if err := u.Store.Commit(ctx, c); err != nil {
		return err
	}
	return lost(&u.commits)
}

func (u *unsure) Wait(ctx context.Context, lane outbox.Lane, code string, rows []outbox.Waiting) error {
	if err := u.Store.Wait(ctx, lane, code, rows); err != nil {
		return err
	}
	return lost(&u.waits)
}

func (u *unsure) Reopen(ctx context.Context, lane outbox.Lane, code string, sid [32]byte, rows []outbox.Waiting) error {
	if err := u.Store.Reopen(ctx, lane, code, sid, rows); err != nil {
		return err
	}
	return lost(&u.reopens)
}

func (u *unsure) Pushed(ctx context.Context, file string, at int64) ([]outbox.Lane, error) {
	lanes, err := u.Store.Pushed(ctx, file, at)
	if err != nil {
		return nil, err
	}
	if err := lost(&u.pushes); err != nil {
		return nil, err
	}
	return lanes, nil
}

// Drop does nothing when it fails.
func (u *unsure) Drop(ctx context.Context, id [16]byte, why string) error {
	if err := lost(&u.drops); err != nil {
		return err
	}
	return u.Store.Drop(ctx, id, why)
}

// Message fails for as long as reads says, once commits are lost.
func (u *unsure) Message(ctx context.Context, id [16]byte) (*outbox.Message, error) {
	if u.commits.Load() <= 0 {
		if err := lost(&u.reads); err != nil {
			return nil, err
		}
	}
	return u.Store.Message(ctx, id)
}

// unsureWorld is a sender with one recipient, a store for files, and a store that
// may lose answers.
func unsureWorld(t *testing.T) (*world, *unsure, *reader) {
	w, u := newWorld(t), &unsure{}
	b := newParty(began.UnixMilli())
	w.book.admit(b)
	w.files = newFiles()
	w.wrap = func(st outbox.Store) outbox.Store {
		u.Store = st
		return u
	}
	w.start()
	return w, u, newReader(t, b, w.self)
}

// TestLostCommitIsPublishedAndMarked: the store has made the commit that opens a
// session and does not say so, and perhaps cannot be asked either. Its envelope
// is published by the process that goes on, though somebody else's mailbox is
// away, and the marks are of its session.
func TestLostCommitIsPublishedAndMarked(t *testing.T) {
	for name, reads := range map[string]int64{"read back": 0, "not read back": 1} {
		t.Run(name, func(t *testing.T) {
			w, u, b := unsureWorld(t)
			c := newParty(began.UnixMilli())
			w.book.admit(c)
			w.net.set(func(m bus.Msg) error {
				if _, to, _, err := bus.ParseSubject(m.Subject); err != nil || to == c.addr {
					return errDown
				}
				return nil
			})
			sent := make(chan gateway.Accepted, 1)
			go func() { sent <- w.send(draft(1)) }()
			w.answer(sent)
			w.clock.Advance(time.Hour) // the next message opens a session
			u.commits.Store(1)
			u.reads.Store(reads)
			done := make(chan error, 1)
			go func() {
				_, errs := w.box.Send(background, []gateway.Draft{draft(2)})
				done <- errs[0]
			}()
			w.net.await(t, "the envelope", func() bool {
				w.clock.Advance(500 * time.Millisecond)
				return len(b.catchUp(w).ids()) == 2
			})
			w.net.await(t, "an answer", func() bool {
				w.clock.Advance(500 * time.Millisecond)
				select {
				case err := <-done:
					if err != nil && reads == 0 {
						t.Errorf("answered %v", err)
					}
					return true
				default:
					return false
				}
			})
			sid, _ := b.last()
			w.net.await(t, "its mark", func() bool {
				w.clock.Advance(5 * time.Second)
				return slices.ContainsFunc(w.net.marks(b.addr), func(m *envelope.Mark) bool { return m.Session == sid && m.Seq == 1 })
			})
		})
	}
}

// TestLostAnswerToWaiting: a message without a key is stored, and the store does
// not say so: a client that is told it failed would send it twice.
func TestLostAnswerToWaiting(t *testing.T) {
	w, u, r := unsureWorld(t)
	w.book.set(func() { w.book.fail = envelope.BadPackage.Errorf("absent") })
	u.waits.Store(1)
	plain := w.send(draft(1))
	u.waits.Store(1)
	id := w.files.put("grid.csv", 100)
	object := w.send(fileDraft(id))
	w.files.arrive(id, forever, true)
	w.book.set(func() { w.book.fail = nil })
	w.net.await(t, "both", func() bool {
		w.clock.Advance(time.Second)
		return r.catchUp(w).has(plain.ID, object.ID)
	})
}

// TestLostAnswerLetsGo: messages were let go for their file, or reopened, and the
// store did not say so. Nobody asks again, and they go on all the same.
func TestLostAnswerLetsGo(t *testing.T) {
	w, u, r := unsureWorld(t)
	id := w.files.put("grid.csv", 100)
	a := w.send(fileDraft(id))
	u.pushes.Store(1)
	w.files.arrive(id, forever, true)
	w.net.await(t, "the file's message", func() bool {
		w.clock.Advance(time.Second)
		return r.catchUp(w).has(a.ID)
	})
	first, _ := r.last()
	u.reopens.Store(1)
	if err := w.box.Receipt(background, r.addr, r.receipt(w.now(), r.refuse(first))); err == nil {
		t.Fatal("the receipt was taken in")
	}
	w.net.await(t, "the next session", func() bool {
		sid, s := r.catchUp(w).last()
		return sid != first && slices.Contains(s.ids, a.ID)
	})
}

// TestGivenUpCountsOnce: a message is given up, which the store fails to note
// some times. It leaves one place to others, not one for each time.
func TestGivenUpCountsOnce(t *testing.T) {
	w, u, _ := unsureWorld(t)
	w.stop()
	w.config.MaxWaiting = 2
	w.start()
	id := w.files.put("long.csv", 100)
	w.files.m[id].long = true
	a := w.send(fileDraft(id))
	u.drops.Store(3)
	w.files.arrive(id, forever, true)
	w.net.await(t, "the end", func() bool {
		w.clock.Advance(time.Second)
		return w.status(a.ID).State == gateway.StateUndelivered
	})
	more := fileDraft(w.files.put("grid.csv", 100))
	for range 2 {
		w.send(more)
	}
	if _, errs := w.box.Send(background, []gateway.Draft{more}); code(errs[0]) != "outbox_full" {
		t.Fatalf("a third one: %v", errs[0])
	}
}

// TestNumberOfAFailedSeal: the key that signs is away. What was to be signed may
// have been seen, so its number and key are not used for anything else.
func TestNumberOfAFailedSeal(t *testing.T) {
	w, r, _ := pair(t, 1)
	w.self.idle = 1
	if _, errs := w.box.Send(background, []gateway.Draft{draft(2)}); errs[0] == nil {
		t.Fatal("accepted without a signature")
	}
	a := w.send(draft(3))
	if sid, s := r.catchUp(w).last(); sid == r.order[0] || !slices.Equal(s.ids, []string{a.ID}) || s.text.Prev.Seq != 0 {
		t.Fatalf("%d sessions, ids %v", len(r.order), r.ids())
	}
}

// TestEndIsToldAfterALongAbsence: the outbox was away when a session was to be
// closed. Its next run tells the recipients, once.
func TestEndIsToldAfterALongAbsence(t *testing.T) {
	w, b, c := two(t)
	w.stop()
	for range 2 {
		w.clock.Advance(49 * time.Hour)
		w.start()
		for _, r := range []*reader{b, c} {
			awaitMarks(t, w, r, 1)
			if m := w.net.marks(r.addr)[0]; m.State != envelope.MarkClosed || m.Seq != 1 {
				t.Fatalf("mark %+v", m)
			}
		}
		w.age(t, "a sweep", time.Minute, func() bool { return len(must(w.store.Closing(background, 9))) == 0 })
		w.stop()
	}
}
