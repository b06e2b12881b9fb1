package conformance

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/digital-spine/spine/gateway/outbox"
)

// Outbox is the suite of the outbox. fresh makes an empty database and returns
// how to open it: each call closes what the call before it returned.
func Outbox(t *testing.T, fresh func(t *testing.T) (open func() outbox.Store)) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, open func() outbox.Store)
	}{
		{"the secret is made once", outboxSecret},
		{"a commit is whole", outboxCommit},
		{"nothing of a failed commit remains", outboxFailed},
		{"messages with an idempotency key", outboxSums},
		{"publish cursors", outboxPublished},
		{"receipts", outboxReceipts},
		{"waiting rows", outboxWaiting},
		{"waiting rows expire", outboxExpire},
		{"envelopes in portions", outboxEnvelopes},
		{"retiring and forgetting", outboxForget},
		{"files", outboxFiles},
		{"marks", outboxMarks},
		{"steps", outboxSteps},
		{"the log", outboxLog},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, fresh(t)) })
	}
}

var outboxLane = outbox.Lane{Chan: [16]byte{7}, Topic: "t", Channel: "ch", Selection: "did:a did:b"}

// opening is the commit that begins session n with two members, a and b, and
// has the messages of ids in its first envelope.
func opening(n byte, ids ...byte) *outbox.Commit {
	s := &outbox.Session{Lane: outboxLane, SID: [32]byte{n}, Core: []byte("core"), Secret: []byte("secret"), Creds: [][32]byte{{1}, {2}},
		Left: []string{"did:c", "did:d"}, NBF: 10, NAF: 1000 + int64(n)}
	c := following(n, 0, ids...)
	c.Opened = s
	c.Members = []outbox.Member{
		{SID: s.SID, Addr: "a", DID: "did:a", Inst: math.MaxInt64, PP: 1, Grant: []byte("grant a")},
		{SID: s.SID, Addr: "b", DID: "did:b", Grant: []byte("grant b"), Prev: &outbox.Entry{SID: [32]byte{99}, Seq: 4, D: [32]byte{98}, NAF: 97}},
	}
	return c
}

// following is the commit of envelope seq of session n.
func following(n byte, seq int64, ids ...byte) *outbox.Commit {
	c := &outbox.Commit{Lane: outboxLane, Envelope: outbox.Envelope{SID: [32]byte{n}, Seq: seq, D: [32]byte{n, byte(seq)}, At: 100 + seq, Bytes: []byte("envelope")}}
	for _, id := range ids {
		c.Envelope.IDs = append(c.Envelope.IDs, [16]byte{id})
	}
	c.Sums, c.Moved = make([][]byte, len(ids)), make([]bool, len(ids))
	return c
}

func noRow(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, outbox.ErrNoRow) {
		t.Fatalf("%s: %v, want ErrNoRow", what, err)
	}
}

func outboxSecret(t *testing.T, open func() outbox.Store) {
	got, err := open().Secret(ctx, []byte("one"))
	ok(t, err)
	same(t, string(got), "one")
	got, err = open().Secret(ctx, []byte("two"))
	ok(t, err)
	same(t, string(got), "one")
}

func outboxCommit(t *testing.T, open func() outbox.Store) {
	// More messages than any statement is likely to take at once.
	ids := make([]byte, 60)
	for i := range ids {
		ids[i] = byte(i + 1)
	}
	c, next := opening(1, ids...), following(1, 1, 200)
	st := open()
	ok(t, st.Commit(ctx, c))
	ok(t, st.Commit(ctx, next))

	st = open()
	s, err := st.Session(ctx, c.Opened.SID)
	ok(t, err)
	want := *c.Opened
	want.Next, want.Head, want.Last, want.Size = 2, next.Envelope.D, 101, 2
	same(t, s, &want)
	members, err := st.Members(ctx, s.SID)
	ok(t, err)
	for i := range c.Members {
		c.Members[i].Upto, c.Members[i].Next, c.Members[i].Size, c.Members[i].NAF = -1, 2, 2, s.NAF
	}
	same(t, members, c.Members)
	one, err := st.Member(ctx, s.SID, "b")
	ok(t, err)
	same(t, one, &c.Members[1])
	list, err := st.Envelopes(ctx, s.SID, 0, math.MaxInt64, 1<<20)
	ok(t, err)
	same(t, list, []outbox.Envelope{c.Envelope, next.Envelope})
	for i, id := range c.Envelope.IDs {
		m, err := st.Message(ctx, id)
		ok(t, err)
		same(t, m, &outbox.Message{ID: id, Channel: "ch", At: 100, Sealed: true, SID: s.SID, Idx: i})
	}
	m, err := st.Message(ctx, [16]byte{200})
	ok(t, err)
	same(t, m, &outbox.Message{ID: [16]byte{200}, Channel: "ch", At: 101, Sealed: true, SID: s.SID, Seq: 1})
	last, err := st.Last(ctx, outboxLane, []string{"a", "stranger"})
	ok(t, err)
	same(t, last, map[string]outbox.Entry{"a": {SID: s.SID, Seq: 1, D: next.Envelope.D, NAF: s.NAF}})
	usage, err := st.Usage(ctx)
	ok(t, err)
	same(t, usage, outbox.Usage{Bytes: 16})
	rows, err := st.Rows(ctx) // the grant and two envelopes each
	ok(t, err)
	same(t, rows, map[string]int64{"a": 3, "b": 3})

	_, err = st.Session(ctx, [32]byte{99})
	noRow(t, "unknown session", err)
	_, err = st.Member(ctx, s.SID, "stranger")
	noRow(t, "unknown member", err)
	_, err = st.Message(ctx, [16]byte{99})
	noRow(t, "unknown message", err)
}

func outboxFailed(t *testing.T, open func() outbox.Store) {
	st := open()
	ok(t, st.Commit(ctx, opening(1, 1)))
	before, err := st.Session(ctx, [32]byte{1})
	ok(t, err)
	for name, c := range map[string]*outbox.Commit{
		"a number again":              following(1, 0, 2),
		"a number left out":           following(1, 2, 2),
		"an unknown session":          following(2, 0, 2),
		"a session again":             opening(1, 2),
		"a message again":             following(1, 1, 2, 1),
		"a message again, in one new": opening(2, 2, 1),
	} {
		if err := st.Commit(ctx, c); err == nil {
			t.Errorf("%s was committed", name)
		}
	}
	st = open()
	_, err = st.Message(ctx, [16]byte{2})
	noRow(t, "message of a failed commit", err)
	_, err = st.Session(ctx, [32]byte{2})
	noRow(t, "session of a failed commit", err)
	if list, err := st.Members(ctx, [32]byte{2}); err != nil || len(list) != 0 {
		t.Fatalf("members of a failed commit: %+v, %v", list, err)
	}
	after, err := st.Session(ctx, [32]byte{1})
	ok(t, err)
	same(t, after, before)
	list, err := st.Envelopes(ctx, [32]byte{1}, 0, 9, 1<<20)
	ok(t, err)
	same(t, list, []outbox.Envelope{opening(1, 1).Envelope})
	ok(t, st.Commit(ctx, following(1, 1, 2))) // the number is still free
}

func outboxSums(t *testing.T, open func() outbox.Store) {
	c := opening(1, 1, 2)
	c.Sums[1] = []byte("sum")
	st := open()
	ok(t, st.Commit(ctx, c))
	ok(t, st.Wait(ctx, outboxLane, "why", []outbox.Waiting{{ID: [16]byte{3}, Sum: []byte("other"), Frame: []byte("f"), At: 5}}))
	st = open()
	for id, want := range map[byte][]byte{1: nil, 2: []byte("sum"), 3: []byte("other")} {
		m, err := st.Message(ctx, [16]byte{id})
		ok(t, err)
		if !bytes.Equal(m.Sum, want) || m.Sealed != (id != 3) {
			t.Fatalf("message %d: %+v", id, m)
		}
	}
}

func outboxPublished(t *testing.T, open func() outbox.Store) {
	st := open()
	ok(t, st.Commit(ctx, opening(1, 1)))
	ok(t, st.Commit(ctx, opening(2, 2)))
	addrs := func(st outbox.Store) (out []string) {
		t.Helper()
		list, err := st.Unpublished(ctx, 10)
		ok(t, err)
		for _, m := range list {
			out = append(out, string('0'+m.SID[0])+m.Addr)
		}
		return out
	}
	if got := addrs(st); len(got) != 4 || got[0][0] != '1' || got[3][0] != '2' {
		t.Fatalf("unpublished %v", got)
	}
	one := [32]byte{1}
	ok(t, st.Published(ctx, []outbox.Cursor{{SID: one, Addr: "a", Published: 2}, {SID: [32]byte{2}, Addr: "a", Published: 2}, {SID: [32]byte{2}, Addr: "b", Published: 2}}))
	ok(t, st.Published(ctx, []outbox.Cursor{{SID: one, Addr: "a", Published: 1}})) // never back
	ok(t, st.Regrant(ctx, one, "b", 2, []byte("newer")))
	st = open()
	same(t, addrs(st), []string{"1b"})
	m, err := st.Member(ctx, one, "a")
	ok(t, err)
	same(t, m.Published, int64(2))
	m, err = st.Member(ctx, one, "b")
	ok(t, err)
	if m.Published != 0 || m.PP != 2 || string(m.Grant) != "newer" {
		t.Fatalf("member %+v", m)
	}
	ok(t, st.Commit(ctx, following(1, 1, 3)))
	if got := addrs(st); len(got) != 2 {
		t.Fatalf("after another envelope: unpublished %v", got)
	}
	list, err := st.Unpublished(ctx, 1)
	ok(t, err)
	same(t, len(list), 1)
}

func outboxReceipts(t *testing.T, open func() outbox.Store) {
	st, sid := open(), [32]byte{1}
	ok(t, st.Commit(ctx, opening(1, 1)))
	ok(t, st.Commit(ctx, following(1, 1, 2)))
	at, err := st.PeerAt(ctx, "a")
	ok(t, err)
	same(t, at, int64(0))
	refused := []outbox.Refusal{{A: 0, B: 0, Code: "schema", Frame: 3}, {A: 1, B: 1, Code: "x", Frame: -1}}
	missing := []outbox.Range{{A: 1, B: 1, Why: 3}}
	freed, err := st.Receipt(ctx, &outbox.ReceiptChange{Addr: "a", At: 50, Lanes: []outbox.LaneChange{{SID: sid, Upto: 1, Refused: refused, Missing: missing, Needs: 2}}})
	ok(t, err)
	same(t, freed, int64(0))
	for except, want := range map[string]int64{"a": 0, "b": 2} {
		n, err := st.Needs(ctx, sid, except)
		ok(t, err)
		same(t, n, want)
	}
	n, err := st.Needs(ctx, [32]byte{9}, "")
	ok(t, err)
	same(t, n, int64(math.MaxInt64))

	silent := func(at int64, told int) int {
		t.Helper()
		list, err := st.Silent(ctx, at, told, 10)
		ok(t, err)
		for _, m := range list {
			same(t, m.Addr, "b")
		}
		return len(list)
	}
	same(t, silent(100, 1), 0)
	same(t, silent(101, 1), 1)
	ok(t, st.Told(ctx, sid, "b", 1, 1, 7))
	same(t, silent(101, 1), 0)
	same(t, silent(101, 2), 1)

	freed, err = st.Receipt(ctx, &outbox.ReceiptChange{Addr: "b", At: 60, Lanes: []outbox.LaneChange{{SID: sid, Upto: 0, Needs: 1, Done: 1}}})
	ok(t, err)
	same(t, freed, int64(len("envelope")))
	st = open()
	at, err = st.PeerAt(ctx, "a")
	ok(t, err)
	same(t, at, int64(50))
	m, err := st.Member(ctx, sid, "a")
	ok(t, err)
	same(t, m.Upto, int64(1))
	same(t, m.Refused, refused)
	same(t, m.Missing, missing)
	s, err := st.Session(ctx, sid)
	ok(t, err)
	same(t, s.Done, int64(1))
	list, err := st.Envelopes(ctx, sid, 0, 1, 1<<20)
	ok(t, err)
	if len(list) != 2 || list[0].Bytes != nil || list[0].D != ([32]byte{1}) || list[1].Bytes == nil {
		t.Fatalf("envelopes %+v", list)
	}
	usage, err := st.Usage(ctx)
	ok(t, err)
	same(t, usage, outbox.Usage{Bytes: 8})
}
