package trust

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
)

// cache is a bounded map of look-ups that have a price. Callers that ask for
// the same key at the same time share one look-up, which has a time limit of
// its own and does not end when one of them goes away. Failures are kept too,
// for as long as patience says, so that nobody can make this gateway ask the
// same unanswerable question again and again.
type cache[K comparable, V any] struct {
	clock    clockwork.Clock
	max      int
	timeout  time.Duration
	patience func(err error, fails int) time.Duration
	slots    chan struct{} // look-ups at the same time; one set per cache, since look-ups nest

	mu      sync.Mutex
	entries map[K]*list.Element
	order   *list.List // most recently used first
	flights map[K]*flight[V]
}

type entry[K comparable, V any] struct {
	key   K
	value V
	has   bool // value is one that was found, though perhaps not fresh
	err   error
	fails int
	since time.Time // of the first of the fails
	until time.Time
}

// maxLookups bounds the look-ups of one cache at the same time; more wait.
const maxLookups = 32

// flight is a look-up under way.
type flight[V any] struct {
	done  chan struct{}
	value V
	err   error
	stale bool // something changed meanwhile: hand it to those who wait, do not keep it
}

// newCache makes a cache of at most max entries whose look-ups take at most
// timeout.
func newCache[K comparable, V any](clock clockwork.Clock, max int, timeout time.Duration) *cache[K, V] {
	return &cache[K, V]{clock: clock, max: max, timeout: timeout, patience: patience, slots: make(chan struct{}, maxLookups),
		entries: make(map[K]*list.Element), order: list.New(), flights: make(map[K]*flight[V])}
}

// peek returns what is known and fresh without looking anything up.
func (c *cache[K, V]) peek(key K) (V, error, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fresh(key)
}

func (c *cache[K, V]) fresh(key K) (V, error, bool) {
	var zero V
	if el, ok := c.entries[key]; ok {
		e := el.Value.(*entry[K, V])
		if c.clock.Now().Before(e.until) {
			c.order.MoveToFront(el)
			if e.err != nil {
				return zero, e.err, true
			}
			return e.value, nil, true
		}
	}
	return zero, nil, false
}

// loader looks a value up and says until when it may be used again.
type loader[V any] func(ctx context.Context) (value V, until time.Time, err error)

// get returns the value of key, looking it up when it is not known or no
// longer fresh.
func (c *cache[K, V]) get(ctx context.Context, key K, load loader[V]) (V, error) {
	c.mu.Lock()
	if v, err, ok := c.fresh(key); ok {
		c.mu.Unlock()
		return v, err
	}
	f, ok := c.flights[key]
	if !ok {
		f = &flight[V]{done: make(chan struct{})}
		c.flights[key] = f
		go c.fly(context.WithoutCancel(ctx), key, f, load)
	}
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		var zero V
		return zero, ctx.Err()
	}
}

// fly runs one look-up.
func (c *cache[K, V]) fly(ctx context.Context, key K, f *flight[V], load loader[V]) {
	ctx, cancel := clockwork.WithTimeout(ctx, c.clock, c.timeout)
	defer cancel()
	var until time.Time
	select {
	case c.slots <- struct{}{}:
		f.value, until, f.err = load(ctx)
		<-c.slots
	case <-ctx.Done():
		f.err = ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flights[key] == f {
		delete(c.flights, key)
	}
	if !f.stale {
		c.keep(key, f.value, f.err, until)
	}
	close(f.done)
}

// keep stores a result; the caller holds the lock.
func (c *cache[K, V]) keep(key K, v V, err error, until time.Time) {
	el, ok := c.entries[key]
	if !ok {
		el = c.order.PushFront(&entry[K, V]{key: key})
		c.entries[key] = el
	}
	e := el.Value.(*entry[K, V])
	e.err, e.until = err, until
	if err == nil {
		e.value, e.fails, e.has = v, 0, true
	} else {
		if e.fails++; e.fails == 1 { // the last value stays for those who ask for it (last)
			e.since = c.clock.Now()
		}
		e.until = c.clock.Now().Add(c.patience(err, e.fails))
	}
	c.order.MoveToFront(el)
	for len(c.entries) > c.max {
		last := c.order.Back()
		delete(c.entries, last.Value.(*entry[K, V]).key)
		c.order.Remove(last)
	}
}

// last returns the value found last, fresh or not.
func (c *cache[K, V]) last(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.entries[key]; ok {
		if e := el.Value.(*entry[K, V]); e.has {
			return e.value, true
		}
	}
	var zero V
	return zero, false
}

// failing returns since when look-ups of a key fail, false when the last one
// did not.
func (c *cache[K, V]) failing(key K) (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.entries[key]; ok {
		if e := el.Value.(*entry[K, V]); e.fails > 0 {
			return e.since, true
		}
	}
	return time.Time{}, false
}

// expire makes the next get look key up again at or after the given time,
// unless it is not fresh until then anyway.
func (c *cache[K, V]) expire(key K, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.entries[key]; ok {
		if e := el.Value.(*entry[K, V]); at.Before(e.until) {
			e.until = at
		}
	}
	if f, ok := c.flights[key]; ok {
		f.stale = true
		delete(c.flights, key)
	}
}

// put stores a value that was found by other means.
func (c *cache[K, V]) put(key K, v V, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(key, v, nil, until)
}

// drop forgets a key.
func (c *cache[K, V]) drop(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.entries[key]; ok {
		delete(c.entries, key)
		c.order.Remove(el)
	}
	if f, ok := c.flights[key]; ok {
		f.stale = true
		delete(c.flights, key) // the next caller must not get an answer older than the change
	}
}

// dropIf forgets every entry for which bad says so. Look-ups under way may
// have read the state before the change, so their results are not kept.
func (c *cache[K, V]) dropIf(bad func(key K, v V) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, el := range c.entries {
		e := el.Value.(*entry[K, V])
		if bad(key, e.value) {
			delete(c.entries, key)
			c.order.Remove(el)
		}
	}
	for key, f := range c.flights {
		f.stale = true
		delete(c.flights, key)
	}
}

// keys returns the keys of all entries and of look-ups under way.
func (c *cache[K, V]) keys() []K {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]K, 0, len(c.entries)+len(c.flights))
	for key := range c.entries {
		all = append(all, key)
	}
	for key := range c.flights {
		if _, ok := c.entries[key]; !ok {
			all = append(all, key)
		}
	}
	return all
}

// each calls fn for every entry that holds a value, fresh or not.
func (c *cache[K, V]) each(fn func(key K, v V)) {
	type item struct {
		k K
		v V
	}
	c.mu.Lock()
	all := make([]item, 0, len(c.entries))
	for key, el := range c.entries {
		if e := el.Value.(*entry[K, V]); e.has {
			all = append(all, item{key, e.value})
		}
	}
	c.mu.Unlock()
	for _, i := range all {
		fn(i.k, i.v)
	}
}

// How long failures are kept. A verdict by signatures or by the chain counts a
// minute. Where there was no answer, the next question waits longer each time,
// up to a bound that keeps a gateway quick to notice that help is back.
const (
	refusedFor     = 60 * time.Second
	absentMax      = 10 * time.Second
	unreachableMax = 5 * time.Second
	firstPatience  = 250 * time.Millisecond
)

func patience(err error, fails int) time.Duration {
	limit := unreachableMax
	switch {
	case errors.Is(err, context.Canceled):
		return 0
	case errors.Is(err, ErrAbsent):
		limit = absentMax
	case isRefusal(err):
		return refusedFor
	}
	d := firstPatience
	for i := 1; i < fails && d < limit; i++ {
		d *= 2
	}
	return min(d, limit)
}
