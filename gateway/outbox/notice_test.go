package outbox_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// many is a sender with n recipients and a blob store.
func many(t *testing.T, n int) (*world, []*reader) {
	w := newWorld(t)
	w.bodies = newBodies()
	readers := make([]*reader, n)
	for i := range readers {
		p := newParty(began.UnixMilli())
		w.book.admit(p)
		readers[i] = newReader(t, p, w.self)
		readers[i].bodies = w.bodies
	}
	w.start()
	return w, readers
}

func longDraft(n int) gateway.Draft {
	return gateway.Draft{Channel: "telemetry", Body: json.RawMessage(`{"n":1,"s":"` + strings.Repeat("x", n) + `"}`)}
}

func TestBodyForManyIsStoredOnce(t *testing.T) {
	w, readers := many(t, 8)
	long := w.send(longDraft(64_000))
	if long.State != gateway.StateAccepted {
		t.Fatalf("state %s", long.State)
	}
	short := w.send(draft(1))
	for _, r := range readers {
		if ids := r.catchUp(w).ids(); len(ids) != 2 || ids[0] != long.ID || ids[1] != short.ID || r.notices != 1 {
			t.Fatalf("ids %v, %d notices", ids, r.notices)
		}
	}
	if puts, stored := w.bodies.count(); puts != 1 || stored != 1 {
		t.Fatalf("%d uploads, %d bodies", puts, stored)
	}
	_, s := readers[0].last()
	for _, until := range w.bodies.until {
		if until < s.grant.Core.NotAfter+retention {
			t.Fatal("the body may go before the message")
		}
	}
}

func TestBodyForFewIsInTheMessage(t *testing.T) {
	w, readers := many(t, 7)
	w.send(longDraft(64_000))
	if puts, _ := w.bodies.count(); puts != 0 {
		t.Fatalf("%d uploads for 7 recipients", puts)
	}
	if r := readers[6].catchUp(w); len(r.ids()) != 1 || r.notices != 0 {
		t.Fatalf("%d notices", r.notices)
	}
}

// TestNoNoticeBeforeItsBody: the blob store is away, then the process ends.
// Nothing that names the body goes out before it is there.
func TestNoNoticeBeforeItsBody(t *testing.T) {
	w, readers := many(t, 8)
	w.bodies.set(errors.New("away"))
	sent := make(chan gateway.Accepted, 1)
	go func() { sent <- w.send(longDraft(64_000)) }()
	w.net.await(t, "a second try", func() bool {
		w.clock.Advance(100 * time.Millisecond)
		puts, _ := w.bodies.count()
		return puts >= 2
	})
	var a gateway.Accepted
	w.net.await(t, "the answer", func() bool {
		w.clock.Advance(100 * time.Millisecond)
		select {
		case a = <-sent:
		default:
		}
		return a.ID != ""
	})
	if a.State != gateway.StateWaiting {
		t.Fatalf("state %s", a.State)
	}
	w.stop()
	if st := len(w.net.to(readers[0].addr)); st > 1 {
		t.Fatalf("%d wires, want the grant at most", st)
	}
	w.start()
	w.bodies.set(nil)
	w.net.await(t, "all notices", func() bool {
		w.clock.Advance(100 * time.Millisecond)
		for _, r := range readers {
			if len(w.net.to(r.addr)) < 2 {
				return false
			}
		}
		return true
	})
	for _, r := range readers {
		if ids := r.catchUp(w).ids(); len(ids) != 1 || ids[0] != a.ID || r.notices == 0 {
			t.Fatalf("ids %v, %d notices", ids, r.notices)
		}
	}
	if _, stored := w.bodies.count(); stored != 1 {
		t.Fatalf("%d bodies", stored)
	}
}

// TestSlowBodyHoldsNobodyElseUp: other lanes go on while a body is on its way.
func TestSlowBodyHoldsNobodyElseUp(t *testing.T) {
	w, readers := many(t, 8)
	hold := make(chan struct{})
	w.bodies.mu.Lock()
	w.bodies.hold = hold
	w.bodies.mu.Unlock()
	sent := make(chan gateway.Accepted, 1)
	go func() { sent <- w.send(longDraft(64_000)) }()
	w.net.await(t, "the upload", func() bool { puts, _ := w.bodies.count(); return puts > 0 })
	one := draft(1)
	one.To = []string{readers[0].did}
	if a := w.send(one); a.State != gateway.StateAccepted {
		t.Fatalf("state %s", a.State)
	}
	close(hold)
	if a := <-sent; a.State != gateway.StateAccepted {
		t.Fatalf("state %s", a.State)
	}
}

// TestBodyNotFoundIsBroughtAgain: a recipient found no body, or another one. It
// is brought once more; asked again, it comes with the message.
func TestBodyNotFoundIsBroughtAgain(t *testing.T) {
	w, readers := many(t, 8)
	a := w.send(longDraft(64_000))
	r := readers[3]
	sid, s := r.catchUp(w).last()
	ask := func() {
		t.Helper()
		lane := envelope.Lane{Session: sid, UpTo: 0, Head: s.head, Missing: []envelope.Missing{{First: 0, Last: 0, Why: envelope.WhyBody}}}
		if err := w.box.Receipt(background, r.addr, r.receipt(w.now(), lane)); err != nil {
			t.Fatal(err)
		}
	}
	kind := func(i int) envelope.Kind {
		wires := w.net.to(r.addr)
		if len(wires) <= i {
			return 0
		}
		return must(envelope.KindOf(wires[i], envelope.WireMax))
	}
	w.bodies.mu.Lock()
	clear(w.bodies.m)
	w.bodies.mu.Unlock()
	ask()
	w.net.await(t, "the notice again", func() bool { return kind(2) == envelope.KindNotice })
	if puts, stored := w.bodies.count(); puts != 2 || stored != 1 {
		t.Fatalf("%d uploads, %d bodies", puts, stored)
	}
	ask()
	w.net.await(t, "the message itself", func() bool { return kind(3) == envelope.KindEnvelope })
	if w.status(a.ID).State == gateway.StateDelivered {
		t.Fatal("delivered before its body")
	}
	// The body is kept as long as anybody may ask.
	for i, r := range readers {
		if raw := must(w.store.Envelopes(background, sid, 0, 0, 1))[0].Bytes; raw == nil {
			t.Fatalf("bytes went after %d of 8 receipts", i)
		}
		if err := w.box.Receipt(background, r.addr, r.catchUp(w).receipt(w.now()+5, r.custody(sid))); err != nil {
			t.Fatal(err)
		}
	}
	if raw := must(w.store.Envelopes(background, sid, 0, 0, 1))[0].Bytes; raw != nil {
		t.Fatal("bytes are kept though everybody has them")
	}
}

// TestPumpSendsNotices: recipients whose mailbox was full get the notice too,
// and the body is not brought again for each of them.
func TestPumpSendsNotices(t *testing.T) {
	w, readers := many(t, 9)
	w.send(draft(0))
	slow := readers[0]
	w.net.set(func(m bus.Msg) error {
		if strings.Contains(m.Subject, slow.addr) {
			return &bus.Error{Code: bus.CodeMailboxFull, Text: "full"}
		}
		return nil
	})
	sent := make(chan gateway.Accepted, 1)
	go func() { sent <- w.send(longDraft(20_000)) }()
	var a gateway.Accepted
	w.net.await(t, "the answer", func() bool {
		w.clock.Advance(100 * time.Millisecond)
		select {
		case a = <-sent:
		default:
		}
		return a.ID != ""
	})
	w.net.set(nil)
	w.net.await(t, "the late notice", func() bool {
		w.clock.Advance(time.Second)
		return len(w.net.to(slow.addr)) == 3
	})
	if ids := slow.catchUp(w).ids(); slow.notices != 1 || ids[1] != a.ID {
		t.Fatalf("ids %v, %d notices", ids, slow.notices)
	}
	if puts, _ := w.bodies.count(); puts != 1 {
		t.Fatalf("%d uploads", puts)
	}
}
