package conformance

import (
	"math"
	"testing"

	"github.com/digital-spine/spine/gateway/outbox"
)

func withFile(id byte, file string, held bool) outbox.Waiting {
	w := frame(id, int64(id))
	w.File, w.Info, w.Held, w.Type, w.Size = file, []byte("info"), held, "text/csv", 7
	return w
}

func outboxFiles(t *testing.T, open func() outbox.Store) {
	st := open()
	ok(t, st.Wait(ctx, outboxLane, "uploading", []outbox.Waiting{withFile(1, "f", true), withFile(2, "g", true), frame(3, 3)}))
	ok(t, st.Blame(ctx, outboxLane, "other")) // not those held back
	st = open()
	held, err := st.Held(ctx, "", 9)
	ok(t, err)
	same(t, held, []string{"f", "g"})
	held, err = st.Held(ctx, "f", 1)
	ok(t, err)
	same(t, held, []string{"g"})
	list, err := st.Waiting(ctx, outboxLane, 10)
	ok(t, err)
	same(t, len(list), 1)
	ok(t, st.BlameFile(ctx, "g", "quota"))
	m, err := st.Message(ctx, [16]byte{2})
	ok(t, err)
	same(t, m.Code, "quota")
	m, err = st.Message(ctx, [16]byte{1})
	ok(t, err)
	same(t, m.Code, "uploading")

	lanes, err := st.Pushed(ctx, "f", 50)
	ok(t, err)
	same(t, lanes, []outbox.Lane{outboxLane})
	lanes, err = st.Pushed(ctx, "f", 60)
	ok(t, err)
	same(t, len(lanes), 0)
	f, err := st.File(ctx, [16]byte{1})
	ok(t, err)
	same(t, f, &outbox.FileRow{File: "f", Info: []byte("info"), Pushed: 50})
	_, err = st.File(ctx, [16]byte{3})
	noRow(t, "file of a message without", err)
	list, err = st.Waiting(ctx, outboxLane, 10)
	ok(t, err)
	if len(list) != 2 || list[0].ID != ([16]byte{1}) || list[0].File != "f" || list[0].Size != 7 || list[0].Type != "text/csv" {
		t.Fatalf("waiting %+v", list)
	}
	ok(t, st.Hold(ctx, [16]byte{1}, "uploading"))
	ok(t, st.Hold(ctx, [16]byte{3}, "uploading")) // has no file
	list, err = st.Waiting(ctx, outboxLane, 10)
	ok(t, err)
	same(t, len(list), 1)
	_, err = st.Pushed(ctx, "f", 60)
	ok(t, err)

	spent := func(want ...string) {
		t.Helper()
		got, err := st.Spent(ctx, 9)
		ok(t, err)
		same(t, got, want)
	}
	spent()
	c := opening(1, 1)
	c.Moved[0] = true
	ok(t, st.Commit(ctx, c))
	spent()
	m, err = st.Message(ctx, [16]byte{2})
	ok(t, err)
	same(t, m.Over, false)
	ok(t, st.Drop(ctx, [16]byte{2}, "too_large"))
	m, err = st.Message(ctx, [16]byte{2})
	ok(t, err)
	same(t, []any{m.Over, m.Code}, []any{true, "too_large"})
	spent("g")
	ok(t, st.Released(ctx, "g"))
	spent()
	for _, addr := range []string{"a", "b"} {
		done := int64(0)
		if addr == "b" {
			done = 1
		}
		_, err := st.Receipt(ctx, &outbox.ReceiptChange{Addr: addr, At: 1, Lanes: []outbox.LaneChange{{SID: [32]byte{1}, Upto: 0, Needs: 1, Done: done}}})
		ok(t, err)
	}
	spent("f")
	ok(t, st.Wait(ctx, outboxLane, "uploading", []outbox.Waiting{withFile(4, "f", true)})) // sent once more
	spent()
	ok(t, st.Released(ctx, "f")) // found spent before: counts for nothing
	ok(t, st.Expire(ctx, 1000, 0))
	spent("f")
	ok(t, st.Forget(ctx, [32]byte{1}))
	ok(t, st.Expire(ctx, 1000, 1000))
	for id := range byte(4) {
		_, err = st.File(ctx, [16]byte{id + 1})
		noRow(t, "file of a forgotten message", err)
	}
}

func outboxMarks(t *testing.T, open func() outbox.Store) {
	st := open()
	ok(t, st.Commit(ctx, opening(1, 1)))
	ok(t, st.Commit(ctx, following(1, 1, 2)))
	newest, err := st.Newest(ctx, 101)
	ok(t, err)
	if len(newest) != 1 || newest[0].SID != ([32]byte{1}) || newest[0].Last != 101 || newest[0].Next != 2 {
		t.Fatalf("newest %+v", newest)
	}
	newest, err = st.Newest(ctx, 102)
	ok(t, err)
	same(t, len(newest), 0)
	s, err := st.Mark(ctx, [32]byte{1}, 777)
	ok(t, err)
	same(t, s.Marked, int64(777))
	same(t, s.Next, int64(2))
	_, err = st.Mark(ctx, [32]byte{9}, 777)
	noRow(t, "mark of an unknown session", err)

	// The next session of the lane leaves b out.
	c := opening(2, 3)
	c.Members = c.Members[:1]
	ok(t, st.Commit(ctx, c))
	st = open()
	closing := func(want ...string) {
		t.Helper()
		list, err := st.Closing(ctx, 9)
		ok(t, err)
		var got []string
		for _, m := range list {
			got = append(got, string('0'+m.SID[0])+m.Addr)
		}
		same(t, got, want)
	}
	closing("1b")
	newest, err = st.Newest(ctx, 0)
	ok(t, err)
	same(t, len(newest), 1)
	same(t, newest[0].SID, [32]byte{2})
	ok(t, st.Closed(ctx, [32]byte{1}, []string{"b"}))
	closing()
	ok(t, st.Close(ctx, [32]byte{1}))
	ok(t, st.Close(ctx, [32]byte{2}))
	closing("1a", "2a") // b was told
	newest, err = st.Newest(ctx, 0)
	ok(t, err)
	same(t, len(newest), 0) // everybody has to be told
}

func outboxSteps(t *testing.T, open func() outbox.Store) {
	st, sid := open(), [32]byte{1}
	ok(t, st.Commit(ctx, opening(1, 1)))
	ok(t, st.Commit(ctx, following(1, 1, 2)))
	ok(t, st.Published(ctx, []outbox.Cursor{{SID: sid, Published: 2, At: 50}}))
	ok(t, st.Published(ctx, []outbox.Cursor{{SID: sid, Addr: "a", Published: 3, At: 60}, {SID: sid, Addr: "b", Published: 1, At: 61}}))
	m, err := st.Member(ctx, sid, "b")
	ok(t, err)
	same(t, m.Published, int64(2)) // never back
	_, err = st.Receipt(ctx, &outbox.ReceiptChange{Addr: "a", At: 1, Now: 70, Lanes: []outbox.LaneChange{{SID: sid, Upto: 1, Needs: 2,
		Fresh: []outbox.Refusal{{A: 1, B: 1, Code: "schema"}}}}})
	ok(t, err)
	ok(t, st.Resent(ctx, sid, "b", 0, 0, 80))
	ok(t, st.Told(ctx, sid, "b", 1, 0, 90))
	st = open()
	steps := func(seq int64) map[outbox.StepRow]bool {
		t.Helper()
		list, err := st.Steps(ctx, sid, seq)
		ok(t, err)
		out := map[outbox.StepRow]bool{}
		for _, s := range list {
			s.A, s.B = 0, 0
			out[s] = true
		}
		return out
	}
	same(t, steps(0), map[outbox.StepRow]bool{{Kind: outbox.StepPublished, At: 50}: true, {Addr: "a", Kind: outbox.StepPublished, At: 60}: true,
		{Addr: "a", Kind: outbox.StepCustody, At: 70}: true, {Addr: "b", Kind: outbox.StepResent, At: 80}: true, {Addr: "b", Kind: outbox.StepUnconfirmed, At: 90}: true})
	same(t, steps(1), map[outbox.StepRow]bool{{Addr: "a", Kind: outbox.StepPublished, At: 60}: true, {Addr: "a", Kind: outbox.StepCustody, At: 70}: true,
		{Addr: "a", Kind: outbox.StepRefused, At: 70}: true, {Addr: "b", Kind: outbox.StepUnconfirmed, At: 90}: true})

	// However much happens, a session has a bounded number of rows.
	for n := range int64(300) {
		ok(t, st.Published(ctx, []outbox.Cursor{{SID: sid, Addr: "a", Published: 4 + n, At: 1_000_000 + n*100}}))
	}
	list, err := st.Steps(ctx, sid, 250) // told at most a quarter of a minute late
	ok(t, err)
	if len(list) == 0 || list[0].At < 1_024_800 || list[0].At > 1_024_800+15_000 {
		t.Fatalf("step of a late envelope: %+v", list)
	}
	ok(t, st.Forget(ctx, sid))
	same(t, len(steps(0)), 0)
}

func outboxLog(t *testing.T, open func() outbox.Store) {
	st := open()
	for n := byte(1); n <= 3; n++ {
		c := opening(n, n)
		c.Opened.NBF = int64(n) * 100
		c.Envelope.At, c.Envelope.About = int64(n)*100, []byte("about")
		ok(t, st.Commit(ctx, c))
		next := following(n, 1, 10*n, 10*n+1)
		next.Envelope.At = int64(n)*100 + 50
		ok(t, st.Commit(ctx, next))
	}
	ok(t, st.Wait(ctx, outboxLane, "why", []outbox.Waiting{frame(100, 7), frame(101, 7), frame(102, 8)}))
	st = open()
	heads := func(f outbox.LogFilter, nbf, n int64, max int, want ...byte) (last outbox.SessionHead) {
		t.Helper()
		list, err := st.Latest(ctx, f, nbf, n, max)
		ok(t, err)
		var got []byte
		for _, h := range list {
			got, last = append(got, h.SID[0]), h
		}
		same(t, got, want)
		return last
	}
	h := heads(outbox.LogFilter{}, 300, math.MaxInt64, 2, 3, 2)
	same(t, []int64{h.NBF, h.Last, int64(h.Size), h.Next}, []int64{200, 250, 2, 2})
	heads(outbox.LogFilter{}, h.NBF, h.N, 9, 1)
	heads(outbox.LogFilter{Channel: "ch", DID: "did:b"}, 999, 0, 9, 3, 2, 1)
	heads(outbox.LogFilter{DID: "did:b"}, 999, 0, 1, 3)
	heads(outbox.LogFilter{Channel: "no"}, 999, 0, 9)
	heads(outbox.LogFilter{DID: "did:c"}, 999, 0, 9)
	placed := func(at, seq int64, max int, want ...int64) {
		t.Helper()
		list, err := st.Placed(ctx, [32]byte{2}, at, seq, max)
		ok(t, err)
		var got []int64
		for _, e := range list {
			got = append(got, e.Seq)
			if e.Bytes != nil {
				t.Fatal("bytes were read")
			}
		}
		same(t, got, want)
	}
	placed(999, 99, 9, 1, 0)
	placed(249, 99, 9, 0)
	placed(250, 99, 1, 1)
	placed(250, 0, 9, 0)
	placed(199, 99, 9)
	between, err := st.Between(ctx, [32]byte{2}, 0, 5, 1)
	ok(t, err)
	if len(between) != 1 || string(between[0].About) != "about" || between[0].Bytes != nil {
		t.Fatalf("between %+v", between)
	}
	unsealed := func(f outbox.LogFilter, at int64, below []byte, max int, want ...byte) {
		t.Helper()
		list, err := st.Unsealed(ctx, f, at, below, max)
		ok(t, err)
		var got []byte
		for _, u := range list {
			got = append(got, u.ID[0])
		}
		same(t, got, want)
	}
	id := [16]byte{101}
	unsealed(outbox.LogFilter{}, 99, nil, 9, 102, 101, 100)
	unsealed(outbox.LogFilter{Channel: "ch", DID: "did:b"}, 7, nil, 1, 101)
	unsealed(outbox.LogFilter{}, 7, id[:], 9, 100)
	unsealed(outbox.LogFilter{DID: "did:x"}, 99, nil, 9)
	fr, err := st.Frame(ctx, id)
	ok(t, err)
	same(t, string(fr), string(frame(101, 7).Frame))
	_, err = st.Frame(ctx, [16]byte{1})
	noRow(t, "frame of a sealed message", err)
	members, err := st.Standing(ctx, [32]byte{1})
	ok(t, err)
	if len(members) != 2 || members[0].Grant != nil || members[1].Prev == nil {
		t.Fatalf("standing %+v", members)
	}
}
