package conformance

import (
	"testing"

	"github.com/digital-spine/spine/gateway/outbox"
)

func frame(id byte, at int64) outbox.Waiting {
	return outbox.Waiting{ID: [16]byte{id}, Frame: []byte{id, id}, At: at}
}

func outboxWaiting(t *testing.T, open func() outbox.Store) {
	a, b, c := frame(1, 5), frame(2, 6), frame(3, 7)
	b.Sum = []byte("sum")
	st := open()
	ok(t, st.Wait(ctx, outboxLane, "first", []outbox.Waiting{c, a}))
	again := a
	again.Frame, again.At = []byte("ignored"), 99
	ok(t, st.Wait(ctx, outboxLane, "second", []outbox.Waiting{again, b}))

	st = open()
	list, err := st.Waiting(ctx, outboxLane, 10)
	ok(t, err)
	same(t, list, []outbox.Waiting{c, a, b}) // in the order they came
	list, err = st.Waiting(ctx, outboxLane, 1)
	ok(t, err)
	same(t, list, []outbox.Waiting{c})
	list, err = st.Waiting(ctx, outbox.Lane{Chan: outboxLane.Chan, Topic: "other"}, 10)
	ok(t, err)
	same(t, len(list), 0)
	lanes, err := st.WaitingLanes(ctx)
	ok(t, err)
	same(t, lanes, []outbox.Lane{outboxLane})
	m, err := st.Message(ctx, a.ID)
	ok(t, err)
	same(t, m, &outbox.Message{ID: a.ID, Channel: "ch", At: 5, Code: "first"})
	ok(t, st.Blame(ctx, outboxLane, "third"))
	m, err = st.Message(ctx, a.ID)
	ok(t, err)
	same(t, m.Code, "third")
	usage, err := st.Usage(ctx)
	ok(t, err)
	same(t, usage, outbox.Usage{Messages: 3, Bytes: 6})

	// What is sealed moves out of the waiting, beside a message that never waited.
	seal := opening(1, 3, 9, 1)
	seal.Moved = []bool{true, false, true}
	ok(t, st.Commit(ctx, seal))
	st = open()
	list, err = st.Waiting(ctx, outboxLane, 10)
	ok(t, err)
	same(t, list, []outbox.Waiting{b})
	m, err = st.Message(ctx, a.ID)
	ok(t, err)
	same(t, m, &outbox.Message{ID: a.ID, Channel: "ch", At: 5, Sealed: true, SID: [32]byte{1}, Idx: 2})

	// A message of an ended session waits again under its id; one of another
	// session, or unknown, is left alone.
	ok(t, st.Reopen(ctx, outboxLane, "ended", [32]byte{1}, []outbox.Waiting{a, frame(77, 1)}))
	ok(t, st.Reopen(ctx, outboxLane, "ended", [32]byte{2}, []outbox.Waiting{c}))
	m, err = st.Message(ctx, a.ID)
	ok(t, err)
	if m.Sealed || m.Code != "ended" || m.At != 5 {
		t.Fatalf("reopened: %+v", m)
	}
	m, err = st.Message(ctx, c.ID)
	ok(t, err)
	if !m.Sealed {
		t.Fatalf("a message of another session waits: %+v", m)
	}
	list, err = st.Waiting(ctx, outboxLane, 10)
	ok(t, err)
	same(t, list, []outbox.Waiting{b, a})
	_, err = st.Message(ctx, [16]byte{77})
	noRow(t, "unknown message reopened", err)
}

func outboxExpire(t *testing.T, open func() outbox.Store) {
	st := open()
	ok(t, st.Commit(ctx, opening(1, 9)))
	ok(t, st.Wait(ctx, outboxLane, "why", []outbox.Waiting{frame(1, 5), frame(2, 15), frame(3, 25)}))
	ok(t, st.Expire(ctx, 20, 10))
	st = open()
	list, err := st.Waiting(ctx, outboxLane, 10)
	ok(t, err)
	same(t, list, []outbox.Waiting{frame(3, 25)})
	_, err = st.Message(ctx, [16]byte{1})
	noRow(t, "forgotten message", err)
	m, err := st.Message(ctx, [16]byte{2}) // known, without its frame
	ok(t, err)
	same(t, m, &outbox.Message{ID: [16]byte{2}, Channel: "ch", At: 15, Code: "why", Over: true})
	ok(t, st.Expire(ctx, 1000, 1000))
	m, err = st.Message(ctx, [16]byte{9})
	ok(t, err)
	if !m.Sealed {
		t.Fatalf("sealed message: %+v", m)
	}
	usage, err := st.Usage(ctx)
	ok(t, err)
	same(t, usage, outbox.Usage{Bytes: 8})
}

func outboxEnvelopes(t *testing.T, open func() outbox.Store) {
	st := open()
	ok(t, st.Commit(ctx, opening(1, 1)))
	for seq := int64(1); seq < 5; seq++ {
		c := following(1, seq, byte(10+seq))
		c.Envelope.Bytes = make([]byte, 1000)
		ok(t, st.Commit(ctx, c))
	}
	list, err := st.Envelopes(ctx, [32]byte{1}, 1, 3, 1<<20)
	ok(t, err)
	if len(list) != 3 || list[0].Seq != 1 || list[2].Seq != 3 {
		t.Fatalf("1 to 3: %d envelopes", len(list))
	}
	list, err = st.Envelopes(ctx, [32]byte{1}, 1, 4, 0)
	ok(t, err)
	same(t, len(list), 1)
	list, err = st.Envelopes(ctx, [32]byte{1}, 5, 9, 1<<20)
	ok(t, err)
	same(t, len(list), 0)
}

func outboxForget(t *testing.T, open func() outbox.Store) {
	st := open()
	ok(t, st.Commit(ctx, opening(1, 1, 2)))
	ok(t, st.Commit(ctx, following(1, 1, 3)))
	ok(t, st.Commit(ctx, opening(2, 4)))
	due, err := st.Sessions(ctx, 1001, 10)
	ok(t, err)
	if len(due) != 1 || due[0].SID != ([32]byte{1}) {
		t.Fatalf("sessions due: %+v", due)
	}

	ok(t, st.Retire(ctx, [32]byte{1}))
	s, err := st.Session(ctx, [32]byte{1})
	ok(t, err)
	if s.Core != nil || s.Secret != nil || s.Next != 2 {
		t.Fatalf("retired: %+v", s)
	}
	list, err := st.Envelopes(ctx, s.SID, 0, 9, 1<<20)
	ok(t, err)
	if len(list) != 2 || list[0].Bytes != nil || list[1].Bytes != nil || list[1].D != ([32]byte{1, 1}) {
		t.Fatalf("envelopes of a retired session: %+v", list)
	}
	open1, err := st.Unpublished(ctx, 10)
	ok(t, err)
	for _, m := range open1 {
		if m.SID == s.SID {
			t.Fatal("a retired session is to be published")
		}
	}

	// Sent again by another session, message 2 is not forgotten with the first.
	ok(t, st.Reopen(ctx, outboxLane, "ended", s.SID, []outbox.Waiting{frame(2, 5)}))
	moved := following(2, 1, 2)
	moved.Moved[0] = true
	ok(t, st.Commit(ctx, moved))
	ok(t, st.Forget(ctx, s.SID))
	st = open()
	_, err = st.Session(ctx, s.SID)
	noRow(t, "forgotten session", err)
	for _, id := range []byte{1, 3} {
		_, err = st.Message(ctx, [16]byte{id})
		noRow(t, "message of a forgotten session", err)
	}
	m, err := st.Message(ctx, [16]byte{2})
	ok(t, err)
	same(t, m.SID, [32]byte{2})
	if list, err := st.Members(ctx, s.SID); err != nil || len(list) != 0 {
		t.Fatalf("members of a forgotten session: %+v, %v", list, err)
	}

	// The newest entry of a lane outlives its session, and an older one that is
	// forgotten later does not replace it.
	ok(t, st.Commit(ctx, opening(3, 5)))
	ok(t, st.Forget(ctx, [32]byte{3}))
	ok(t, st.Forget(ctx, [32]byte{2}))
	st = open()
	last, err := st.Last(ctx, outboxLane, []string{"a", "b"})
	ok(t, err)
	want := outbox.Entry{SID: [32]byte{3}, D: [32]byte{3}, NAF: 1003}
	same(t, last, map[string]outbox.Entry{"a": want, "b": want})
	usage, err := st.Usage(ctx)
	ok(t, err)
	same(t, usage, outbox.Usage{})
}
