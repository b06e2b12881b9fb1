package outbox_test

import (
	"testing"
	"time"

	"github.com/digital-spine/spine/gateway"
)

func TestNearTheCapEnvelopesGather(t *testing.T) {
	w := newWorld(t)
	b := newParty(began.UnixMilli())
	w.book.admit(b)
	w.dir.list = append(w.dir.list, instance(b, 42))
	w.network.Cap = 20
	w.start()
	var waits []string
	for n := range 40 {
		if a := w.send(draft(n)); a.State == gateway.StateWaiting {
			waits = append(waits, a.ID)
		}
	}
	if got := len(w.net.to(b.addr)); got > 12 || len(waits) < 25 {
		t.Fatalf("%d wires and %d waiting at a cap of 20", got, len(waits))
	}
	// The clock goes on, but stays within the retention: a slow machine may look
	// here many times before the outbox has sealed the rest. Its timer may even
	// begin when the time is over; then it is told to look.
	w.net.await(t, "the gathered rest", func() bool {
		if w.clock.Now().Before(began.Add(6 * 24 * time.Hour)) {
			w.clock.Advance(6 * time.Hour)
		} else {
			w.book.set(func() {})
		}
		return w.status(waits[len(waits)-1]).State != gateway.StateWaiting
	})
	if got := len(w.net.to(b.addr)); got > 14 {
		t.Fatalf("%d wires at a cap of 20: 30 %% are for receipts and grants", got)
	}
	if ids := newReader(t, b, w.self).read(w.net.to(b.addr)).ids(); len(ids) != 40 {
		t.Fatalf("%d of 40 arrived", len(ids))
	}
	// Receipts and asks pass when messages wait.
	for n := range 40 {
		w.send(draft(100 + n))
	}
	full := len(w.net.to(b.addr))
	if err := w.box.Reply(background, b.did, 0, []byte("receipt")); err != nil || len(w.net.to(b.addr)) != full+1 {
		t.Errorf("a receipt near the cap: %v, %d wires after %d", err, len(w.net.to(b.addr)), full)
	}
}
