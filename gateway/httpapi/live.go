package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/danielgtaylor/huma/v2/sse"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/access"
	"github.com/digital-spine/spine/gateway/events"
	"github.com/digital-spine/spine/gateway/stats"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
)

// Bounds of live streams.
const (
	maxReaders    = 100
	heartbeat     = 15 * time.Second // also how soon an ended session is noticed
	overviewEvery = 2 * time.Second
	liveEvents    = 200  // events of one read
	liveRetry     = 2000 // ms until a browser opens a stream again
)

// What a reader may follow.
const (
	liveMessage  = stats.TopicMessage
	liveTransfer = stats.TopicTransfer
	liveEvent    = "event"
	liveOverview = "overview"
)

var liveTopics = []string{liveMessage, liveEvent, liveOverview, liveTransfer}

// readers counts the open live streams.
type readers struct{ n atomic.Int32 }

func newReaders() *readers { return &readers{} }

func (r *readers) enter() bool {
	if r.n.Add(1) > maxReaders {
		r.n.Add(-1)
		return false
	}
	return true
}

func (r *readers) leave() { r.n.Add(-1) }

type liveInput struct {
	Topics  string `query:"topics" maxLength:"100" doc:"which of message, event, overview, transfer, with commas; default all" example:"message,event"`
	Minutes int    `query:"minutes" minimum:"0" maximum:"60" doc:"how far back overviews go, 1 to 60, default 15"`
	Last    string `header:"Last-Event-ID" maxLength:"20" doc:"number of the last event heard: those above it come first"`

	topics []string
	after  int64
	from   bool // after was given
}

// Resolve implements huma.Resolver: what is wrong is said before the stream
// begins.
func (in *liveInput) Resolve(huma.Context) []error {
	invalid := func(location, message string) []error {
		return []error{&huma.ErrorDetail{Location: location, Message: message}}
	}
	in.topics = liveTopics
	if in.Topics != "" {
		in.topics = strings.Split(in.Topics, ",")
		for _, t := range in.topics {
			if !slices.Contains(liveTopics, t) {
				return invalid("query.topics", "topics are message, event, overview and transfer")
			}
		}
	}
	if in.Last != "" {
		n, err := strconv.ParseInt(in.Last, 10, 64)
		if err != nil || n < 0 {
			return invalid("header.Last-Event-ID", "the id of an event is a number")
		}
		in.after, in.from = n, true
	}
	return nil
}

// livePaths registers the live stream.
func (a *api) livePaths() {
	op := a.operation(access.Admin, http.MethodGet, "live", "live", "What happens now, as server-sent events")
	op.Description += " Messages (without content), events, files on their way, and an overview every 2 s. A reader that is too slow hears lagged and is cut off: open the stream again. " +
		"Of events the id counts: a browser that comes back hears those it missed."
	op.Middlewares = append(op.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		if !a.live.enter() {
			r, w := humachi.Unwrap(ctx)
			httpkit.WriteProblem(w, r, errReaders.With("limit", maxReaders))
			return
		}
		defer a.live.leave()
		next(ctx)
	})
	sse.Register(a.API, op, map[string]any{
		liveMessage: gateway.Entry{}, liveEvent: gateway.Event{}, liveOverview: gateway.Overview{}, liveTransfer: gateway.Transfer{}, "lagged": gateway.Lagged{},
	}, a.serveLive)
}

// serveLive tells one reader what happens until it goes away, its key or
// session ends, or it lags.
func (a *api) serveLive(ctx context.Context, in *liveInput, send sse.Sender) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var items <-chan stats.Item // nil: never
	var reader *stats.Reader
	if a.Meter != nil {
		reader = a.Meter.Follow(in.topics...)
		defer reader.Close()
		items = reader.Items
	}
	var told <-chan []gateway.Event
	if slices.Contains(in.topics, liveEvent) {
		// Where events begin is settled before the reader is told that it is
		// live: what comes after that, it hears.
		after, err := a.eventsFrom(ctx, in)
		if err != nil {
			a.Log.Warn("live stream failed", "code", problem.CodeOf(err), "err", err)
			return
		}
		told = a.followEvents(ctx, after)
	}
	if send(sse.Message{Retry: liveRetry, Comment: "live"}) != nil {
		return
	}
	var overviews <-chan time.Time
	if slices.Contains(in.topics, liveOverview) {
		t := a.Clock.NewTicker(overviewEvery)
		defer t.Stop()
		overviews = t.Chan()
		if !a.sendOverview(ctx, in, send) {
			return
		}
	}
	beat := a.Clock.NewTicker(heartbeat)
	defer beat.Stop()
	who := callerOf(ctx)
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case i, more := <-items:
			if !more {
				_ = send.Data(gateway.Lagged{Dropped: reader.Dropped() + 1})
				return
			}
			err = send.Data(i.Value)
		case list, more := <-told:
			if !more {
				return
			}
			for _, e := range list {
				if err = send(sse.Message{ID: int(e.N), Data: e}); err != nil {
					break
				}
			}
		case <-overviews:
			if !a.sendOverview(ctx, in, send) {
				return
			}
		case <-beat.Chan():
			if who.alive() != nil {
				return
			}
			err = send.Comment("still here")
		}
		if err != nil {
			return
		}
	}
}

func (a *api) sendOverview(ctx context.Context, in *liveInput, send sse.Sender) bool {
	o, err := a.overview(ctx, in.Minutes)
	if err != nil {
		a.Log.Warn("overview failed", "code", problem.CodeOf(err), "err", err)
		return false
	}
	return send.Data(*o) == nil
}

// eventsFrom returns the number of the last event that a reader knows: the one
// that it says, else the newest.
func (a *api) eventsFrom(ctx context.Context, in *liveInput) (int64, error) {
	if in.from {
		return in.after, nil
	}
	newest, _, err := a.Events.Newest(ctx, 0, events.Query{Max: 1})
	if err != nil || len(newest) == 0 {
		return 0, err
	}
	return newest[0].N, nil
}

// followEvents gives the events above a number as they come. It asks for more
// only when those before were taken, so nothing piles up.
func (a *api) followEvents(ctx context.Context, after int64) <-chan []gateway.Event {
	out := make(chan []gateway.Event)
	go func() {
		defer close(out)
		for ctx.Err() == nil {
			list, next, err := a.Events.List(ctx, events.Query{After: after, Max: liveEvents, Wait: events.MaxWait})
			if err != nil {
				return
			}
			after = next
			if len(list) == 0 {
				continue
			}
			select {
			case out <- list:
			case <-ctx.Done():
			}
		}
	}()
	return out
}
