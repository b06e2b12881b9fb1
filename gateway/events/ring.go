// Package events keeps what a gateway refused, detected or repaired, for its
// operator: numbered, in a bounded ring in the store, readable with a long
// poll.
//
// Events are notes, not evidence: they are written behind the caller's back in
// groups, so the newest few may be lost when the process is killed.
package events

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/gateway"
)

// Bounds.
const (
	Keep     = 100_000 // events kept; the oldest leave first
	queued   = 8192    // events that may wait to be written
	perWrite = 512     // events of one write
	MaxList  = 1000    // events of one answer
	MaxWait  = 30 * time.Second

	retryFirst = time.Second // until events are stored that could not be
	retryMost  = time.Minute
)

// Store keeps events durably.
type Store interface {
	// Append numbers events in order, sets their N, and drops all but the
	// newest keep. With an error, N may be set: it was made if they are there.
	Append(ctx context.Context, list []gateway.Event, keep int64) error
	// List returns up to max events above number after, rising; kind and code
	// select unless empty.
	List(ctx context.Context, after int64, kind, code string, max int) ([]gateway.Event, error)
	// Newest returns up to max events below number before (0: all), falling;
	// kind and code select unless empty.
	Newest(ctx context.Context, before int64, kind, code string, max int) ([]gateway.Event, error)
	// Summary counts the events since a time in ms by kind and code.
	Summary(ctx context.Context, since int64) ([]Count, error)
}

// Count is how often events of one kind and code came.
type Count struct {
	Kind, Code string
	Count      int64
	Last       int64 // the latest, ms since 1970
}

// Ring takes and gives events. Its methods may be called from many goroutines.
type Ring struct {
	store   Store
	clock   clockwork.Clock
	log     *slog.Logger
	queue   chan gateway.Event
	dropped atomic.Int64

	mu   sync.Mutex
	wake chan struct{} // closed after every write
}

var _ gateway.Events = (*Ring)(nil)

// New makes a ring over a store. Nothing is written before Run runs.
func New(s Store, clock clockwork.Clock, log *slog.Logger) *Ring {
	return &Ring{store: s, clock: clock, log: log, queue: make(chan gateway.Event, queued), wake: make(chan struct{})}
}

// Emit implements gateway.Events. An event that finds the queue full is
// dropped and counted.
func (r *Ring) Emit(_ context.Context, e gateway.Event) {
	if e.At == 0 {
		e.At = r.clock.Now().UnixMilli()
	}
	if len(e.Detail) > 500 {
		e.Detail = e.Detail[:500]
	}
	select {
	case r.queue <- e:
	default:
		if n := r.dropped.Add(1); n&(n-1) == 0 {
			r.log.Warn("events dropped, the store is too slow", "dropped", n)
		}
	}
}

// Dropped returns how many events found no room.
func (r *Ring) Dropped() int64 { return r.dropped.Load() }

// Run writes events until ctx ends, then what is still queued. What the store
// does not take is tried again, while others wait in the queue.
func (r *Ring) Run(ctx context.Context) error {
	for {
		select {
		case e := <-r.queue:
			r.write(ctx, r.gather(e))
		case <-ctx.Done():
			rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			for {
				select {
				case e := <-r.queue:
					r.last(rest, r.gather(e))
				default:
					return nil
				}
			}
		}
	}
}

// gather returns an event and those that are waiting behind it.
func (r *Ring) gather(first gateway.Event) []gateway.Event {
	batch := []gateway.Event{first}
	for len(batch) < perWrite {
		select {
		case e := <-r.queue:
			batch = append(batch, e)
			continue
		default:
		}
		break
	}
	return batch
}

// write stores events, however often that has to be tried.
func (r *Ring) write(ctx context.Context, batch []gateway.Event) {
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		err := r.append(context.WithoutCancel(ctx), batch)
		if err == nil {
			return
		}
		r.log.Error("events not stored yet", "count", len(batch), "err", err)
		select {
		case <-r.clock.After(wait):
		case <-ctx.Done():
			rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			r.last(rest, batch)
			return
		}
	}
}

// last stores events at the end, when there is no time to try it again.
func (r *Ring) last(ctx context.Context, batch []gateway.Event) {
	if err := r.append(ctx, batch); err != nil {
		r.log.Error("events not stored", "count", len(batch), "err", err)
	}
}

// append stores events unless they are stored: an attempt before may have told
// an error and been made. Only this Ring makes numbers.
func (r *Ring) append(ctx context.Context, batch []gateway.Event) error {
	made := false
	if n := batch[len(batch)-1].N; n > 0 {
		list, err := r.store.List(ctx, n-1, "", "", 1)
		if err != nil {
			return err
		}
		made = len(list) > 0
	}
	if !made {
		if err := r.store.Append(ctx, batch, Keep); err != nil {
			return err
		}
	}
	r.mu.Lock()
	close(r.wake)
	r.wake = make(chan struct{})
	r.mu.Unlock()
	return nil
}

// Query selects events.
type Query struct {
	After      int64         // above this number
	Kind, Code string        // empty: all
	Max        int           // at most MaxList; 100 when zero
	Wait       time.Duration // at most MaxWait for the first one
}

// List returns events and the number to ask from next time. It waits when
// there are none yet; none at the end of the wait is not an error.
func (r *Ring) List(ctx context.Context, q Query) ([]gateway.Event, int64, error) {
	if q.Max <= 0 {
		q.Max = 100
	}
	q.Max, q.Wait = min(q.Max, MaxList), min(q.Wait, MaxWait)
	var timeout <-chan time.Time
	if q.Wait > 0 {
		t := r.clock.NewTimer(q.Wait)
		defer t.Stop()
		timeout = t.Chan()
	}
	for {
		r.mu.Lock()
		wake := r.wake
		r.mu.Unlock()
		list, err := r.store.List(ctx, q.After, q.Kind, q.Code, q.Max)
		if err != nil {
			return nil, 0, err
		}
		if len(list) > 0 {
			return list, list[len(list)-1].N, nil
		}
		if timeout == nil {
			return nil, q.After, nil
		}
		select {
		case <-wake:
		case <-timeout:
			return nil, q.After, nil
		case <-ctx.Done():
			return nil, q.After, nil
		}
	}
}

// Newest returns events below number before (0: all), the newest first, and
// the number to go on from, 0 at the end. Of q, Kind, Code and Max count.
func (r *Ring) Newest(ctx context.Context, before int64, q Query) ([]gateway.Event, int64, error) {
	if q.Max <= 0 {
		q.Max = 100
	}
	q.Max = min(q.Max, MaxList)
	list, err := r.store.Newest(ctx, before, q.Kind, q.Code, q.Max)
	if err != nil || len(list) < q.Max {
		return list, 0, err
	}
	return list, list[len(list)-1].N, nil
}

// Summary counts the events since a time in ms by kind and code.
func (r *Ring) Summary(ctx context.Context, since int64) ([]Count, error) {
	return r.store.Summary(ctx, since)
}
