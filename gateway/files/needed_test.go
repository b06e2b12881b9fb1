package files_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/files"
	sending "github.com/digital-spine/spine/gateway/outbox"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
)

// message makes a message wait that carries a file, as the outbox does.
func (h *house) message(id byte, file string) {
	h.t.Helper()
	w := sending.Waiting{ID: [16]byte{id}, Frame: []byte("f"), At: start, File: file, Info: []byte("i"), Held: true}
	if err := h.store.Outbox().Wait(testkit.Context(h.t), sending.Lane{}, "uploading", []sending.Waiting{w}); err != nil {
		h.t.Fatal(err)
	}
}

// over ends a message that waits.
func (h *house) over(id byte) {
	h.t.Helper()
	if err := h.store.Outbox().Drop(testkit.Context(h.t), [16]byte{id}, "too_large"); err != nil {
		h.t.Fatal(err)
	}
}

// TestReleaseMeetsANewMessage: between finding that no message needs a file and
// releasing it, another message comes to carry it. The file stays until that
// one is over, whoever wants it gone.
func TestReleaseMeetsANewMessage(t *testing.T) {
	ctx := testkit.Context(t)
	h := newHouse(t)
	h.quota = 100_000
	box := h.open()
	want := content(1, 60_000)
	id := h.put("1", want)
	h.message(1, id)
	h.object(id, until)
	if err := next(t, h.pushed); err != nil {
		t.Fatal(err)
	}
	h.over(1)
	if spent, err := h.store.Outbox().Spent(ctx, 9); err != nil || len(spent) != 1 {
		t.Fatal(spent, err)
	}
	h.message(2, id)
	if err := box.Release(ctx, id); err != nil {
		t.Fatal(err)
	}
	if r, err := h.store.Files().Row(ctx, id); err != nil || r.Keep < until {
		t.Fatalf("%+v, %v: the file lost its keep", r, err)
	}
	h.clock.Advance(20 * 24 * time.Hour) // its keep is over, the message not
	h.code(box.Remove(ctx, id), "file_in_use")
	_, err := box.Begin(ctx, files.New{Size: 60_000})
	h.code(err, files.CodeStorageFull)
	h.later(20 * 24 * time.Hour)
	h.is(id, want)
	h.over(2)
	if err := box.Release(ctx, id); err != nil {
		t.Fatal(err)
	}
	if _, err := box.Begin(ctx, files.New{Size: 60_000}); err != nil {
		t.Fatal(err)
	}
	_, err = box.Entry(ctx, id)
	h.code(err, files.CodeFileUnknown)
}

// TestBodyIsReleasedOnce: a body that travels apart goes with its message, but
// not while a second message carries it.
func TestBodyIsReleasedOnce(t *testing.T) {
	ctx := testkit.Context(t)
	h := newHouse(t)
	box := h.open()
	id, err := box.Store(ctx, "application/json", []byte(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	h.message(1, id)
	if err := box.Release(ctx, id); err != nil || h.left() != 1 {
		t.Fatalf("%v, %d blobs", err, h.left())
	}
	h.over(1)
	if err := box.Release(ctx, id); err != nil || h.left() != 0 {
		t.Fatalf("%v, %d blobs", err, h.left())
	}
}

// TestRefusedButCarried: a file that was to be sent on completion is refused, and
// stays for another message that carries it.
func TestRefusedButCarried(t *testing.T) {
	ctx := testkit.Context(t)
	h := newHouse(t)
	box := h.open()
	h.outbox.check = func(d gateway.Draft) error {
		h.message(1, d.File)
		return problem.New(422, "schema", "no")
	}
	want := content(1, 1000)
	u, err := box.Begin(ctx, files.New{Name: "x", Size: 1000, Channel: "ch", Send: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = box.Append(ctx, u.ID, 0, bytes.NewReader(want))
	h.code(err, "schema")
	h.is(u.ID, want)
	h.code(box.Remove(ctx, u.ID), "file_in_use")
	h.over(1)
	if err := box.Remove(ctx, u.ID); err != nil || h.left() != 0 {
		t.Fatalf("%v, %d blobs", err, h.left())
	}
}

// TestReceivedFileSentOn: a received file that is sent on cannot be deleted
// while a message needs it.
func TestReceivedFileSentOn(t *testing.T) {
	ctx := testkit.Context(t)
	a, _, o := sent(t, content(1, 1000))
	b := receiver(t, a)
	id := b.take("k", o, nil)
	b.told("k", "")
	b.object(id, until)
	if err := next(t, b.pushed); err != nil {
		t.Fatal(err)
	}
	b.code(b.box.Remove(ctx, id), "file_in_use")
	if err := b.box.Release(ctx, id); err != nil {
		t.Fatal(err)
	}
	if err := b.box.Remove(ctx, id); err != nil {
		t.Fatal(err)
	}
}

// TestManyFilesBeforeTheOneThatMakesRoom: however many files must stay, a sent
// one that need not makes room.
func TestManyFilesBeforeTheOneThatMakesRoom(t *testing.T) {
	ctx := testkit.Context(t)
	h := newHouse(t)
	h.quota = 100_000
	box := h.open()
	for i := range 150 {
		r := files.Row{ID: string(rune('A' + i)), Direction: files.Stored, State: files.StateReady, Touched: start - 1, OID: [16]byte{1, byte(i)}, Charged: 1}
		if _, err := h.store.Files().Add(ctx, &r, nil); err != nil {
			t.Fatal(err)
		}
	}
	id := h.put("1", content(1, 60_000))
	h.object(id, until)
	if err := next(t, h.pushed); err != nil {
		t.Fatal(err)
	}
	if err := box.Release(ctx, id); err != nil {
		t.Fatal(err)
	}
	h.clock.Advance(time.Second)
	if _, err := box.Begin(ctx, files.New{Size: 60_000}); err != nil {
		t.Fatal(err)
	}
	_, err := box.Entry(ctx, id)
	h.code(err, files.CodeFileUnknown)
	if r, err := h.store.Files().Row(ctx, "A"); err != nil || r == nil {
		t.Fatal("one that was not sent made room", err)
	}
}

// TestDamagedFileGoes: a file that cannot be brought to the broker ever goes in
// its time, once no message needs it.
func TestDamagedFileGoes(t *testing.T) {
	ctx := testkit.Context(t)
	h := newHouse(t)
	box := h.open()
	id := h.put("1", content(1, 1000))
	parts, err := h.store.Files().Parts(ctx, id)
	if err == nil {
		err = h.blobs.Delete(ctx, parts[0])
	}
	if err != nil {
		t.Fatal(err)
	}
	h.object(id, until)
	h.code(next(t, h.pushed), files.CodeFileDamaged)
	if err := box.Release(ctx, id); err != nil {
		t.Fatal(err)
	}
	h.later(31 * 24 * time.Hour)
	_, err = box.Entry(ctx, id)
	h.code(err, files.CodeFileUnknown)
}
