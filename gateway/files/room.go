package files

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/internal/problem"
)

// ErrNeeded says that a file cannot be deleted yet.
var ErrNeeded = problem.New(http.StatusConflict, "file_in_use", "messages that carry this file are still under way").
	WithHint("it can be deleted once all recipients have confirmed, or the messages' time is over")

// addCharged stores a new file if the quota has room for it.
func (b *Box) addCharged(ctx context.Context, r *Row, parts []envelope.Digest) error {
	b.room.Lock()
	defer b.room.Unlock()
	if err := b.fits(ctx, r.Charged); err != nil {
		return err
	}
	_, err := b.store.Add(ctx, r, parts)
	return err
}

// checkRoom refuses when the files here have more than the quota.
func (b *Box) checkRoom(ctx context.Context) error {
	b.room.Lock()
	defer b.room.Unlock()
	return b.fits(ctx, 0)
}

// fits reports whether n more bytes fit into the quota. Sent files that no
// message needs any more make room, oldest first.
func (b *Box) fits(ctx context.Context, n int64) error {
	if b.quota <= 0 {
		return nil
	}
	for {
		used, err := b.store.Used(ctx)
		if err != nil || n <= b.quota-used {
			return err
		}
		if n > b.quota {
			return ErrFull.With("quota", b.quota)
		}
		gone, err := b.evict(ctx)
		if err != nil {
			return err
		}
		if !gone {
			return ErrFull.With("quota", b.quota)
		}
	}
}

// fitsFrom reports whether n more bytes of a sender fit: into its share, so
// that one sender leaves room for the others, and into the quota.
func (b *Box) fitsFrom(ctx context.Context, from string, n int64) error {
	used, err := b.store.UsedFrom(ctx, from)
	if err != nil {
		return err
	}
	if n > b.share-used {
		return ErrShare.With("share", b.share)
	}
	return b.fits(ctx, n)
}

// evict deletes the oldest sent file that is no longer needed.
func (b *Box) evict(ctx context.Context) (bool, error) {
	rows, err := b.store.Due(ctx, StateReady, b.now(), sweepPage)
	if err != nil {
		return false, err
	}
	for _, r := range rows {
		if r.Direction == Out && !r.Send {
			return true, b.drop(ctx, r.ID)
		}
	}
	return false, nil
}

// drop forgets a file and deletes the blobs that no other has.
func (b *Box) drop(ctx context.Context, id string) error {
	b.claims.Lock()
	defer b.claims.Unlock()
	return b.forget(ctx, id)
}

// dropSole is drop for a received file, unless a second message carries it.
func (b *Box) dropSole(ctx context.Context, id string) error {
	b.claims.Lock()
	defer b.claims.Unlock()
	messages, err := b.store.Messages(ctx, id)
	if err != nil || len(messages) > 1 {
		return err
	}
	return b.forget(ctx, id)
}

// forget is drop where claims is held.
func (b *Box) forget(ctx context.Context, id string) error {
	orphans, err := b.store.Remove(ctx, id)
	if err != nil {
		return err
	}
	for i := range orphans {
		b.deleteBlob(ctx, &orphans[i])
	}
	b.mu.Lock()
	if p := b.pushing[id]; p != nil && !p.waiting {
		delete(b.pushing, id)
	}
	b.mu.Unlock()
	return nil
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
	case r.State == StatePulling, r.Direction == Out && r.Keep > b.now(), r.Send && r.State == StateReady:
		return ErrNeeded
	}
	return b.drop(ctx, id)
}

// Abandon ends an upload of which its sender was told that it failed: it is not
// sent after a start either. Codes as Remove.
func (b *Box) Abandon(ctx context.Context, id string) error {
	if _, err := b.store.Change(ctx, id, func(r *Row) error { r.Send = false; return nil }); err != nil {
		return err
	}
	return b.Remove(ctx, id)
}

// Times of the sweep.
const (
	sweepEvery = 10 * time.Minute
	sweepPage  = 100
	heldAgain  = time.Hour // until a file that a message needs is looked at again
)

// sweep deletes uploads that did not go on, files that did not come in their
// time, and those whose time here is over unless a received message needs them.
func (b *Box) sweep(ctx context.Context) error {
	now := b.now()
	return errors.Join(b.sweepOne(ctx, StateUploading, now-uploadIdle), b.sweepOne(ctx, StatePulling, now), b.sweepOne(ctx, StateReady, now-b.keep))
}

func (b *Box) sweepOne(ctx context.Context, state string, before int64) error {
	for {
		rows, err := b.store.Due(ctx, state, before, sweepPage)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := b.expire(ctx, &r, before); err != nil {
				return err
			}
		}
		if len(rows) < sweepPage {
			return nil
		}
	}
}

// expire deletes a file, unless a request is sending to it or it is needed.
func (b *Box) expire(ctx context.Context, r *Row, before int64) error {
	b.mu.Lock()
	busy := b.active[r.ID] != nil || b.pulls[r.ID] != nil
	b.mu.Unlock()
	if busy || r.Keep > b.now() {
		_, err := b.store.Change(ctx, r.ID, func(r *Row) error {
			r.Touched = max(r.Touched, before+1) // looked at again in the next round
			return nil
		})
		return err
	}
	if needed, err := b.isHeld(ctx, r); err != nil {
		return err
	} else if needed {
		_, err := b.store.Change(ctx, r.ID, func(r *Row) error {
			r.Touched = max(r.Touched, before+heldAgain.Milliseconds())
			return nil
		})
		return err
	}
	return b.drop(ctx, r.ID)
}

// isHeld reports whether a message that was not handed over to everybody has
// its content in a file: it was receipted, nobody would send it again.
func (b *Box) isHeld(ctx context.Context, r *Row) (bool, error) {
	if b.held == nil || r.Direction != In || r.State != StateReady {
		return false, nil
	}
	messages, err := b.store.Messages(ctx, r.ID)
	if err != nil {
		return false, err
	}
	return b.held.Held(ctx, messages)
}

// dropOrphans deletes what belongs to no file: parts that were stored and not
// noted before a crash, and drafts. Nothing else runs yet.
func (b *Box) dropOrphans(ctx context.Context) error {
	drafts, err := b.blobs.Drafts(ctx)
	if err != nil {
		return err
	}
	for _, d := range drafts {
		if err := b.blobs.DiscardDraft(d.Name); err != nil {
			return err
		}
	}
	const page = 1000
	var after blob.Hash
	for {
		list, err := b.blobs.List(ctx, after, page)
		if err != nil || len(list) == 0 {
			return err
		}
		hashes := make([]envelope.Digest, len(list))
		for i := range list {
			hashes[i] = list[i].Hash
		}
		claimed, err := b.store.Claimed(ctx, hashes)
		if err != nil {
			return err
		}
		for i := range hashes {
			if !claimed[hashes[i]] {
				b.deleteBlob(ctx, &hashes[i])
			}
		}
		after = list[len(list)-1].Hash
	}
}
