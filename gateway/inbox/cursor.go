package inbox

import (
	"container/list"
	"sort"
	"time"
)

// Bounds of one consumer.
const (
	maxInFlight = 10_000  // frames handed over and not acknowledged
	maxWindow   = 100_000 // places between the first unacknowledged and the last read
)

// place is one envelope in a consumer's window: which of its frames are done.
type place struct {
	pos  int64
	size int      // frames
	next int      // first frame never handed over by this process
	bits []uint64 // done: acknowledged, or not for handing over
	left int      // frames not done
}

func (p *place) done(f int) bool { return p.bits[f/64]&(1<<(f%64)) != 0 }

// finish marks a frame done and reports whether it was not.
func (p *place) finish(f int) bool {
	if p.done(f) {
		return false
	}
	p.bits[f/64] |= 1 << (f % 64)
	p.left--
	return true
}

func newPlace(pos int64, size int, skip []int) *place {
	p := &place{pos: pos, size: size, left: size, bits: make([]uint64, (size+63)/64)}
	for _, f := range skip {
		if f >= 0 && f < size {
			p.finish(f)
		}
	}
	return p
}

// encodeBits and decodeBits are the stored form of place.bits.
func (p *place) encodeBits() []byte {
	b := make([]byte, (p.size+7)/8)
	for i := range b {
		b[i] = byte(p.bits[i/8] >> (8 * (i % 8)))
	}
	return b
}

func (p *place) decodeBits(b []byte) {
	for f := 0; f < p.size && f/8 < len(b); f++ {
		if b[f/8]&(1<<(f%8)) != 0 {
			p.finish(f)
		}
	}
}

// flight is a frame handed over and not yet acknowledged.
type flight struct {
	pos      int64
	frame    int
	deadline time.Time
	count    int // times handed over by this process
	elem     *list.Element
}

type frameRef struct {
	pos   int64
	frame int
}

// cursor is a consumer's position in memory: a window of places above the
// floor, and what is in flight. It does no I/O and is guarded by its consumer.
type cursor struct {
	row     ConsumerRow
	restart ConsumerRow      // as loaded: what is up to its Handed may have been handed over before
	acked   map[int64][]byte // stored acknowledgements not yet in the window
	read    int64            // last place taken into the window
	window  []*place
	flights map[frameRef]*flight
	queue   *list.List // of *flight, by deadline
}

func newCursor(row ConsumerRow, acks []AckRow) *cursor {
	c := &cursor{row: row, restart: row, read: row.Floor, acked: make(map[int64][]byte, len(acks)),
		flights: make(map[frameRef]*flight), queue: list.New()}
	for _, a := range acks {
		c.acked[a.Pos] = a.Bits
	}
	return c
}

// add takes the next place into the window; skip are frames never handed over.
func (c *cursor) add(pos int64, size int, skip []int) *place {
	p := newPlace(pos, size, skip)
	if b, ok := c.acked[pos]; ok {
		p.decodeBits(b)
		delete(c.acked, pos)
	}
	c.read = pos
	c.window = append(c.window, p)
	return p
}

// pass notes that everything up to pos holds nothing more for this consumer.
func (c *cursor) pass(pos int64) { c.read = max(c.read, pos) }

// find returns the place in the window, nil when it is below the floor.
func (c *cursor) find(pos int64) *place {
	i := sort.Search(len(c.window), func(i int) bool { return c.window[i].pos >= pos })
	if i < len(c.window) && c.window[i].pos == pos {
		return c.window[i]
	}
	return nil
}

// before reports whether the frame may have been handed over by an earlier process.
func (c *cursor) before(pos int64, frame int) bool {
	return pos < c.restart.Handed || (pos == c.restart.Handed && frame <= c.restart.HandedFrame)
}

// hand puts a frame in flight and returns how often it was handed over.
func (c *cursor) hand(pos int64, frame int, deadline time.Time) int {
	k := frameRef{pos, frame}
	f := c.flights[k]
	if f == nil {
		f = &flight{pos: pos, frame: frame}
		c.flights[k] = f
	} else {
		c.queue.Remove(f.elem)
	}
	f.count++
	f.deadline = deadline
	f.elem = c.enqueue(f)
	if pos > c.row.Handed || (pos == c.row.Handed && frame > c.row.HandedFrame) {
		c.row.Handed, c.row.HandedFrame = pos, frame
	}
	return f.count
}

// enqueue puts a flight among the others, by deadline: as a rule last.
func (c *cursor) enqueue(f *flight) *list.Element {
	for e := c.queue.Back(); e != nil; e = e.Prev() {
		if !e.Value.(*flight).deadline.After(f.deadline) {
			return c.queue.InsertAfter(f, e)
		}
	}
	return c.queue.PushFront(f)
}

// due makes frames in flight due now, behind what is due already; false when
// none is in flight.
func (c *cursor) due(refs []frameRef, now time.Time) bool {
	var list []*flight
	for _, k := range refs {
		if f := c.flights[k]; f != nil && f.elem != nil {
			c.queue.Remove(f.elem)
			f.elem, f.deadline = nil, now
			list = append(list, f)
		}
	}
	next := c.queue.Front()
	for next != nil && !next.Value.(*flight).deadline.After(now) {
		next = next.Next()
	}
	for _, f := range list {
		if next == nil {
			f.elem = c.queue.PushBack(f)
		} else {
			f.elem = c.queue.InsertBefore(f, next)
		}
	}
	return len(list) > 0
}

// overdue returns the frame whose deadline passed first, nil when none has.
func (c *cursor) overdue(now time.Time) *flight {
	if e := c.queue.Front(); e != nil {
		if f := e.Value.(*flight); !f.deadline.After(now) {
			return f
		}
	}
	return nil
}

// nextDeadline returns when the first frame in flight is due again.
func (c *cursor) nextDeadline() (time.Time, bool) {
	if e := c.queue.Front(); e != nil {
		return e.Value.(*flight).deadline, true
	}
	return time.Time{}, false
}

// ack finishes a frame. It returns the place when that changed something.
func (c *cursor) ack(pos int64, frame int) *place {
	if f := c.flights[frameRef{pos, frame}]; f != nil {
		c.queue.Remove(f.elem)
		delete(c.flights, frameRef{pos, frame})
	}
	p := c.find(pos)
	if p == nil || frame < 0 || frame >= p.size || !p.finish(frame) {
		return nil
	}
	return p
}

// settle moves the floor over places that are done and reports whether it moved.
func (c *cursor) settle() bool {
	i := 0
	for i < len(c.window) && c.window[i].left == 0 {
		i++
	}
	floor := c.row.Floor
	if i > 0 {
		floor = c.window[i-1].pos
		clear(c.window[:i])
		c.window = c.window[i:]
	}
	if len(c.window) == 0 {
		floor = c.read
	}
	moved := floor > c.row.Floor
	c.row.Floor = max(floor, c.row.Floor)
	return moved
}

// full reports whether no new frame may be handed over.
func (c *cursor) full() bool { return len(c.flights) >= maxInFlight || len(c.window) >= maxWindow }
