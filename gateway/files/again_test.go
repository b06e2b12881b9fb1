package files_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/files"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/schema"
)

// TestSentOnAndTakenAgain: a received file that is on its way to others is here,
// whatever a second message that carries it comes to.
func TestSentOnAndTakenAgain(t *testing.T) {
	ctx := testkit.Context(t)
	want := content(1, 5000)
	a, _, o := sent(t, want)
	b := receiver(t, a)
	id := b.take("k1", o, nil)
	b.told("k1", "")
	a.broker.mu.Lock()
	a.broker.fail = func(string, [32]byte) error { return errors.New("the broker is away") }
	a.broker.mu.Unlock()
	later := int64(until + 3600*1000)
	if _, pushed, err := b.box.Frame(ctx, id, later); err != nil || pushed {
		t.Fatal(pushed, err)
	}
	if err := next(t, b.pushed); err == nil {
		t.Fatal("pushed to nobody")
	}
	for i, v := range []schema.Validator{nil, refusing{}} {
		key := []string{"k2", "k3"}[i]
		if _, err := b.box.Take(ctx, key, "did:a", "ch", "0b000000-0000-4000-8000-00000000000"+key[1:], o, envelope.Digest{8}, v, until); err != nil {
			t.Fatal(err)
		}
		b.told(key, []string{"", schema.CodeSchema}[i])
		b.is(id, want)
		if r, err := b.store.Files().Row(ctx, id); err != nil || r.State != files.StatePushing || r.Keep != later {
			t.Fatalf("%+v, %v: the message that it was sent on with is forgotten", r, err)
		}
	}
}

// TestCompleteAndNotSent: a file that is complete and could not be sent at once
// is sent when that is possible, without a start and though nobody asks again.
func TestCompleteAndNotSent(t *testing.T) {
	ctx := testkit.Context(t)
	h := newHouse(t)
	box := h.open()
	h.outbox.err = problem.New(429, "outbox_full", "full")
	u, err := box.Begin(ctx, files.New{Name: "x", Size: 5000, Channel: "ch", Send: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = box.Append(ctx, u.ID, 0, bytes.NewReader(content(1, 5000)))
	h.code(err, "outbox_full")
	if u, err = box.Upload(ctx, u.ID); err != nil || !u.Done || u.Sent != nil {
		t.Fatalf("%+v, %v", u, err)
	}
	h.code(box.Remove(ctx, u.ID), "file_in_use")
	h.outbox.mu.Lock()
	h.outbox.err = nil
	h.outbox.mu.Unlock()
	h.later(time.Hour)
	h.await("the message", func() bool {
		u, err := box.Upload(ctx, u.ID)
		return err == nil && u.Sent != nil
	})
	if len(h.outbox.drafts) != 1 {
		t.Fatalf("%+v", h.outbox.drafts)
	}
	if err := box.Remove(ctx, u.ID); err != nil {
		t.Fatal(err)
	}
}

// TestDoubtOutlivesAStart: a file of which the broker has other bytes than it
// says is brought there again, though the gateway was killed meanwhile, or the
// store did not say that it noted the doubt.
func TestDoubtOutlivesAStart(t *testing.T) {
	for name, lost := range map[string]bool{"killed": false, "the answer is lost": true} {
		t.Run(name, func(t *testing.T) {
			ctx := testkit.Context(t)
			rows := &failing{}
			rows.good.Store(1 << 40)
			h := newHouse(t)
			h.rows = func(s files.Store) files.Store { rows.Store = s; return rows }
			box := h.open()
			want := content(1, 5000)
			id := h.put("x", want)
			o := h.object(id, until)
			if err := next(t, h.pushed); err != nil {
				t.Fatal(err)
			}
			good := h.broker.blobs[o.Parts[0]]
			h.broker.blobs[o.Parts[0]] = make([]byte, len(good))
			if lost {
				rows.done.Store(true)
				rows.good.Store(0)
				if err := box.Repush(ctx, id); !errors.Is(err, errDisk) {
					t.Fatal(err)
				}
				rows.good.Store(1 << 40)
				h.later(time.Hour)
			} else {
				h.broker.fail = func(string, [32]byte) error { return errors.New("the broker is away") }
				if err := box.Repush(ctx, id); err != nil {
					t.Fatal(err)
				}
				h.close()
				h.broker.fail = nil
				h.open()
			}
			if err := next(t, h.pushed); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(h.broker.blobs[o.Parts[0]], good) {
				t.Fatal("the broker has the other bytes still")
			}
			if r, err := h.store.Files().Row(ctx, id); err != nil || r.State != files.StateReady || r.Pushed < until {
				t.Fatalf("%+v, %v", r, err)
			}
		})
	}
}

// stalling is a broker that never hands out all parts but one.
type stalling struct {
	files.Remote
	part envelope.Digest
}

func (s stalling) GetBlob(ctx context.Context, h [32]byte, offset, length int64) (io.ReadCloser, error) {
	if h != s.part {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.Remote.GetBlob(ctx, h, offset, length)
}

// TestRefusedBeforeItsEnd: content that its first part shows to be refused is
// refused then, whatever becomes of the others.
func TestRefusedBeforeItsEnd(t *testing.T) {
	want := content(1, envelope.MinPartSize+1000)
	copy(want, "bad")
	a, _, o := sent(t, want)
	b := newHouse(t)
	b.broker = a.broker
	b.far = func(r files.Remote) files.Remote { return stalling{r, o.Parts[0]} }
	b.open()
	b.take("k", o, lines{})
	b.told("k", schema.CodeSchema)
	if n := b.left(); n != 0 {
		t.Fatalf("%d blobs are left", n)
	}
}
