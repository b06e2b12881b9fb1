package inbox

import (
	"cmp"
	"slices"
)

// Return implements gateway.Receiver. What was handed over since then to
// somebody else is handed over once more: it is delivered at least once.
func (x *Inbox) Return(tokens []string) {
	by := make(map[int64][]frameRef)
	for _, t := range tokens {
		if id, ref, err := parseToken(t); err == nil {
			by[id] = append(by[id], ref)
		}
	}
	for id, refs := range by {
		x.mu.Lock()
		c := x.byID[id]
		x.mu.Unlock()
		if c != nil { // else nothing of it is in flight
			c.giveBack(refs, x)
		}
	}
}

// giveBack makes frames due now, in their order, and wakes waiting pulls.
func (c *consumer) giveBack(refs []frameRef, x *Inbox) {
	slices.SortFunc(refs, func(a, b frameRef) int {
		return cmp.Or(cmp.Compare(a.pos, b.pos), cmp.Compare(a.frame, b.frame))
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cur.due(refs, x.clock.Now()) {
		close(c.freed)
		c.freed = make(chan struct{})
	}
}
