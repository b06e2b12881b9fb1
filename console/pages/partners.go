package pages

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/digital-spine/spine/console/components"
	"github.com/digital-spine/spine/gateway"
)

// Partners is the list of all partners, of which the map draws the busiest.
type Partners struct {
	components.Frame
	Overview *gateway.Overview
	Err      error
}

// partner is a DID with what went to it and came from it, over all channels.
type partner struct {
	did      string
	out, in  flow
	channels []string
	last     int64 // the latest message, ms since 1970
}

// flow is what went one way in the time that was asked for.
type flow struct {
	seen     bool
	count    int64
	refused  int64
	rate     float64 // messages a minute
	channels []string
}

func (p *partner) messages() int64 { return p.out.count + p.in.count }

// maxNamed is how many channels are named of a flow.
const maxNamed = 10

func addName(list []string, name string) []string {
	if name == "" || len(list) >= maxNamed || slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}

// partners adds up who exchanged how much with this gateway, the busiest first,
// and among equals who was heard from last.
func partners(o *gateway.Overview) []partner {
	var list []partner
	at := map[string]int{}
	of := func(did string) *partner {
		if did == "" || did == o.DID {
			return nil
		}
		i, ok := at[did]
		if !ok {
			i = len(list)
			at[did], list = i, append(list, partner{did: did})
		}
		return &list[i]
	}
	minutes := Minutes(o)
	for _, e := range o.Edges {
		did := e.To
		if e.Direction == gateway.In {
			did = e.From
		}
		p := of(did)
		if p == nil {
			continue
		}
		f := &p.out
		if e.Direction == gateway.In {
			f = &p.in
		}
		f.seen = true
		f.count += e.Count
		f.refused += e.Refused
		f.rate = float64(f.count) / minutes
		f.channels, p.channels = addName(f.channels, e.Channel), addName(p.channels, e.Channel)
		p.last = max(p.last, e.Last)
	}
	for _, x := range o.Partners {
		if p := of(x.DID); p != nil {
			p.last = max(p.last, x.Last)
		}
	}
	slices.SortStableFunc(list, func(a, b partner) int {
		return cmp.Or(cmp.Compare(b.messages(), a.messages()), cmp.Compare(b.last, a.last), cmp.Compare(a.did, b.did))
	})
	return list
}

// list are the partners, and behind them those who have a name here and were
// not heard from.
func (p *Partners) list() []partner {
	if p.Overview == nil {
		return nil
	}
	out := partners(p.Overview)
	met := map[string]bool{p.Overview.DID: true, p.People.Self: true}
	for i := range out {
		met[out[i].did] = true
	}
	var quiet []partner
	for did := range p.People.Names {
		if !met[did] {
			quiet = append(quiet, partner{did: did})
		}
	}
	slices.SortFunc(quiet, func(a, b partner) int {
		return cmp.Or(strings.Compare(strings.ToLower(p.People.Name(a.did)), strings.ToLower(p.People.Name(b.did))), strings.Compare(a.did, b.did))
	})
	return append(out, quiet...)
}

// partnerURL is where a partner's messages are.
func partnerURL(did string) string { return "/messages?partner=" + url.QueryEscape(did) }
