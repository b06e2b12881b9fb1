package inbox

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
)

// Pull hands over up to max messages of the consumer's channel. With none
// there it waits for wait at most, and answers an empty list when nothing came.
func (x *Inbox) Pull(ctx context.Context, who gateway.Consumer, max int, wait time.Duration) ([]gateway.Message, error) {
	if who.Name == "" {
		who.Name = gateway.DefaultConsumer
	}
	if len(who.Name) > maxName {
		return nil, problem.New(http.StatusUnprocessableEntity, "consumer_invalid", fmt.Sprintf("a consumer's name has at most %d bytes", maxName))
	}
	if max <= 0 || max > maxPull {
		max = maxPull
	}
	until := x.clock.Now().Add(min(wait, maxWait))
	for {
		changed := x.channels.Changed()
		topic := ""
		if who.Channel != "" {
			ch, err := x.channels.Channel(who.Channel)
			if err != nil {
				return nil, err
			}
			topic = ch.Topic
		}
		wake := x.wake(topic)
		c, err := x.consumer(ctx, consumerKey{who.Channel, who.Name})
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		if c.dead {
			c.mu.Unlock()
			continue
		}
		msgs, err := x.collect(ctx, c, max, who.AutoAck)
		due, flying := c.cur.nextDeadline()
		freed := c.freed
		c.mu.Unlock()
		if err != nil || len(msgs) > 0 {
			return msgs, err
		}
		now := x.clock.Now()
		left := until.Sub(now)
		if left <= 0 {
			return []gateway.Message{}, nil
		}
		if flying {
			left = min(left, due.Sub(now))
		}
		timer := x.clock.NewTimer(left)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-wake:
		case <-changed:
		case <-freed:
		case <-timer.Chan():
		}
		timer.Stop()
	}
}

// collect gathers what can be handed over now and notes it durably, so that a
// later process knows what may have been seen. c.mu is held.
func (x *Inbox) collect(ctx context.Context, c *consumer, max int, auto bool) ([]gateway.Message, error) {
	now := x.clock.Now()
	handed, handedFrame := c.cur.row.Handed, c.cur.row.HandedFrame
	var out []gateway.Message
	var refs []frameRef
	bytes := 0
	for len(out) < max && bytes < maxBatch {
		f := c.cur.overdue(now)
		if f == nil {
			break
		}
		m, err := x.again(ctx, c, f.pos, f.frame)
		if err != nil {
			return nil, err
		}
		if m == nil { // pruned, or no longer admitted: nothing to hand over
			c.cur.ack(f.pos, f.frame)
			continue
		}
		c.cur.hand(f.pos, f.frame, now.Add(x.cfg.AckWait))
		out, refs = append(out, *m), append(refs, frameRef{f.pos, f.frame})
		bytes += len(m.Body)
	}
	for len(out) < max && bytes < maxBatch && !c.cur.full() {
		ok, err := x.advance(ctx, c)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		p, row := c.handing, c.handRow
		frames, err := x.frames(ctx, row)
		if err != nil {
			return nil, err
		}
		info, err := x.session(ctx, row.Session())
		if err != nil {
			return nil, err
		}
		ch := x.channel(c.key.channel, info)
		if ch == nil || len(frames) < p.size { // no longer admitted, or pruned
			for f := range p.size {
				c.cur.ack(p.pos, f)
			}
			p.next = p.size
			continue
		}
		for ; p.next < p.size && len(out) < max && bytes < maxBatch && !c.cur.full(); p.next++ {
			if p.done(p.next) {
				continue
			}
			again := c.cur.before(p.pos, p.next)
			c.cur.hand(p.pos, p.next, now.Add(x.cfg.AckWait))
			m := x.message(ctx, c.cur.row.ID, ch.Name, row, info, p.next, &frames[p.next], again)
			out, refs = append(out, m), append(refs, frameRef{p.pos, p.next})
			bytes += len(m.Body)
		}
	}
	if auto && len(out) > 0 {
		return out, x.acknowledge(ctx, c, refs)
	}
	if c.cur.row.Handed != handed || c.cur.row.HandedFrame != handedFrame {
		c.cur.settle()
		if err := x.store.CommitCursors(ctx, &Change{Consumers: []ConsumerRow{c.cur.row}, Times: c.note(now.UnixMilli())}); err != nil {
			x.drop(c)
			return nil, fmt.Errorf("store what is handed over: %w", err)
		}
	}
	return out, nil
}

// advance makes c.handing a place with frames to hand over; false when there
// is none.
func (x *Inbox) advance(ctx context.Context, c *consumer) (bool, error) {
	if c.handing != nil && c.handing.next < c.handing.size {
		return true, nil
	}
	for {
		if len(c.ahead) == 0 {
			rows, err := x.store.Ready(ctx, c.cur.read, readAhead)
			if err != nil {
				return false, fmt.Errorf("read inbox: %w", err)
			}
			if len(rows) == 0 {
				return false, nil
			}
			c.ahead = rows
		}
		row := c.ahead[0]
		info, err := x.session(ctx, row.Session())
		if err != nil {
			return false, err
		}
		faults, err := DecodeFaults(row.Verdict)
		if err != nil {
			return false, fmt.Errorf("read verdict: %w", err)
		}
		c.ahead = c.ahead[1:] // only now: a pull that breaks off above has taken nothing
		if info == nil || x.channel(c.key.channel, info) == nil {
			c.cur.pass(row.Pos)
			continue
		}
		skip := make([]int, 0, len(faults))
		for _, f := range faults {
			skip = append(skip, f.Frame)
		}
		p := c.cur.add(row.Pos, row.Size, skip)
		if p.left == 0 {
			continue
		}
		c.handing, c.handRow = p, &row
		return true, nil
	}
}

// again returns a message that was handed over before, nil when it is gone.
func (x *Inbox) again(ctx context.Context, c *consumer, pos int64, frame int) (*gateway.Message, error) {
	row, err := x.store.At(ctx, pos)
	if err != nil || row == nil {
		return nil, err
	}
	info, err := x.session(ctx, row.Session())
	if err != nil || info == nil {
		return nil, err
	}
	frames, err := x.frames(ctx, row)
	ch := x.channel(c.key.channel, info)
	if err != nil || ch == nil || frame >= len(frames) {
		return nil, err
	}
	m := x.message(ctx, c.cur.row.ID, ch.Name, row, info, frame, &frames[frame], true)
	return &m, nil
}
