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
	saveTimeout    = 5 * time.Second // of the last cursors; what is not saved is published again
	loadPage       = 10_000          // members with something unpublished that are read at once
)

// delivery is the way of one session to one recipient. Positions count its wire
// messages: 0 is the grant, 1 + seq an envelope. All fields behind the
// publisher's lock.
type delivery struct {
	sid    [32]byte
	addr   string
	pp     int
	size   int                // members of the session
	naf    int64              // its end, ms
	stored int64              // positions below are at the broker
	moved  int64              // when stored last moved, ms
	ahead  map[int64]struct{} // and these above it
	want   int64              // positions below are committed
	flying int                // publishes under way
	behind bool               // the pump reads it from the store
	over   bool               // its session is not open any more
	astray bool               // the broker knows no such mailbox in this partition
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

	// where asks the directory for the partition of a mailbox.
	where  func(ctx context.Context, addr string) (int, error)
	depot  *depot
	retain int64 // R, ms

	mu     sync.Mutex
	behind map[*delivery]struct{}
	dirty  map[*delivery]struct{}
	gates  map[string]*gate
	known  map[memberKey]*delivery // those behind, or owned by an open session
	wake   chan struct{}
	due    chan struct{} // cursors moved a while ago and are not saved
	lost   bool          // more is unpublished in the store than was read
	unread bool          // and something of which nobody was told
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
		known: make(map[memberKey]*delivery), wake: make(chan struct{}, 1), due: make(chan struct{}, 1)}
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
		d = &delivery{sid: m.SID, addr: m.Addr, pp: m.PP, size: m.Size, naf: m.NAF, stored: m.Published, want: m.Published}
		p.known[key] = d
	}
	return d
}

// release says that a session is not open any more: its deliveries are
// forgotten as soon as they have nothing left to do.
func (p *publisher) release(list []*delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range list {
		d.over = true
		p.dropLocked(d)
	}
}

// dropLocked forgets a delivery whose session is over, that is neither behind
// nor under way, and whose cursor is saved.
func (p *publisher) dropLocked(d *delivery) {
	_, dirty := p.dirty[d]
	if d.over && !d.behind && d.flying == 0 && !dirty && d.stored >= d.want {
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

// place is the partition of a member's mailbox as far as is known.
func (p *publisher) place(m *Member) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d, ok := p.known[memberKey{m.SID, m.Addr}]; ok {
		return d.pp
	}
	return m.PP
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
	now := make([]wire, 0, len(wires))
	for _, w := range wires {
		if !w.to.behind {
			w.to.flying++
			now = append(now, w)
		}
	}
	p.mu.Unlock()
	if len(now) < len(wires) {
		p.poke()
	}
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

// adopt has the pump find in the store what it was not told of: a commit that
// was reported as failed and was made.
func (p *publisher) adopt() {
	p.mu.Lock()
	p.unread = true
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
	ctx, cancel := within(ctx, p.clock, publishTimeout)
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
		d.moved = p.clock.Now().UnixMilli()
		for len(d.ahead) > 0 {
			if _, ok := d.ahead[d.stored]; !ok {
				break
			}
			delete(d.ahead, d.stored)
			d.stored++
		}
		p.dirtyLocked(d)
	case pos > d.stored:
		if d.ahead == nil {
			d.ahead = make(map[int64]struct{})
		}
		d.ahead[pos] = struct{}{}
	}
	delete(p.gates, d.addr)
	return done
}

// dirtyLocked has the cursor of d saved soon. No timer runs while nothing moves.
func (p *publisher) dirtyLocked(d *delivery) {
	if len(p.dirty) == 0 {
		p.clock.AfterFunc(cursorEvery, func() {
			select {
			case p.due <- struct{}{}:
			default:
			}
		})
	}
	p.dirty[d] = struct{}{}
}

func (p *publisher) refusedLocked(d *delivery, err error) {
	p.fallLocked(d)
	d.astray = d.astray || bus.CodeOf(err) == bus.CodeNoMailbox
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
