package inbox

import (
	"context"
	"fmt"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
)

// Ack acknowledges messages by the tokens they came with. It returns after
// that is durable. Acknowledging twice is no error.
func (x *Inbox) Ack(ctx context.Context, tokens []string) error {
	if len(tokens) > maxTokens {
		return problem.New(413, "too_large", fmt.Sprintf("at most %d acknowledgements in one call", maxTokens))
	}
	by := make(map[int64][]frameRef)
	for _, t := range tokens {
		id, ref, err := parseToken(t)
		if err != nil {
			return err
		}
		by[id] = append(by[id], ref)
	}
	for id, refs := range by {
		if err := x.ack(ctx, id, refs); err != nil {
			return err
		}
	}
	return nil
}

func (x *Inbox) ack(ctx context.Context, id int64, refs []frameRef) error {
	c, err := x.find(ctx, id)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return problem.New(503, "store_failed", "the store did not answer; acknowledge again")
	}
	if err := x.ensure(ctx, c, refs); err != nil {
		return err
	}
	return x.acknowledge(ctx, c, refs)
}

// acknowledge finishes frames durably. c.mu is held.
func (x *Inbox) acknowledge(ctx context.Context, c *consumer, refs []frameRef) error {
	touched := make(map[*place]bool)
	for _, r := range refs {
		if p := c.cur.ack(r.pos, r.frame); p != nil {
			touched[p] = true
		}
	}
	if len(touched) == 0 {
		return nil
	}
	change := &Change{}
	if c.cur.settle() {
		change.Consumers = []ConsumerRow{c.cur.row}
		change.Floors = change.Consumers
		change.Times = c.note(x.clock.Now().UnixMilli())
	}
	for p := range touched {
		if p.pos > c.cur.row.Floor {
			change.Acks = append(change.Acks, AckRow{Consumer: c.cur.row.ID, Pos: p.pos, Bits: p.encodeBits()})
		}
	}
	if err := x.store.CommitCursors(ctx, change); err != nil {
		x.drop(c)
		return fmt.Errorf("store acknowledgements: %w", err)
	}
	close(c.freed)
	c.freed = make(chan struct{})
	return nil
}

// ensure takes the places of refs into the window when they were handed over
// by an earlier process and not read yet by this one.
func (x *Inbox) ensure(ctx context.Context, c *consumer, refs []frameRef) error {
	far := int64(0)
	for _, r := range refs {
		far = max(far, r.pos)
	}
	if far <= c.cur.read {
		return nil
	}
	if far > c.cur.row.Handed {
		return gateway.AckUnknown()
	}
	for c.cur.read < far {
		p := c.handing
		if ok, err := x.advance(ctx, c); err != nil || !ok {
			return err
		}
		if c.handing == p {
			// The place being handed over is not finished: go on behind it,
			// its remaining frames are in flight from now, due at once.
			for ; p.next < p.size; p.next++ {
				if !p.done(p.next) {
					c.cur.hand(p.pos, p.next, x.clock.Now())
				}
			}
		}
	}
	return nil
}

// find returns a consumer by its id.
func (x *Inbox) find(ctx context.Context, id int64) (*consumer, error) {
	held := func() *consumer {
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.byID[id]
	}
	if c := held(); c != nil {
		return c, nil
	}
	x.loading.Lock()
	defer x.loading.Unlock()
	if c := held(); c != nil {
		return c, nil
	}
	rows, err := x.store.Consumers(ctx)
	if err != nil {
		return nil, fmt.Errorf("read consumers: %w", err)
	}
	for _, r := range rows {
		if r.ID == id {
			return x.load(ctx, r)
		}
	}
	return nil, gateway.AckUnknown()
}
