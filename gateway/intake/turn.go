package intake

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/digital-spine/spine/gateway/inbox"
)

// turn is one round. A round that cannot be committed is tried again from the
// store: memory is dropped, and nothing is acknowledged. There is no round with
// less than all of what start reads.
func (x *Intake) turn(ctx context.Context, in *input) {
	read := true
	var lost *unanswered
	for attempt := 0; ; attempt++ {
		var err error
		if !read {
			if err = x.start(ctx); err == nil {
				err = x.tellMade(ctx, lost)
			}
			read = err == nil
		}
		if read {
			if err = x.round(ctx, in); err != nil {
				lost, read = x.broken(in), false
			}
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		x.log.Error("intake round failed; nothing was acknowledged", "error", err, "attempt", attempt)
		select {
		case <-ctx.Done():
			return
		case <-x.d.Clock.After(min(time.Second<<min(attempt, 5), 30*time.Second)):
		}
	}
}

// broken takes back what a round that failed left in memory that start does not
// read again. It returns the round where it may have been committed all the same.
func (x *Intake) broken(in *input) (lost *unanswered) {
	x.taking -= x.begun
	x.begun = 0
	in.judged, in.bodies, in.news = nil, nil, nil                // judged, fetched and told again
	for _, rows := range [2][]inbox.Row{x.r.Entries, x.r.Fill} { // the commit may have been made, and only its answer lost
		for i := range rows {
			x.d.Inbox.Released(rows[i].Topic)
		}
	}
	for _, r := range x.r.Release {
		if s := x.byID[r.ID/inbox.MaxSeq]; s != nil && s.core != nil {
			x.d.Inbox.Released(s.core.Topic)
		}
	}
	if x.asked {
		lost = &unanswered{x.r, x.told}
	}
	x.told = nil
	return lost
}

// unanswered is a round that the store was asked to commit, and said neither
// that it did nor, for certain, that it did not.
type unanswered struct {
	r    *Round
	told []func(context.Context)
}

// tellMade tells of a round that failed and turns out to be committed: tried
// again, it finds nothing new.
func (x *Intake) tellMade(ctx context.Context, lost *unanswered) error {
	if lost == nil || len(lost.told) == 0 {
		return nil
	}
	made, err := x.made(ctx, lost.r)
	if err != nil || !made {
		return err
	}
	for _, f := range lost.told {
		f(ctx)
	}
	lost.told = nil
	return nil
}

// made reports whether the store has what a round wrote. Of one without a trace
// there, nothing was done that is not done, and told, again.
func (x *Intake) made(ctx context.Context, r *Round) (bool, error) {
	if len(r.Entries) > 0 {
		held, err := x.d.Store.Entry(ctx, r.Entries[0].ID)
		if err != nil {
			return false, fmt.Errorf("read an entry: %w", err)
		}
		return held != nil, nil
	}
	for i := range r.Sessions {
		row, err := x.d.Store.SessionByID(ctx, r.Sessions[i].ID)
		if err != nil {
			return false, fmt.Errorf("read session: %w", err)
		}
		if row == nil || !bytes.Equal(row.Ledger, r.Sessions[i].Ledger) || row.Due != r.Sessions[i].Due {
			return false, nil
		}
	}
	return len(r.Sessions) > 0, nil
}
