package outbox_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/outbox"
)

// TestNothingIsLostUnderFaults sends while broker and disk fail, the process
// restarts, sessions are refused and time passes. Every accepted message
// arrives; the recipient sees no fork, no number twice and no gap. In a session
// that it refused there may be gaps, since what it refused is published no more:
// it drops what still comes, and that must arrive in a later session.
func TestNothingIsLostUnderFaults(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	w := newWorld(t)
	b := newParty(began.UnixMilli())
	w.book.admit(b)
	w.start()
	r := newReader(t, b, w.self)
	const maxRefused = 3 // sessions; how often messages are sealed again is bounded
	read, refused := 0, 0
	catchUp := func() {
		wires := w.net.to(b.addr)
		r.read(wires[read:])
		read = len(wires)
	}
	accepted := map[string]bool{}
	for round := range 40 {
		switch rng.IntN(6) {
		case 0:
			w.net.set(func(bus.Msg) error { return errDown })
		case 1:
			w.net.set(nil)
		case 2:
			w.stop()
			w.start()
		case 3:
			w.clock.Advance(time.Duration(rng.IntN(90)) * time.Minute)
		case 4:
			var once atomic.Bool
			w.store.set(func(*outbox.Commit) error {
				if once.CompareAndSwap(false, true) {
					return errors.New("disk")
				}
				return nil
			}, nil)
		case 5:
			catchUp()
			if len(r.order) > 0 {
				sid, s := r.last()
				var lane envelope.Lane
				switch {
				case s.void: // a refusal is not taken back
					lane = r.refuse(sid)
				case s.next > 0 && refused < maxRefused && rng.IntN(2) == 0:
					refused++
					lane = r.refuse(sid)
				default:
					lane = r.custody(sid)
				}
				if err := w.box.Receipt(background, b.addr, r.receipt(w.now(), lane)); err != nil && code(err) != "receipt" && code(err) != "cert" {
					t.Fatal(err)
				}
			}
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		for i := range 4 {
			wg.Go(func() {
				out, errs := w.box.Send(background, []gateway.Draft{draft(round), draft(i)})
				mu.Lock()
				defer mu.Unlock()
				for j := range out {
					if errs[j] == nil {
						accepted[out[j].ID] = true
					}
				}
			})
		}
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
	wait:
		for {
			select {
			case <-done:
				break wait
			case <-time.After(time.Millisecond):
				w.clock.Advance(500 * time.Millisecond)
			}
		}
		w.store.set(nil, nil)
	}
	w.net.set(nil)
	if len(accepted) < 200 {
		t.Errorf("only %d messages accepted", len(accepted))
	}
	// A state tells what is known of a message, not that it is at the broker: one
	// that is unconfirmed may still be with the pump. So the reader decides.
	defer func() {
		for id := range accepted {
			if t.Failed() {
				t.Logf("message %s was accepted and never arrived: %+v", id, *w.status(id))
			}
		}
	}()
	w.net.await(t, "everything", func() bool {
		w.clock.Advance(5 * time.Second)
		catchUp()
		for _, id := range r.ids() {
			delete(accepted, id)
		}
		return len(accepted) == 0
	})
}
