package stats

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/digital-spine/spine/gateway"
)

type edgeKey struct{ partner, channel, direction string }

// edge is a flow with one partner on one channel, minute by minute.
type edge struct {
	topic  string
	last   int64 // ms
	minute int64 // the newest minute counted, since 1970
	count  [minutes]uint32
	refuse [minutes]uint32
}

// flow counts a message for its partners. The caller holds the lock.
func (m *Meter) flow(e *gateway.Entry, now time.Time, refused bool) {
	if e.Direction == gateway.In {
		m.edge(edgeKey{e.From, e.Channel, gateway.In}, e.Topic, now, refused)
		return
	}
	for _, to := range e.To {
		m.edge(edgeKey{to, e.Channel, gateway.Out}, e.Topic, now, refused)
	}
}

func (m *Meter) edge(k edgeKey, topic string, now time.Time, refused bool) {
	if k.partner == "" {
		return
	}
	f := m.edges[k]
	if f == nil {
		if len(m.edges) >= MaxEdges {
			if refused {
				return // strangers do not push out partners
			}
			m.forget()
		}
		f = &edge{}
		m.edges[k] = f
	}
	i := f.advance(now.Unix() / 60)
	if refused {
		f.refuse[i]++
	} else {
		f.count[i]++
	}
	f.last = now.UnixMilli()
	if topic != "" {
		f.topic = topic
	}
}

// advance clears the minutes that have passed and returns the place of now.
func (f *edge) advance(now int64) int64 {
	if now-f.minute >= minutes || now < f.minute-minutes {
		clear(f.count[:])
		clear(f.refuse[:])
		f.minute = now
	}
	for f.minute < now {
		f.minute++
		f.count[f.minute%minutes], f.refuse[f.minute%minutes] = 0, 0
	}
	return now % minutes
}

// forget drops the flow that was silent longest.
func (m *Meter) forget() {
	var oldest edgeKey
	last := int64(math.MaxInt64)
	for k, f := range m.edges {
		if f.last < last {
			oldest, last = k, f.last
		}
	}
	delete(m.edges, oldest)
}

// flows lists the flows of the last n minutes, the busiest first, and the
// partners, the latest first. The caller holds the lock.
func (m *Meter) flows(now time.Time, n int64) ([]gateway.Edge, []gateway.Partner) {
	edges := []gateway.Edge{}
	partners := map[string]int64{}
	for k, f := range m.edges {
		f.advance(now.Unix() / 60)
		partners[k.partner] = max(partners[k.partner], f.last)
		e := gateway.Edge{From: k.partner, To: m.did, Channel: k.channel, Topic: f.topic, Direction: k.direction, Last: f.last}
		if k.direction == gateway.Out {
			e.From, e.To = m.did, k.partner
		}
		for i := range n {
			at := (f.minute - i) % minutes
			e.Count += int64(f.count[at])
			e.Refused += int64(f.refuse[at])
		}
		if e.Count+e.Refused == 0 {
			continue
		}
		e.PerMinute = float64(e.Count) / float64(n)
		edges = append(edges, e)
	}
	slices.SortFunc(edges, func(a, b gateway.Edge) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Channel, b.Channel))
	})
	list := make([]gateway.Partner, 0, len(partners))
	for did, last := range partners {
		list = append(list, gateway.Partner{DID: did, Last: last})
	}
	slices.SortFunc(list, func(a, b gateway.Partner) int { return cmp.Or(cmp.Compare(b.Last, a.Last), cmp.Compare(a.DID, b.DID)) })
	return edges, list
}
