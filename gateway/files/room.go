package files

import (
	"context"
	"errors"

	"github.com/digital-spine/spine/envelope"
)

// addCharged stores a new file if the quota has room for it.
func (b *Box) addCharged(ctx context.Context, r *Row, parts []envelope.Digest) error {
	b.room.Lock()
	defer b.room.Unlock()
	if err := b.fits(ctx, r.Charged); err != nil {
		return err
	}
	_, err := b.store.Add(ctx, r, parts)
	if err != nil {
		// It may be there in spite of that. Nobody knows its id: it would take room
		// until it is too old.
		err = errors.Join(err, b.drop(context.WithoutCancel(ctx), r.ID))
	}
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
	rows, err := b.store.Due(ctx, Due{State: StateReady, Direction: Out}, b.now(), sweepPage)
	if err != nil {
		return false, err
	}
	for _, r := range rows {
		if gone, err := b.dropIf(ctx, r.ID, func(r *Row) bool { return b.unneeded(r) && !r.Send }); gone || err != nil {
			return gone, err
		}
	}
	return false, nil
}
