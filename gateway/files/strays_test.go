package files_test

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/files"
	"github.com/digital-spine/spine/internal/testkit"
)

// failing is a store that fails for a while.
type failing struct {
	files.Store
	good  atomic.Int64 // changes that still succeed
	done  atomic.Bool  // those that fail are done all the same
	blind atomic.Bool  // it does not say what it has either
}

var errDisk = errors.New("the disk of the store")

func (f *failing) Change(ctx context.Context, id string, fn func(*files.Row) error, parts ...envelope.Digest) (*files.Row, error) {
	if f.good.Add(-1) >= 0 {
		return f.Store.Change(ctx, id, fn, parts...)
	}
	if f.done.Load() {
		if _, err := f.Store.Change(ctx, id, fn, parts...); err != nil {
			return nil, err
		}
	}
	return nil, errDisk
}

func (f *failing) Claimed(ctx context.Context, hashes []envelope.Digest) (map[envelope.Digest]bool, error) {
	if f.blind.Load() {
		return nil, errDisk
	}
	return f.Store.Claimed(ctx, hashes)
}

// TestPartsThatWereNotNoted: a part is on disk when the store fails to note it.
// It does not stay there, wherever that happens, and what was noted in spite of
// the error does: the upload goes on where it stands.
func TestPartsThatWereNotNoted(t *testing.T) {
	for name, c := range map[string]struct {
		done, blind bool
		size        int64 // said; below 0: not
	}{
		"failed":                   {},
		"failed, size not said":    {size: -1},
		"failed and done":          {done: true},
		"failed, and asking fails": {blind: true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := testkit.Context(t)
			want := content(1, 2*envelope.MinPartSize+100)
			size := int64(len(want))
			if c.size < 0 {
				size = -1
			}
			for good := range int64(4) {
				rows := &failing{}
				rows.good.Store(1 << 40)
				h := newHouse(t)
				h.rows = func(s files.Store) files.Store { rows.Store = s; return rows }
				box := h.open()
				u, err := box.Begin(ctx, files.New{Name: "x", Size: size})
				if err != nil {
					t.Fatal(err)
				}
				rows.done.Store(c.done)
				rows.blind.Store(c.blind)
				rows.good.Store(good)
				_, failed := box.Append(ctx, u.ID, 0, bytes.NewReader(want))
				if failed == nil && size < 0 {
					_, failed = box.Finish(ctx, u.ID)
				}
				rows.good.Store(1 << 40)
				rows.blind.Store(false)
				if failed != nil && !errors.Is(failed, errDisk) {
					t.Fatal(failed)
				}
				if c.blind { // the sweep asks again
					h.later(time.Hour)
				}
				row, err := h.store.Files().Row(ctx, u.ID)
				if err != nil {
					t.Fatal(err)
				}
				parts, err := h.store.Files().Parts(ctx, u.ID)
				if err != nil {
					t.Fatal(err)
				}
				noted := len(parts)
				if row.Tail != nil {
					noted++
				}
				if h.left() != noted {
					t.Fatalf("after %d changes: %d blobs are here, %d noted", good, h.left(), noted)
				}
				if row.State == files.StateUploading {
					u, err = box.Append(ctx, u.ID, row.Bytes, bytes.NewReader(want[row.Bytes:]))
					if err == nil && size < 0 {
						u, err = box.Finish(ctx, u.ID)
					}
					if err != nil || !u.Done {
						t.Fatalf("after %d changes: %+v, %v", good, u, err)
					}
				}
				h.is(u.ID, want)
				h.close()
			}
		})
	}
}
