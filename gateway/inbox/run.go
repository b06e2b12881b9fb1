package inbox

import (
	"context"
	"fmt"
	"math"
	"time"
)

// pruneEvery is the pause between rounds of pruning, pruneBatch what one
// transaction empties.
const (
	pruneEvery = 10 * time.Minute
	indexEvery = time.Second
	pruneBatch = 500
)

// Run prunes what every consumer has acknowledged and that is older than
// Config.Keep, and writes what the log is looked up by, until ctx ends.
func (x *Inbox) Run(ctx context.Context) error {
	var pruned time.Time
	for {
		if now := x.clock.Now(); now.Sub(pruned) >= pruneEvery {
			pruned = now
			if err := x.prune(ctx); err != nil && ctx.Err() == nil {
				x.log.Error("pruning the inbox failed", "error", err)
			}
			if err := x.sweep(ctx); err != nil && ctx.Err() == nil {
				x.log.Error("tidying the look-up of the log failed", "error", err)
			}
		}
		if _, err := x.index(ctx); err != nil && ctx.Err() == nil {
			x.log.Error("writing the look-up of the log failed; it is read on instead", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-x.clock.After(indexEvery):
		}
	}
}

// prune empties rows up to the lowest floor of all consumers. Consumers of
// channels that are gone hold nothing back; with no consumer nothing is pruned.
func (x *Inbox) prune(ctx context.Context) error {
	rows, err := x.store.Consumers(ctx)
	if err != nil {
		return fmt.Errorf("read consumers: %w", err)
	}
	upto := int64(math.MaxInt64)
	for _, r := range rows {
		if r.Channel != "" {
			if _, err := x.channels.Channel(r.Channel); err != nil {
				continue
			}
		}
		upto = min(upto, r.Floor)
	}
	if upto == math.MaxInt64 {
		return nil
	}
	before := x.clock.Now().Add(-x.cfg.Keep).UnixMilli()
	for ctx.Err() == nil {
		n, err := x.store.Prune(ctx, upto, before, pruneBatch)
		if err != nil || n < pruneBatch {
			return err
		}
	}
	return nil
}

// Remove forgets a consumer: its position, and what it holds in flight. It is
// made anew, from the beginning of what is kept, when it pulls again.
func (x *Inbox) Remove(ctx context.Context, channel, name string) error {
	x.loading.Lock()
	defer x.loading.Unlock()
	if c := x.held(consumerKey{channel, name}); c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		x.drop(c)
	}
	if err := x.store.RemoveConsumer(ctx, channel, name); err != nil {
		return fmt.Errorf("remove consumer: %w", err)
	}
	return nil
}
