package intake

import (
	"context"
	"time"
)

// fetch reads the mailbox. It is one batch ahead of the loop and no more: a
// store that does not take writes stops the fetching.
func (x *Intake) fetch(ctx context.Context, out chan<- []Delivery) {
	for ctx.Err() == nil {
		if err := x.d.Self.Err(); err != nil {
			select {
			case <-ctx.Done():
			case <-x.d.Clock.After(time.Second):
			}
			continue
		}
		batch, err := x.d.Mailbox.Next(ctx)
		if err != nil {
			if ctx.Err() == nil {
				x.log.Warn("reading the mailbox failed", "error", err)
				select {
				case <-ctx.Done():
				case <-x.d.Clock.After(time.Second):
				}
			}
			continue
		}
		if len(batch) == 0 {
			x.d.Self.Drained(x.now())
			continue
		}
		for len(batch) > 0 {
			n := min(len(batch), maxRoundMsg)
			select {
			case <-ctx.Done():
				return
			case out <- batch[:n]:
			}
			batch = batch[n:]
		}
	}
}
