package outbox

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/bus"
)

// half is a store that can read one session and not another.
type half struct {
	Store
	bad [32]byte
}

func (half) Member(_ context.Context, sid [32]byte, addr string) (*Member, error) {
	return &Member{SID: sid, Addr: addr, Grant: []byte("grant")}, nil
}

func (h half) Envelopes(_ context.Context, sid [32]byte, _, _ int64, _ int) ([]Envelope, error) {
	if sid == h.bad {
		return nil, errors.New("cannot be read")
	}
	return []Envelope{{SID: sid, Bytes: []byte("envelope")}}, nil
}

type taking struct{}

func (taking) Publish(_ context.Context, msgs []bus.Msg) []error { return make([]error, len(msgs)) }

// TestRoundThatBreaksOff: what was read before a read fails is published, and
// counts as under way for exactly as long.
func TestRoundThatBreaksOff(t *testing.T) {
	good, bad := [32]byte{1}, [32]byte{2}
	p := newPublisher(taking{}, half{bad: bad}, "self", clockwork.NewFakeClock(), slog.New(slog.DiscardHandler))
	p.depot = &depot{}
	for range 64 { // who is read first is left to chance
		d, other := p.delivery(&Member{SID: good, Addr: "a", Size: 1}), p.delivery(&Member{SID: bad, Addr: "a", Size: 1})
		d.want, d.stored, other.want = 2, 0, 2
		p.mu.Lock()
		p.fallLocked(d)
		p.fallLocked(other)
		p.mu.Unlock()
		wires, _, err := p.round(t.Context())
		if err == nil {
			t.Fatal("read what cannot be read")
		}
		if len(wires) == 0 {
			continue
		}
		if d.flying != len(wires) {
			t.Fatalf("%d under way, of %d", d.flying, len(wires))
		}
		p.publish(t.Context(), wires)
		if d.flying != 0 || d.stored != 2 {
			t.Fatalf("%d under way, %d stored", d.flying, d.stored)
		}
		return
	}
	t.Fatal("nothing was read")
}
