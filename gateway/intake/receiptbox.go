package intake

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/trust"
)

// Bounds of receipts that are not acknowledged to the broker. It delivers only
// so many messages of a mailbox, of whatever kind, until some are acknowledged
// (2000): nobody's receipts may take up these. Above, a sender's oldest are
// acknowledged all the same: receipts are cumulative, and the newest says most.
const (
	maxReceiptsOf     = 128 // of one sender
	maxReceiptBytesOf = 8 << 20
	maxReceipts       = 512 // in all; above, who has one has no more, and above twice as many nobody has
	maxReceiptBytes   = 64 << 20
	lostAfter         = 60_000 // ms after which one that did not come again is not counted any more
	maxTries          = 100    // of one sender's in a row that could not be dealt with
	failingFor        = 15_000 // ms that the newer ones of its sender wait for one to come again
)

// receiptIn is a receipt that is not acknowledged.
type receiptIn struct {
	sender string
	stream string
	seq    uint64
	wire   []byte // nil when it was looked at and has to come again
	size   int    // of its bytes, which the broker's client may keep for ack
	ack    func() error
	seen   int64 // when it came last, ms
}

// receiptBox gathers receipts for the outbox without blocking the loop, and
// knows which are not acknowledged.
type receiptBox struct {
	mu    sync.Mutex
	held  map[string][]*receiptIn // by sender, oldest first
	all   int
	bytes int      // of all
	turns []string // senders of those that wait to be looked at, in the order of their turns
	swept int64    // when the lost ones were looked for, ms
	ready chan struct{}
}

// put takes a receipt that came. It returns what is to be acknowledged unseen.
func (b *receiptBox) put(in *receiptIn) (drop []*receiptIn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held == nil {
		b.held = make(map[string][]*receiptIn)
	}
	for _, h := range b.held[in.sender] {
		if in.seq > 0 && h.seq == in.seq && h.stream == in.stream { // delivered again
			h.ack, h.seen = in.ack, in.seen
			b.await(h, in.wire)
			return nil
		}
	}
	full := func(n int) bool { return b.all >= n*maxReceipts || b.bytes+in.size > n*maxReceiptBytes }
	if full(1) && in.seen-b.swept >= 1000 {
		b.swept = in.seen
		b.forget(in.seen - lostAfter)
	}
	of, bytes := b.held[in.sender], 0
	for _, h := range of {
		bytes += h.size
	}
	for len(of) > 0 && (len(of) >= maxReceiptsOf || bytes+in.size > maxReceiptBytesOf || full(1)) {
		oldest := of[0]
		b.remove(oldest)
		drop, of, bytes = append(drop, oldest), b.held[in.sender], bytes-oldest.size
	}
	if full(2) {
		return append(drop, in)
	}
	b.held[in.sender] = append(b.held[in.sender], in)
	b.all, b.bytes = b.all+1, b.bytes+in.size
	b.await(in, in.wire)
	return drop
}

// await has a receipt looked at.
func (b *receiptBox) await(h *receiptIn, wire []byte) {
	b.bytes += len(wire) - h.size
	h.wire, h.size = wire, len(wire)
	if !slices.Contains(b.turns, h.sender) {
		b.turns = append(b.turns, h.sender)
	}
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// forget stops counting what did not come again since then: the broker has it
// no longer.
func (b *receiptBox) forget(since int64) {
	for _, list := range b.held {
		for _, h := range slices.Clone(list) {
			if h.wire == nil && h.seen < since {
				b.remove(h)
			}
		}
	}
}

func (b *receiptBox) remove(h *receiptIn) {
	i := slices.Index(b.held[h.sender], h)
	if i < 0 {
		return
	}
	b.all, b.bytes, h.wire = b.all-1, b.bytes-h.size, nil
	if b.held[h.sender] = slices.Delete(b.held[h.sender], i, i+1); len(b.held[h.sender]) == 0 {
		delete(b.held, h.sender)
	}
}

// next returns the oldest that the sender whose turn it is has waiting; nil
// when nothing waits. Each sender has its turn, so that none waits for all of
// another's.
func (b *receiptBox) next() (in *receiptIn, wire []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.turns) > 0 {
		sender := b.turns[0]
		b.turns = b.turns[1:]
		for _, h := range b.held[sender] {
			if h.wire == nil {
				continue
			}
			if in != nil {
				b.turns = append(b.turns, sender) // another of it waits
				return in, wire
			}
			in, wire = h, h.wire
			h.wire = nil
		}
		if in != nil {
			return in, wire
		}
	}
	return nil, nil
}

// done is called when a receipt was dealt with; it returns how to acknowledge it.
func (b *receiptBox) done(in *receiptIn) func() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remove(in)
	return in.ack
}

// takeReceipt gives a receipt to the outbox, once the round is committed.
func (x *Intake) takeReceipt(it *item) {
	in := receiptIn{sender: it.sender, stream: it.Stream, seq: it.Seq, wire: it.Data, size: len(it.Data), ack: it.Ack}
	it.Ack = nil // the outbox has it first
	x.later(func(context.Context) {
		in.seen = x.now()
		for _, h := range x.receipts.put(&in) {
			x.acknowledge(h.ack)
		}
	})
}

func (x *Intake) acknowledge(ack func() error) {
	if ack == nil {
		return
	}
	if err := ack(); err != nil {
		x.log.Debug("acknowledging to the broker failed; it will come again", "error", err)
	}
}

// failing is a sender's receipt that could not be dealt with yet.
type failing struct {
	receipt *receiptIn
	until   int64 // ms
	tries   int   // in a row
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
		for in, wire := x.receipts.next(); in != nil; in, wire = x.receipts.next() {
			f, now := failed[in.sender], x.now()
			if f != nil && now < f.until && in != f.receipt {
				continue // what is newer would have the older one ignored
			}
			err := x.d.Receipts.Receipt(ctx, in.sender, wire)
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
				f.receipt, f.until = in, now+failingFor
				f.tries++
				continue // the broker delivers it again
			}
			if !again {
				delete(failed, in.sender)
			}
			x.acknowledge(x.receipts.done(in))
		}
	}
}
