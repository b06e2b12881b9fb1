package outbox

import (
	"sync"

	"github.com/digital-spine/spine/envelope"
)

// stage is how far a message has come in this process.
type stage int

const (
	pending stage = iota // in memory only
	waiting              // durable, not sealed
	sealed               // durable, with number and signature
	stored               // and at the broker, for every recipient
	failed               // not durable; the error says why
)

// item is one message between accept and commit.
type item struct {
	id    [16]byte
	sum   []byte
	frame envelope.Frame
	size  int64       // bytes of the body or file
	file  *attachment // until it waits for it in the store
	moved bool        // its frame waits in the store
	call  *call
	pos   int // in the call
}

func (it *item) finish(s stage, err error) {
	if it.call != nil {
		it.call.finish(it.pos, s, err)
	}
}

// call collects what became of the messages of one Send.
type call struct {
	mu      sync.Mutex
	stages  []stage
	errs    []error
	open    int // pending
	flying  int // pending or sealed
	durable chan struct{}
	settled chan struct{}
}

func newCall(n int) *call {
	c := &call{stages: make([]stage, n), errs: make([]error, n), open: n, flying: n,
		durable: make(chan struct{}), settled: make(chan struct{})}
	if n == 0 {
		close(c.durable)
		close(c.settled)
	}
	return c
}

// finish moves a message on. Stages only rise, except that a message that
// waits may still be sealed by somebody else, which is not this call's news.
func (c *call) finish(i int, s stage, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.stages[i]
	if old >= s || old == waiting {
		return
	}
	c.stages[i], c.errs[i] = s, err
	if old == pending {
		if c.open--; c.open == 0 {
			close(c.durable)
		}
	}
	if s != sealed {
		if c.flying--; c.flying == 0 {
			close(c.settled)
		}
	}
}

func (c *call) result(i int) (stage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stages[i], c.errs[i]
}
