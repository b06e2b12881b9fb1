package vc

import (
	"container/list"
	"context"
	"fmt"
	"sync"

	"github.com/ethereum/go-ethereum/common"
)

// cachedBytes bounds what a Verifier keeps of parsed status lists.
const cachedBytes = 64 << 20

// listCache keeps parsed status lists under the digest of their bytes, the
// least recently used one leaving first.
type listCache struct {
	mu    sync.Mutex
	max   int
	used  int
	order *list.List // of *cachedList, newest first
	m     map[[32]byte]*list.Element
}

type cachedList struct {
	digest [32]byte
	list   *StatusList
	bits   *Bitstring
	signer common.Address // of the proof, under the verifier's domain
	size   int
}

func newListCache(max int) *listCache {
	return &listCache{max: max, order: list.New(), m: make(map[[32]byte]*list.Element)}
}

func (c *listCache) get(digest [32]byte) (*cachedList, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.m[digest]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cachedList), true
}

func (c *listCache) put(digest [32]byte, l *cachedList) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.m[digest]; ok {
		return
	}
	l.digest = digest
	c.m[digest] = c.order.PushFront(l)
	c.used += l.size
	for c.used > c.max && c.order.Len() > 1 {
		e := c.order.Back()
		old := c.order.Remove(e).(*cachedList)
		delete(c.m, old.digest)
		c.used -= old.size
	}
}

// Revisions remembers the highest revision seen of every status list, so that
// an older list cannot undo a revocation.
type Revisions interface {
	// Raise notes a revision of a list and the digest of its bytes. It fails
	// when a higher one was seen before, or the same one with other bytes.
	Raise(ctx context.Context, list string, revision uint64, digest [32]byte) error
}

// DefaultRevisions bounds the lists that NewRevisions remembers.
const DefaultRevisions = 10_000

// NewRevisions remembers revisions of up to max lists in memory, the least
// recently used one leaving first. A gateway that must not forget gives its
// own.
func NewRevisions(max int) Revisions {
	return &revisions{max: max, order: list.New(), m: make(map[string]*list.Element)}
}

type revisions struct {
	mu    sync.Mutex
	max   int
	order *list.List
	m     map[string]*list.Element
}

type revision struct {
	list   string
	n      uint64
	digest [32]byte
}

// Raise implements Revisions.
func (r *revisions) Raise(_ context.Context, id string, n uint64, digest [32]byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.m[id]
	if !ok {
		r.m[id] = r.order.PushFront(&revision{list: id, n: n, digest: digest})
		if r.order.Len() > r.max {
			old := r.order.Remove(r.order.Back()).(*revision)
			delete(r.m, old.list)
		}
		return nil
	}
	r.order.MoveToFront(e)
	known := e.Value.(*revision)
	switch {
	case n < known.n:
		return fmt.Errorf("revision %d is below %d, which was seen", n, known.n)
	case n == known.n && digest != known.digest:
		return fmt.Errorf("two lists of revision %d", n)
	}
	known.n, known.digest = n, digest
	return nil
}
