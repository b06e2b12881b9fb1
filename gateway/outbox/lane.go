package outbox

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/internal/problem"
)

// Bounds of a lane.
const (
	maxFlights = 2                      // envelopes of a lane on their way: one flies, one is committed behind it; frames gather meanwhile
	patience   = 200 * time.Millisecond // a publish slower than this does not hold the lane up
	retryEvery = 5 * time.Second        // until waiting frames are tried again without news
	drainRows  = 256                    // waiting frames read at once
)

// lane is one lane group of this sender: it numbers, and nothing overtakes
// inside it. Its worker runs while there is something to do.
type lane struct {
	Lane
	o      *Outbox
	to     []string // the selection, nil for all
	flight chan struct{}
	pins   atomic.Int32 // who uses it at present, changed up under the outbox's lock

	// sealing is held from the look at the session to the commit. It is taken
	// before park.
	sealing sync.Mutex
	// park keeps the order of frames that go to the store instead of the queue.
	park sync.Mutex

	mu      sync.Mutex
	queue   []*item
	parked  bool // older frames wait in the store
	running bool
	dirty   bool     // recipients, record or own papers may have changed
	open    bool     // the worker has a session
	void    bool     // a member's refusal ended the session
	refusal int      // receipts that end the session and are not stored yet
	sid     [32]byte // of the session the worker has
	retry   bool     // a timer will kick
	pokes   uint64   // how often the worker was told to look again
	used    time.Time

	// Owned by the worker.
	sess   *session
	flown  chan struct{} // closed when the last flight has landed
	grown  time.Time     // when a larger recipient set was first seen
	voided time.Time     // when a refusal last opened a session
}

// add queues items, or stores them behind those that wait already.
func (l *lane) add(ctx context.Context, items []*item) {
	l.mu.Lock()
	l.used = l.o.clock.Now()
	if !l.parked {
		l.queue = append(l.queue, items...)
		l.start()
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	l.park.Lock()
	defer l.park.Unlock()
	l.mu.Lock()
	if !l.parked { // drained meanwhile
		l.queue = append(l.queue, items...)
		l.start()
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	l.keep(ctx, items, "")
	l.kick()
}

// evict stores everything that still waits in memory, so that callers can be
// answered: durable, not sent yet.
func (l *lane) evict(ctx context.Context, code string) {
	l.park.Lock()
	defer l.park.Unlock()
	l.unload(ctx, code, false)
}

// wake has the worker look into the store: a message there may go on.
func (l *lane) wake(ctx context.Context) {
	l.park.Lock()
	defer l.park.Unlock()
	l.unload(ctx, "", true)
	l.kick()
}

// unload stores the queue, behind what is in the store; more says that there is
// something to be read there in any case. The caller holds park.
func (l *lane) unload(ctx context.Context, code string, more bool) {
	l.mu.Lock()
	items := l.queue
	l.queue = nil
	if len(items) > 0 || more {
		l.parked = true
	}
	l.mu.Unlock()
	l.keep(ctx, items, code)
}

// keep writes items to the store as waiting; the caller holds park.
func (l *lane) keep(ctx context.Context, items []*item, code string) {
	if len(items) == 0 {
		return
	}
	rows := make([]Waiting, len(items))
	for i, it := range items {
		rows[i] = l.o.waiting(it)
	}
	err := l.o.keep(ctx, l.Lane, code, rows)
	if err == nil {
		l.o.usage.waiting.Add(int64(len(rows)))
	}
	for _, it := range items {
		if err != nil {
			it.finish(failed, problem.From(err))
		} else {
			it.finish(waiting, nil)
		}
	}
}

// fit returns how many items fit into one envelope.
func (o *Outbox) fit(items []*item) int {
	var load envelope.Load
	for i, it := range items {
		if !load.Add(&it.frame, o.net.Wire) {
			return i
		}
	}
	return len(items)
}

// start runs the worker; the caller holds mu.
func (l *lane) start() {
	if !l.running && l.o.spawn(func(ctx context.Context) { l.work(ctx) }) {
		l.running = true
	}
}

// kick makes the worker look again.
func (l *lane) kick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pokes++
	l.start()
}

// work seals and commits until nothing is left, or nothing can be done.
func (l *lane) work(ctx context.Context) {
	for {
		l.mu.Lock()
		idle := len(l.queue) == 0 && !l.parked
		if idle || ctx.Err() != nil {
			l.running = false
			l.mu.Unlock()
			return
		}
		pokes := l.pokes
		l.mu.Unlock()
		if err := l.step(ctx); err != nil {
			l.stall(ctx, err, pokes)
			return
		}
	}
}

// step sends one envelope, or brings the session up to date.
func (l *lane) step(ctx context.Context) error {
	l.sealing.Lock()
	defer l.sealing.Unlock()
	if err := l.ready(ctx); err != nil {
		return err
	}
	if wait := l.o.budget.pause(l.sess.deliveries); wait > 0 {
		return paced{wait}
	}
	free := l.slot(ctx)
	items, err := l.take(ctx)
	if err != nil || len(items) == 0 {
		if free {
			<-l.flight
		}
		return err
	}
	return l.ship(ctx, items, free)
}

// slot waits until fewer than maxFlights publishes are under way, so that
// frames gather; but not for a broker that does not answer.
func (l *lane) slot(ctx context.Context) bool {
	select {
	case l.flight <- struct{}{}:
		return true
	default:
	}
	timer := l.o.clock.NewTimer(patience)
	defer timer.Stop()
	select {
	case l.flight <- struct{}{}:
		return true
	case <-timer.Chan():
	case <-ctx.Done():
	}
	return false
}

// take returns the next frames: those that wait in the store first.
func (l *lane) take(ctx context.Context) ([]*item, error) {
	l.mu.Lock()
	parked := l.parked
	l.mu.Unlock()
	if parked {
		items, err := l.unpark(ctx)
		if err != nil || len(items) > 0 {
			return items, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.o.fit(l.queue)
	items := l.queue[:n:n]
	l.queue = l.queue[n:]
	if len(l.queue) == 0 {
		l.queue = nil
	}
	return items, nil
}

// unpark reads frames that wait in the store; none ends the parking.
func (l *lane) unpark(ctx context.Context) ([]*item, error) {
	l.park.Lock()
	defer l.park.Unlock()
	for {
		rows, err := l.o.store.Waiting(ctx, l.Lane, drainRows)
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			l.mu.Lock()
			l.parked = false
			l.mu.Unlock()
			return nil, nil
		}
		items := make([]*item, 0, len(rows))
		for i := range rows {
			it, err := l.o.waited(ctx, &rows[i])
			if err != nil {
				return nil, err
			}
			if it != nil {
				items = append(items, it)
			}
		}
		if len(items) > 0 {
			return items[:max(1, l.o.fit(items))], nil
		}
	}
}

// stall stores what waits in memory, tells why, and arranges another try: at
// once when the worker was poked since it began the last one.
func (l *lane) stall(ctx context.Context, err error, pokes uint64) {
	code := problem.CodeOf(err)
	delay := retryEvery
	var p paced
	if errors.As(err, &p) {
		delay = p.wait
	}
	if ctx.Err() == nil && p.wait == 0 && !errors.Is(err, errLater) {
		l.o.log.Info("messages wait", "channel", l.Channel, "topic", l.Topic, "code", code, "err", err)
	}
	l.evict(ctx, code)
	if ctx.Err() == nil {
		if err := l.o.store.Blame(ctx, l.Lane, code); err != nil {
			l.o.log.Error("outbox write failed", "err", err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = false
	if l.pokes != pokes {
		l.start()
		return
	}
	if l.retry || !l.parked {
		return
	}
	l.retry = true
	l.o.spawn(func(ctx context.Context) {
		timer := l.o.clock.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.Chan():
		case <-ctx.Done():
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.retry = false
		l.start()
	})
}

// paced holds a lane back whose recipient's mailbox has taken more than half
// of what the network lets one sender store there.
type paced struct {
	wait time.Duration
}

// Error implements error.
func (p paced) Error() string { return "the recipient's mailbox takes no more at present" }

// ErrorCode returns the stable code.
func (p paced) ErrorCode() string { return string(envelope.OutboxFull) }

// disturb says that what the session rests on may have changed, and tries
// again what waits.
func (l *lane) disturb() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dirty = true
	l.pokes++
	if l.parked {
		l.start()
	}
}
