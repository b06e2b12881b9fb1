package pages

import (
	"encoding/json"
	"net/url"
	"slices"

	"github.com/digital-spine/spine/console/components"
	"github.com/digital-spine/spine/gateway"
)

// Home is the first page: what happens now, and what needs attention.
type Home struct {
	components.Frame
	Overview    *gateway.Overview
	OverviewErr error
	Recent      []Row
	RecentErr   error
}

// sum adds up counts.
func sum(list []int64) (n int64) {
	for _, v := range list {
		n += v
	}
	return n
}

// perMinute is the rate over the last full minute of a series, or of what there
// is of it.
func perMinute(o *gateway.Overview, list []int64) float64 {
	if len(list) == 0 || o.Step <= 0 {
		return 0
	}
	n := int(min(max(60_000/o.Step, 1), int64(len(list))))
	return float64(sum(list[len(list)-n:])) * 60_000 / float64(o.Step) / float64(n)
}

// latest returns the newest value that was measured, as text with its unit.
func latest(list []*int64) string {
	for _, v := range slices.Backward(list) {
		if v != nil {
			return components.Span(0, *v)
		}
	}
	return "–"
}

// plot is what the plotting element reads: x in seconds, and one row of values
// for each series, null where nothing was measured.
func plot(o *gateway.Overview, rows ...any) string {
	n, first := len(o.Series.In), firstStep(o)
	x := make([]float64, 0, n)
	for i := first; i < n; i++ {
		x = append(x, float64(o.From+int64(i)*o.Step)/1000)
	}
	all := []any{x}
	for _, r := range rows {
		switch r := r.(type) {
		case []*float64:
			all = append(all, r[min(first, len(r)):])
		case []*int64:
			all = append(all, r[min(first, len(r)):])
		}
	}
	b, err := json.Marshal(all)
	if err != nil {
		return "[]"
	}
	return string(b)
}

// firstStep is where lines begin: what was before this gateway was started is
// not drawn, as long as two minutes remain.
func firstStep(o *gateway.Overview) int {
	if o.Step <= 0 || o.Totals.Since <= o.From {
		return 0
	}
	n := len(o.Series.In)
	return max(min(int((o.Totals.Since-o.From)/o.Step), n-int(120_000/o.Step)), 0)
}

// rates scales counts of steps to messages per minute; the last step is left
// out of the line, because it is not over.
func rates(o *gateway.Overview, counts []int64) []*float64 {
	out := make([]*float64, len(o.Series.In))
	for i := range out {
		if i < len(counts) && i < len(out)-1 && o.Step > 0 {
			v := float64(counts[i]) * 60_000 / float64(o.Step)
			out[i] = &v
		}
	}
	return out
}

// Minutes is the time that the counts of flows are of: what was asked for, or
// less where the gateway was started later.
func Minutes(o *gateway.Overview) float64 {
	return max(float64(o.Now-max(o.From, o.Totals.Since)), 60_000) / 60_000
}

// alarm says where to read more about something that needs attention.
func alarm(a gateway.Attention) string {
	if a.Kind == gateway.KindExpiring {
		return "/events"
	}
	return "/events?code=" + url.QueryEscape(a.Code)
}
