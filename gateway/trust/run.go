package trust

import (
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/gateway/hubclient"
)

// The feed of the hub.
const (
	feedWait  = 20 * time.Second // of one long poll
	feedLimit = 30 * time.Second // after which it is asked anew
	feedFirst = 200 * time.Millisecond
	feedLast  = 5 * time.Second
)

// maxSingly is how many events of one answer are acted on one by one; above it,
// everything is judged again, once.
const maxSingly = 256

// unusedFor is when a status list is no longer refreshed, because no verdict
// rests on it any more.
const unusedFor = 10 * time.Minute

// Run follows the hub's feed and keeps status lists fresh, until ctx ends. The
// chain's follower is run by whoever made it.
func (b *Book) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { b.followFeed(ctx) })
	wg.Go(func() { b.refreshStatuses(ctx) })
	wg.Wait()
	return ctx.Err()
}

// followFeed drops verdicts within moments of the hub's telling that something
// changed. A hub that tells nothing, or lies, delays this until the refresh of
// the status lists. What was said before this gateway started is in no cache,
// so it begins at the feed's end.
func (b *Book) followFeed(ctx context.Context) {
	after, begun := hubclient.End, false
	pause := feedFirst
	for ctx.Err() == nil {
		wait := feedWait
		if !begun {
			wait = 0
		}
		news, err := b.feed(ctx, after, wait)
		if err != nil {
			if ctx.Err() == nil {
				b.d.Log.Warn("the hub's feed does not answer", "error", err, "again", pause)
				b.pause(ctx, pause)
				pause = min(pause*2, feedLast)
			}
			continue
		}
		pause = feedFirst
		if !begun || news.Reset || news.Next < after {
			if begun {
				b.d.Log.Warn("the hub's feed was reset: everything is judged again", "after", after, "next", news.Next)
			}
			b.everythingChanged() // also what was judged before the feed's end was known
			after, begun = news.Next, true
			// A hub that resets at every question must not keep this busy.
			b.pause(ctx, feedFirst)
			continue
		}
		if len(news.Events) > maxSingly {
			b.everythingChanged()
		} else {
			for _, e := range news.Events {
				b.told(ctx, e)
			}
		}
		if len(news.Events) > maxSingly || len(news.Events) == 0 || news.Next == after {
			// Much, nothing or the same again: however fast the hub answers, this
			// gateway has other work.
			b.pause(ctx, feedFirst)
		}
		after = news.Next
	}
}

func (b *Book) feed(ctx context.Context, after uint64, wait time.Duration) (*hubclient.News, error) {
	ctx, cancel := clockwork.WithTimeout(ctx, b.d.Clock, feedLimit)
	defer cancel()
	return b.d.Hub.Feed(ctx, after, wait)
}

func (b *Book) pause(ctx context.Context, d time.Duration) {
	select {
	case <-b.d.Clock.After(d):
	case <-ctx.Done():
	}
}

// told acts on one event. An event is a hint: it makes this gateway look
// again, it is not believed.
func (b *Book) told(ctx context.Context, e hubclient.Event) {
	var digest [32]byte
	if raw, err := hex.DecodeString(e.Digest); err == nil && len(raw) == len(digest) {
		copy(digest[:], raw)
	}
	if e.List != "" {
		b.refreshStatus(ctx, e.List)
	}
	switch e.Type {
	case "credential", "revocation":
		b.credentialChanged(digest, e.Subject, e.Role)
	}
	if b.d.Chain != nil {
		return // it tells of the rest, and first hand
	}
	switch e.Type {
	case "role":
		b.roleChanged(e.Role)
	case "did":
		if e.Subject != "" {
			b.didChanged(e.Subject)
		}
	case "name":
		b.namespaceChanged(e.Subject)
	}
}

// refreshStatuses asks for the status lists that verdicts rest on, often
// enough that a list the hub hid or the feed did not tell of is seen, and that
// a verdict does not have to wait for the next freshness. A list that the hub
// told of and did not serve is asked for until it does.
func (b *Book) refreshStatuses(ctx context.Context) {
	every := max(min(b.d.StatusTTL/12, feedLast), 50*time.Millisecond)
	for {
		select {
		case <-b.d.Clock.After(every):
		case <-ctx.Done():
			return
		}
		now := b.now()
		due := b.owed()
		b.statuses.each(func(list string, p *statusProof) {
			switch {
			case now-p.used.Load() > unusedFor.Milliseconds():
				b.statuses.drop(list)
			case p.fresh.At+b.d.StatusTTL.Milliseconds()/2 <= now && !slices.Contains(due, list):
				// Its issuer should have signed a newer one by now.
				due = append(due, list)
			}
		})
		var wg sync.WaitGroup
		for _, list := range due {
			wg.Go(func() { b.refreshStatus(ctx, list) })
		}
		wg.Wait()
	}
}

// refreshStatus asks for a status list now, if verdicts rest on it. When there
// is no answer, it is owed: what told of the list is not told again.
func (b *Book) refreshStatus(ctx context.Context, list string) {
	old, had := b.statuses.last(list)
	if !had {
		b.statuses.drop(list) // perhaps known to be absent
		b.settle(list)
		return
	}
	b.statuses.expire(list, b.d.Clock.Now())
	p, err := b.status(ctx, list)
	if err != nil || p == old {
		b.d.Log.Debug("a status list cannot be refreshed", "list", list, "error", err)
		b.owe(list)
		return
	}
	b.settle(list)
}

// owe has a status list asked for again by refreshStatuses.
func (b *Book) owe(list string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.owes[list] = true
}

func (b *Book) settle(list string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.owes, list)
}

// owed returns the lists that are owed.
func (b *Book) owed() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.owes))
}
