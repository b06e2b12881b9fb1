package outbox_test

import (
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// Who is no member of any session costs no look-up: its receipts could
// otherwise keep those of members waiting.
func TestReceiptsOfStrangersAreNotLookedUp(t *testing.T) {
	w, r, _ := pair(t, 1)
	sid, _ := r.last()
	stranger := newReader(t, newParty(began.UnixMilli()), w.self)
	w.book.mu.Lock()
	before := w.book.asked
	w.book.mu.Unlock()
	x := envelope.Sum([]byte("x"))
	for _, lane := range []envelope.Lane{r.custody(sid), {Session: x, UpTo: -1, Head: x}} {
		if err := w.box.Receipt(background, stranger.addr, stranger.receipt(w.now(), lane)); code(err) != "receipt" {
			t.Errorf("%v, want receipt", err)
		}
	}
	w.book.mu.Lock()
	defer w.book.mu.Unlock()
	if n := w.book.asked - before; n != 0 {
		t.Fatalf("%d look-ups for a stranger's receipts", n)
	}
}

// A recipient that refuses every session as outdated does not make the same
// messages go out for ever, to itself and to all others.
func TestRefusingAgainAndAgainEnds(t *testing.T) {
	w, r, ids := pair(t, 2)
	for ended := false; !ended && w.clock.Now().Before(began.Add(time.Hour)); {
		sid, _ := r.last()
		have := len(w.net.to(r.addr))
		w.receive(r, envelope.RefuseSession(sid, envelope.BadTime))
		w.net.await(t, "another session, or the end", func() bool {
			w.clock.Advance(5 * time.Second)
			ended = w.status(ids[0]).State == gateway.StateRefused
			return ended || len(w.net.to(r.addr)) > have
		})
		r.read(w.net.to(r.addr))
	}
	if len(r.order) > 8 {
		t.Fatalf("the same messages were sealed for %d sessions within an hour", len(r.order))
	}
	if st := w.status(ids[0]); st.State != gateway.StateRefused || st.Code != "time" {
		t.Fatalf("%+v", st)
	}
}

func TestReceiptUnderAnotherMembersName(t *testing.T) {
	w := newWorld(t)
	b, c := newParty(began.UnixMilli()), newParty(began.UnixMilli())
	w.book.admit(b)
	w.book.admit(c)
	w.start()
	w.send(draft(1))
	r := newReader(t, b, w.self).read(w.net.to(b.addr))
	sid, _ := r.last()
	if err := w.box.Receipt(background, c.addr, r.receipt(w.now(), r.custody(sid))); code(err) != "rebound" {
		t.Fatalf("%v, want rebound", err)
	}
}

// Two sessions void within a minute: the messages wait for the third, and are
// not sealed for one that its only recipient refused.
func TestVoidTwiceWithinAMinute(t *testing.T) {
	w, r, ids := pair(t, 3)
	first, _ := r.last()
	w.receive(r, envelope.RefuseSession(first, envelope.CertVoid))
	w.net.await(t, "the second session", func() bool { return w.status(ids[2]).State == gateway.StateAccepted })
	second, _ := r.read(w.net.to(r.addr)).last()
	w.receive(r, envelope.RefuseSession(second, envelope.CertVoid))
	w.net.await(t, "the third session", func() bool {
		w.clock.Advance(5 * time.Second)
		return w.status(ids[2]).State == gateway.StateAccepted
	})
	third, s := r.read(w.net.to(r.addr)).last()
	if third == second || len(s.ids) != 3 {
		t.Fatalf("%d messages in the third session", len(s.ids))
	}
}
