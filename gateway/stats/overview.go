package stats

import (
	"slices"
	"time"

	"github.com/digital-spine/spine/gateway"
)

// points is about how many steps an overview has.
const points = 180

// Overview returns what happened in the last n minutes, 1 to 60: everything of
// gateway.Overview that is measured; the rest is the caller's.
func (m *Meter) Overview(n int) *gateway.Overview {
	span := int64(min(max(n, 1), int(minutes)))
	now := m.clock.Now()
	o := &gateway.Overview{Now: now.UnixMilli(), DID: m.did}
	step := stepOf(span)
	// Steps begin at whole multiples, so that those of the next answer are the
	// same ones.
	last := now.Unix() / step * step
	steps := span * 60 / step
	first := last - (steps-1)*step
	o.From, o.Step = first*1000, step*1000
	m.mu.Lock()
	defer m.mu.Unlock()
	for at := first; at <= last; at += step {
		var s second
		var in, out histogram
		for sec := at; sec < at+step; sec++ {
			r := &m.ring[sec%seconds]
			if r.at != sec {
				continue
			}
			s.received += r.received
			s.accepted += r.accepted
			s.refuse += r.refuse
			in.merge(r.in)
			out.merge(r.out)
		}
		o.Series.In = append(o.Series.In, s.received)
		o.Series.Out = append(o.Series.Out, s.accepted)
		o.Series.Refused = append(o.Series.Refused, s.refuse)
		o.Latency.In.P50 = append(o.Latency.In.P50, in.quantile(0.5))
		o.Latency.In.P99 = append(o.Latency.In.P99, in.quantile(0.99))
		o.Latency.Out.P50 = append(o.Latency.Out.P50, out.quantile(0.5))
		o.Latency.Out.P99 = append(o.Latency.Out.P99, out.quantile(0.99))
	}
	o.Edges, o.Partners = m.flows(now, span)
	o.Totals = m.totals
	o.Transfers = slices.Clone(m.transfers)
	slices.Reverse(o.Transfers)
	if o.Transfers == nil {
		o.Transfers = []gateway.Transfer{}
	}
	return o
}

// stepOf returns the length of a step in seconds, one that divides a minute.
func stepOf(span int64) int64 {
	for _, s := range []int64{1, 2, 5, 10, 20} {
		if span*60/s <= points {
			return s
		}
	}
	return 20
}

// Empty is an overview in which nothing happened, for a gateway without a
// meter.
func Empty(did string, now time.Time) *gateway.Overview {
	return &gateway.Overview{
		Now: now.UnixMilli(), DID: did, From: now.UnixMilli(), Step: 1000,
		Series:  gateway.Series{In: []int64{}, Out: []int64{}, Refused: []int64{}},
		Latency: gateway.Latencies{In: gateway.Quantiles{P50: []*int64{}, P99: []*int64{}}, Out: gateway.Quantiles{P50: []*int64{}, P99: []*int64{}}},
		Edges:   []gateway.Edge{}, Partners: []gateway.Partner{}, Transfers: []gateway.Transfer{},
	}
}
