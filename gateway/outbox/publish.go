package outbox

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/bus"
)

// Bus stores wire messages at the broker; *bus.Conn is one. The result has one
// error per message; nil means stored.
type Bus interface {
	Publish(ctx context.Context, msgs []bus.Msg) []error
}

// Bounds of publishing.
const (
	publishTimeout = 10 * time.Second
	backoffMin     = 50 * time.Millisecond
	backoffMax     = 10 * time.Second
	pumpBytes      = 4 << 20 // read from the store for one round
	pumpMember     = 1 << 20 // of which for one recipient
	maxWatches     = 4096    // callers waiting for one recipient's acknowledgements
	cursorEvery    = 100 * time.Millisecond
)

// delivery is the way of one session to one recipient. Positions count its wire
// messages: 0 is the grant, 1 + seq an envelope. All fields behind the
// publisher's lock.
type delivery struct {
	sid    [32]byte
	addr   string
	pp     int
	stored int64              // positions below are at the broker
	ahead  map[int64]struct{} // and these above it
	want   int64              // positions below are committed
	saved  int64              // cursor in the store
	flying int                // publishes under way
	behind bool               // the pump reads it from the store
	watch  map[int64]*ticket
}

// ticket is told when all wire messages of an envelope are stored.
type ticket struct {
	left int
	done func()
}

// wire is one message on its way. Data may be shared by many.
type wire struct {
	to   *delivery
	pos  int64
	data []byte
}

// publisher brings committed bytes to the broker: at once from memory, or, for
// a recipient that could not be reached, from the store and in order.
type publisher struct {
	bus   Bus
	store Store
	self  string // own address
	clock clockwork.Clock
	log   *slog.Logger

	mu     sync.Mutex
	behind map[*delivery]struct{}
	dirty  map[*delivery]struct{}
	gates  map[string]*gate
	known  map[memberKey]*delivery // those behind, or owned by an open session
	wake   chan struct{}
	lost   bool // more is unpublished in the store than was read
}

type memberKey struct {
	sid  [32]byte
	addr string
}

// gate holds a mailbox back after an error.
type gate struct {
	until time.Time
	delay time.Duration
}

func newPublisher(b Bus, st Store, self string, clock clockwork.Clock, log *slog.Logger) *publisher {
	return &publisher{bus: b, store: st, self: self, clock: clock, log: log,
		behind: make(map[*delivery]struct{}), dirty: make(map[*delivery]struct{}), gates: make(map[string]*gate),
		known: make(map[memberKey]*delivery), wake: make(chan struct{}, 1)}
}

// delivery returns the delivery of a member, making it when it is not known.
func (p *publisher) delivery(m *Member) *delivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.deliveryLocked(m)
}

func (p *publisher) deliveryLocked(m *Member) *delivery {
	key := memberKey{m.SID, m.Addr}
	d, ok := p.known[key]
	if !ok {
		d = &delivery{sid: m.SID, addr: m.Addr, pp: m.PP, stored: m.Published, saved: m.Published, want: m.Published}
		p.known[key] = d
	}
	return d
}

// release forgets deliveries that have nothing left to do.
func (p *publisher) release(list []*delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range list {
		p.dropLocked(d)
	}
}

// dropLocked removes a delivery that is neither behind nor under way nor has a
// cursor to save; the others are removed when that ends.
func (p *publisher) dropLocked(d *delivery) {
	_, dirty := p.dirty[d]
	if !d.behind && d.flying == 0 && !dirty && d.stored >= d.want {
		delete(p.known, memberKey{d.sid, d.addr})
	}
}

// at reports whether the broker has stored envelope seq for a member.
func (p *publisher) at(m *Member, seq int64) bool {
	if m.Published >= seq+2 {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	d, ok := p.known[memberKey{m.SID, m.Addr}]
	if !ok {
		return false
	}
	_, ahead := d.ahead[seq+1]
	return ahead || d.stored >= seq+2
}

// expect says that the wire messages are committed, and calls done when all are
// stored at the broker. It must be called before send.
func (p *publisher) expect(wires []wire, done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := &ticket{done: done}
	for i := range wires {
		w := &wires[i]
		w.to.want = max(w.to.want, w.pos+1)
		if len(w.to.watch) >= maxWatches {
			t.left++ // this caller will not hear of it, and answers 202
			continue
		}
		if w.to.watch == nil {
			w.to.watch = make(map[int64]*ticket)
		}
		w.to.watch[w.pos] = t
		t.left++
	}
}

// send publishes committed wire messages from memory. Recipients that are
// behind are left to the pump, and so are those for whom it fails.
func (p *publisher) send(ctx context.Context, wires []wire) {
	p.mu.Lock()
	now := wires[:0]
	for _, w := range wires {
		if !w.to.behind {
			w.to.flying++
			now = append(now, w)
		}
	}
	p.mu.Unlock()
	p.publish(ctx, now)
}

// leave hands recipients to the pump.
func (p *publisher) leave(wires []wire) {
	p.mu.Lock()
	for i := range wires {
		p.fallLocked(wires[i].to)
	}
	p.mu.Unlock()
	p.poke()
}

func (p *publisher) fallLocked(d *delivery) {
	if !d.behind {
		d.behind = true
		p.behind[d] = struct{}{}
	}
}

func (p *publisher) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// publish sends and takes stock; the deliveries count as flying already.
func (p *publisher) publish(ctx context.Context, wires []wire) {
	if len(wires) == 0 {
		return
	}
	msgs := make([]bus.Msg, len(wires))
	for i := range wires {
		w := &wires[i]
		msgs[i] = bus.Msg{Subject: bus.Subject(w.to.pp, w.to.addr, p.self), Data: w.data}
	}
	ctx, cancel := clockwork.WithTimeout(ctx, p.clock, publishTimeout)
	errs := p.bus.Publish(ctx, msgs)
	cancel()
	var done []func()
	fell := false
	p.mu.Lock()
	for i := range wires {
		w := &wires[i]
		w.to.flying--
		fell = fell || w.to.behind // the pump waited for this flight to land
		if errs[i] == nil {
			if f := p.storedLocked(w.to, w.pos); f != nil {
				done = append(done, f)
			}
			continue
		}
		fell = true
		p.refusedLocked(w.to, errs[i])
	}
	p.mu.Unlock()
	for _, f := range done {
		f()
	}
	if fell {
		p.poke()
	}
}

// storedLocked moves the cursor of d past pos and returns what to call.
func (p *publisher) storedLocked(d *delivery, pos int64) (done func()) {
	if t := d.watch[pos]; t != nil {
		delete(d.watch, pos)
		if t.left--; t.left == 0 {
			done = t.done
		}
	}
	switch {
	case pos == d.stored:
		d.stored++
		for len(d.ahead) > 0 {
			if _, ok := d.ahead[d.stored]; !ok {
				break
			}
			delete(d.ahead, d.stored)
			d.stored++
		}
		p.dirty[d] = struct{}{}
	case pos > d.stored:
		if d.ahead == nil {
			d.ahead = make(map[int64]struct{})
		}
		d.ahead[pos] = struct{}{}
	}
	delete(p.gates, d.addr)
	return done
}

func (p *publisher) refusedLocked(d *delivery, err error) {
	p.fallLocked(d)
	g := p.gates[d.addr]
	if g == nil {
		g = &gate{}
		p.gates[d.addr] = g
	}
	now := p.clock.Now()
	if now.Before(g.until) {
		return // several messages of one round count once
	}
	g.delay = min(max(2*g.delay, backoffMin), backoffMax)
	g.until = now.Add(g.delay)
	p.log.Debug("publish refused", "mailbox", d.addr, "again_in", g.delay, "err", err)
}

// run publishes what is behind until ctx ends. It begins with what the store
// holds from an earlier run.
func (p *publisher) run(ctx context.Context) error {
	if err := p.load(ctx); err != nil {
		return err
	}
	save := p.clock.NewTicker(cursorEvery)
	defer save.Stop()
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		p.save(last)
	}()
	for {
		wires, wait, err := p.round(ctx)
		if err != nil {
			p.log.Error("outbox read failed", "err", err)
			wait = time.Second
		}
		if len(wires) > 0 {
			p.publish(ctx, wires)
			if ctx.Err() == nil {
				continue
			}
		}
		var again <-chan time.Time
		if wait > 0 {
			again = p.clock.After(wait)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.wake:
		case <-again:
		case <-save.Chan():
			p.save(ctx)
		}
	}
}

// load reads what an earlier run left unpublished.
func (p *publisher) load(ctx context.Context) error {
	const page = 10_000
	list, err := p.store.Unpublished(ctx, page)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = len(list) == page
	for i := range list {
		m := &list[i]
		if _, ok := p.known[memberKey{m.SID, m.Addr}]; ok {
			continue // of this run: it knows better
		}
		d := p.deliveryLocked(m)
		d.want = m.Next + 1
		p.fallLocked(d)
	}
	return nil
}

// round reads the next messages of recipients that are behind. wait is the
// time until a closed gate opens, 0 when there is none.
func (p *publisher) round(ctx context.Context) (wires []wire, wait time.Duration, err error) {
	p.mu.Lock()
	now := p.clock.Now()
	var ready []*delivery
	for d := range p.behind {
		if d.flying > 0 {
			continue // its landing pokes
		}
		if d.stored >= d.want {
			d.behind = false
			delete(p.behind, d)
			continue
		}
		if g := p.gates[d.addr]; g != nil && now.Before(g.until) {
			if left := g.until.Sub(now); wait == 0 || left < wait {
				wait = left
			}
			continue
		}
		ready = append(ready, d)
	}
	more := p.lost && len(p.behind) == 0
	p.mu.Unlock()
	if more {
		if err := p.load(ctx); err != nil {
			return nil, 0, err
		}
		return p.round(ctx)
	}
	size := 0
	for _, d := range ready {
		got, err := p.read(ctx, d)
		if err != nil {
			return wires, wait, err
		}
		for i := range got {
			size += len(got[i].data)
		}
		wires = append(wires, got...)
		if size >= pumpBytes || len(wires) >= bus.MaxBatch {
			break
		}
	}
	p.mu.Lock()
	for i := range wires {
		wires[i].to.flying++
	}
	p.mu.Unlock()
	return wires, wait, nil
}

// read returns the next wire messages of d, skipping what is stored already
// and what is not needed any more.
func (p *publisher) read(ctx context.Context, d *delivery) ([]wire, error) {
	p.mu.Lock()
	from, want := d.stored, d.want
	p.mu.Unlock()
	var wires []wire
	if from == 0 {
		m, err := p.store.Member(ctx, d.sid, d.addr)
		if err != nil || len(m.Grant) == 0 {
			p.skip(d, from, want)
			return nil, ignoreGone(err)
		}
		wires = append(wires, wire{d, 0, m.Grant})
		from = 1
	}
	list, err := p.store.Envelopes(ctx, d.sid, from-1, want-2, pumpMember)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	next := from
	for i := range list {
		e := &list[i]
		next = e.Seq + 2
		if _, ok := d.ahead[e.Seq+1]; ok {
			continue
		}
		if e.Bytes == nil { // receipted by all, or retired
			p.storedLocked(d, e.Seq+1)
			continue
		}
		wires = append(wires, wire{d, e.Seq + 1, e.Bytes})
	}
	if len(list) == 0 && next < want { // forgotten meanwhile
		d.stored = max(d.stored, want)
	}
	return wires, nil
}

func (p *publisher) skip(d *delivery, from, want int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d.stored == from {
		d.stored = max(d.stored, want)
	}
}

func ignoreGone(err error) error {
	if err == ErrNoRow {
		return nil
	}
	return err
}

// save writes the cursors that moved.
func (p *publisher) save(ctx context.Context) {
	p.mu.Lock()
	list := make([]Cursor, 0, len(p.dirty))
	moved := make([]*delivery, 0, len(p.dirty))
	for d := range p.dirty {
		list = append(list, Cursor{SID: d.sid, Addr: d.addr, Published: d.stored})
		moved = append(moved, d)
		delete(p.dirty, d)
	}
	p.mu.Unlock()
	if len(list) == 0 {
		return
	}
	err := p.store.Published(ctx, list)
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, d := range moved {
		if err != nil {
			p.dirty[d] = struct{}{}
			continue
		}
		d.saved = max(d.saved, list[i].Published)
	}
	if err != nil {
		p.log.Error("outbox cursors not saved", "err", err)
	}
}
