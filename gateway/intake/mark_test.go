package intake_test

import (
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
)

// mark makes a mark of what the flow's sender has committed.
func (f *flow) mark(state uint64) []byte { return f.markAt(f.next, f.head, state) }

func (f *flow) markAt(seq uint64, prev envelope.Digest, state uint64) []byte {
	return must(envelope.NewMark(background, edSigner{f.s.key}, envelope.MarkBody{Session: f.core.Session(), Seq: seq, Prev: prev,
		Time: f.s.w.clock.Now().UnixMilli(), State: state})).Bytes()
}

// TestMark: a withheld tail is found by the recipient.
func TestMark(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		a, b, c := good(1)[0], good(1)[0], good(1)[0]
		f.s.send(f.grant, f.seal(a).Bytes())
		w.receiveIDs(ids(a)...)
		f.s.send(f.mark(envelope.MarkAlive)) // nothing is missing
		w.settled()
		second, third := f.seal(b), f.seal(c)
		w.pass(time.Minute)
		f.s.send(f.mark(envelope.MarkAlive))
		w.event("hole")
		w.asked(f, 1, envelope.WhyHole)
		w.asked(f, 2, envelope.WhyHole)
		f.s.send(second.Bytes(), third.Bytes())
		w.receiveIDs(ids(b, c)...)
		w.event("repaired")
		w.upto(f, 2)
		// The last of a hole has to be what the mark named.
		f.seal()
		w.pass(time.Second)
		f.s.send(f.mark(envelope.MarkAlive))
		w.asked(f, 3, envelope.WhyHole)
		g := &flow{s: f.s, core: f.core, keys: f.keys, next: 3, head: third.Digest(), t: f.t}
		f.s.send(g.seal().Bytes())
		w.event("forked")
	})
}

// TestMarkForked: a mark with another head is a fork, and is kept as proof.
func TestMarkForked(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		f.s.send(f.grant, f.seal().Bytes(), f.seal().Bytes())
		w.receive(2)
		for i, seq := range []uint64{2, 1} { // at the next number, and below it
			w.pass(time.Second)
			f.s.send(f.markAt(seq, envelope.Sum([]byte("other")), envelope.MarkAlive))
			w.until("forked", func() bool { return w.events.count("forked") == i+1 })
		}
		a := good(1)[0]
		f.s.send(f.seal(a).Bytes()) // the first stands
		w.receiveIDs(ids(a)...)
	})
}

// TestMarkRestored: a sender whose store was restored marks what its chain has
// a prefix of: no fork.
func TestMarkRestored(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		first := f.seal()
		f.s.send(f.grant, first.Bytes(), f.seal().Bytes(), f.seal().Bytes())
		w.receive(3)
		f.s.send(f.markAt(1, first.Digest(), envelope.MarkAlive))
		w.settled()
		w.pass(time.Second)
		f.s.send(f.markAt(0, f.core.Session(), envelope.MarkAlive))
		w.settled()
		if w.events.find("forked") != nil || w.events.find("prev_regressed") != nil {
			t.Fatal("an honest owner is accused")
		}
		w.pass(time.Second)
		f.s.send(f.markAt(1, first.Digest(), envelope.MarkClosed)) // but this says that something was lost there
		w.event("prev_regressed")
		if w.events.find("forked") != nil {
			t.Fatal("an honest owner is accused")
		}
	})
}

// TestMarkClosed: nothing may follow where a session was closed.
func TestMarkClosed(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		f.s.send(f.grant, f.seal().Bytes())
		w.receive(1)
		f.s.send(f.mark(envelope.MarkClosed))
		w.settled()
		w.pass(30 * time.Minute)
		if w.events.find("lane_silent") != nil {
			t.Fatal("a closed lane is watched")
		}
		f.s.send(f.seal().Bytes())
		w.event("prev_regressed")
		w.receive(1)
	})
}

// TestLaneSilent: a watched lane of which nothing new comes is told of, once,
// also after a restart; an old mark says nothing.
func TestLaneSilent(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		f.s.send(f.grant, f.seal().Bytes())
		w.receive(1)
		w.pass(15 * time.Minute)
		fresh := f.mark(envelope.MarkAlive)
		f.s.send(fresh)
		w.settled()
		w.pass(15 * time.Minute)
		if e := w.events.find("lane_silent"); e != nil {
			t.Fatalf("too early: %+v", e)
		}
		f.s.send(fresh) // again
		w.event("replayed")
		w.restart()
		w.pass(10 * time.Minute)
		if e := w.events.find("lane_silent"); e != nil {
			t.Fatalf("what came while the process was away could not be heard: %+v", e)
		}
		w.pass(11 * time.Minute)
		e := w.event("lane_silent")
		if e.DID != f.s.did || e.Topic != topicName || e.Session != f.core.Session().String() {
			t.Fatalf("event %+v", e)
		}
		w.pass(time.Hour)
		if n := w.events.count("lane_silent"); n != 1 {
			t.Fatalf("told %d times", n)
		}
		f.s.send(f.mark(envelope.MarkAlive))
		w.settled()
		w.pass(25 * time.Minute)
		w.until("told again", func() bool { return w.events.count("lane_silent") == 2 })
	})
}

// TestMarkChecks: who may mark what.
func TestMarkChecks(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f, other := w.sender().open(), w.sender().open()
		early := f.seal()
		f.s.send(f.mark(envelope.MarkAlive)) // before its grant: the session is asked for
		w.asked(f, 0, envelope.WhySecret)
		f.s.send(f.grant)
		w.asked(f, 0, envelope.WhyHole)
		f.s.send(early.Bytes())
		w.receive(1)
		w.pass(time.Second)
		m := f.mark(envelope.MarkAlive)
		other.s.send(m)
		w.event("rebound")
		m[len(m)-1] ^= 1
		f.s.send(m)
		w.event("signature")
		w.clock.Advance(time.Second)
		f.s.send(must(envelope.NewMark(background, edSigner{f.s.key}, envelope.MarkBody{Session: f.core.Session(), Seq: 1, Prev: f.head,
			Time: w.clock.Now().Add(10 * time.Minute).UnixMilli(), State: envelope.MarkAlive})).Bytes())
		w.event("time")
		f.s.send(must(envelope.NewMark(background, edSigner{other.s.key}, envelope.MarkBody{Session: f.core.Session(), Seq: 1, Prev: f.head,
			Time: w.clock.Now().UnixMilli(), State: envelope.MarkClosed})).Bytes())
		w.until("signature", func() bool { return w.events.count("signature") == 2 })
	})
}

// TestMarkBeyondRetention: what a mark names past the retention is told once.
func TestMarkBeyondRetention(t *testing.T) {
	held(t, func(t *testing.T, w *world) {
		f := w.sender().open()
		f.s.send(f.grant, f.seal().Bytes())
		w.receive(1)
		f.seal()
		w.clock.Advance(retention + time.Duration(envelope.SessionDefault)*time.Millisecond + time.Second)
		m := f.mark(envelope.MarkAlive)
		f.s.send(m)
		w.event("out_of_retention")
		f.s.send(f.mark(envelope.MarkAlive))
		w.event("session_over")
		if n := w.events.count("out_of_retention"); n != 1 {
			t.Fatalf("told %d times", n)
		}
	})
}
