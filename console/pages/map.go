package pages

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/digital-spine/spine/console/components"
	"github.com/digital-spine/spine/gateway"
)

// Bounds of the map: who does not fit is in the list of partners.
const (
	mapWidth = 860
	mapNodes = 16 // drawn
	mapRound = 8  // stand around this gateway; more stand in two columns
	mapRow   = 56 // height of a row of the columns
)

// drawing is the map: the busiest partners around this gateway.
type drawing struct {
	nodes   []mapNode
	all     int // partners there are
	height  float64
	cx, cy  float64 // this gateway's place
	columns bool
}

// more is how many partners did not find a place.
func (d *drawing) more() int { return d.all - len(d.nodes) }

// mapNode is a partner on the map.
type mapNode struct {
	DID, Name, Path string
	Full            string // name and DID
	Initial         string
	X, Y, R         float64
	LabelX, LabelY  float64
	Anchor          string // of the label: middle, start, end
	Rates           string // said beside the name where lines have no room for it
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

// mapHeight of a number of partners: two stand beside this gateway, more stand
// around it, many in two columns.
func mapHeight(n int) float64 {
	switch {
	case n <= 2:
		return 176
	case n <= 4:
		return 330
	case n <= mapRound:
		return 400
	}
	return float64((n+1)/2)*mapRow + 32
}

// draw places the busiest partners.
func (h *Home) draw() drawing {
	list := partners(h.Overview)
	d := drawing{all: len(list)}
	list = list[:min(len(list), mapNodes)]
	n := len(list)
	d.height, d.columns = mapHeight(n), n > mapRound
	d.cx, d.cy = mapWidth/2, d.height/2-8
	// In an order of their own, so that nobody jumps about while the map is live.
	slices.SortFunc(list, func(a, b partner) int { return strings.Compare(a.did, b.did) })
	for i := range list {
		d.nodes = append(d.nodes, h.node(&d, &list[i], i, n))
	}
	return d
}

// node places one of n partners and draws its lines.
func (h *Home) node(d *drawing, p *partner, i, n int) mapNode {
	name := h.People.Name(p.did)
	v := mapNode{DID: p.did, Name: components.Clip(name, 26), Path: partnerURL(p.did), R: 24, Anchor: "middle"}
	if v.Full = p.did; h.People.Known(p.did) {
		v.Full = name + ", " + p.did
	}
	v.Initial = strings.ToUpper(string([]rune(strings.TrimPrefix(name, "0x") + "?")[0]))
	if d.columns {
		v.R, v.Name = 18, components.Clip(name, 16)
		rows := (n + 1) / 2
		v.X, v.Anchor, v.LabelX = 250, "end", 250-28
		if i >= rows {
			v.X, v.Anchor, v.LabelX = mapWidth-250, "start", mapWidth-250+28
			if i -= rows; n%2 == 1 { // one fewer: between the rows of the other side
				v.Y = mapRow / 2
			}
		}
		v.Y += 40 + float64(i)*mapRow
		v.LabelY = v.Y + 4
		if p.messages() > 0 {
			v.LabelY = v.Y - 3
			v.Rates = components.Rate(p.out.rate) + " sent, " + components.Rate(p.in.rate) + " received/min"
		}
	} else {
		angle := 2*math.Pi*float64(i)/float64(n) + startAngle(n)
		v.X, v.Y = d.cx+310*math.Cos(angle), d.cy+(d.height/2-60)*math.Sin(angle)
		v.LabelX, v.LabelY = v.X, v.Y+42
	}
	if p.out.seen {
		v.Links = append(v.Links, link(d, v, gateway.Out, p.out))
	}
	if p.in.seen {
		v.Links = append(v.Links, link(d, v, gateway.In, p.in))
	}
	return v
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
func link(d *drawing, n mapNode, dir string, f flow) mapLink {
	dx, dy := n.X-d.cx, n.Y-d.cy
	length := math.Hypot(dx, dy)
	ux, uy := dx/length, dy/length
	bend := 16.0
	if d.columns {
		bend = 9
	}
	if dir == gateway.In {
		bend = -bend
	}
	// Ends stay clear of the circles; the arrow points at its recipient.
	x1, y1 := d.cx+ux*38-uy*bend/2, d.cy+uy*38+ux*bend/2
	x2, y2 := n.X-ux*(n.R+8)-uy*bend/2, n.Y-uy*(n.R+8)+ux*bend/2
	mx, my := (x1+x2)/2-uy*bend*1.6, (y1+y2)/2+ux*bend*1.6
	if dir == gateway.In {
		x1, y1, x2, y2 = x2, y2, x1, y1
	}
	l := mapLink{
		Class: dir, Direction: dir, Width: strconv.FormatFloat(math.Min(1.5+math.Log2(1+f.rate)*.5, 6), 'f', 1, 64), Idle: f.rate == 0,
		D:      fmt.Sprintf("M%.1f %.1f Q%.1f %.1f %.1f %.1f", x1, y1, mx, my, x2, y2),
		Marker: "url(#arrow-" + dir + ")", LabelX: (x1+x2)/2 - uy*bend*1.9, LabelY: (y1+y2)/2 + ux*bend*1.9 + 4,
		Title: components.Plural(f.count, "message", "messages") + " on " + strings.Join(f.channels, ", "),
	}
	if !d.columns && !l.Idle {
		l.Rate = components.Rate(f.rate) + "/min"
	}
	if f.refused > 0 {
		l.Title += ", " + components.Plural(f.refused, "refused", "refused")
		if f.refused == f.count {
			l.Class, l.Marker = "refused", "url(#arrow-refused)"
		}
	}
	return l
}

func f1(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
