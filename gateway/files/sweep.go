package files

import (
	"context"
	"errors"
	"time"
)

// Times of the sweep.
const (
	sweepEvery = 10 * time.Minute
	sweepPage  = 100
	heldPage   = 1000           // messages of a file that are asked about at a time
	heldAgain  = time.Hour      // until a file that a message needs is looked at again
	bodyEvery  = 24 * time.Hour // until a large body is, the first time too
)

// sweep deletes uploads that did not go on, files that did not come in their
// time, those whose time here is over unless a message needs them, and blobs
// that may belong to no file. A large body is a part of its message: nobody can
// list or delete it, so it goes soon after that.
func (b *Box) sweep(ctx context.Context) error {
	now := b.now()
	return errors.Join(b.sweepOne(ctx, Due{State: StateUploading}, now-uploadIdle), b.sweepOne(ctx, Due{State: StatePulling}, now),
		b.sweepOne(ctx, Due{State: StatePushing}, now-b.keep), b.sweepOne(ctx, Due{State: StateReady}, now-b.keep),
		b.sweepOne(ctx, Due{State: StateReady, Inline: true}, now-bodyEvery.Milliseconds()), b.dropStrays(ctx))
}

func (b *Box) sweepOne(ctx context.Context, d Due, before int64) error {
	for {
		rows, err := b.store.Due(ctx, d, before, sweepPage)
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
	if busy {
		return b.lookLater(ctx, r.ID, before+1)
	}
	if held, err := b.isHeld(ctx, r); err != nil {
		return err
	} else if held {
		again := heldAgain
		if r.Inline {
			again = bodyEvery
		}
		return b.lookLater(ctx, r.ID, before+again.Milliseconds())
	}
	// A message that was noted meanwhile touched it.
	gone, err := b.dropIf(ctx, r.ID, func(now *Row) bool { return b.unneeded(now) && now.Touched == r.Touched })
	if err == nil && !gone {
		err = b.lookLater(ctx, r.ID, before+1)
	}
	return err
}

// lookLater has the sweep look at a file again once a time before which it
// looks has come this far.
func (b *Box) lookLater(ctx context.Context, id string, touched int64) error {
	_, err := b.store.Change(ctx, id, func(r *Row) error {
		r.Touched = max(r.Touched, touched)
		return nil
	})
	return err
}

// isHeld reports whether a message that was not handed over to everybody has
// its content in a file: it was receipted, nobody would send it again.
func (b *Box) isHeld(ctx context.Context, r *Row) (bool, error) {
	if b.held == nil || r.Direction != In || r.State != StateReady {
		return false, nil
	}
	for before := int64(-1); ; {
		// The newest first: they are read last.
		messages, next, err := b.store.MessagesBefore(ctx, r.ID, before, heldPage)
		if err != nil || len(messages) == 0 {
			return false, err
		}
		if held, err := b.held.Held(ctx, messages); held || err != nil {
			return held, err
		}
		if len(messages) < heldPage {
			return false, nil
		}
		before = next
	}
}
