package files

import (
	"context"
	"net/http"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/internal/problem"
)

// ErrNeeded says that a file cannot be deleted yet.
var ErrNeeded = problem.New(http.StatusConflict, "file_in_use", "messages that carry this file are still under way").
	WithHint("it can be deleted once all recipients have confirmed, or the messages' time is over")

// unneeded reports whether nothing but its participant keeps a file here.
func (b *Box) unneeded(r *Row) bool { return r.Keep <= b.now() }

// drop forgets a file and deletes the blobs that no other has.
func (b *Box) drop(ctx context.Context, id string) error {
	b.claims.Lock()
	defer b.claims.Unlock()
	blobs, err := b.store.Remove(ctx, id)
	b.forgot(ctx, id, blobs, err)
	return err
}

// dropIf is drop if may says so of the file as it is then, and no message that
// is under way carries it.
func (b *Box) dropIf(ctx context.Context, id string, may func(*Row) bool) (gone bool, err error) {
	b.claims.Lock()
	defer b.claims.Unlock()
	return b.removeIf(ctx, id, may)
}

// removeIf is dropIf while claims is held.
func (b *Box) removeIf(ctx context.Context, id string, may func(*Row) bool) (gone bool, err error) {
	gone, blobs, err := b.store.RemoveIf(ctx, id, may)
	if gone || err != nil {
		b.forgot(ctx, id, blobs, err)
	}
	return gone && err == nil, err
}

// dropSole is drop for a received file, unless a second message carries it, or
// it was sent on meanwhile.
func (b *Box) dropSole(ctx context.Context, id string) error {
	b.claims.Lock()
	defer b.claims.Unlock()
	messages, _, err := b.store.MessagesBefore(ctx, id, -1, 2)
	if err != nil || len(messages) > 1 {
		return err
	}
	_, err = b.removeIf(ctx, id, func(*Row) bool { return true })
	return err
}

// forgot deletes the blobs that only a file had which the store forgot; err is
// what the store said, which may have forgotten it in spite of that. claims is
// held.
func (b *Box) forgot(ctx context.Context, id string, blobs []envelope.Digest, err error) {
	if err != nil {
		b.stray(blobs...)
		return
	}
	for i := range blobs {
		b.deleteBlob(ctx, &blobs[i])
	}
	b.mu.Lock()
	if p := b.pushing[id]; p != nil && !p.waiting {
		delete(b.pushing, id)
	}
	b.mu.Unlock()
}

// Remove deletes a file or ends an upload; codes file_unknown, file_in_use.
func (b *Box) Remove(ctx context.Context, id string) error {
	a, err := b.take(ctx, id, nil)
	if err != nil {
		return err
	}
	defer b.leave(id, a)
	r, err := b.store.Row(ctx, id)
	switch {
	case err != nil:
		return err
	case r == nil:
		return ErrUnknown
	case r.State == StatePulling, r.Send && r.State == StateReady:
		return ErrNeeded
	}
	gone, err := b.dropIf(ctx, id, b.unneeded)
	if err == nil && !gone {
		err = ErrNeeded
	}
	return err
}

// Abandon ends an upload of which its sender was told that it failed: it is not
// sent after a start either. Codes as Remove.
func (b *Box) Abandon(ctx context.Context, id string) error {
	if _, err := b.store.Change(ctx, id, func(r *Row) error { r.Send = false; return nil }); err != nil {
		return err
	}
	return b.Remove(ctx, id)
}
