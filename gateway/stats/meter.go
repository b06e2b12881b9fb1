// Package stats measures what a gateway does, for people who watch it: messages
// and refusals a second, latencies, who exchanges what with whom, files on
// their way; and it tells live readers of each message as it happens.
//
// It keeps the last hour in bounded memory and nothing on disk, it never sees
// content, and nobody who reports to it ever waits. It is not the log of
// messages (gateway.Logbook) and no evidence of anything.
package stats

import (
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/gateway"
)

// Bounds of what is kept.
const (
	Window       = time.Hour // how far back it remembers
	seconds      = int64(Window / time.Second)
	minutes      = int64(Window / time.Minute)
	MaxEdges     = 1000
	MaxTransfers = 100
	remembered   = 16 << 10 // messages that are told apart from their changes of state
)

// Meter implements gateway.Activity. Its methods may be called from many
// goroutines.
type Meter struct {
	did   string
	clock clockwork.Clock
	live  hub

	mu        sync.Mutex
	ring      [seconds]second
	edges     map[edgeKey]*edge
	transfers []gateway.Transfer // the latest last
	seen      map[seenKey]struct{}
	order     []seenKey // of seen, in a ring
	at        int       // next place in order
	totals    gateway.Totals
}

var _ gateway.Activity = (*Meter)(nil)

// second is what happened in one second of the clock.
type second struct {
	at                         int64 // the second, since 1970
	received, accepted, refuse int64
	in, out                    *histogram // nil: nothing was measured
}

// What a message is counted as, each once.
const (
	asReceived = iota
	asAccepted
	asDelivered
	asRefused
	asUnconfirmed
	asUndelivered
)

type seenKey struct {
	id [16]byte
	as uint8
}

// New returns a meter for the gateway of a DID.
func New(did string, clock clockwork.Clock) *Meter {
	m := &Meter{did: did, clock: clock, edges: make(map[edgeKey]*edge), seen: make(map[seenKey]struct{}), order: make([]seenKey, remembered)}
	m.totals.Since = clock.Now().UnixMilli()
	return m
}

// Message implements gateway.Activity. A message is counted once, and once for
// each state that ends it.
func (m *Meter) Message(e gateway.Entry) {
	m.count(&e)
	if m.live.watched() { // else nothing is put together
		m.live.publish(Item{Topic: TopicMessage, Value: e})
	}
}

func (m *Meter) count(e *gateway.Entry) {
	now := m.clock.Now()
	id, err := gateway.ParseID(e.ID)
	m.mu.Lock()
	defer m.mu.Unlock()
	first := func(as uint8) bool { return err != nil || m.first(seenKey{id, as}) }
	s := m.second(now.Unix())
	switch {
	case e.Direction == gateway.In && e.State == gateway.StateRefused:
		if first(asRefused) {
			s.refuse++
			m.totals.Refused++
			m.flow(e, now, true)
		}
	case e.Direction == gateway.In:
		if first(asReceived) {
			s.received++
			m.totals.In++
			m.flow(e, now, false)
		}
	case e.State == gateway.StateWaiting || e.State == gateway.StateAccepted:
		if first(asAccepted) {
			s.accepted++
			m.totals.Out++
			m.flow(e, now, false)
		}
	case e.State == gateway.StateDelivered && first(asDelivered):
		m.totals.Delivered++
	case e.State == gateway.StateRefused && first(asRefused):
		s.refuse++
		m.totals.Refused++
		m.flow(e, now, true)
	case e.State == gateway.StateUnconfirmed && first(asUnconfirmed):
		m.totals.Unconfirmed++
	case e.State == gateway.StateUndelivered && first(asUndelivered):
		m.totals.Undelivered++
	}
}

// first reports whether something is counted for the first time, as far as is
// remembered. The caller holds the lock.
func (m *Meter) first(k seenKey) bool {
	if _, known := m.seen[k]; known {
		return false
	}
	delete(m.seen, m.order[m.at])
	m.order[m.at] = k
	m.seen[k] = struct{}{}
	m.at = (m.at + 1) % len(m.order)
	return true
}

// second returns the place of a second, cleared of what is an hour old. The
// caller holds the lock.
func (m *Meter) second(at int64) *second {
	s := &m.ring[at%seconds]
	if s.at != at {
		in, out := s.in, s.out // their memory is used again
		*s = second{at: at}
		if in != nil {
			*in = histogram{}
			s.in = in
		}
		if out != nil {
			*out = histogram{}
			s.out = out
		}
	}
	return s
}

// Latency implements gateway.Activity.
func (m *Meter) Latency(direction string, ms int64) {
	now := m.clock.Now().Unix()
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.second(now)
	h := &s.out
	if direction == gateway.In {
		h = &s.in
	}
	if *h == nil {
		*h = new(histogram)
	}
	(*h).add(ms)
}

// Transfer implements gateway.Activity.
func (m *Meter) Transfer(t gateway.Transfer) {
	m.mu.Lock()
	for i := range m.transfers {
		if m.transfers[i].File.ID == t.File.ID {
			m.transfers = append(m.transfers[:i], m.transfers[i+1:]...)
			break
		}
	}
	if len(m.transfers) == MaxTransfers {
		m.transfers = m.transfers[1:]
	}
	m.transfers = append(m.transfers, t)
	m.mu.Unlock()
	if m.live.watched() {
		m.live.publish(Item{Topic: TopicTransfer, Value: t})
	}
}
