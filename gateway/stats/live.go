package stats

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Topics that a live reader may follow here.
const (
	TopicMessage  = "message"  // gateway.Entry
	TopicTransfer = "transfer" // gateway.Transfer
)

// queued bounds what waits for one reader.
const queued = 4096

// Item is one thing that happened.
type Item struct {
	Topic string
	Value any
}

// hub tells readers of what happens.
type hub struct {
	count atomic.Int32 // of readers, so that it costs nothing when there are none
	mu    sync.RWMutex
	list  map[*Reader]struct{}
}

// Reader is told of what happens, in order. One that does not keep up is told
// no more: its Items ends, and Dropped says how much it missed meanwhile.
type Reader struct {
	Items <-chan Item

	hub     *hub
	items   chan Item
	topics  []string
	mu      sync.Mutex
	closed  bool
	dropped atomic.Int64
}

// Follow returns a reader of the given topics. Close it.
func (m *Meter) Follow(topics ...string) *Reader {
	r := &Reader{hub: &m.live, items: make(chan Item, queued), topics: topics}
	r.Items = r.items
	m.live.mu.Lock()
	if m.live.list == nil {
		m.live.list = make(map[*Reader]struct{})
	}
	m.live.list[r] = struct{}{}
	m.live.mu.Unlock()
	m.live.count.Add(1)
	return r
}

// Close ends a reader.
func (r *Reader) Close() {
	r.hub.mu.Lock()
	_, listed := r.hub.list[r]
	delete(r.hub.list, r)
	r.hub.mu.Unlock()
	if listed {
		r.hub.count.Add(-1)
	}
}

// Dropped returns how many items found no room.
func (r *Reader) Dropped() int64 { return r.dropped.Load() }

// watched reports whether there is anybody to tell.
func (h *hub) watched() bool { return h.count.Load() > 0 }

func (h *hub) publish(i Item) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for r := range h.list {
		if slices.Contains(r.topics, i.Topic) {
			r.offer(i)
		}
	}
}

func (r *Reader) offer(i Item) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		select {
		case r.items <- i:
			return
		default:
		}
		r.closed = true
		close(r.items)
	}
	r.dropped.Add(1)
}
