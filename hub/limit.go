package hub

import (
	"container/list"
	"sync"

	"golang.org/x/time/rate"

	"github.com/jonboulle/clockwork"
)

// Rates above which the answer is throttled (429).
const (
	WritesPerSecond  = 50 // of one DID, in bursts of WriteBurst
	WriteBurst       = 500
	LookupsPerSecond = 500 // on the chain for readers without a login, all together
	LookupBurst      = 2000
	MaxWaiting       = 5000   // long polls that wait at the same time
	limitedDIDs      = 10_000 // DIDs whose rates are remembered, the least recent leaving first
)

// limiter holds callers to a rate each. What it forgets begins with a full
// burst again, so that its memory is bounded and nobody is locked out by it.
type limiter struct {
	clock clockwork.Clock
	limit rate.Limit
	burst int

	mu    sync.Mutex
	order *list.List
	m     map[string]*list.Element
}

type limited struct {
	key string
	*rate.Limiter
}

func newLimiter(c clockwork.Clock, perSecond, burst int) *limiter {
	return &limiter{clock: c, limit: rate.Limit(perSecond), burst: burst, order: list.New(), m: make(map[string]*list.Element)}
}

// allow counts one action of key; ErrThrottled above the rate.
func (l *limiter) allow(key string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.m[key]
	if ok {
		l.order.MoveToFront(e)
	} else {
		e = l.order.PushFront(&limited{key, rate.NewLimiter(l.limit, l.burst)})
		l.m[key] = e
		if l.order.Len() > limitedDIDs {
			old := l.order.Remove(l.order.Back()).(*limited)
			delete(l.m, old.key)
		}
	}
	if !e.Value.(*limited).AllowN(l.clock.Now(), 1) {
		return ErrThrottled
	}
	return nil
}
