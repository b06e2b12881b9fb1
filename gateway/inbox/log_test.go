package inbox_test

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/inbox"
	"github.com/digital-spine/spine/gateway/intake"
	"github.com/digital-spine/spine/internal/problem"
)

// logID is the id of the i-th message of fill.
func logID(i int) (id envelope.ID) {
	binary.BigEndian.PutUint64(id[:], uint64(i)+1)
	id[15] = 1
	return id
}

// fill stores rows of frames each, handed over in their order, of sessions 1
// and 3 in turn.
func (d *desk) fill(rows, frames int) {
	d.t.Helper()
	var list []inbox.Row
	n := 0
	for r := range rows {
		d.pos++
		session := int64(1 + r%2*2)
		id := session*inbox.MaxSeq + d.seq[session]
		d.seq[session]++
		row := inbox.Row{ID: id, T: 5, At: d.clock.Now().UnixMilli() + int64(r), Topic: topic, Pos: d.pos, Size: frames}
		binary.BigEndian.PutUint64(row.D[:], uint64(id))
		if session == 3 {
			row.Topic = "other." + topic
		}
		var raw [][]byte
		for range frames {
			f := envelope.Frame{ID: logID(n), Type: "application/json", Body: []byte(`{}`), At: 1}
			n++
			raw = append(raw, f.Append(nil))
			row.IDs = append(append(row.IDs, f.ID[:]...), make([]byte, 16)...)
		}
		row.Key, row.Body = d.vault.Seal(inbox.EntryAAD(id), inbox.Pack([32]byte{}, raw))
		list = append(list, row)
	}
	d.must(d.store.Intake().Commit(d.ctx, &intake.Round{Entries: list}))
}

// all lists every entry of a filter, page by page, newest first.
func (d *desk) all(f gateway.EntryFilter) (out []gateway.Entry) {
	d.t.Helper()
	for {
		page, err := d.in.Entries(d.ctx, f)
		d.must(err)
		out = append(out, page...)
		if len(page) < f.Max {
			return out
		}
		f.Before = page[len(page)-1].Cursor
	}
}

// TestLogOfMany: more messages than are written into the look-up at once are
// all listed and found, before it is written, while it is, and after.
func TestLogOfMany(t *testing.T) {
	d := newDesk(t)
	const rows, frames = 1300, 8
	d.fill(rows, frames)
	check := func(when string) {
		t.Helper()
		for _, i := range []int{0, 1, rows * frames / 2, rows*frames - 1} {
			id := gateway.FormatID(logID(i))
			tr, err := d.in.Trace(d.ctx, id)
			if err != nil || tr.ID != id || string(tr.Body) != `{}` {
				t.Fatalf("%s: message %d: %+v, %v", when, i, tr, err)
			}
		}
		for name, f := range map[string]gateway.EntryFilter{"all": {}, "channel": {Channel: "other"}, "partner": {Partner: "did:a"}} {
			f.Max = 200
			got := d.all(f)
			want := rows * frames
			if name == "channel" {
				want /= 2
			}
			if len(got) != want {
				t.Fatalf("%s: %s has %d entries, expected %d", when, name, len(got), want)
			}
			seen := make(map[string]bool, want)
			for i, e := range got {
				if seen[e.ID] || i > 0 && e.Here > got[i-1].Here {
					t.Fatalf("%s: %s: entry %d is there twice or out of order", when, name, i)
				}
				seen[e.ID] = true
			}
		}
	}
	check("while it is written")
	check("after")
	if _, err := d.in.Trace(d.ctx, gateway.FormatID(logID(rows*frames))); problem.CodeOf(err) != gateway.CodeMessageUnknown {
		t.Fatal(err)
	}
	d.restart()
	check("after a restart")
}

// TestLogOfPruned: of what was pruned the log still has who and when; what
// points at it is swept.
func TestLogOfPruned(t *testing.T) {
	d := newDesk(t)
	d.fill(4, 2)
	got, err := d.in.Pull(d.ctx, gateway.Consumer{}, 100, 0)
	d.must(err)
	d.ack(got...)
	if len(d.all(gateway.EntryFilter{Channel: "in", Max: 10})) != 4 {
		t.Fatal("before")
	}
	held := func(want bool, ids ...string) {
		t.Helper()
		if got, err := d.in.Held(d.ctx, ids); err != nil || got != want {
			t.Fatalf("held %v, %v; want %v", got, err, want)
		}
	}
	other := gateway.FormatID(logID(1000))
	held(true, other, got[0].ID)
	held(false, other)
	d.clock.Advance(inbox.DefaultKeep + time.Hour)
	ctx, cancel := context.WithCancel(d.ctx)
	done := make(chan error)
	go func() { done <- d.in.Run(ctx) }()
	d.must(d.clock.BlockUntilContext(d.ctx, 1)) // pruned, swept, and waiting for the next time
	cancel()
	d.must(<-done)
	held(false, other, got[0].ID)
	list := d.all(gateway.EntryFilter{Max: 3})
	if len(list) != 8 {
		t.Fatalf("%d entries", len(list))
	}
	for _, e := range list {
		if e.State != inbox.StateVerified || e.From != "did:a" || e.Type != "" || !gateway.ValidID(e.ID) {
			t.Fatalf("entry %+v", e)
		}
	}
	tr, err := d.in.Trace(d.ctx, gateway.FormatID(logID(3)))
	d.must(err)
	if tr.Body != nil || tr.State != inbox.StateVerified {
		t.Fatalf("trace %+v", tr)
	}
	for _, pos := range []inbox.Find{{Key: inbox.KeyOfSender("did:a")}, {Key: inbox.KeyOfTopic(topic)}} {
		if left, err := d.store.Inbox().Found(d.ctx, pos.Key, 1<<62, 10); err != nil || len(left) != 0 {
			t.Fatalf("points nowhere: %v, %v", left, err)
		}
	}
}

// TestHeldAmongMany: what a message carries is held for it, however many others
// wait, have the same id, or were refused.
func TestHeldAmongMany(t *testing.T) {
	d := newDesk(t)
	const many = 5100
	ids := func(n int) []byte {
		id := logID(n)
		return append(append([]byte{}, id[:]...), make([]byte, 16)...)
	}
	var rows []inbox.Row
	add := func(session int64, pos int64, id int, body []byte) {
		d.seq[session]++
		rows = append(rows, inbox.Row{ID: session*inbox.MaxSeq + d.seq[session], T: 5, At: 10 + int64(len(rows)), Topic: topic, Pos: pos, Size: 1, IDs: ids(id), Body: body})
	}
	add(1, 0, 1, []byte("waits")) // the oldest
	for range many {
		add(1, 0, 2, nil) // refused
	}
	add(1, 1, 3, []byte("is here"))
	for i := range int64(600) {
		add(1, 2+i, 3, nil) // pruned
	}
	d.must(d.store.Intake().Commit(d.ctx, &intake.Round{Entries: rows}))
	for id, want := range map[int]bool{1: true, 2: false, 3: true, 4: false} {
		if got, err := d.in.Held(d.ctx, []string{"no id", gateway.FormatID(logID(id))}); err != nil || got != want {
			t.Fatalf("message %d: held %v, %v", id, got, err)
		}
	}
}
