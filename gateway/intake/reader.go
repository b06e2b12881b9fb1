package intake

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/trust"
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

// Bounds of receipts on their way to the outbox. What finds no room is not
// acknowledged to the broker, and so comes again.
const (
	maxReceipts     = 10_000
	maxReceiptBytes = 64 << 20
	maxTries        = 100    // of one sender's in a row that could not be dealt with
	failingFor      = 15_000 // ms that the newer ones of its sender wait for one to come again
)

// failing is a sender's receipt that could not be dealt with yet.
type failing struct {
	receipt envelope.Digest
	until   int64 // ms
	tries   int   // in a row
}

// receiptIn is a receipt on its way to the outbox.
type receiptIn struct {
	sender string
	wire   []byte
	ack    func() error
}

// receiptBox gathers receipts for the outbox without blocking the loop.
type receiptBox struct {
	mu    sync.Mutex
	list  []receiptIn
	bytes int
	ready chan struct{}
}

func (b *receiptBox) put(in receiptIn) {
	b.mu.Lock()
	if len(b.list) < maxReceipts && b.bytes+len(in.wire) <= maxReceiptBytes {
		b.list, b.bytes = append(b.list, in), b.bytes+len(in.wire)
	}
	b.mu.Unlock()
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

func (b *receiptBox) take() []receiptIn {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.list
	b.list, b.bytes = nil, 0
	return list
}

// passReceipts hands receipts to the outbox, whose checks may need look-ups. It
// acknowledges what was dealt with: done, or refused with a code.
func (x *Intake) passReceipts(ctx context.Context) {
	failed := make(map[string]*failing) // by sender
	for {
		select {
		case <-ctx.Done():
			return
		case <-x.receipts.ready:
		}
		for _, in := range x.receipts.take() {
			f, now := failed[in.sender], x.now()
			if f != nil && now < f.until && envelope.Sum(in.wire) != f.receipt {
				continue // what is newer would have the older one ignored
			}
			err := x.d.Receipts.Receipt(ctx, in.sender, in.wire)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				x.log.Debug("a receipt was not taken", "sender", in.sender, "error", err)
			}
			again := err != nil && (envelope.CodeOf(err) == "" || errors.Is(err, trust.ErrAbsent))
			if again && f == nil && len(failed) < maxStrange {
				f = &failing{}
				failed[in.sender] = f
			}
			if again && f != nil && f.tries < maxTries {
				f.receipt, f.until = envelope.Sum(in.wire), now+failingFor
				f.tries++
				continue // the broker delivers it again
			}
			if !again {
				delete(failed, in.sender)
			}
			if in.ack == nil {
				continue
			}
			if err := in.ack(); err != nil {
				x.log.Debug("acknowledging to the broker failed; it will come again", "error", err)
			}
		}
	}
}
