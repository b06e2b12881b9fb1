package conformance

import (
	"testing"

	"github.com/digital-spine/spine/gateway/inbox"
	"github.com/digital-spine/spine/gateway/intake"
)

func apart(t *testing.T, s Stores) {
	notice, object := entry(1, 0, 0), entry(1, 1, 0)
	notice.Body, notice.IDs, notice.Size, notice.Key = nil, nil, 0, 0
	ok(t, s.Intake.Commit(ctx, &intake.Round{Sessions: []intake.SessionRow{session(1)}, Entries: []inbox.Row{notice, object, entry(1, 2, 1)},
		Watch: []intake.WatchRow{{Lane: 1, SID: [32]byte{1}}, {Lane: 2, SID: [32]byte{2}}}}))
	if pending, err := s.Intake.Pending(ctx, inbox.MaxSeq, inbox.MaxSeq+9, 10); err != nil || len(pending) != 1 {
		t.Fatalf("pending %+v, %v", pending, err)
	}
	fill := entry(1, 0, 2)
	fill.Fetched = 70
	refs := inbox.EncodeFiles([]inbox.FileRef{{Frame: 1, File: "f"}})
	ok(t, s.Intake.Commit(ctx, &intake.Round{Fill: []inbox.Row{fill}, Settle: []intake.Settle{{ID: object.ID, Files: refs}},
		Watch: []intake.WatchRow{{Lane: 1, SID: [32]byte{3}}}, Unwatch: []int64{2}}))
	row, err := s.Inbox.At(ctx, 2)
	ok(t, err)
	if row == nil || row.ID != fill.ID || row.Fetched != 70 || row.At != notice.At || row.Size != 2 {
		t.Fatalf("filled row %+v", row)
	}
	key, body, err := s.Intake.Content(ctx, fill.ID)
	ok(t, err)
	same(t, key, int64(1))
	same(t, string(body), "body 0")
	// What was filled is not filled again.
	fill.Body = []byte("other")
	ok(t, s.Intake.Commit(ctx, &intake.Round{Fill: []inbox.Row{fill}, Settle: []intake.Settle{{ID: object.ID, Files: refs, Verdict: []byte("v"), Fetched: 80}},
		Release: []intake.Release{{ID: object.ID, Pos: 3}}}))
	if _, body, _ = s.Intake.Content(ctx, fill.ID); string(body) != "body 0" {
		t.Fatalf("content was replaced by %q", body)
	}
	row, err = s.Inbox.At(ctx, 3)
	ok(t, err)
	if row == nil || row.ID != object.ID || row.Fetched != 80 || string(row.Files) != string(refs) || string(row.Verdict) != "v" {
		t.Fatalf("settled row %+v", row)
	}
	watched, err := s.Intake.Watched(ctx, 10)
	ok(t, err)
	same(t, watched, []intake.WatchRow{{Lane: 1, SID: [32]byte{3}}})
}

func finds(t *testing.T, s Stores) {
	ok(t, s.Intake.Commit(ctx, &intake.Round{Sessions: []intake.SessionRow{session(1)}, Entries: []inbox.Row{entry(1, 0, 1), entry(1, 1, 2), entry(1, 2, 0), entry(1, 3, 0)},
		Finds: []inbox.Find{{Key: []byte{1, 9}, Value: 77}}}))
	upto, err := s.Inbox.FoundUpTo(ctx)
	ok(t, err)
	same(t, upto, int64(0))
	rows, err := s.Inbox.Unfound(ctx, 1, 10)
	ok(t, err)
	if len(rows) != 1 || rows[0].Pos != 2 || len(rows[0].IDs) != 64 || rows[0].D != entry(1, 1, 2).D {
		t.Fatalf("unfound %+v", rows)
	}
	id, sender := []byte{1, 5}, []byte{2, 5}
	ok(t, s.Inbox.AddFinds(ctx, []inbox.Find{{Key: id, Value: inbox.MaxSeq}, {Key: sender, Value: 1}, {Key: sender, Value: 2}, {Key: sender, Value: 9}}, 2))
	ok(t, s.Inbox.AddFinds(ctx, []inbox.Find{{Key: sender, Value: 2}}, 3))
	upto, err = s.Inbox.FoundUpTo(ctx)
	ok(t, err)
	same(t, upto, int64(3))
	got, err := s.Inbox.Found(ctx, sender, 9, 10)
	ok(t, err)
	same(t, got, []int64{2, 1})
	// What points nowhere goes; the rest stays.
	for after := (inbox.Find{}); ; {
		if after, err = s.Inbox.SweepFinds(ctx, after, 2); err != nil || after.Key == nil {
			ok(t, err)
			break
		}
	}
	got, err = s.Inbox.Found(ctx, sender, 100, 10)
	ok(t, err)
	same(t, got, []int64{2, 1})
	if got, err = s.Inbox.Found(ctx, []byte{1, 9}, 100, 10); err != nil || len(got) != 0 {
		t.Fatalf("points nowhere and stays: %v, %v", got, err)
	}
	got, err = s.Inbox.Found(ctx, id, 1<<62, 10)
	ok(t, err)
	same(t, got, []int64{inbox.MaxSeq})
	upto, err = s.Inbox.FoundUpTo(ctx)
	ok(t, err)
	same(t, upto, int64(3))

	placed, err := s.Inbox.Placed(ctx, 2, 10)
	ok(t, err)
	if len(placed) != 1 || placed[0].Pos != 1 {
		t.Fatalf("placed %+v", placed)
	}
	list, err := s.Inbox.Apart(ctx, 1<<62, 1<<62, 10)
	ok(t, err)
	if len(list) != 2 || list[0].ID != inbox.MaxSeq+3 {
		t.Fatalf("apart %+v", list)
	}
	list, err = s.Inbox.Apart(ctx, list[0].At, list[0].ID, 10)
	ok(t, err)
	if len(list) != 1 || list[0].ID != inbox.MaxSeq+2 {
		t.Fatalf("apart %+v", list)
	}
	row, err := s.Inbox.Row(ctx, inbox.MaxSeq+1)
	ok(t, err)
	if row == nil || string(row.Proof) != "proof" || len(row.IDs) != 64 || row.Body != nil || row.Pos != 2 {
		t.Fatalf("row %+v", row)
	}
	if row, err = s.Inbox.Row(ctx, 7); err != nil || row != nil {
		t.Fatalf("unknown row: %v, %v", row, err)
	}
	core, since, err := s.Inbox.Core(ctx, 1)
	ok(t, err)
	same(t, string(core), "core")
	same(t, since, int64(5))
}

func times(t *testing.T, s Stores) {
	c, err := s.Inbox.Consumer(ctx, "ch", "app")
	ok(t, err)
	for i, x := range []inbox.ConsumerRow{{Handed: 3}, {Handed: 6, Floor: 2}, {Handed: 6, Floor: 6}} {
		x.ID = c.ID
		noted := inbox.TimeRow{Consumer: c.ID, At: int64(10 * (i + 1)), Handed: x.Handed, Floor: x.Floor}
		ok(t, s.Inbox.CommitCursors(ctx, &inbox.Change{Consumers: []inbox.ConsumerRow{x}, Times: []inbox.TimeRow{noted}}))
	}
	ok(t, s.Inbox.CommitCursors(ctx, &inbox.Change{Acks: []inbox.AckRow{{Consumer: c.ID, Pos: 8, Bits: []byte{1}}}}))
	handed, acked, err := s.Inbox.Times(ctx, c.ID, 4)
	ok(t, err)
	same(t, []int64{handed, acked}, []int64{20, 30})
	handed, acked, err = s.Inbox.Times(ctx, c.ID, 7)
	ok(t, err)
	same(t, []int64{handed, acked}, []int64{0, 0})
	bits, err := s.Inbox.Acked(ctx, c.ID, 8)
	ok(t, err)
	same(t, bits, []byte{1})
	_, err = s.Inbox.Prune(ctx, 0, 25, 10)
	ok(t, err)
	if handed, acked, err = s.Inbox.Times(ctx, c.ID, 2); err != nil || handed != 30 || acked != 30 {
		t.Fatalf("times %d, %d, %v", handed, acked, err)
	}
	ok(t, s.Inbox.RemoveConsumer(ctx, "ch", "app"))
	if handed, acked, err = s.Inbox.Times(ctx, c.ID, 2); err != nil || handed != 0 || acked != 0 {
		t.Fatalf("times of a removed consumer: %d, %d, %v", handed, acked, err)
	}
}
