package outbox_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// pages reads the whole log in pages of max.
func pages(t *testing.T, w *world, f gateway.EntryFilter) []gateway.Entry {
	t.Helper()
	var out []gateway.Entry
	for {
		list, err := w.box.Entries(background, f)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) > f.Max {
			t.Fatalf("%d entries of at most %d", len(list), f.Max)
		}
		out = append(out, list...)
		if len(list) < f.Max {
			return out
		}
		f.Before = list[len(list)-1].Cursor
	}
}

func ids(list []gateway.Entry) []string {
	var out []string
	for _, e := range list {
		out = append(out, e.ID)
	}
	return out
}

func TestLogIsNewestFirst(t *testing.T) {
	w := newWorld(t)
	b, c := newParty(began.UnixMilli()), newParty(began.UnixMilli())
	w.book.admit(b)
	w.book.admit(c)
	w.channels.put(&gateway.Channel{Name: "other", Topic: topicName, Send: &gateway.Admission{Roles: []string{roleName}}})
	w.files = newFiles()
	w.start()
	var all, others, toB []string
	for n := range 24 {
		d := draft(n)
		switch n % 4 {
		case 1:
			d.Channel = "other"
		case 2:
			d.To = []string{c.did}
		}
		out, errs := w.box.Send(background, []gateway.Draft{d, d}) // two of one envelope
		for i, a := range out {
			if errs[i] != nil {
				t.Fatal(errs[i])
			}
			all = append(all, a.ID)
			if n%4 == 1 {
				others = append(others, a.ID)
			}
			if n%4 != 2 {
				toB = append(toB, a.ID)
			}
		}
		switch n % 8 {
		case 3:
			w.clock.Advance(20 * time.Minute) // several sessions a lane
		case 5, 6:
			w.clock.Advance(time.Millisecond)
		}
	}
	// One waits for its file, and is the newest.
	w.clock.Advance(time.Second)
	file := w.files.put("a.csv", 7)
	late := w.send(fileDraft(file))
	all = append(all, late.ID)
	for _, x := range [][]string{all, others, toB} {
		slices.Reverse(x)
	}
	for _, max := range []int{1, 7, 200} {
		if got := pages(t, w, gateway.EntryFilter{Max: max}); !slices.Equal(sorted(ids(got)), sorted(all)) || !newestFirst(got) || got[0].ID != late.ID {
			t.Fatalf("pages of %d: %d entries, want %d in their order", max, len(got), len(all))
		}
		if got := pages(t, w, gateway.EntryFilter{Max: max, Channel: "other"}); !slices.Equal(sorted(ids(got)), sorted(others)) || !newestFirst(got) {
			t.Fatalf("pages of %d of a channel: %d entries, want %d", max, len(got), len(others))
		}
		if got := pages(t, w, gateway.EntryFilter{Max: max, Partner: b.did}); !slices.Equal(sorted(ids(got)), sorted(toB)) || !newestFirst(got) {
			t.Fatalf("pages of %d of a partner: %d entries, want %d", max, len(got), len(toB))
		}
	}
	if got := pages(t, w, gateway.EntryFilter{Max: 9, Partner: b.did, Channel: "none"}); len(got) != 0 {
		t.Fatalf("%d entries of no channel", len(got))
	}
	for _, bad := range []string{"x", "1", "1.zz", "-1.01", "99999999999999999999.01"} {
		if _, err := w.box.Entries(background, gateway.EntryFilter{Max: 9, Before: bad}); code(err) != "cursor_invalid" {
			t.Errorf("cursor %q: %v", bad, err)
		}
	}
	list := must(w.box.Entries(background, gateway.EntryFilter{Max: 2}))
	if e := list[0]; e.State != gateway.StateWaiting || e.Code != gateway.CodeUploading || e.File == nil || e.File.Name != "a.csv" || e.Size != 7 || e.Direction != gateway.Out {
		t.Fatalf("entry %+v", e)
	}
	if e := list[1]; e.State != gateway.StateAccepted || e.Type != gateway.TypeJSON || e.Size != int64(len(`{"n":23}`)) || e.Count != 2 || len(e.To) != 2 || e.Topic != topicName {
		t.Fatalf("entry %+v", e)
	}
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

func newestFirst(list []gateway.Entry) bool {
	return slices.IsSortedFunc(list, func(a, b gateway.Entry) int { return int(b.Here - a.Here) })
}

func TestTraceTellsAll(t *testing.T) {
	w, b, c := two(t)
	at := w.now()
	d := draft(5)
	d.Corr, d.Txn, d.Attrs = "corr", "txn", map[string]string{"k": "v"}
	a := w.send(d)
	tr := must(w.box.Trace(background, a.ID))
	if string(tr.Body) != `{"n":5}` || tr.Corr != "corr" || tr.Txn != "txn" || tr.Attrs["k"] != "v" || tr.Type != gateway.TypeJSON || tr.Size != 7 || len(tr.To) != 2 || tr.Count != 2 {
		t.Fatalf("trace %+v", tr)
	}
	sid, _ := b.last()
	want := map[string]string{"session": sid.String(), "seq": "1", "prev": b.sessions[sid].head.String(), "certificate": w.self.cert.Digest().String()}
	b.catchUp(w)
	want["digest"] = b.sessions[sid].head.String()
	for k, v := range want {
		if tr.Protocol[k] != v {
			t.Errorf("%s is %q, want %q", k, tr.Protocol[k], v)
		}
	}
	w.clock.Advance(2 * time.Second)
	b.confirm(t, w)
	lane := c.catchUp(w).custody(sid)
	lane.Refused = []envelope.Refusal{{First: 1, Last: 1, Code: envelope.BadSchema, Frame: 0}}
	w.clock.Advance(time.Second)
	if err := w.box.Receipt(background, c.addr, c.receipt(w.now(), lane)); err != nil {
		t.Fatal(err)
	}
	w.net.await(t, "all steps", func() bool {
		tr = must(w.box.Trace(background, a.ID))
		return stepNames(tr.Steps) == "queued sealed published published delivered refused"
	})
	if tr.Body != nil || tr.Corr != "" {
		t.Fatalf("content is there though nobody can ask for it: %+v", tr)
	}
	last := tr.Steps[5]
	if last.Note != c.did+": schema" || last.At != at+3_000 || tr.Steps[4].Note != b.did || tr.Steps[4].At != at+2_000 {
		t.Fatalf("steps %+v", tr.Steps)
	}
	for _, r := range tr.Sent.Recipients {
		want := map[string]string{b.did: "published delivered", c.did: "published refused"}[r.DID]
		if stepNames(r.Steps) != want {
			t.Errorf("%s: %s", r.DID, stepNames(r.Steps))
		}
	}
	if _, err := w.box.Trace(background, "00000000-0000-4000-8000-000000000000"); code(err) != gateway.CodeMessageUnknown {
		t.Fatal(err)
	}
	// One that waits shows its content and why.
	w.book.set(func() { w.book.fail = envelope.BadPackage.Errorf("absent") })
	w.clock.Advance(time.Hour)
	waits := w.send(draft(77))
	if tr = must(w.box.Trace(background, waits.ID)); string(tr.Body) != `{"n":77}` || tr.State != gateway.StateWaiting || tr.Topic != topicName || stepNames(tr.Steps) != "queued" {
		t.Fatalf("trace %+v", tr)
	}
}

// TestReopenedMessagesAreListedOnce: what went on in another session is not
// shown where it was first.
func TestReopenedMessagesAreListedOnce(t *testing.T) {
	w, b, c := two(t)
	first := must(w.box.Entries(background, gateway.EntryFilter{Max: 9}))
	sid, _ := b.last()
	for _, r := range []*reader{b, c} {
		if err := w.box.Receipt(background, r.addr, r.receipt(w.now(), envelope.RefuseSession(sid, envelope.BadTime))); err != nil {
			t.Fatal(err)
		}
	}
	w.net.await(t, "the second session", func() bool { return len(w.net.to(b.addr)) >= 4 })
	if list := must(w.box.Entries(background, gateway.EntryFilter{Max: 9})); len(list) != 1 || list[0].ID != first[0].ID || list[0].State == gateway.StateRefused {
		t.Fatalf("entries %+v", list)
	}
}

func TestLiveViews(t *testing.T) {
	w := newWorld(t)
	b := newParty(began.UnixMilli())
	w.book.admit(b)
	w.activity = newWatcher()
	w.start()
	a := w.send(draft(1))
	w.clock.Advance(1500 * time.Millisecond)
	newReader(t, b, w.self).catchUp(w).confirm(t, w)
	w.net.await(t, "the delivery", func() bool {
		return slices.Equal(w.activity.of(a.ID), []gateway.State{gateway.StateAccepted, gateway.StateDelivered})
	})
	if !slices.Equal(w.activity.latency, []int64{1500}) {
		t.Fatalf("latencies %v", w.activity.latency)
	}
	w.net.set(nil)
	w.book.set(func() { w.book.fail = errors.New("away") })
	w.clock.Advance(time.Hour)
	waits := w.send(draft(2))
	if got := w.activity.of(waits.ID); !slices.Equal(got, []gateway.State{gateway.StateWaiting}) {
		t.Fatalf("states %v", got)
	}
	w.book.set(func() { w.book.fail = nil })
	w.net.await(t, "the news", func() bool {
		return slices.Equal(w.activity.of(waits.ID), []gateway.State{gateway.StateWaiting, gateway.StateAccepted})
	})
}

// BenchmarkEntries is a page of 50 in the middle of a log of 20,000 messages.
func BenchmarkEntries(b *testing.B) {
	w := newWorld(b)
	w.book.admit(newParty(began.UnixMilli()))
	w.config.MaxBytes = 1 << 40
	w.net.forget = true
	w.start()
	var cursor string
	for n := range 200 {
		batch := make([]gateway.Draft, 100)
		for i := range batch {
			batch[i] = gateway.Draft{Channel: "telemetry", Body: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))}
		}
		if _, errs := w.box.Send(background, batch); errs[0] != nil {
			b.Fatal(errs[0])
		}
		w.clock.Advance(10 * time.Minute)
		if n == 100 {
			cursor = must(w.box.Entries(background, gateway.EntryFilter{Max: 1}))[0].Cursor
		}
	}
	for b.Loop() {
		if list := must(w.box.Entries(background, gateway.EntryFilter{Max: 50, Before: cursor})); len(list) != 50 {
			b.Fatal(len(list))
		}
	}
}
