package broker

import (
	"sync"

	"github.com/jonboulle/clockwork"
)

// maxLimited bounds the participants a limiter remembers.
const maxLimited = 50_000

// limiter is a token bucket per participant, in bounded memory.
type limiter struct {
	clock clockwork.Clock
	rate  float64 // per second
	burst float64
	mu    sync.Mutex
	m     map[string]bucket
}

type bucket struct {
	tokens float64
	at     int64 // ms
}

func newLimiter(clock clockwork.Clock, perSecond float64, burst int) *limiter {
	return &limiter{clock: clock, rate: perSecond, burst: float64(burst), m: make(map[string]bucket)}
}

// allow takes one token of key.
func (l *limiter) allow(key string) bool {
	now := l.clock.Now().UnixMilli()
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.m[key]
	if !ok {
		if len(l.m) >= maxLimited {
			l.sweep(now)
		}
		if len(l.m) >= maxLimited {
			return false
		}
		b = bucket{tokens: l.burst, at: now}
	}
	b.tokens = min(l.burst, b.tokens+float64(max(0, now-b.at))*l.rate/1000)
	b.at = now
	ok = b.tokens >= 1
	if ok {
		b.tokens--
	}
	l.m[key] = b
	return ok
}

// sweep forgets participants whose bucket is full again.
func (l *limiter) sweep(now int64) {
	for k, b := range l.m {
		if b.tokens+float64(max(0, now-b.at))*l.rate/1000 >= l.burst {
			delete(l.m, k)
		}
	}
}
