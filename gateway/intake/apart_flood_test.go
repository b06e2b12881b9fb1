package intake_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/intake"
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
	alone(t, func(t *testing.T, w *world) {
		const part = 8
		w.less(part)
		w.bodies.set(func() { w.bodies.down = true })
		before := heap()
		for range 10 {
			f := w.sender().open()
			f.s.send(f.grant, f.seal().Bytes())
			w.receive(1)
			for range 4 {
				var wires [][]byte
				for range 300 / part {
					wires = append(wires, f.seal(frame(`{"n":1}`)).Notice().Bytes())
				}
				f.s.send(wires...)
			}
			w.settled()
		}
		w.event("throttled")
		if after := heap(); after > before+40<<20/part {
			t.Fatalf("%d KB for bodies that never come", (after-before)>>10)
		}
		commits, asked := w.flaky.commits(), w.bodies.count()
		w.pass(5 * time.Minute)
		n := w.bodies.count() - asked
		if n > 20*intake.MaxAwaitsInAll/part { // steps that pass makes
			t.Fatalf("asked %d times in five minutes", n)
		}
		if rounds := w.flaky.commits() - commits; rounds > n+100 {
			t.Fatalf("%d rounds in five minutes, for %d answers", rounds, n)
		}
		// It is over at the end of the retention, and nothing is left of it.
		w.clock.Advance(retention + time.Duration(envelope.SessionDefault)*time.Millisecond + 2*time.Minute)
		w.until("it is given up", func() bool { return w.events.count("lost") >= 8000/part })
		f := w.sender().open()
		b := large()
		apart := f.seal(b)
		w.bodies.put(apart)
		w.bodies.set(func() { w.bodies.down = false })
		f.s.send(f.grant, apart.Notice().Bytes())
		w.receiveIDs(ids(b)...)
	})
}
