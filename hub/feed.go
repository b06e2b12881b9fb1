package hub

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
)

// Types of events.
const (
	EventCredential = "credential" // a credential was stored
	EventRevocation = "revocation" // a stored credential was revoked
	EventStatus     = "status"     // a status list changed, or is fresh again
	EventRole       = "role"       // a role definition changed on the chain
	EventDID        = "did"        // a DID's state changed on the chain
	EventName       = "name"       // a name changed on the chain
)

// Bounds of the feed.
const (
	KeptEvents = 100_000          // newest events that stay
	MaxEvents  = 1_000            // events of one answer
	MaxWait    = 30 * time.Second // of a long poll
	feedPoll   = 400 * time.Millisecond
)

// Event says that something changed: look again.
type Event struct {
	N       int64  `json:"n" doc:"number, rising"`
	Type    string `json:"type" enum:"credential,revocation,status,role,did,name"`
	Subject string `json:"subject,omitempty" doc:"DID concerned; for a name, the name"`
	Role    string `json:"role,omitempty"`
	Digest  string `json:"digest,omitempty" doc:"of the credential, lower hex"`
	List    string `json:"list,omitempty" doc:"id of the status list"`
	At      int64  `json:"at" doc:"ms since 1970, when the hub saw it"`
}

// feed wakes long polls. Events live in the store; here is only the news that
// there are some.
type feed struct {
	store Store
	clock clockwork.Clock
	mu    sync.Mutex
	news  chan struct{} // closed at the next event
	waits int           // long polls that wait now
}

func newFeed(s Store, c clockwork.Clock) *feed {
	return &feed{store: s, clock: c, news: make(chan struct{})}
}

// wake ends all waits; it is called after a write with events.
func (f *feed) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.news)
	f.news = make(chan struct{})
}

func (f *feed) next() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.news
}

// enter takes one of MaxWaiting places; leave gives it back.
func (f *feed) enter() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.waits >= MaxWaiting {
		return ErrThrottled.WithHint("too many wait already; ask without wait")
	}
	f.waits++
	return nil
}

func (f *feed) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waits--
}

// run looks for events that another process on the same database wrote: one
// query every feedPoll, however many wait.
func (f *feed) run(ctx context.Context, log *slog.Logger) error {
	t := f.clock.NewTicker(feedPoll)
	defer t.Stop()
	var seen int64
	for {
		if _, last, err := f.store.EventRange(ctx); err != nil {
			if ctx.Err() == nil {
				log.Warn("feed cannot be read", "err", err)
			}
		} else if last != seen {
			seen = last
			f.wake()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.Chan():
		}
	}
}

// Events returns the events after a number and the number to ask from next
// time, waiting up to wait (at most MaxWait) for the first one. reset is true
// when events between after and the first one returned were forgotten, or the
// feed does not know the number (a restored database): the reader then has to
// look everything up anew.
func (h *Hub) Events(ctx context.Context, after int64, wait time.Duration) (events []Event, next int64, reset bool, err error) {
	wait = min(max(wait, 0), MaxWait)
	if wait > 0 {
		if err := h.feed.enter(); err != nil {
			return nil, after, false, err
		}
		defer h.feed.leave()
	}
	timer := h.clock.NewTimer(wait)
	defer timer.Stop()
	for {
		news := h.feed.next() // before the query, or an event between the two is slept through
		events, err = h.store.Events(ctx, after, MaxEvents)
		if err != nil {
			return nil, after, false, err
		}
		// After the events: those that were forgotten before they could be read
		// are missed.
		first, last, err := h.store.EventRange(ctx)
		if err != nil {
			return nil, after, false, err
		}
		if after > last {
			return nil, last, true, nil
		}
		if len(events) > 0 {
			return events, events[len(events)-1].N, after != 0 && first > after+1 && events[0].N > after+1, nil
		}
		if last > after {
			continue // it was written between the two
		}
		if wait == 0 {
			return nil, after, false, nil
		}
		select {
		case <-ctx.Done():
			return nil, after, false, ctx.Err()
		case <-timer.Chan():
			return nil, after, false, nil
		case <-news:
		}
	}
}

// Announce appends events, such as those read from the chain.
func (h *Hub) Announce(ctx context.Context, events []Event) error {
	if err := h.store.Append(ctx, events); err != nil {
		return err
	}
	h.feed.wake()
	return nil
}

// Wake ends the long polls that wait now; the chain reader calls it after it
// wrote to the store with events.
func (h *Hub) Wake() { h.feed.wake() }

// Stats counts what the hub holds.
type Stats struct {
	Names       int64 `json:"names"`
	Roles       int64 `json:"roles"`
	Credentials int64 `json:"credentials"`
	Enrolments  int64 `json:"enrolments"`
	StatusLists int64 `json:"status_lists"`
	Events      int64 `json:"events"`
}
