package files_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
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

// breaking counts the calls to a gateway's store, its disk and the broker, and
// has one break off: as it does when a caller goes away, a disk fails for a
// moment or an answer is lost.
type breaking struct {
	left  atomic.Int64 // calls until the one that breaks off
	after bool         // it is made all the same; only what changes something counts
}

// read breaks off a call that changes nothing.
func (b *breaking) read() error {
	if !b.after && b.left.Add(-1) == 0 {
		return context.Canceled
	}
	return nil
}

// write makes a call, unless it breaks off before.
func (b *breaking) write(make func() error) error {
	broke := b.left.Add(-1) == 0
	if broke && !b.after {
		return context.Canceled
	}
	if err := make(); err != nil || !broke {
		return err
	}
	return context.Canceled
}

type breakingStore struct {
	files.Store
	b *breaking
}

func (s breakingStore) Add(ctx context.Context, r *files.Row, parts []envelope.Digest, messages ...string) (had *files.Row, err error) {
	err = s.b.write(func() (err error) { had, err = s.Store.Add(ctx, r, parts, messages...); return err })
	return had, err
}

func (s breakingStore) Change(ctx context.Context, id string, fn func(*files.Row) error, parts ...envelope.Digest) (r *files.Row, err error) {
	if err = s.b.write(func() (err error) { r, err = s.Store.Change(ctx, id, fn, parts...); return err }); err != nil {
		return nil, err
	}
	return r, nil
}

func (s breakingStore) Note(ctx context.Context, id, message string, at int64) error {
	return s.b.write(func() error { return s.Store.Note(ctx, id, message, at) })
}

func (s breakingStore) Sent(ctx context.Context, id, message, channel string) error {
	return s.b.write(func() error { return s.Store.Sent(ctx, id, message, channel) })
}

func (s breakingStore) Release(ctx context.Context, id string) (r *files.Row, err error) {
	err = s.b.write(func() (err error) { r, err = s.Store.Release(ctx, id); return err })
	return r, err
}

func (s breakingStore) Remove(ctx context.Context, id string) (blobs []envelope.Digest, err error) {
	err = s.b.write(func() (err error) { blobs, err = s.Store.Remove(ctx, id); return err })
	return blobs, err
}

func (s breakingStore) RemoveIf(ctx context.Context, id string, may func(*files.Row) bool) (gone bool, blobs []envelope.Digest, err error) {
	err = s.b.write(func() (err error) { gone, blobs, err = s.Store.RemoveIf(ctx, id, may); return err })
	return gone, blobs, err
}

func (s breakingStore) Row(ctx context.Context, id string) (*files.Row, error) {
	if err := s.b.read(); err != nil {
		return nil, err
	}
	return s.Store.Row(ctx, id)
}

func (s breakingStore) Received(ctx context.Context, from string, oid [16]byte) (*files.Row, error) {
	if err := s.b.read(); err != nil {
		return nil, err
	}
	return s.Store.Received(ctx, from, oid)
}

func (s breakingStore) Parts(ctx context.Context, id string) ([]envelope.Digest, error) {
	if err := s.b.read(); err != nil {
		return nil, err
	}
	return s.Store.Parts(ctx, id)
}

func (s breakingStore) Messages(ctx context.Context, id string) ([]string, error) {
	if err := s.b.read(); err != nil {
		return nil, err
	}
	return s.Store.Messages(ctx, id)
}

func (s breakingStore) Used(ctx context.Context) (int64, error) {
	if err := s.b.read(); err != nil {
		return 0, err
	}
	return s.Store.Used(ctx)
}

func (s breakingStore) UsedFrom(ctx context.Context, from string) (int64, error) {
	if err := s.b.read(); err != nil {
		return 0, err
	}
	return s.Store.UsedFrom(ctx, from)
}

func (s breakingStore) Pending(ctx context.Context) ([]files.Row, error) {
	if err := s.b.read(); err != nil {
		return nil, err
	}
	return s.Store.Pending(ctx)
}

func (s breakingStore) Claimed(ctx context.Context, hashes []envelope.Digest) (map[envelope.Digest]bool, error) {
	if err := s.b.read(); err != nil {
		return nil, err
	}
	return s.Store.Claimed(ctx, hashes)
}

type breakingBlobs struct {
	files.Blobs
	b *breaking
}

func (s breakingBlobs) Create(ctx context.Context) (*blobfile.Draft, error) {
	if err := s.b.read(); err != nil {
		return nil, err
	}
	return s.Blobs.Create(ctx)
}

func (s breakingBlobs) Stat(ctx context.Context, h blob.Hash) (int64, error) {
	if err := s.b.read(); err != nil {
		return 0, err
	}
	return s.Blobs.Stat(ctx, h)
}

func (s breakingBlobs) Open(ctx context.Context, h blob.Hash, offset, length int64) (io.ReadCloser, error) {
	if err := s.b.read(); err != nil {
		return nil, err
	}
	return s.Blobs.Open(ctx, h, offset, length)
}

func (s breakingBlobs) Delete(ctx context.Context, h blob.Hash) error {
	return s.b.write(func() error { return s.Blobs.Delete(ctx, h) })
}

type breakingRemote struct {
	files.Remote
	b *breaking
}

func (s breakingRemote) PutBlob(ctx context.Context, h [32]byte, size, until int64, body func() (io.ReadCloser, error)) error {
	return s.b.write(func() error { return s.Remote.PutBlob(ctx, h, size, until, body) })
}

func (s breakingRemote) HaveBlobs(ctx context.Context, hashes [][32]byte, until int64) ([][32]byte, error) {
	if err := s.b.read(); err != nil {
		return nil, err
	}
	return s.Remote.HaveBlobs(ctx, hashes, until)
}

func (s breakingRemote) GetBlob(ctx context.Context, h [32]byte, offset, length int64) (io.ReadCloser, error) {
	if err := s.b.read(); err != nil {
		return nil, err
	}
	return s.Remote.GetBlob(ctx, h, offset, length)
}

// eachCall plays a scene once for every call that can break off in it, with the
// process that goes on and with the next one. A scene leaves nothing behind.
func eachCall(t *testing.T, scene func(t *testing.T, h *house, turn func())) {
	for _, after := range []bool{false, true} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("made %v, restarted %v", after, restart), func(t *testing.T) {
				b := &breaking{after: after}
				h := newHouse(t)
				h.quota = 1 << 30
				h.rows = func(s files.Store) files.Store { return breakingStore{s, b} }
				h.wrap = func(s files.Blobs) files.Blobs { return breakingBlobs{s, b} }
				h.far = func(r files.Remote) files.Remote { return breakingRemote{r, b} }
				b.left.Store(never)
				h.open()
				step := int64(1)
				if restart {
					step = stride
				}
				for n, broke := int64(1), true; broke && !t.Failed(); n += step {
					b.left.Store(n)
					again := restart
					scene(t, h, func() {
						if again && b.left.Load() <= 0 {
							again = false
							h.open()
						}
					})
					if broke = b.left.Swap(never) <= 0; t.Failed() {
						t.Logf("it was call %d that broke off", n)
					}
				}
			})
		}
	}
}

// stride is from one call that breaks off before a restart to the next.
var stride int64 = 1

// never is a call that no scene comes to.
const never = 1 << 40

// passes lets time pass until ok holds.
func (h *house) passes(what string, ok func() bool) {
	h.t.Helper()
	h.await(what, func() bool {
		if ok() {
			return true
		}
		h.clock.Advance(10 * time.Second)
		return false
	})
}

// reads demands that a file's content can be read, if not at once then the
// second time.
func (h *house) reads(id string, want []byte, turn func()) {
	h.t.Helper()
	var got []byte
	var err error
	for range 2 {
		var c *files.Content
		if c, err = h.box.Open(context.Background(), id); err == nil {
			got, err = io.ReadAll(c)
			c.Close()
		}
		if err == nil && bytes.Equal(got, want) {
			return
		}
		turn()
	}
	h.t.Errorf("%d bytes, %v", len(got), err)
}

// empty demands that after the last file was deleted, nothing of it is left:
// no row, no part, no room.
func (h *house) empty(id string) {
	h.t.Helper()
	h.passes("the file to be deleted", func() bool {
		err := h.box.Remove(context.Background(), id)
		return err == nil || problem.CodeOf(err) == files.CodeFileUnknown
	})
	h.passes("its parts to be deleted", func() bool { return h.left() == 0 })
	if used, err := h.store.Files().Used(context.Background()); err != nil || used != 0 {
		h.t.Errorf("%d bytes of the quota are taken by no file, %v", used, err)
	}
}

// TestAnUploadThatBreaksOffIsSent: a client that repeats what failed has its
// file stored and sent, once, wherever something broke off, and nothing stays
// of what did not come to its end.
func TestAnUploadThatBreaksOffIsSent(t *testing.T) {
	want := content(1, 3000)
	eachCall(t, func(t *testing.T, h *house, turn func()) {
		ctx := testkit.Context(t)
		h.outbox.mu.Lock()
		h.outbox.drafts = nil
		h.outbox.mu.Unlock()
		until := h.clock.Now().Add(9 * 24 * time.Hour).UnixMilli()
		id := ""
		for range 3 {
			u, err := h.box.Begin(ctx, files.New{Name: "x", Size: int64(len(want)), Channel: "ch", Send: true})
			turn()
			if err == nil {
				id = u.ID
				break
			}
		}
		for range 20 {
			u, err := h.box.Upload(ctx, id)
			if err == nil && u.Done {
				break
			}
			if err == nil {
				end := min(u.Offset+2000, int64(len(want)))
				_, _ = h.box.Append(ctx, id, u.Offset, bytes.NewReader(want[u.Offset:end]))
			}
			turn()
		}
		h.reads(id, want, turn)
		h.passes("the file to be sent", func() bool {
			h.outbox.mu.Lock()
			defer h.outbox.mu.Unlock()
			return len(h.outbox.drafts) > 0
		})
		row := func() *files.Row {
			r, err := h.store.Files().Row(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		h.passes("what is noted of that", func() bool { turn(); return !row().Send })
		// The outbox asks until the broker has it, and releases it when its message is over.
		h.passes("the broker to have it", func() bool {
			pushed, err := h.box.Pushed(ctx, id, until)
			turn()
			return pushed && err == nil
		})
		for h.box.Release(ctx, id) != nil {
			turn()
		}
		h.outbox.mu.Lock()
		for _, d := range h.outbox.drafts {
			if d.IdempotencyKey != h.outbox.drafts[0].IdempotencyKey || d.File != id {
				t.Errorf("sent were %+v", h.outbox.drafts)
			}
		}
		h.outbox.mu.Unlock()
		if r := row(); r.State != files.StateReady || r.Pushed < until {
			t.Errorf("%+v", r)
		}
		if len(h.broker.blobs) < 1 {
			t.Errorf("%d parts are at the broker", len(h.broker.blobs))
		}
		h.empty(id)
	})
}

// TestAFileThatBreaksOffComes: what a recipient asks for again comes, wherever
// something broke off, and nothing of it stays when it is deleted.
func TestAFileThatBreaksOffComes(t *testing.T) {
	want := content(1, 3000)
	a, _, o := sent(t, want)
	eachCall(t, func(t *testing.T, h *house, turn func()) {
		h.broker.mu.Lock()
		h.broker.blobs = a.broker.blobs
		h.broker.mu.Unlock()
		ctx, id := testkit.Context(t), ""
		until := h.clock.Now().Add(9 * 24 * time.Hour).UnixMilli()
		key := fmt.Sprint(until)
		var asked *files.Box // it was asked, and has not said that it failed
		h.passes("the file", func() bool {
			turn()
			select {
			case got := <-h.done:
				if got.key == key && got.err == nil {
					return true
				}
				asked = nil
			default:
			}
			if asked != h.box {
				if f, err := h.box.Take(ctx, key, "did:a", "ch", "0b000000-0000-4000-8000-000000000001", o, envelope.Digest{9}, nil, until); err == nil {
					id, asked = f.ID, h.box
				}
			}
			return false
		})
		h.reads(id, want, turn)
		if r, err := h.store.Files().Row(ctx, id); err != nil || r.State != files.StateReady || r.Keep != 0 || r.Charged != o.SealedSize() {
			t.Errorf("%+v, %v", r, err)
		}
		h.empty(id)
	})
}
