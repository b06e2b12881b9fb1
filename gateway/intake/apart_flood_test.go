package intake_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
)

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestNoticesOfManySenders: what is awaited of all senders together is bounded,
// in memory too, and nothing of it is looked at again and again.
func TestNoticesOfManySenders(t *testing.T) {
	w := newWorld(t)
	w.bodies.set(func() { w.bodies.down = true })
	before := heap()
	for range 10 {
		f := w.sender().open()
		f.s.send(f.grant, f.seal().Bytes())
		w.receive(1)
		for range 4 {
			var wires [][]byte
			for range 300 {
				wires = append(wires, f.seal(frame(`{"n":1}`)).Notice().Bytes())
			}
			f.s.send(wires...)
		}
		w.settled()
	}
	w.event("throttled")
	if after := heap(); after > before+40<<20 {
		t.Fatalf("%d MB for bodies that never come", (after-before)>>20)
	}
	commits := w.flaky.commits()
	w.pass(5 * time.Minute)
	if n := w.flaky.commits() - commits; n > 2000 {
		t.Fatalf("%d rounds in five minutes", n)
	}
	// It is over at the end of the retention, and nothing is left of it.
	w.clock.Advance(retention + time.Duration(envelope.SessionDefault)*time.Millisecond + 2*time.Minute)
	w.until("it is given up", func() bool { return w.events.count("lost") >= 8000 })
	f := w.sender().open()
	b := large()
	apart := f.seal(b)
	w.bodies.put(apart)
	w.bodies.set(func() { w.bodies.down = false })
	f.s.send(f.grant, apart.Notice().Bytes())
	w.receiveIDs(ids(b)...)
}
