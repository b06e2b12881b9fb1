package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/access"
	"github.com/digital-spine/spine/gateway/events"
	"github.com/digital-spine/spine/gateway/stats"
	"github.com/digital-spine/spine/internal/problem"
)

// Papers tell what of this gateway's own ends soon.
type Papers interface {
	// Expiring lists papers that should have been renewed, or must be soon.
	Expiring(ctx context.Context, now time.Time) []Expiry
}

// Expiry is a paper of this gateway's own that ends soon.
type Expiry struct {
	Code string // in the table of codes
	What string // which one, "" when there is only one
	Ends int64  // ms since 1970
}

// How far back, and how much, attention goes.
const (
	attentionFor = 24 * time.Hour
	maxAttention = 50
	recentFor    = 2 * time.Second // a summary of events is used again
	defaultSpan  = 15              // minutes
)

// overviewPaths registers what happened lately.
func (a *api) overviewPaths() {
	register(a, a.operation(access.Admin, http.MethodGet, "overview", "overview", "Rates, latencies, who exchanges what with whom, what needs attention"),
		func(ctx context.Context, in *struct {
			Minutes int `query:"minutes" minimum:"0" maximum:"60" doc:"how far back, 1 to 60, default 15"`
		}) (*body[gateway.Overview], error) {
			o, err := a.overview(ctx, in.Minutes)
			return answer(o, err)
		})
}

func (a *api) overview(ctx context.Context, span int) (*gateway.Overview, error) {
	if span == 0 {
		span = defaultSpan
	}
	now := a.Clock.Now()
	var about About
	if a.Identity != nil {
		about = a.Identity.About(ctx)
	}
	o := stats.Empty(about.DID, now)
	if a.Meter != nil {
		o = a.Meter.Overview(span)
	}
	o.DID, o.Name, o.Ready, o.Reason = about.DID, a.name(about.DID), about.Ready, about.Reason
	for i := range o.Partners {
		o.Partners[i].Name = a.name(o.Partners[i].DID)
	}
	counts, err := a.recent.get(ctx, a.Events, now)
	if err != nil {
		return nil, err
	}
	o.Attention = attention(counts, now)
	if !o.Ready && o.Reason != "" {
		o.Attention = append(o.Attention, notice(o.Reason, gateway.KindState, "", 1, now.UnixMilli()))
	}
	if a.Papers != nil {
		for _, e := range a.Papers.Expiring(ctx, now) {
			o.Attention = append(o.Attention, notice(e.Code, gateway.KindExpiring, e.What, 1, e.Ends))
		}
	}
	slices.SortStableFunc(o.Attention, func(x, y gateway.Attention) int {
		return cmp.Or(cmp.Compare(gravity(y.Severity), gravity(x.Severity)), cmp.Compare(y.Last, x.Last), cmp.Compare(x.Code, y.Code))
	})
	o.Attention = o.Attention[:min(len(o.Attention), maxAttention)]
	return o, nil
}

func gravity(severity string) int {
	return slices.Index([]string{gateway.SeverityInfo, gateway.SeverityWarning, gateway.SeverityError}, severity)
}

// notice makes an Attention of a code.
func notice(code, kind, what string, count, last int64) gateway.Attention {
	info := explained(code)
	n := gateway.Attention{Code: code, Kind: kind, Severity: info.Severity, Title: info.Title, What: info.Meaning, Do: info.Do, Count: count, Last: last}
	if what != "" {
		n.Title += ": " + what
	}
	return n
}

// attention picks what a person should look at. Holes that were all repaired
// are none.
func attention(counts []events.Count, now time.Time) []gateway.Attention {
	of := map[string]int64{}
	for _, c := range counts {
		of[c.Code] += c.Count
	}
	out := []gateway.Attention{}
	for _, c := range counts {
		if c.Kind == gateway.KindRepaired || c.Code == "hole" && of["repaired"] >= of["hole"] {
			continue
		}
		if n := notice(c.Code, c.Kind, "", c.Count, c.Last); n.Severity != gateway.SeverityInfo {
			out = append(out, n)
		}
	}
	return out
}

// recent keeps the newest summary of events for a moment, so that many viewers
// cost what one does.
type recent struct {
	mu     sync.Mutex
	at     time.Time
	counts []events.Count
}

func (r *recent) get(ctx context.Context, ring *events.Ring, now time.Time) ([]events.Count, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts != nil && now.Sub(r.at) < recentFor && !now.Before(r.at) {
		return r.counts, nil
	}
	counts, err := ring.Summary(ctx, now.Add(-attentionFor).UnixMilli())
	if err != nil {
		return nil, err
	}
	if counts == nil {
		counts = []events.Count{}
	}
	r.at, r.counts = now, counts
	return counts, nil
}

var errReaders = problem.New(http.StatusTooManyRequests, "readers_full", "there are as many readers of the live stream as there may be").
	WithHint("close another one, or ask again later")
