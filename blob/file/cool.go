package file

import (
	"os"
	"sync"

	"github.com/digital-spine/spine/blob"
)

// cooledMax is how many blobs a store remembers that it let go of.
const cooledMax = 1024

// Cool implements blob.Cooler: it lets go of the memory in which the system
// keeps a blob's bytes. One that is read again before many others were is
// evidently read by several: it is kept the next time.
func (s *Store) Cool(h blob.Hash) {
	if !s.cooled.first(h) {
		return
	}
	f, err := os.Open(s.path(h))
	if err != nil {
		return // a hint costs nothing where it cannot be followed
	}
	defer f.Close()
	s.disk.cool(f)
}

// recent tells blobs that come for the first time from those that came lately.
type recent struct {
	mu   sync.Mutex
	seen map[blob.Hash]bool
	ring []blob.Hash // in the order in which they came
	next int         // the oldest, once ring is full
}

// first notes a blob, and reports whether it is not among those noted last.
func (r *recent) first(h blob.Hash) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen[h] {
		return false
	}
	if r.seen == nil {
		r.seen = make(map[blob.Hash]bool)
	}
	r.seen[h] = true
	if len(r.ring) < cooledMax {
		r.ring = append(r.ring, h)
		return true
	}
	delete(r.seen, r.ring[r.next])
	r.ring[r.next] = h
	r.next = (r.next + 1) % cooledMax
	return true
}
