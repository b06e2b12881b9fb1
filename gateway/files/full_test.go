package files_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/digital-spine/spine/blob"
	blobfile "github.com/digital-spine/spine/blob/file"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/files"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
)

// fullDisk has room for some more parts.
type fullDisk struct {
	files.Blobs
	room atomic.Int64
}

func (f *fullDisk) Create(ctx context.Context) (*blobfile.Draft, error) {
	if f.room.Add(-1) < 0 {
		return nil, blob.ErrFull
	}
	return f.Blobs.Create(ctx)
}

func TestFullDisk(t *testing.T) {
	ctx := testkit.Context(t)
	want := content(1, 3*envelope.MinPartSize+100)
	a, _, o := sent(t, want)
	disk := &fullDisk{}
	b := newHouse(t)
	b.broker = a.broker
	b.wrap = func(x files.Blobs) files.Blobs { disk.Blobs = x; return disk }
	box := b.open()
	// An upload that does not fit leaves nothing, wherever it stopped.
	for room := range int64(4) {
		disk.room.Store(room)
		u, err := box.Begin(ctx, files.New{Name: "x", Size: int64(len(want)), Channel: "ch", Send: true})
		if err != nil {
			t.Fatal(err)
		}
		_, err = box.Append(ctx, u.ID, 0, bytes.NewReader(want))
		b.code(err, files.CodeStorageFull)
		if _, err := box.Upload(ctx, u.ID); problem.CodeOf(err) != files.CodeUploadUnknown || b.left() != 0 {
			t.Fatalf("room for %d parts: %v, %d blobs are left", room, err, b.left())
		}
		if p := problem.From(err); p.Status != 507 {
			t.Fatal(p.Status)
		}
	}
	// A received file waits until there is room.
	disk.room.Store(2)
	id := b.take("k", o, nil)
	b.told("k", files.CodeStorageFull)
	if err := b.clock.BlockUntilContext(ctx, 2); err != nil {
		t.Fatal(err)
	}
	e, err := box.Entry(ctx, id)
	if err != nil || e.State != files.StatePulling || e.Code != files.CodeStorageFull || e.SHA256 != "" {
		t.Fatalf("%+v, %v", e, err)
	}
	disk.room.Store(10)
	b.clock.Advance(time.Second)
	b.told("k", "")
	b.is(id, want)
}

func TestQuotaAndRetention(t *testing.T) {
	a := newHouse(t)
	a.quota = 100_000
	box := a.open()
	ctx := testkit.Context(t)
	_, err := box.Begin(ctx, files.New{Size: 100_000})
	a.code(err, files.CodeStorageFull)
	first := a.put("1", content(1, 50_000))
	_, err = box.Begin(ctx, files.New{Size: 60_000})
	a.code(err, files.CodeStorageFull)
	u, err := box.Begin(ctx, files.New{Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = box.Append(ctx, u.ID, 0, bytes.NewReader(content(1, 10*mib))); problem.CodeOf(err) != files.CodeStorageFull {
		t.Fatal(err)
	}
	if a.left() != 1 {
		t.Fatalf("%d blobs", a.left())
	}
	// A file that was sent makes room once no message needs it.
	a.object(first, until)
	if err := next(t, a.pushed); err != nil {
		t.Fatal(err)
	}
	a.code(box.Remove(ctx, first), "file_in_use")
	_, err = box.Begin(ctx, files.New{Size: 60_000})
	a.code(err, files.CodeStorageFull)
	if err := box.Release(ctx, first); err != nil {
		t.Fatal(err)
	}
	a.clock.Advance(time.Second)
	second := a.put("2", content(2, 60_000))
	if _, err := box.Entry(ctx, first); problem.CodeOf(err) != files.CodeFileUnknown {
		t.Fatal(err)
	}
	// An upload that does not go on ends after a day, a file after its time.
	if u, err = box.Begin(ctx, files.New{Size: 10}); err != nil {
		t.Fatal(err)
	}
	gone := func(id string) {
		t.Helper()
		for {
			if _, err := box.Entry(ctx, id); problem.CodeOf(err) == files.CodeFileUnknown {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
	a.clock.Advance(25 * time.Hour)
	gone(u.ID)
	if _, err := box.Entry(ctx, second); err != nil {
		t.Fatal(err)
	}
	a.clock.Advance(30 * 24 * time.Hour)
	gone(second)
	for a.left() != 0 {
		time.Sleep(time.Millisecond)
	}
}

// unread is an inbox of which a test says whether it still has the messages.
type unread struct {
	has   atomic.Bool
	asked chan []string
}

func (u *unread) Held(_ context.Context, messages []string) (bool, error) {
	u.asked <- messages
	return u.has.Load(), nil
}

// TestReceivedFilesStayForUnreadMessages: what a message carries stays as long
// as the inbox has the message, whatever the time of files is.
func TestReceivedFilesStayForUnreadMessages(t *testing.T) {
	ctx := testkit.Context(t)
	want := content(1, 1000)
	a, _, o := sent(t, want)
	inbox := &unread{asked: make(chan []string, 100)}
	inbox.has.Store(true)
	b := newHouse(t)
	b.broker, b.held = a.broker, inbox
	box := b.open()
	id := b.take("k", o, nil)
	b.told("k", "")
	for range 2 {
		if err := b.clock.BlockUntilContext(ctx, 1); err != nil {
			t.Fatal(err)
		}
		b.clock.Advance(31 * 24 * time.Hour)
		if got := next(t, inbox.asked); len(got) != 1 || got[0] != "0b000000-0000-4000-8000-000000000001" {
			t.Fatal(got)
		}
		b.is(id, want)
	}
	inbox.has.Store(false)
	b.clock.Advance(2 * time.Hour)
	for {
		if _, err := box.Entry(ctx, id); problem.CodeOf(err) == files.CodeFileUnknown {
			break
		}
		time.Sleep(time.Millisecond)
	}
}

// TestBodyGoesWithItsMessage: a body that travelled apart leaves its sender's
// share soon after the inbox forgot its message; a file stays for its time.
func TestBodyGoesWithItsMessage(t *testing.T) {
	ctx := testkit.Context(t)
	a := newHouse(t)
	body, err := a.open().Store(ctx, "application/json", []byte(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	inbox := &unread{asked: make(chan []string, 100)}
	inbox.has.Store(true)
	b := newHouse(t)
	b.broker, b.held = a.broker, inbox
	box := b.open()
	take := func(key, sent string) string {
		o := a.object(sent, until)
		if err := next(t, a.pushed); err != nil {
			t.Fatal(err)
		}
		id := b.take(key, o, nil)
		b.told(key, "")
		return id
	}
	inline, file := take("k1", body), take("k2", a.put("1", content(1, 10)))
	b.later(48 * time.Hour)
	b.is(inline, []byte(`{"a":1}`))
	inbox.has.Store(false)
	b.later(48 * time.Hour)
	_, err = box.Entry(ctx, inline)
	b.code(err, files.CodeFileUnknown)
	b.is(file, content(1, 10))
}

// last is an inbox that still has one message.
type last struct {
	id    string
	asked chan bool
	while func() // called while it is asked
}

func (l *last) Held(_ context.Context, messages []string) (bool, error) {
	held := slices.Contains(messages, l.id)
	if l.while != nil {
		l.while()
		l.while = nil
	}
	l.asked <- held
	return held, nil
}

// TestReceivedFileOfManyMessages: however many messages carry a file, it stays
// for the one that is unread, and for one that comes while that is found out.
func TestReceivedFileOfManyMessages(t *testing.T) {
	ctx := testkit.Context(t)
	want := content(1, 1000)
	a, _, o := sent(t, want)
	inbox := &last{id: "m100", asked: make(chan bool, 100)}
	b := newHouse(t)
	b.broker, b.held = a.broker, inbox
	box := b.open()
	id := b.take("k", o, nil)
	b.told("k", "")
	for i := range 2500 {
		if err := b.store.Files().Note(ctx, id, fmt.Sprintf("m%d", i), start); err != nil {
			t.Fatal(err)
		}
	}
	pages := func(want ...bool) {
		t.Helper()
		for i, held := range want {
			if next(t, inbox.asked) != held {
				t.Fatalf("page %d", i)
			}
		}
	}
	b.later(31 * 24 * time.Hour)
	pages(false, false, true)
	b.is(id, want)
	// Nobody has the old ones any more, and a new one comes.
	inbox.id = ""
	if _, err := box.Take(ctx, "new", "did:a", "ch", "new", o, envelope.Digest{9}, nil, until); err != nil {
		t.Fatal(err)
	}
	b.told("new", "")
	b.later(29 * 24 * time.Hour)
	b.is(id, want)
	inbox.while = func() {
		if err := b.store.Files().Note(ctx, id, "newer", b.clock.Now().UnixMilli()); err != nil {
			t.Error(err)
		}
	}
	b.later(2 * 24 * time.Hour)
	pages(false, false, false)
	b.is(id, want)
	b.later(31 * 24 * time.Hour)
	pages(false, false, false)
	_, err := box.Entry(ctx, id)
	b.code(err, files.CodeFileUnknown)
}

// TestShareOfOneSender: the files of one sender take no more than their share;
// what does not fit waits, and other senders' files come.
func TestShareOfOneSender(t *testing.T) {
	ctx := testkit.Context(t)
	a, _, first := sent(t, content(1, 60_000))
	second := a.object(a.put("2", content(2, 60_000)), until)
	if err := next(t, a.pushed); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*house{"share": {share: 100_000}, "quota": {quota: 400_000}} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.broker, h.share, h.quota = a.broker, b.share, b.quota
			box := h.open()
			had := h.take("k1", first, nil)
			h.told("k1", "")
			h.take("k2", second, nil)
			h.told("k2", files.CodeStorageFull)
			if _, err := box.Take(ctx, "k3", "did:b", "ch", "0b000000-0000-4000-8000-000000000002", second, envelope.Digest{9}, nil, until); err != nil {
				t.Fatal(err)
			}
			h.told("k3", "")
			if err := box.Remove(ctx, had); err != nil {
				t.Fatal(err)
			}
			if err := h.clock.BlockUntilContext(ctx, 2); err != nil {
				t.Fatal(err)
			}
			h.clock.Advance(time.Second)
			h.told("k2", "")
		})
	}
}
