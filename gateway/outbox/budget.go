package outbox

import (
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
)

// Budgets of section 12.
const (
	resendBytes  = 64 << 20 // per recipient and minute
	resendTimes  = 5        // per envelope, and per grant, and hour; as often a lane is sealed again
	maxResends   = 100_000  // what is remembered of resends
	envelopePart = 0.70     // of the cap: 25 % stay for receipts, 5 % for grants
	gatherPart   = 0.50     // of the cap: above, envelopes gather so that the rest lasts
)

// budget keeps what this sender costs others in bounds: the rows of each
// mailbox's subject, and what it sends again because somebody asks.
type budget struct {
	clock clockwork.Clock
	net   Network

	mu      sync.Mutex
	rows    map[string]int64 // wire messages per mailbox within about R
	minute  map[string]*bucket
	resends map[resendKey]*bucket
	last    map[string]time.Time // envelope sent while gathering
}

// bucket counts within a window that starts with its first use.
type bucket struct {
	since time.Time
	n     int64
}

type resendKey struct {
	sid  [32]byte
	addr string
	pos  int64 // -1 for the grant; -2 a lane, by its chan, and -3 a session sealed again
}

func newBudget(clock clockwork.Clock, net Network) *budget {
	return &budget{clock: clock, net: net, rows: make(map[string]int64), minute: make(map[string]*bucket),
		resends: make(map[resendKey]*bucket), last: make(map[string]time.Time)}
}

func (b *budget) setRows(rows map[string]int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rows = rows
}

// sent counts a committed envelope, with its grants when it opened a session.
func (b *budget) sent(addrs []*delivery, opened bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	for _, d := range addrs {
		b.rows[d.addr]++
		if opened {
			b.rows[d.addr]++
		}
		if float64(b.rows[d.addr]) > gatherPart*float64(b.net.Cap) {
			b.last[d.addr] = now
		}
	}
}

// pause is how long a lane has to let frames gather before its next envelope,
// so that what is left of the fullest mailbox's subject lasts R; a minute at a
// time when nothing is left.
func (b *budget) pause(addrs []*delivery) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now, limit := b.clock.Now(), float64(b.net.Cap)
	for _, d := range addrs {
		n := float64(b.rows[d.addr])
		if n <= gatherPart*limit {
			continue
		}
		left := envelopePart*limit - n
		if left < 1 {
			return time.Minute
		}
		every := time.Duration(float64(b.net.RetentionMS) / left * float64(time.Millisecond))
		if at, ok := b.last[d.addr]; ok {
			wait = max(wait, at.Add(every).Sub(now))
		}
	}
	return wait
}

// mark reports whether a mark may be sent to addr, and counts it. Where room is
// short it is left to messages.
func (b *budget) mark(addr string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if float64(b.rows[addr]) >= gatherPart*float64(b.net.Cap) {
		return false
	}
	b.rows[addr]++
	return true
}

// again reports whether wire message pos (-1: the grant) of a session may be
// sent to addr once more: how many times it was within the hour with this one,
// 0 when it may not.
func (b *budget) again(sid [32]byte, addr string, pos int64, size int) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	if len(b.resends) >= maxResends {
		b.expire(now)
	}
	key := resendKey{sid, addr, pos}
	one, all := b.resends[key], b.minute[addr]
	if one == nil || now.Sub(one.since) >= time.Hour {
		one = &bucket{since: now}
	}
	if all == nil || now.Sub(all.since) >= time.Minute {
		all = &bucket{since: now}
	}
	if one.n >= resendTimes || all.n+int64(size) > resendBytes || len(b.resends) >= maxResends {
		return 0
	}
	one.n++
	all.n += int64(size)
	b.resends[key], b.minute[addr] = one, all
	b.rows[addr]++
	return one.n
}

// reseal reports whether messages of a lane may be sealed once more because
// addr says that session sid was outdated. A session counts once.
func (b *budget) reseal(chanID [16]byte, addr string, sid [32]byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	if len(b.resends) >= maxResends {
		b.expire(now)
	}
	counted, key := resendKey{sid, addr, -3}, resendKey{addr: addr, pos: -2}
	copy(key.sid[:], chanID[:])
	if b.resends[counted] != nil {
		return true
	}
	one := b.resends[key]
	if one == nil || now.Sub(one.since) >= time.Hour {
		one = &bucket{since: now}
	}
	if one.n >= resendTimes || len(b.resends) >= maxResends {
		return false
	}
	one.n++
	b.resends[key], b.resends[counted] = one, &bucket{since: now}
	return true
}

func (b *budget) expire(now time.Time) {
	for k, v := range b.resends {
		if now.Sub(v.since) >= time.Hour {
			delete(b.resends, k)
		}
	}
	for k, v := range b.minute {
		if now.Sub(v.since) >= time.Minute {
			delete(b.minute, k)
		}
	}
}
