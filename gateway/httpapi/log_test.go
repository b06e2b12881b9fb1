package httpapi

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/testkit"
)

// counting is a Logbook that counts what is read of it.
type counting struct {
	gateway.Logbook
	n *int
}

func (c counting) Entries(ctx context.Context, f gateway.EntryFilter) ([]gateway.Entry, error) {
	l, err := c.Logbook.Entries(ctx, f)
	*c.n += len(l)
	return l, err
}

// TestLogByState: what is in a state is found wherever it stands, each once and
// in order, whatever the page and however far apart; no request reads without
// bound.
func TestLogByState(t *testing.T) {
	const all = 7000
	states := []gateway.State{gateway.StateWaiting, gateway.StateAccepted, gateway.StateUnconfirmed, gateway.StateDelivered}
	var out, in pages
	var everything []gateway.Entry
	for i := all; i > 0; i-- {
		e := gateway.Entry{ID: entry(i).ID, At: int64(i), Here: int64(i), Cursor: fmt.Sprint(i)}
		if i%5 == 0 {
			e.Direction, e.State = gateway.In, "verified"
		} else {
			e.Direction, e.State = gateway.Out, states[i%4]
		}
		if i == 6700 || i == 6800 || i == 6999 {
			e.Re = entry(5).ID
		}
		if i%1999 == 0 || i%1995 == 0 || i == 1 {
			e.State = gateway.StateRefused
		}
		everything = append(everything, e)
		if e.Direction == gateway.In {
			in.list = append(in.list, e)
		} else {
			out.list = append(out.list, e)
		}
	}
	read := 0
	f := startWith(t, clockwork.NewRealClock(), func(d *Deps) { d.LogOut, d.LogIn = counting{out, &read}, counting{in, &read} })
	ctx, c := testkit.Context(t), client.New(f.url, f.admin)
	for name, tc := range map[string]struct {
		direction string
		states    []gateway.State
		max       int
	}{
		"rare, of both":       {"", []gateway.State{gateway.StateRefused}, 2},
		"rare, sent":          {gateway.Out, []gateway.State{gateway.StateRefused}, 200},
		"of one direction":    {"", []gateway.State{"verified"}, 200},
		"two":                 {"", []gateway.State{gateway.StateRefused, gateway.StateUnconfirmed}, 50},
		"impossible":          {gateway.In, []gateway.State{gateway.StateDelivered}, 50},
		"possible, not there": {"", []gateway.State{gateway.StateUndelivered}, 50},
	} {
		var want, got []string
		for _, e := range everything {
			if slices.Contains(tc.states, e.State) && (tc.direction == "" || tc.direction == e.Direction) {
				want = append(want, e.ID)
			}
		}
		requests := 0
		for next, first := "", true; first || next != ""; first = false {
			read = 0
			l, n, err := c.Log(ctx, client.LogFilter{Direction: tc.direction, State: tc.states, Before: next, Max: tc.max})
			if requests++; err != nil || len(l) > tc.max || requests > all {
				t.Fatal(name, err, len(l), requests)
			}
			if read > 2*maxLooked {
				t.Fatalf("%s: one request read %d entries", name, read)
			}
			for i := range l {
				got = append(got, l[i].ID)
			}
			next = n
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: found %d, want %d, in order", name, len(got), len(want))
		}
	}
	for name, tc := range map[string]struct {
		f    client.LogFilter
		want int
	}{
		"what is new enough":       {client.LogFilter{Since: 6901}, 100},
		"all there is":             {client.LogFilter{Since: 1, Max: 200}, 200},
		"answers":                  {client.LogFilter{Re: entry(5).ID, Since: 6000}, 3},
		"answers, received":        {client.LogFilter{Re: strings.ToUpper(entry(5).ID), Direction: gateway.In, Since: 6000}, 2},
		"answers that are too old": {client.LogFilter{Re: entry(5).ID, Since: 6801}, 1},
		"answers in a state":       {client.LogFilter{Re: entry(5).ID, Since: 6000, State: []gateway.State{"verified"}}, 2},
		"no answer":                {client.LogFilter{Re: entry(6).ID, Since: 6500}, 0},
	} {
		if tc.f.Max == 0 {
			tc.f.Max = 100
		}
		read = 0
		l, next, err := c.Log(ctx, tc.f)
		if err != nil || len(l) != tc.want || read > 2*maxLooked || (next != "") != (tc.f.Since == 1) {
			t.Errorf("%s: %d entries, next %q, %d read, %v", name, len(l), next, read, err)
		}
	}
	for path, want := range map[string]int{"log?re=x": 422, "log?since=-1": 422, "log?state=waiting,refused": 200, "log?state=lost": 422, "log?state=waiting,": 422, "log?state=waiting,waiting,waiting,waiting,waiting,waiting,waiting,waiting": 422} {
		if status, code := f.ask(t, "GET", "/api/v1/"+path, "", map[string]string{"Authorization": "Bearer " + f.admin}); status != want {
			t.Errorf("%s: %d %s", path, status, code)
		}
	}
}
