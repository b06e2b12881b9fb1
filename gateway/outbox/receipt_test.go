package outbox_test

import (
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// pair is a world with one recipient that has read n messages.
func pair(t *testing.T, n int) (w *world, r *reader, ids []string) {
	w = newWorld(t)
	b := newParty(began.UnixMilli())
	w.book.admit(b)
	w.start()
	for i := range n {
		ids = append(ids, w.send(draft(i)).ID)
	}
	return w, newReader(t, b, w.self).read(w.net.to(b.addr)), ids
}

func (w *world) now() int64 { return w.clock.Now().UnixMilli() }

func (w *world) receive(r *reader, lanes ...envelope.Lane) {
	w.t.Helper()
	if err := w.box.Receipt(background, r.addr, r.receipt(w.now(), lanes...)); err != nil {
		w.t.Fatalf("receipt: %v", err)
	}
}

func TestReceiptDelivers(t *testing.T) {
	w, r, ids := pair(t, 3)
	sid, s := r.last()
	lane := envelope.Lane{Session: sid, UpTo: 1, Head: s.seen[1]}
	w.receive(r, lane)
	for i, want := range []gateway.State{gateway.StateDelivered, gateway.StateDelivered, gateway.StateAccepted} {
		if st := w.status(ids[i]); st.State != want {
			t.Errorf("message %d is %s, want %s", i, st.State, want)
		}
	}
	w.receive(r, r.custody(sid))
	if st := w.status(ids[2]); st.State != gateway.StateDelivered {
		t.Errorf("state %s", st.State)
	}
	if w.book.named[r.did] != r.pkg.Digest() {
		t.Error("the book was not told of the newest package")
	}
}

func TestReceiptChecks(t *testing.T) {
	w, r, ids := pair(t, 2)
	sid, s := r.last()
	old := r.receipt(w.now(), r.custody(sid))
	w.receive(r, r.custody(sid))
	stranger := newReader(t, newParty(began.UnixMilli()), w.self)
	w.book.set(func() { w.book.certs[stranger.cert.Digest()] = stranger.cert })
	flipped := r.receipt(w.now(), r.custody(sid))
	flipped[len(flipped)-1] ^= 1
	for name, c := range map[string]struct {
		sender string
		wire   []byte
		want   string
	}{
		"older":             {r.addr, old, "receipt"},
		"by a stranger":     {stranger.addr, stranger.receipt(w.now(), r.custody(sid)), "receipt"},
		"an invented lane":  {r.addr, r.receipt(w.now(), envelope.Lane{Session: envelope.Sum([]byte("x")), UpTo: -1, Head: envelope.Sum([]byte("x"))}), "receipt"},
		"under another":     {stranger.addr, r.receipt(w.now(), r.custody(sid)), "receipt"},
		"signature flipped": {r.addr, flipped, "signature"},
		"ahead of now":      {r.addr, newReaderAt(r, w.now()+200_000).receipt(0, r.custody(sid)), "receipt"},
		"not a receipt":     {r.addr, []byte{0x82, 4, 0x40}, "malformed"},
	} {
		if err := w.box.Receipt(background, c.sender, c.wire); code(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	// Another head: told, and nothing is believed of that lane.
	more := w.send(draft(9)).ID
	w.receive(r, envelope.Lane{Session: sid, UpTo: 2, Head: s.seen[0]})
	if e := w.events.has("forked"); e == nil || e.DID != r.did {
		t.Errorf("event %+v", e)
	}
	if st := w.status(more); st.State != gateway.StateAccepted {
		t.Errorf("state %s after a forked receipt", st.State)
	}
	// A lane that is not this gateway's is ignored, the rest counts.
	r.read(w.net.to(r.addr))
	x := envelope.Sum([]byte("y"))
	w.receive(r, envelope.Lane{Session: x, UpTo: -1, Head: x}, r.custody(sid))
	if st := w.status(more); st.State != gateway.StateDelivered {
		t.Errorf("state %s", st.State)
	}
	_ = ids
}

// newReaderAt is the same recipient with another clock.
func newReaderAt(r *reader, at int64) *reader {
	c := *r
	c.at = at
	return &c
}

func TestMissingIsSentAgainAsTheSameBytes(t *testing.T) {
	w, r, _ := pair(t, 4)
	sid, s := r.last()
	before := w.net.to(r.addr)
	lane := envelope.Lane{Session: sid, UpTo: 0, Head: s.seen[0], Missing: []envelope.Missing{{First: 1, Last: 2, Why: envelope.WhyHole}}}
	w.receive(r, lane)
	w.net.await(t, "two envelopes again", func() bool { return len(w.net.to(r.addr)) == len(before)+2 })
	again := w.net.to(r.addr)[len(before):]
	if string(again[0]) != string(before[2]) || string(again[1]) != string(before[3]) {
		t.Fatal("sent again as other bytes")
	}
	// Without end: five times an hour, no more.
	for range 20 {
		w.receive(r, lane)
	}
	w.net.await(t, "the budget's end", func() bool { return len(w.net.to(r.addr)) == len(before)+10 })
	w.clock.Advance(time.Hour)
	w.receive(r, lane)
	w.net.await(t, "a new hour", func() bool { return len(w.net.to(r.addr)) >= len(before)+12 })
}

func TestLostSecretIsGrantedAgain(t *testing.T) {
	w, r, ids := pair(t, 3)
	sid, s := r.last()
	// The recipient lost everything but its DID key: a new certificate, a new
	// package, no sessions.
	now := w.now() + 1000
	w.clock.Advance(time.Second)
	r.certify(now, uint64(now/1000))
	r.renew(now)
	w.book.set(func() { w.book.members[r.did] = []trustMember{r.member()}; w.book.certs[r.cert.Digest()] = r.cert })
	fresh := newReader(t, r.party, w.self)
	have := len(w.net.to(r.addr))
	lane := envelope.Lane{Session: sid, UpTo: -1, Head: sid, Missing: []envelope.Missing{{First: 0, Last: 2, Why: envelope.WhySecret}}}
	w.receive(fresh, lane)
	w.net.await(t, "grant and envelopes", func() bool { return len(w.net.to(r.addr)) == have+4 })
	fresh.read(w.net.to(r.addr)[have:])
	if got := fresh.ids(); len(got) != 3 || got[0] != ids[0] {
		t.Fatalf("ids %v", got)
	}
	if fresh.sessions[sid].text.Secret != s.text.Secret || fresh.sessions[sid].grant.Package != r.pkg.Digest() {
		t.Fatal("not the same secret for the newest package")
	}
	// Who is not admitted any more gets no secret.
	w.book.dismiss(r.party)
	have = len(w.net.to(r.addr))
	for range 3 {
		w.receive(fresh, lane)
	}
	w.clock.Advance(time.Second)
	if got := w.net.to(r.addr)[have:]; len(got) != 0 {
		t.Fatalf("%d wires for somebody who was dismissed", len(got))
	}
}

func TestRefusedForGood(t *testing.T) {
	w, r, ids := pair(t, 3)
	sid, s := r.last()
	lane := envelope.Lane{Session: sid, UpTo: 2, Head: s.head, Refused: []envelope.Refusal{{First: 1, Last: 1, Code: envelope.BadSchema, Frame: 0}}}
	w.receive(r, lane)
	for i, want := range []gateway.State{gateway.StateDelivered, gateway.StateRefused, gateway.StateDelivered} {
		if st := w.status(ids[i]); st.State != want || want == gateway.StateRefused && st.Code != "schema" {
			t.Errorf("message %d: %+v, want %s", i, st, want)
		}
	}
	if e := w.events.has("schema"); e == nil || len(e.Messages) != 1 || e.Messages[0] != ids[1] || *e.Seq != 1 {
		t.Errorf("event %+v", e)
	}
	// One bad frame ends nothing.
	w.send(draft(4))
	if len(r.read(w.net.to(r.addr)).order) != 1 {
		t.Error("a refused frame opened a new session")
	}
	// A refused session is over for its member: the next message opens another.
	w.receive(r, envelope.RefuseSession(sid, envelope.RoleNotAdmitted))
	if st := w.status(ids[0]); st.State != gateway.StateRefused || st.Code != "role_not_admitted" {
		t.Errorf("status %+v", st)
	}
	a := w.send(draft(5))
	r.read(w.net.to(r.addr))
	if next, s2 := r.last(); next == sid || s2.ids[0] != a.ID || s2.text.Prev == nil || s2.text.Prev.Session != sid {
		t.Fatal("no new session after a refusal")
	}
	// At most one a minute: messages wait meanwhile.
	second, _ := r.last()
	w.receive(r, envelope.RefuseSession(second, envelope.RoleNotAdmitted))
	held := w.send(draft(6))
	if held.State != gateway.StateWaiting || w.status(held.ID).Code != "session_ended" {
		t.Fatalf("%+v, %+v", held, w.status(held.ID))
	}
	w.net.await(t, "a session after a minute", func() bool {
		w.clock.Advance(10 * time.Second)
		return w.status(held.ID).State == gateway.StateAccepted
	})
}

func TestVoidSessionIsSealedAgainUnderTheSameIDs(t *testing.T) {
	for _, why := range []envelope.Code{envelope.BadCert, envelope.CertVoid, envelope.BadTime, envelope.BadTopic} {
		t.Run(string(why), func(t *testing.T) {
			w, r, ids := pair(t, 3)
			sid, _ := r.last()
			w.receive(r, envelope.RefuseSession(sid, why))
			w.net.await(t, "the new session", func() bool { return w.status(ids[2]).State == gateway.StateAccepted })
			r.read(w.net.to(r.addr))
			next, s := r.last()
			if next == sid || len(s.ids) != 3 || s.ids[0] != ids[0] || s.ids[2] != ids[2] {
				t.Fatalf("sealed again as %v, want %v", s.ids, ids)
			}
			w.receive(r, r.custody(next))
			if st := w.status(ids[0]); st.State != gateway.StateDelivered {
				t.Errorf("state %s", st.State)
			}
		})
	}
}

func TestSilenceIsReported(t *testing.T) {
	w, r, ids := pair(t, 2)
	w.age(t, "unconfirmed", time.Minute, func() bool { return w.events.has("unconfirmed") != nil })
	if age := w.clock.Now().Sub(began); age < 15*time.Minute || age > 20*time.Minute {
		t.Fatalf("unconfirmed after %v", age)
	}
	if e := w.events.has("unconfirmed"); e.DID != r.did || len(e.Messages) != 2 || e.Messages[0] != ids[0] {
		t.Errorf("event %+v", e)
	}
	if st := w.status(ids[0]); st.State != gateway.StateUnconfirmed {
		t.Errorf("state %s", st.State)
	}
	have := len(w.net.to(r.addr))
	w.age(t, "undelivered", 12*time.Hour, func() bool { return w.events.has("undelivered") != nil })
	if age := w.clock.Now().Sub(began); age < 7*24*time.Hour || age > 8*24*time.Hour {
		t.Fatalf("undelivered after %v", age)
	}
	if st := w.status(ids[1]); st.State != gateway.StateUndelivered {
		t.Errorf("state %s", st.State)
	}
	if got := len(w.net.to(r.addr)); got != have {
		t.Errorf("%d wires for mere want of a receipt", got-have)
	}
	w.age(t, "oblivion", 12*time.Hour, func() bool {
		_, err := w.box.Status(background, ids[0])
		return code(err) == gateway.CodeMessageUnknown
	})
	// What is forgotten is still named as prev.
	a := w.send(draft(3))
	if a.State != gateway.StateWaiting && len(w.net.to(r.addr)) == have {
		t.Fatal("not sent")
	}
}

func TestReplyFindsThePartition(t *testing.T) {
	w := newWorld(t)
	b := newParty(began.UnixMilli())
	w.dir.list = append(w.dir.list, instance(b, 42))
	w.start()
	if err := w.box.Reply(background, b.did, 0, []byte("receipt")); err != nil {
		t.Fatal(err)
	}
	if got := w.net.to(b.addr); len(got) != 1 || w.net.stored[0].Subject[:5] != "m.42." {
		t.Fatalf("stored %v", w.net.stored)
	}
	if err := w.box.ReplyAddr(background, newParty(began.UnixMilli()).addr, []byte("x")); err == nil {
		t.Fatal("replied to a mailbox that nobody knows")
	}
}
