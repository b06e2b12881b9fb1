package outbox_test

import (
	"testing"
	"time"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/brokerclient"
	"github.com/digital-spine/spine/gateway/identity"
	"github.com/digital-spine/spine/gateway/intake"
	"github.com/digital-spine/spine/gateway/outbox"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/keyring"
)

// The rooms around the outbox fit its edges.
var (
	_ outbox.Trust       = (*trust.Book)(nil)
	_ outbox.Self        = (*identity.Self)(nil)
	_ outbox.Bus         = (*bus.Conn)(nil)
	_ outbox.Directory   = (*brokerclient.Client)(nil)
	_ outbox.Ring        = keyring.Keyring(nil)
	_ intake.Replies     = (*outbox.Outbox)(nil)
	_ intake.ReceiptSink = (*outbox.Outbox)(nil)
)

// TestFanOutToThreeHundred seals once for many.
func TestFanOutToThreeHundred(t *testing.T) {
	w := newWorld(t)
	parties := make([]*party, 300)
	for i := range parties {
		parties[i] = newParty(began.UnixMilli())
		w.book.admit(parties[i])
	}
	w.start()
	begin := time.Now()
	a := w.send(draft(1))
	t.Logf("first message to %d recipients: %v", len(parties), time.Since(begin))
	begin = time.Now()
	w.send(draft(2))
	t.Logf("second: %v", time.Since(begin))
	for _, p := range parties {
		wires := w.net.to(p.addr)
		if len(wires) != 3 || string(wires[1]) != string(w.net.to(parties[0].addr)[1]) {
			t.Fatalf("%d wires, or another envelope", len(wires))
		}
	}
	newReader(t, parties[299], w.self).read(w.net.to(parties[299].addr))
	if st := w.status(a.ID); len(st.Recipients) != 300 || st.State != gateway.StateAccepted {
		t.Fatalf("status of %d recipients: %s", len(st.Recipients), st.State)
	}
}
