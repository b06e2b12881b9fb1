package outbox_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

var background = context.Background()

func TestOneMessageReachesTwoRecipientsSealedOnce(t *testing.T) {
	w := newWorld(t)
	b, c := newParty(began.UnixMilli()), newParty(began.UnixMilli())
	w.book.admit(b)
	w.book.admit(c)
	w.start()
	a := w.send(draft(1))
	if a.State != gateway.StateAccepted {
		t.Fatalf("state %s", a.State)
	}
	var sealed [][]byte
	for _, p := range []*party{b, c} {
		wires := w.net.to(p.addr)
		r := newReader(t, p, w.self).read(wires)
		if ids := r.ids(); len(ids) != 1 || ids[0] != a.ID {
			t.Fatalf("ids %v, want %s", ids, a.ID)
		}
		sealed = append(sealed, wires[1])
	}
	if string(sealed[0]) != string(sealed[1]) {
		t.Fatal("two envelopes for one message")
	}
	st := w.status(a.ID)
	if st.State != gateway.StateAccepted || len(st.Recipients) != 2 || st.Channel != "telemetry" {
		t.Fatalf("status %+v", st)
	}
}

func TestRefusedDraftsSayWhy(t *testing.T) {
	w := newWorld(t)
	b := newParty(began.UnixMilli())
	w.book.admit(b)
	w.channels.put(&gateway.Channel{Name: "in", Topic: topicName, Receive: &gateway.Admission{Roles: []string{roleName}}})
	w.channels.put(&gateway.Channel{Name: "nobody", Topic: topicName, Send: &gateway.Admission{Roles: []string{"other.roles.edge.iam.ewc"}}})
	w.start()
	stranger := newParty(began.UnixMilli()).did
	for want, d := range map[string]gateway.Draft{
		gateway.CodeChannelUnknown:       {Channel: "none", Body: json.RawMessage(`{"n":1}`)},
		gateway.CodeNotSending:           {Channel: "in", Body: json.RawMessage(`{"n":1}`)},
		"no_recipient":                   {Channel: "nobody", Body: json.RawMessage(`{"n":1}`)},
		gateway.CodeRecipientNotAdmitted: {Channel: "telemetry", To: []string{stranger}, Body: json.RawMessage(`{"n":1}`)},
		"schema":                         {Channel: "telemetry", Body: json.RawMessage(`{"n":"one"}`)},
		"json_invalid":                   {Channel: "telemetry", Body: json.RawMessage("{\"n\":1,\"s\":\"\xff\"}")},
		"json_duplicate_key":             {Channel: "telemetry", Body: json.RawMessage(`{"n":1,"n":2}`)},
		"json_depth":                     {Channel: "telemetry", Body: json.RawMessage(strings.Repeat("[", 10_000))},
		"body_empty":                     {Channel: "telemetry"},
		"too_large":                      {Channel: "telemetry", Body: json.RawMessage(`{"n":1,"s":"` + strings.Repeat("x", 200_000) + `"}`)},
		gateway.CodeDraftInvalid:         {Channel: "telemetry", Body: json.RawMessage(`{"n":1}`), Re: "x"},
	} {
		out, errs := w.box.Send(background, []gateway.Draft{d})
		if code(errs[0]) != want || out[0].ID != "" {
			t.Errorf("%v: got %q, %+v", want, code(errs[0]), out[0])
		}
	}
	if got := w.net.to(b.addr); len(got) != 0 {
		t.Fatalf("%d wires for refused drafts", len(got))
	}
}

func TestBatchMixesGoodAndBad(t *testing.T) {
	w := newWorld(t)
	b := newParty(began.UnixMilli())
	w.book.admit(b)
	w.start()
	bad := draft(0)
	bad.Body = json.RawMessage(`{}`)
	out, errs := w.box.Send(background, []gateway.Draft{draft(1), bad, draft(2)})
	if errs[0] != nil || code(errs[1]) != "schema" || errs[2] != nil {
		t.Fatalf("errors %v", errs)
	}
	ids := newReader(t, b, w.self).read(w.net.to(b.addr)).ids()
	if len(ids) != 2 || ids[0] != out[0].ID || ids[1] != out[2].ID {
		t.Fatalf("ids %v, want %s and %s", ids, out[0].ID, out[2].ID)
	}
}

func TestManyCallersShareEnvelopesInOrder(t *testing.T) {
	w := newWorld(t)
	b := newParty(began.UnixMilli())
	w.book.admit(b)
	w.start()
	w.send(draft(0))
	var wg sync.WaitGroup
	perCaller := make([][]string, 16)
	for i := range perCaller {
		wg.Go(func() {
			for n := range 25 {
				out, errs := w.box.Send(background, []gateway.Draft{draft(n)})
				if errs[0] != nil || out[0].State != gateway.StateAccepted {
					t.Errorf("send: %v, %v", out, errs)
					return
				}
				perCaller[i] = append(perCaller[i], out[0].ID)
			}
		})
	}
	wg.Wait()
	r := newReader(t, b, w.self).read(w.net.to(b.addr))
	at := map[string]int{}
	for i, id := range r.ids() {
		at[id] = i
	}
	if len(at) != 401 {
		t.Fatalf("%d messages", len(at))
	}
	for _, ids := range perCaller {
		for i := 1; i < len(ids); i++ {
			if at[ids[i]] < at[ids[i-1]] {
				t.Fatal("a caller's messages changed their order")
			}
		}
	}
	if _, s := r.last(); s.next >= 401 {
		t.Errorf("%d envelopes for 401 messages: nothing gathered", s.next)
	}
}

func TestIdempotencyKeyAnswersTheFirstResult(t *testing.T) {
	w := newWorld(t)
	b := newParty(began.UnixMilli())
	w.book.admit(b)
	w.start()
	d := draft(1)
	d.IdempotencyKey = "k"
	first := w.send(d)
	if again := w.send(d); again != first {
		t.Fatalf("%+v, then %+v", first, again)
	}
	other := draft(2)
	other.IdempotencyKey = "k"
	if _, errs := w.box.Send(background, []gateway.Draft{other}); code(errs[0]) != gateway.CodeIdempotencyConflict {
		t.Fatalf("other content under the key: %v", errs[0])
	}
	e := draft(3)
	e.IdempotencyKey = "twice"
	out, errs := w.box.Send(background, []gateway.Draft{e, e})
	if errs[0] != nil || errs[1] != nil || out[0] != out[1] {
		t.Fatalf("key twice in one batch: %v %v", out, errs)
	}
	var wg sync.WaitGroup
	ids := make([]string, 20)
	for i := range ids {
		wg.Go(func() {
			f := draft(4)
			f.IdempotencyKey = "race"
			ids[i] = w.send(f).ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatal("one key, two ids")
		}
	}
	w.stop()
	w.start()
	if again := w.send(d); again != first {
		t.Fatalf("after a restart: %+v, then %+v", first, again)
	}
	if got := newReader(t, b, w.self).read(w.net.to(b.addr)).ids(); len(got) != 3 {
		t.Fatalf("%d messages were sent, want 3", len(got))
	}
}

func TestWaitsForAPackageAndThenGoesOut(t *testing.T) {
	w := newWorld(t)
	b := newParty(began.UnixMilli())
	w.book.admit(b)
	w.book.set(func() { w.book.fail = envelope.BadPackage.Errorf("absent") })
	w.start()
	first := w.send(draft(1))
	if first.State != gateway.StateWaiting {
		t.Fatalf("state %s", first.State)
	}
	second := w.send(draft(2))
	if st := w.status(first.ID); st.State != gateway.StateWaiting || st.Code != "package" || st.Channel != "telemetry" {
		t.Fatalf("status %+v", st)
	}
	w.stop() // what waits is durable
	w.start()
	w.book.set(func() { w.book.fail = nil })
	w.net.await(t, "two messages", func() bool { return len(w.net.to(b.addr)) >= 2 && w.status(second.ID).State == gateway.StateAccepted })
	if ids := newReader(t, b, w.self).read(w.net.to(b.addr)).ids(); len(ids) != 2 || ids[0] != first.ID || ids[1] != second.ID {
		t.Fatalf("ids %v", ids)
	}
}

func TestSlowLookUpAnswersDurably(t *testing.T) {
	w := newWorld(t)
	b := newParty(began.UnixMilli())
	w.book.admit(b)
	slow := make(chan struct{})
	w.book.set(func() { w.book.slow = slow })
	w.start()
	done := make(chan gateway.Accepted)
	go func() { done <- w.send(draft(1)) }()
	var a gateway.Accepted
	for a.ID == "" {
		select {
		case a = <-done:
		case <-time.After(5 * time.Millisecond):
			w.clock.Advance(500 * time.Millisecond)
		}
	}
	if a.State != gateway.StateWaiting {
		t.Fatalf("state %s", a.State)
	}
	w.book.mu.Lock()
	w.book.slow = nil
	w.book.mu.Unlock()
	close(slow)
	w.net.await(t, "the message", func() bool { return len(w.net.to(b.addr)) == 2 })
	if ids := newReader(t, b, w.self).read(w.net.to(b.addr)).ids(); len(ids) != 1 || ids[0] != a.ID {
		t.Fatalf("ids %v", ids)
	}
}

func TestUnreachableBrokerCostsNothing(t *testing.T) {
	w := newWorld(t)
	b, c := newParty(began.UnixMilli()), newParty(began.UnixMilli())
	w.book.admit(b)
	w.book.admit(c)
	w.start()
	w.send(draft(0))
	full := &bus.Error{Code: bus.CodeMailboxFull, Text: "full"}
	w.net.set(func(m bus.Msg) error {
		if strings.Contains(m.Subject, b.addr) {
			return full
		}
		return nil
	})
	var ids []string
	for n := range 5 {
		done := make(chan gateway.Accepted)
		go func() { done <- w.send(draft(n)) }()
		var a gateway.Accepted
		for a.ID == "" {
			select {
			case a = <-done:
			case <-time.After(2 * time.Millisecond):
				w.clock.Advance(100 * time.Millisecond)
			}
		}
		if a.State != gateway.StateWaiting {
			t.Fatalf("state %s while one mailbox is full", a.State)
		}
		ids = append(ids, a.ID)
	}
	if got := newReader(t, c, w.self).read(w.net.to(c.addr)).ids(); len(got) != 6 {
		t.Fatalf("the other recipient has %d of 6", len(got))
	}
	w.net.set(nil)
	w.net.await(t, "all six", func() bool {
		w.clock.Advance(time.Second)
		return len(w.net.to(b.addr)) >= 7
	})
	got := newReader(t, b, w.self).read(w.net.to(b.addr)).ids()
	if len(got) != 6 || got[5] != ids[4] {
		t.Fatalf("ids %v", got)
	}
	w.net.await(t, "accepted", func() bool { return w.status(ids[4]).State == gateway.StateAccepted })
}

func TestQuota(t *testing.T) {
	w := newWorld(t)
	b := newParty(began.UnixMilli())
	w.book.admit(b)
	w.config.MaxBytes = 3_000
	w.start()
	var refused error
	n := 0
	for ; refused == nil && n < 100; n++ {
		_, errs := w.box.Send(background, []gateway.Draft{draft(n)})
		refused = errs[0]
	}
	if code(refused) != "outbox_full" || n < 3 {
		t.Fatalf("after %d messages: %v", n, refused)
	}
	r := newReader(t, b, w.self).read(w.net.to(b.addr))
	sid, _ := r.last()
	if err := w.box.Receipt(background, b.addr, r.receipt(w.clock.Now().UnixMilli(), r.custody(sid))); err != nil {
		t.Fatal(err)
	}
	w.send(draft(100)) // receipts make room
}

func TestTwoLanesDoNotWaitForEachOther(t *testing.T) {
	w := newWorld(t)
	b, c := newParty(began.UnixMilli()), newParty(began.UnixMilli())
	w.book.admit(b)
	w.book.admit(c)
	w.start()
	to := func(p *party, n int) gateway.Draft {
		d := draft(n)
		d.To = []string{p.did}
		return d
	}
	w.send(to(b, 0))
	hold := make(chan struct{})
	w.net.mu.Lock()
	w.net.hold = hold
	w.net.mu.Unlock()
	done := make(chan gateway.Accepted, 1)
	go func() { done <- w.send(to(b, 1)) }()
	w.net.await(t, "the first lane's publish", func() bool { return w.clock.BlockUntilContext(background, 1) == nil })
	w.net.mu.Lock()
	w.net.hold = nil
	w.net.mu.Unlock()
	if a := w.send(to(c, 2)); a.State != gateway.StateAccepted {
		t.Fatalf("state %s", a.State)
	}
	close(hold)
	if a := <-done; a.State != gateway.StateAccepted {
		t.Fatalf("state %s", a.State)
	}
}

func TestMovedMailboxIsFoundAgain(t *testing.T) {
	w := newWorld(t)
	b := newParty(began.UnixMilli())
	w.book.admit(b)
	w.dir.list = append(w.dir.list, instance(b, 9)) // the book says 7
	w.net.set(func(m bus.Msg) error {
		if !strings.HasPrefix(m.Subject, "m.09.") {
			return &bus.Error{Code: bus.CodeNoMailbox, Text: "nobody"}
		}
		return nil
	})
	w.start()
	done := make(chan gateway.Accepted)
	go func() { done <- w.send(draft(1)) }()
	for {
		select {
		case a := <-done:
			if a.State != gateway.StateAccepted {
				t.Fatalf("state %s", a.State)
			}
			newReader(t, b, w.self).read(w.net.to(b.addr))
			return
		case <-time.After(2 * time.Millisecond):
			w.clock.Advance(10 * time.Millisecond)
		}
	}
}
