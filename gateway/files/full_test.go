package files_test

import (
	"bytes"
	"context"
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
