package conformance

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/files"
)

// Files is the suite of the files. fresh makes an empty database and returns
// how to open it: each call closes what the call before it returned.
func Files(t *testing.T, fresh func(t *testing.T) (open func() files.Store)) {
	t.Run("key", func(t *testing.T) { filesKey(t, fresh(t)) })
	t.Run("rows", func(t *testing.T) { filesRows(t, fresh(t)) })
	t.Run("lists", func(t *testing.T) { filesLists(t, fresh(t)) })
	t.Run("blobs", func(t *testing.T) { filesBlobs(t, fresh(t)) })
}

func filesKey(t *testing.T, open func() files.Store) {
	if k, err := open().Key(ctx); err != nil || k != nil {
		t.Fatal(k, err)
	}
	st := open()
	ok(t, st.SetKey(ctx, []byte{1, 2}))
	if err := st.SetKey(ctx, []byte{3}); err == nil {
		t.Fatal("the key was replaced")
	}
	if k, err := open().Key(ctx); err != nil || !slices.Equal(k, []byte{1, 2}) {
		t.Fatal(k, err)
	}
}

// fileRow has every member set.
func fileRow(id string) files.Row {
	return files.Row{ID: id, Direction: files.Stored, State: files.StateUploading, Code: "c", Size: 30, Bytes: 10, At: 1, Touched: 2, Keep: 3, Pushed: 4, Channel: "ch",
		From: "did:a", OID: [16]byte{1, 2}, Inline: true, Send: true, Passed: make([]byte, 64), Meta: []byte("meta"), Mark: []byte("mark"), Charged: 40}
}

func sameRow(t *testing.T, got *files.Row, want files.Row) {
	t.Helper()
	if got == nil {
		t.Fatal("no row")
	}
	if d := cmp.Diff(want, *got, cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("differs (-want +got):\n%s", d)
	}
}

func filesRows(t *testing.T, open func() files.Store) {
	st := open()
	want := fileRow("a")
	if had, err := st.Add(ctx, &want, []envelope.Digest{{1}, {2}}); err != nil || had != nil {
		t.Fatal(had, err)
	}
	if _, err := st.Add(ctx, &want, nil); err == nil {
		t.Fatal("an id twice")
	}
	parts := func(ds ...envelope.Digest) {
		t.Helper()
		got, err := open().Parts(ctx, "a")
		ok(t, err)
		same(t, got, ds)
	}
	read := func(id string) *files.Row {
		t.Helper()
		r, err := open().Row(ctx, id)
		ok(t, err)
		return r
	}
	sameRow(t, read("a"), want)
	parts(envelope.Digest{1}, envelope.Digest{2})
	if r := read("b"); r != nil {
		t.Fatal(r)
	}
	// Every member that may change does, and parts follow those that are there.
	change := func(fn func(*files.Row), more ...envelope.Digest) {
		t.Helper()
		got, err := open().Change(ctx, "a", func(r *files.Row) error { fn(r); return nil }, more...)
		ok(t, err)
		fn(&want)
		sameRow(t, got, want)
		sameRow(t, read("a"), want)
	}
	change(func(r *files.Row) {
		r.Direction, r.State, r.Code, r.Size, r.Bytes, r.Touched, r.Keep, r.Pushed, r.Channel = files.Out, files.StateReady, "", 31, 31, 5, 6, 7, "other"
		r.Send, r.Passed, r.Meta, r.Mark, r.Charged = false, nil, []byte("m2"), nil, 41
	}, envelope.Digest{3})
	parts(envelope.Digest{1}, envelope.Digest{2}, envelope.Digest{3})
	// The tail is no part; it is set, kept, replaced and taken away.
	change(func(r *files.Row) { r.Tail = &envelope.Digest{9} })
	change(func(r *files.Row) { r.Bytes = 32 })
	change(func(r *files.Row) { r.Tail = &envelope.Digest{8} }, envelope.Digest{4})
	parts(envelope.Digest{1}, envelope.Digest{2}, envelope.Digest{3}, envelope.Digest{4})
	change(func(r *files.Row) { r.Tail = nil })
	// A refusal of fn changes nothing; a file that is not there is none.
	if _, err := open().Change(ctx, "a", func(r *files.Row) error { r.Bytes = 0; return files.ErrFull }, envelope.Digest{5}); err == nil {
		t.Fatal("no error")
	}
	sameRow(t, read("a"), want)
	if r, err := open().Change(ctx, "b", func(*files.Row) error { return nil }, envelope.Digest{5}); err != nil || r != nil {
		t.Fatal(r, err)
	}
	// Received ones are found by sender and object; the first stays.
	in := fileRow("in")
	in.Direction, in.Tail = files.In, nil
	st = open()
	if had, err := st.Add(ctx, &in, []envelope.Digest{{7}}); err != nil || had != nil {
		t.Fatal(had, err)
	}
	twin := in
	twin.ID = "in2"
	had, err := open().Add(ctx, &twin, []envelope.Digest{{7}})
	ok(t, err)
	sameRow(t, had, in)
	if r := read("in2"); r != nil {
		t.Fatal(r)
	}
	twin.From = "did:b"
	if had, err := open().Add(ctx, &twin, []envelope.Digest{{7}}); err != nil || had != nil {
		t.Fatal(had, err)
	}
	got, err := open().Received(ctx, "did:a", in.OID)
	ok(t, err)
	sameRow(t, got, in)
	if got, err := open().Received(ctx, "did:c", in.OID); err != nil || got != nil {
		t.Fatal(got, err)
	}
}

func filesLists(t *testing.T, open func() files.Store) {
	st := open()
	for i, id := range []string{"a", "b", "c", "d", "e"} {
		r := fileRow(id)
		r.OID[0], r.Inline, r.Send = byte(i), id == "c", id == "e"
		r.Touched, r.Keep, r.Charged = int64(10+i), 0, 100
		r.State = files.StateReady
		switch id {
		case "b":
			r.Direction, r.Keep = files.In, 1000
		case "d":
			r.State = files.StateUploading
		}
		_, err := st.Add(ctx, &r, nil)
		ok(t, err)
	}
	ids := func(rows []files.Row, err error) (out []string) {
		t.Helper()
		ok(t, err)
		for _, r := range rows {
			out = append(out, r.ID)
		}
		return out
	}
	listed := func(f files.Filter) (out []string, next string) {
		t.Helper()
		rows, err := st.List(ctx, f)
		ok(t, err)
		for _, r := range rows {
			out, next = append(out, r.ID), r.Cursor
		}
		return out, next
	}
	got, _ := listed(files.Filter{Max: 10})
	same(t, got, []string{"e", "d", "b", "a"})
	got, next := listed(files.Filter{Max: 2})
	same(t, got, []string{"e", "d"})
	got, _ = listed(files.Filter{Max: 2, Before: next})
	same(t, got, []string{"b", "a"})
	got, _ = listed(files.Filter{Max: 2, Direction: files.In})
	same(t, got, []string{"b"})
	if got, _ = listed(files.Filter{Max: 2, Before: "no cursor"}); len(got) != 0 {
		t.Fatal(got)
	}
	same(t, ids(st.Due(ctx, files.Due{}, 14, 10)), []string{"a", "c", "d"})
	same(t, ids(st.Due(ctx, files.Due{State: files.StateReady}, 100, 2)), []string{"a", "c"})
	same(t, ids(st.Due(ctx, files.Due{State: files.StateUploading}, 100, 2)), []string{"d"})
	same(t, ids(st.Due(ctx, files.Due{State: files.StateReady, Direction: files.In}, 2000, 2)), []string{"b"})
	same(t, ids(st.Due(ctx, files.Due{Inline: true}, 100, 9)), []string{"c"})
	same(t, ids(st.Pending(ctx)), []string{"e"})
	_, err := st.Change(ctx, "d", func(r *files.Row) error { r.State = files.StatePushing; return nil })
	ok(t, err)
	same(t, ids(st.Pending(ctx)), []string{"d", "e"})
	if used, err := st.Used(ctx); err != nil || used != 500 {
		t.Fatal(used, err)
	}
	for from, want := range map[string]int64{"did:a": 100, "did:b": 0} { // sent ones have no sender's share
		if used, err := st.UsedFrom(ctx, from); err != nil || used != want {
			t.Fatal(from, used, err)
		}
	}
	for _, m := range []string{"m1", "m2", "m1"} {
		ok(t, st.Note(ctx, "a", m, 20))
	}
	ok(t, st.Note(ctx, "nothing", "m1", 20))
	notes, err := open().Messages(ctx, "a")
	ok(t, err)
	same(t, notes, []string{"m1", "m2"})
	st = open()
	touched, err := st.Row(ctx, "a")
	ok(t, err)
	same(t, touched.Touched, int64(20))
	ok(t, st.Note(ctx, "a", "m1", 30)) // is noted: touches nothing
	touched, err = st.Row(ctx, "a")
	ok(t, err)
	same(t, touched.Touched, int64(20))
	newest, at, err := st.MessagesBefore(ctx, "a", -1, 1)
	ok(t, err)
	same(t, newest, []string{"m2"})
	newest, at, err = st.MessagesBefore(ctx, "a", at, 1)
	ok(t, err)
	same(t, newest, []string{"m1"})
	newest, _, err = st.MessagesBefore(ctx, "a", at, 1)
	ok(t, err)
	same(t, len(newest), 0)
	// What was sent is out; what was received stays so.
	st = open()
	ok(t, st.Sent(ctx, "e", "m3", "there"))
	ok(t, st.Sent(ctx, "b", "m3", "there"))
	sent, err := st.Row(ctx, "e")
	ok(t, err)
	kept, err := st.Row(ctx, "b")
	ok(t, err)
	if sent.Direction != files.Out || sent.Channel != "there" || sent.Send || kept.Direction != files.In || kept.Channel != "ch" {
		t.Fatalf("%+v, %+v", sent, kept)
	}
	with := fileRow("with")
	with.OID[0], with.Inline = 99, true
	_, err = st.Add(ctx, &with, nil, "m4", "m5")
	ok(t, err)
	notes, err = open().Messages(ctx, "with")
	ok(t, err)
	same(t, notes, []string{"m4", "m5"})
	rows, err := open().List(ctx, files.Filter{Max: 10})
	ok(t, err)
	same(t, rows[3].Messages, []string{"m1", "m2"})
}

func filesBlobs(t *testing.T, open func() files.Store) {
	if used, err := open().Used(ctx); err != nil || used != 0 {
		t.Fatal(used, err)
	}
	st := open()
	a, b := fileRow("a"), fileRow("b")
	b.OID[0]++
	_, err := st.Add(ctx, &a, []envelope.Digest{{1}, {2}})
	ok(t, err)
	_, err = st.Add(ctx, &b, []envelope.Digest{{2}, {3}})
	ok(t, err)
	_, err = st.Change(ctx, "a", func(r *files.Row) error { r.Tail = &envelope.Digest{4}; return nil })
	ok(t, err)
	ok(t, st.Note(ctx, "a", "m", 20))
	claimed, err := open().Claimed(ctx, []envelope.Digest{{1}, {2}, {3}, {4}, {5}})
	ok(t, err)
	if len(claimed) != 4 || claimed[envelope.Digest{5}] {
		t.Fatal(claimed)
	}
	// What another file has stays.
	orphans, err := open().Remove(ctx, "a")
	ok(t, err)
	slices.SortFunc(orphans, func(x, y envelope.Digest) int { return int(x[0]) - int(y[0]) })
	same(t, orphans, []envelope.Digest{{1}, {4}})
	if orphans, err = open().Remove(ctx, "a"); err != nil || len(orphans) != 0 {
		t.Fatal(orphans, err)
	}
	if notes, err := open().Messages(ctx, "a"); err != nil || len(notes) != 0 {
		t.Fatal(notes, err)
	}
	// What must stay is released first.
	kept := func(r *files.Row) bool { return r.Keep == 0 }
	if gone, orphans, err := open().RemoveIf(ctx, "b", kept); err != nil || gone || len(orphans) != 0 {
		t.Fatal(gone, orphans, err)
	}
	b.Keep = 0
	free, err := open().Release(ctx, "b")
	ok(t, err)
	sameRow(t, free, b)
	if free, err = open().Release(ctx, "a"); err != nil || free != nil {
		t.Fatal(free, err)
	}
	if gone, orphans, err := open().RemoveIf(ctx, "b", kept); err != nil || !gone || len(orphans) != 2 {
		t.Fatal(gone, orphans, err)
	}
	if gone, orphans, err := open().RemoveIf(ctx, "b", kept); err != nil || gone || len(orphans) != 0 {
		t.Fatal(gone, orphans, err)
	}
}
