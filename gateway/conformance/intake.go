package conformance

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/digital-spine/spine/gateway/inbox"
	"github.com/digital-spine/spine/gateway/intake"
)

// Stores are the two faces of one empty database.
type Stores struct {
	Intake intake.Store
	Inbox  inbox.Store
}

// Intake is the suite of the ledger, the inbox and the cursors.
func Intake(t *testing.T, open func(t *testing.T) Stores) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, s Stores)
	}{
		{"rounds are whole", rounds},
		{"sessions", sessions},
		{"entries and places", entries},
		{"parked messages", parked},
		{"forgetting keeps what is not read", forgetting},
		{"data keys", keys},
		{"cursors", cursors},
		{"pruning", pruning},
		{"content that comes apart", apart},
		{"what the log is looked up by", finds},
		{"when consumers were where", times},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

var ctx = context.Background()

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("differs (-want +got):\n%s", d)
	}
}

func session(id int64) intake.SessionRow {
	return intake.SessionRow{ID: id, SID: [32]byte{byte(id)}, Lane: 1, State: intake.Open, Sender: "sender", Core: []byte("core"), Grant: []byte("grant"),
		Secret: []byte("secret"), Ledger: []byte("ledger"), Info: (&inbox.SessionInfo{From: "did:a", Topic: "t", Key: []byte("k")}).Encode(), Due: true, Since: 5, Expires: 1000}
}

func entry(session int64, seq int64, pos int64) inbox.Row {
	return inbox.Row{ID: session*inbox.MaxSeq + seq, D: [32]byte{1, byte(seq)}, T: 10 + seq, At: 20 + seq, Topic: "t", Pos: pos, Key: 1, Size: 2,
		IDs: bytes.Repeat([]byte{byte(seq)}, 64), Proof: []byte("proof"), Body: []byte(fmt.Sprintf("body %d", seq))}
}

func rounds(t *testing.T, s Stores) {
	ok(t, s.Intake.Commit(ctx, &intake.Round{}))
	lane := intake.LaneRow{ID: 1, DID: "did:a", Inst: 3, Chan: []byte("chan"), Topic: "t"}
	ok(t, s.Intake.Commit(ctx, &intake.Round{Lanes: []intake.LaneRow{lane}, Sessions: []intake.SessionRow{session(1)}, Entries: []inbox.Row{entry(1, 0, 7)},
		Senders: []intake.SenderRow{{DID: "did:a", Inst: 3, Forgotten: 50}}, Streams: []intake.StreamRow{{Stream: "S", Created: 1, Seq: 9}},
		Proofs: []intake.ProofRow{{Session: 1, Seq: 0, Signed: []byte("x")}}}))
	// An entry that is there already undoes the whole round.
	if err := s.Intake.Commit(ctx, &intake.Round{Sessions: []intake.SessionRow{session(2)}, Entries: []inbox.Row{entry(1, 0, 8)}}); err == nil {
		t.Fatal("an entry was stored twice")
	}
	row, err := s.Intake.SessionByID(ctx, 2)
	ok(t, err)
	if row != nil {
		t.Fatal("half a round was stored")
	}
	last, err := s.Intake.Last(ctx)
	ok(t, err)
	same(t, last, intake.Last{Lane: 1, Session: 1, Pos: 7})
	// What is forgotten only rises.
	ok(t, s.Intake.Commit(ctx, &intake.Round{Senders: []intake.SenderRow{{DID: "did:a", Inst: 3, Forgotten: 20}}}))
	sender, err := s.Intake.Sender(ctx, "did:a", 3)
	ok(t, err)
	same(t, sender, &intake.SenderRow{DID: "did:a", Inst: 3, Forgotten: 50})
	if sender, err = s.Intake.Sender(ctx, "did:a", 4); err != nil || sender != nil {
		t.Fatalf("unknown sender: %v, %v", sender, err)
	}
	stream, err := s.Intake.Stream(ctx, "S")
	ok(t, err)
	same(t, stream, &intake.StreamRow{Stream: "S", Created: 1, Seq: 9})
	found, err := s.Intake.FindLane(ctx, "did:a", 3, []byte("chan"), "t")
	ok(t, err)
	same(t, found, &lane)
	if found, err = s.Intake.FindLane(ctx, "did:a", 3, []byte("other"), "t"); err != nil || found != nil {
		t.Fatalf("unknown lane: %v, %v", found, err)
	}
}

func sessions(t *testing.T, s Stores) {
	a, b := session(1), session(2)
	b.State, b.Due = intake.Waiting, false
	c := session(3)
	c.Due, c.Expires = false, 10
	ok(t, s.Intake.Commit(ctx, &intake.Round{Sessions: []intake.SessionRow{a, b, c}}))
	got, err := s.Intake.Session(ctx, a.SID)
	ok(t, err)
	same(t, got, &a)
	if got, err = s.Intake.Session(ctx, [32]byte{99}); err != nil || got != nil {
		t.Fatalf("unknown session: %v, %v", got, err)
	}
	list, err := s.Intake.Unsettled(ctx, 0, 10)
	ok(t, err)
	same(t, list, []intake.SessionRow{a, b})
	list, err = s.Intake.SessionsOf(ctx, 1, 2)
	ok(t, err)
	same(t, list, []intake.SessionRow{b, c})
	list, err = s.Intake.Expired(ctx, 11, 10)
	ok(t, err)
	same(t, list, []intake.SessionRow{c})
	d := b
	d.Secret = nil
	ok(t, s.Intake.Commit(ctx, &intake.Round{Sessions: []intake.SessionRow{d}}))
	list, err = s.Intake.Secrets(ctx, 1001, 10)
	ok(t, err)
	same(t, list, []intake.SessionRow{c, a})
	list, err = s.Intake.Secrets(ctx, 1000, 10)
	ok(t, err)
	same(t, list, []intake.SessionRow{c})
	// A stable row changes its ledger and nothing else.
	a2 := a
	a2.Stable, a2.Ledger, a2.Due, a2.Code, a2.Secret = true, []byte("more"), false, "ignored", nil
	ok(t, s.Intake.Commit(ctx, &intake.Round{Sessions: []intake.SessionRow{a2}}))
	got, err = s.Intake.SessionByID(ctx, 1)
	ok(t, err)
	a.Ledger, a.Due = []byte("more"), false
	same(t, got, &a)
	info, err := s.Inbox.SessionInfo(ctx, 1)
	ok(t, err)
	if info.From != "did:a" || info.Topic != "t" {
		t.Fatalf("info %+v", info)
	}
}

func entries(t *testing.T, s Stores) {
	waiting, refused := entry(1, 1, 0), entry(1, 2, 0)
	refused.Body, refused.IDs, refused.Verdict = nil, nil, []byte("v")
	ok(t, s.Intake.Commit(ctx, &intake.Round{Sessions: []intake.SessionRow{session(1)}, Entries: []inbox.Row{entry(1, 0, 1), waiting, refused, entry(1, 3, 0)}}))
	held, err := s.Intake.Entry(ctx, waiting.ID)
	ok(t, err)
	same(t, held, &intake.Held{ID: waiting.ID, D: waiting.D, T: 11, Frames: 2, Content: true})
	if held, err = s.Intake.Entry(ctx, 77); err != nil || held != nil {
		t.Fatalf("unknown entry: %v, %v", held, err)
	}
	pending, err := s.Intake.Pending(ctx, inbox.MaxSeq, inbox.MaxSeq+9, 10)
	ok(t, err)
	if len(pending) != 2 || pending[0].ID != waiting.ID {
		t.Fatalf("pending %+v", pending)
	}
	rows, err := s.Inbox.Ready(ctx, 0, 10)
	ok(t, err)
	if len(rows) != 1 || rows[0].Pos != 1 || rows[0].Body != nil {
		t.Fatalf("ready %+v", rows)
	}
	ok(t, s.Intake.Commit(ctx, &intake.Round{Release: []intake.Release{{ID: waiting.ID, Pos: 2, Late: true}}, Refuse: []intake.Refuse{{ID: inbox.MaxSeq + 3, Verdict: []byte("no")}}}))
	row, err := s.Inbox.At(ctx, 2)
	ok(t, err)
	if row == nil || row.ID != waiting.ID || !row.Late || row.Session() != 1 || row.Seq() != 1 {
		t.Fatalf("row %+v", row)
	}
	if row, err = s.Inbox.At(ctx, 3); err != nil || row != nil {
		t.Fatalf("a refused entry got a place: %v, %v", row, err)
	}
	body, err := s.Inbox.Body(ctx, waiting.ID)
	ok(t, err)
	same(t, string(body), "body 1")
	proof, err := s.Intake.Proof(ctx, waiting.ID)
	ok(t, err)
	same(t, string(proof), "proof")
	n := 0
	ok(t, s.Intake.FrameIDs(ctx, inbox.MaxSeq, 2*inbox.MaxSeq-1, 21, func(id int64, ids []byte) { n += len(ids) }))
	same(t, n, 64)
	sizes, err := s.Intake.SenderBytes(ctx)
	ok(t, err)
	same(t, sizes, map[string]int64{"sender": 12})
}

func parked(t *testing.T, s Stores) {
	p := intake.ParkedRow{ID: 1, SID: [32]byte{1}, Sender: "a", Subject: "m", At: 5, Wire: []byte("wire")}
	q := intake.ParkedRow{ID: 2, SID: [32]byte{2}, Sender: "a", Subject: "m", At: 6, Wire: []byte("longer")}
	ok(t, s.Intake.Commit(ctx, &intake.Round{Park: []intake.ParkedRow{p, q}}))
	list, err := s.Intake.Parked(ctx, p.SID, 10)
	ok(t, err)
	same(t, list, []intake.ParkedRow{p})
	list, err = s.Intake.ParkedBefore(ctx, 6, 10)
	ok(t, err)
	p.Wire, p.Size = nil, 4
	same(t, list, []intake.ParkedRow{p})
	sizes, err := s.Intake.ParkedBytes(ctx)
	ok(t, err)
	same(t, sizes, map[string]int64{"a": 10})
	ok(t, s.Intake.Commit(ctx, &intake.Round{Unpark: []int64{1}}))
	if list, err = s.Intake.Parked(ctx, p.SID, 10); err != nil || len(list) != 0 {
		t.Fatalf("still parked: %v, %v", list, err)
	}
}

func forgetting(t *testing.T, s Stores) {
	ok(t, s.Intake.Commit(ctx, &intake.Round{Sessions: []intake.SessionRow{session(1), session(2)}, Entries: []inbox.Row{entry(1, 0, 1), entry(1, 1, 0), entry(2, 0, 0)}}))
	ok(t, s.Intake.Commit(ctx, &intake.Round{Forget: []int64{1, 2}}))
	row, err := s.Intake.SessionByID(ctx, 1)
	ok(t, err)
	if row == nil || row.State != intake.Refused || row.Secret != nil || row.Grant != nil {
		t.Fatalf("session with unread content: %+v", row)
	}
	if info, err := s.Inbox.SessionInfo(ctx, 1); err != nil || info == nil {
		t.Fatalf("nobody knows whose the content is: %v", err)
	}
	if row, err = s.Intake.SessionByID(ctx, 2); err != nil || row != nil {
		t.Fatalf("session without content: %v, %v", row, err)
	}
	if list, err := s.Intake.Expired(ctx, 1<<50, 10); err != nil || len(list) != 0 {
		t.Fatalf("expires again: %v, %v", list, err)
	}
	n, err := s.Inbox.Prune(ctx, 1, 1000, 10)
	ok(t, err)
	same(t, n, 1)
	if row, err = s.Intake.SessionByID(ctx, 1); err != nil || row != nil {
		t.Fatalf("session stays after its content: %v, %v", row, err)
	}
}

func keys(t *testing.T, s Stores) {
	ok(t, s.Inbox.AddKey(ctx, inbox.KeyRow{ID: 1, At: 5, Wrapped: []byte("a")}))
	ok(t, s.Inbox.AddKey(ctx, inbox.KeyRow{ID: 2, At: 6, Wrapped: []byte("b")}))
	if err := s.Inbox.AddKey(ctx, inbox.KeyRow{ID: 2, At: 7, Wrapped: []byte("c")}); err == nil {
		t.Fatal("a data key was replaced")
	}
	ok(t, s.Inbox.RemoveKeys(ctx, 100))
	list, err := s.Inbox.Keys(ctx)
	ok(t, err)
	same(t, list, []inbox.KeyRow{{ID: 2, At: 6, Wrapped: []byte("b")}})
}

func cursors(t *testing.T, s Stores) {
	c, err := s.Inbox.Consumer(ctx, "ch", "app")
	ok(t, err)
	if c.Floor != 0 || c.Handed != 0 || c.HandedFrame != -1 {
		t.Fatalf("a new consumer: %+v", c)
	}
	again, err := s.Inbox.Consumer(ctx, "ch", "app")
	ok(t, err)
	same(t, again, c)
	c.Floor, c.Handed, c.HandedFrame = 4, 6, 1
	ok(t, s.Inbox.CommitCursors(ctx, &inbox.Change{Consumers: []inbox.ConsumerRow{*c}, Acks: []inbox.AckRow{{Consumer: c.ID, Pos: 5, Bits: []byte{1}}, {Consumer: c.ID, Pos: 6, Bits: []byte{2}}}}))
	ok(t, s.Inbox.CommitCursors(ctx, &inbox.Change{Acks: []inbox.AckRow{{Consumer: c.ID, Pos: 6, Bits: []byte{3}}}}))
	c.Floor = 5
	ok(t, s.Inbox.CommitCursors(ctx, &inbox.Change{Consumers: []inbox.ConsumerRow{*c}, Floors: []inbox.ConsumerRow{*c}}))
	acks, err := s.Inbox.Acks(ctx, c.ID)
	ok(t, err)
	same(t, acks, []inbox.AckRow{{Consumer: c.ID, Pos: 6, Bits: []byte{3}}})
	all, err := s.Inbox.Consumers(ctx)
	ok(t, err)
	same(t, all, []inbox.ConsumerRow{*c})
	ok(t, s.Inbox.RemoveConsumer(ctx, "ch", "app"))
	if acks, err = s.Inbox.Acks(ctx, c.ID); err != nil || len(acks) != 0 {
		t.Fatalf("acknowledgements of a removed consumer: %v, %v", acks, err)
	}
}

func pruning(t *testing.T, s Stores) {
	ok(t, s.Intake.Commit(ctx, &intake.Round{Sessions: []intake.SessionRow{session(1)}, Entries: []inbox.Row{entry(1, 0, 1), entry(1, 1, 2), entry(1, 2, 3)}}))
	n, err := s.Inbox.Prune(ctx, 2, 21, 10) // up to the second place, of which only the first is old enough
	ok(t, err)
	same(t, n, 1)
	held, err := s.Intake.Entry(ctx, inbox.MaxSeq)
	ok(t, err)
	if held == nil || held.Content || held.D != entry(1, 0, 1).D {
		t.Fatalf("the ledger lost a pruned entry: %+v", held)
	}
	rows, err := s.Inbox.Ready(ctx, 0, 10)
	ok(t, err)
	if len(rows) != 2 {
		t.Fatalf("ready %+v", rows)
	}
}
