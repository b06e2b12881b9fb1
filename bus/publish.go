package bus

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// DefaultMinBatch is the number of gathered messages from which one atomic batch
// is faster than as many single publishes. A batch costs a handful of synced
// writes whatever its size, a single publish one each: with 32 callers of one
// mailbox, batches from 16 on carried 1.7 times what batches from 32 on did.
const DefaultMinBatch = 16

// Msg is a message to publish: a subject of this grammar and the sealed bytes.
type Msg struct {
	Subject string
	Data    []byte
}

// publisher gathers messages per partition: while a round of a partition is in
// flight, everything that arrives for it waits and becomes the next round.
type publisher struct {
	c        *Conn
	prefix   string // of reply subjects
	minBatch int
	maxBatch int

	mu     sync.Mutex
	lanes  map[int]*lane
	rounds map[uint64]*round
	next   uint64
	closed bool
}

// lane is one partition's queue.
type lane struct {
	pp    int
	queue []*item
	busy  bool
	last  uint64 // highest acknowledged stream sequence
}

// item is one message on its way.
type item struct {
	msg  Msg
	call *call
	at   int // index in the call
	done bool
	err  error
}

// call is one Publish.
type call struct {
	left int
	errs []error
	done chan struct{}
}

func newPublisher(c *Conn) *publisher {
	p := &publisher{c: c, prefix: c.cfg.InboxPrefix + ".p.", minBatch: c.cfg.MinBatch, maxBatch: c.cfg.MaxBatch,
		lanes: make(map[int]*lane), rounds: make(map[uint64]*round)}
	if p.minBatch <= 0 {
		p.minBatch = DefaultMinBatch
	}
	if p.maxBatch <= 0 || p.maxBatch > MaxBatch {
		p.maxBatch = MaxBatch
	}
	return p
}

// subscribe opens the one subscription for acknowledgements.
func (p *publisher) subscribe() error {
	s, err := p.c.nc.Subscribe(p.prefix+">", p.answer)
	if err != nil {
		return err
	}
	return s.SetPendingLimits(-1, -1) // bounded by what is in flight
}

// Publish stores msgs and returns one error each, in their order; nil means
// stored and on disk. The bytes of an error other than a Backoff one are sent
// again by the caller, unchanged: they may have been stored. Messages of
// concurrent calls share rounds; messages of one partition keep their order
// except after an error. No message id is ever sent: in a shared stream anybody
// could suppress another's message with it.
func (c *Conn) Publish(ctx context.Context, msgs []Msg) []error {
	return c.pub.publish(ctx, msgs)
}

func (p *publisher) publish(ctx context.Context, msgs []Msg) []error {
	cl := &call{left: len(msgs), errs: make([]error, len(msgs)), done: make(chan struct{})}
	if len(msgs) == 0 {
		return cl.errs
	}
	items := make([]item, len(msgs))
	p.mu.Lock()
	for i, m := range msgs {
		it := &items[i]
		it.msg, it.call, it.at = m, cl, i
		pp, _, _, err := ParseSubject(m.Subject)
		switch {
		case err != nil:
			p.finish(it, err)
			continue
		case p.closed:
			p.finish(it, fail(CodeClosed, "the connection was closed"))
			continue
		case len(m.Data) > MaxPayload-1024:
			p.finish(it, fail(CodeTooLarge, "%d bytes are above the payload limit", len(m.Data)))
			continue
		}
		l := p.lanes[pp]
		if l == nil {
			l = &lane{pp: pp}
			p.lanes[pp] = l
		}
		l.queue = append(l.queue, it)
		if !l.busy {
			l.busy = true
			// Started under the lock, so its first round holds all of this call.
			go p.run(l)
		}
	}
	p.mu.Unlock()
	select {
	case <-cl.done:
		return cl.errs
	case <-ctx.Done():
		p.mu.Lock()
		defer p.mu.Unlock()
		for i := range items {
			p.finish(&items[i], fail(CodeUnconfirmed, "gave up waiting: %v", ctx.Err()))
		}
		return cl.errs
	}
}

// finish ends an item once; p.mu is held.
func (p *publisher) finish(it *item, err error) {
	if it.done {
		return
	}
	it.done, it.err = true, err
	it.call.errs[it.at] = err
	if it.call.left--; it.call.left == 0 {
		close(it.call.done)
	}
}

// run sends a lane's rounds until its queue is empty.
func (p *publisher) run(l *lane) {
	for {
		p.mu.Lock()
		items := l.take(p.maxBatch)
		if len(items) == 0 {
			l.busy = false
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		if len(items) < p.minBatch {
			p.singles(l, items)
		} else if !p.batch(l, items) {
			p.singles(l, items)
		}
	}
}

// take removes the next round from the queue, without what its caller gave up
// waiting for; p.mu is held.
func (l *lane) take(limit int) (items []*item) {
	n, size := 0, 0
	for ; n < len(l.queue) && len(items) < limit; n++ {
		it := l.queue[n]
		if it.done {
			continue
		}
		if size += len(it.msg.Data); len(items) > 0 && size > batchBytes {
			break
		}
		items = append(items, it)
	}
	if l.queue = l.queue[n:]; len(l.queue) == 0 {
		l.queue = nil
	}
	return items
}

// singles publishes items one by one, pipelined, and waits for every answer.
func (p *publisher) singles(l *lane, items []*item) {
	r := p.open(l, items, false)
	defer p.drop(r)
	head := p.prefix + strconv.FormatUint(r.id, 36) + "."
	for i, it := range items {
		m := &nats.Msg{Subject: it.msg.Subject, Reply: head + strconv.Itoa(i), Data: it.msg.Data}
		if err := p.c.nc.PublishMsg(m); err != nil {
			p.settle(r, i, localError(err))
		}
	}
	if err := p.wait(r); err != nil {
		p.mu.Lock()
		for _, it := range items {
			p.finish(it, err)
		}
		p.mu.Unlock()
	}
}

// batch publishes items as one atomic batch. It returns false when the batch was
// refused, which concerns one of its messages at least and does not say which.
func (p *publisher) batch(l *lane, items []*item) bool {
	r := p.open(l, items, true)
	defer p.drop(r)
	// Not from a generator whose output anybody sees: with a known id a stranger's
	// message would spoil the batch.
	id := []string{randomID()}
	for i, it := range items {
		m := &nats.Msg{Subject: it.msg.Subject, Data: it.msg.Data,
			Header: nats.Header{"Nats-Batch-Id": id, "Nats-Batch-Sequence": {strconv.Itoa(i + 1)}}}
		if i == len(items)-1 {
			m.Header["Nats-Batch-Commit"] = []string{"1"}
			m.Reply = p.prefix + strconv.FormatUint(r.id, 36) + "." + strconv.Itoa(i)
		}
		if err := p.c.nc.PublishMsg(m); err != nil {
			return false
		}
	}
	err := p.wait(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil: // no answer: unknown for all
		for _, it := range items {
			p.finish(it, err)
		}
	case r.refused:
		return false
	default:
		for _, it := range items {
			p.finish(it, r.err)
		}
	}
	return true
}

// wait returns when the round is answered, or an error that holds for everything
// in it that has no answer.
func (p *publisher) wait(r *round) error {
	t := p.c.clock.NewTimer(ackTimeout * time.Second)
	defer t.Stop()
	select {
	case <-r.done:
		return r.cut
	case <-t.Chan():
		return fail(CodeUnconfirmed, "no answer within %d s", ackTimeout)
	}
}

// answer takes an acknowledgement from the server.
func (p *publisher) answer(m *nats.Msg) {
	tail, ok := strings.CutPrefix(m.Subject, p.prefix)
	if !ok {
		return
	}
	a, b, _ := strings.Cut(tail, ".")
	id, err := strconv.ParseUint(a, 36, 64)
	if err != nil {
		return
	}
	i, err := strconv.Atoi(b)
	if err != nil {
		return
	}
	p.mu.Lock()
	r := p.rounds[id]
	if r == nil || i < 0 || i >= len(r.items) {
		p.mu.Unlock()
		return // late, or not ours
	}
	err = r.check(m, i)
	p.mu.Unlock()
	p.settle(r, i, err)
}
