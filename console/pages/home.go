package pages

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

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

// Bounds of the map.
const (
	mapWidth = 860
	mapNodes = 16
)

// height of the map for a number of partners: two stand beside this gateway,
// more stand around it.
func mapHeight(n int) float64 {
	switch {
	case n <= 2:
		return 176
	case n <= 4:
		return 330
	}
	return 400
}

// mapNode is a partner on the map.
type mapNode struct {
	DID, Name, Path string
	Initial         string
	X, Y            float64
	Links           []mapLink
}

// mapLink is the flow from or to a partner, over all channels.
type mapLink struct {
	Class, Direction, D, Marker string
	Width                       string
	Idle                        bool
	Title                       string
	Rate                        string
	LabelX, LabelY              float64
}

// nodes places the partners around this gateway, the busiest first, and says
// how many did not find a place.
func (h *Home) nodes() (list []mapNode, more int, height float64) {
	type flow struct {
		rate    float64
		count   int64
		refused int64
		names   []string
	}
	flows := map[string]map[string]*flow{}
	var order []string
	see := func(did string) {
		if flows[did] == nil && did != "" && did != h.Overview.DID {
			flows[did] = map[string]*flow{}
			order = append(order, did)
		}
	}
	for _, e := range h.Overview.Edges {
		did := e.To
		if e.Direction == gateway.In {
			did = e.From
		}
		see(did)
		if flows[did] == nil {
			continue
		}
		f := flows[did][e.Direction]
		if f == nil {
			f = &flow{}
			flows[did][e.Direction] = f
		}
		f.count += e.Count
		f.refused += e.Refused
		if e.Channel != "" && len(f.names) < 10 && !slices.Contains(f.names, e.Channel) {
			f.names = append(f.names, e.Channel)
		}
	}
	for _, p := range h.Overview.Partners {
		see(p.DID)
	}
	if more = len(order) - mapNodes; more > 0 {
		order = order[:mapNodes]
	}
	minutes := Minutes(h.Overview)
	for _, both := range flows {
		for _, f := range both {
			f.rate = float64(f.count) / minutes
		}
	}
	height = mapHeight(len(order))
	slices.Sort(order) // so that nobody jumps about while the map is live
	for i, did := range order {
		angle := 2*math.Pi*float64(i)/float64(len(order)) + startAngle(len(order))
		n := mapNode{
			DID: did, Name: components.Clip(h.People.Name(did), 26), Path: "/messages?partner=" + url.QueryEscape(did),
			X: mapWidth/2 + 310*math.Cos(angle), Y: height/2 - 8 + (height/2-60)*math.Sin(angle),
		}
		n.Initial = strings.ToUpper(string([]rune(strings.TrimPrefix(n.Name, "0x") + "?")[0]))
		for _, dir := range []string{gateway.Out, gateway.In} {
			f := flows[did][dir]
			if f == nil {
				continue
			}
			n.Links = append(n.Links, link(n, height, dir, f.rate, f.count, f.refused, f.names))
		}
		list = append(list, n)
	}
	return list, max(more, 0), height
}

// Minutes is the time that the counts of flows are of: what was asked for, or
// less where the gateway was started later.
func Minutes(o *gateway.Overview) float64 {
	return max(float64(o.Now-max(o.From, o.Totals.Since)), 60_000) / 60_000
}

// startAngle puts two partners left and right, and others so that labels have
// room.
func startAngle(n int) float64 {
	if n <= 2 {
		return math.Pi
	}
	return -math.Pi / 2
}

// link draws the curve of one direction beside the straight line.
func link(n mapNode, height float64, dir string, rate float64, count, refused int64, channels []string) mapLink {
	cx, cy := float64(mapWidth)/2, height/2-8
	dx, dy := n.X-cx, n.Y-cy
	length := math.Hypot(dx, dy)
	ux, uy := dx/length, dy/length
	bend := 16.0
	if dir == gateway.In {
		bend = -16
	}
	// Ends stay clear of the circles; the arrow points at its recipient.
	x1, y1 := cx+ux*38-uy*bend/2, cy+uy*38+ux*bend/2
	x2, y2 := n.X-ux*32-uy*bend/2, n.Y-uy*32+ux*bend/2
	mx, my := (x1+x2)/2-uy*bend*1.6, (y1+y2)/2+ux*bend*1.6
	if dir == gateway.In {
		x1, y1, x2, y2 = x2, y2, x1, y1
	}
	l := mapLink{
		Class: dir, Direction: dir, Width: strconv.FormatFloat(math.Min(1.5+math.Log2(1+rate)*.5, 6), 'f', 1, 64), Idle: rate == 0,
		D:      fmt.Sprintf("M%.1f %.1f Q%.1f %.1f %.1f %.1f", x1, y1, mx, my, x2, y2),
		Marker: "url(#arrow-" + dir + ")", Rate: components.Rate(rate) + "/min", LabelX: (x1+x2)/2 - uy*bend*1.9, LabelY: (y1+y2)/2 + ux*bend*1.9 + 4,
		Title: components.Plural(count, "message", "messages") + " on " + strings.Join(channels, ", "),
	}
	if refused > 0 {
		l.Title += ", " + components.Plural(refused, "refused", "refused")
		if refused == count {
			l.Class, l.Marker = "refused", "url(#arrow-refused)"
		}
	}
	return l
}

func f1(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// alarm says where to read more about something that needs attention.
func alarm(a gateway.Attention) string {
	if a.Kind == gateway.KindExpiring {
		return "/events"
	}
	return "/events?code=" + url.QueryEscape(a.Code)
}
