// Package villain attacks the sample market with the powers that somebody in
// the middle or among the participants really has: it logs in, speaks the
// protocol itself, and uses the broker operator's admin API. No gateway has a
// hook for it. What an attack came to is read from the events that the
// attacked gateway shows through its API.
//
// The demonstration and the tests use it; it is no fuzzer and no load generator.
package villain

import (
	"context"
	"fmt"
	"time"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/config"
)

// The words for what an attack came to.
const (
	Refused  = "refused"  // the recipient's gateway did not accept it and says so
	Detected = "detected" // the recipient's gateway noticed what was done in between
	Repaired = "repaired" // and got the true message from its sender
	Missed   = "missed"   // no event told of it
)

// Attacks are the attacks in the order they are made.
var Attacks = []string{"outsider", "wrongrole", "altered", "replayed", "removed", "moved", "part_swapped", "revoked"}

// Expected is the word that each attack must come to.
var Expected = map[string]string{
	"outsider": Refused, "wrongrole": Refused, "revoked": Refused,
	"altered": Detected, "replayed": Detected, "moved": Detected, "removed": Repaired,
	"part_swapped": Detected,
}

// World is what the villain finds.
type World struct {
	Network  *config.Network
	RPC      string
	Operator *Operator
	Gateways map[string]*client.Client // of the market's parties
	// Say is told what is done, as for fmt.Printf; it may be nil.
	Say func(format string, args ...any)
}

// Report is what the attacks came to.
type Report struct {
	Attacks map[string]string
	Refused int // messages of the villain's own that were refused
	// Traces are the events that each attack must have left, as far as the
	// villain can know them.
	Traces map[string][]Trace
}

// Trace is an event that an attack must leave at a party's gateway. Members of
// the event that are empty were not for the villain to know.
type Trace struct {
	Party string
	gateway.Event
}

// trace notes what an attack must leave.
func (x *run) trace(attack, party string, e gateway.Event) {
	x.report.Traces[attack] = append(x.report.Traces[attack], Trace{party, e})
}

// about is the trace of something that was done to an envelope.
func about(e *envelope.Envelope, did, code string) gateway.Event {
	return gateway.Event{Code: code, DID: did, Session: e.Session.String(), Seq: gateway.Seq(e.Seq), Digest: e.Digest().String()}
}

// place is the trace of a number in a session, of which no envelope is there.
func place(e *envelope.Envelope, did, code string) gateway.Event {
	return gateway.Event{Code: code, DID: did, Session: e.Session.String(), Seq: gateway.Seq(e.Seq)}
}

// Held reports whether every attack came to what it must.
func (r *Report) Held() bool {
	for name, word := range Expected {
		if r.Attacks[name] != word {
			return false
		}
	}
	return true
}

// noticed is how long an event may take to appear.
const noticed = 15 * time.Second

// Run makes every attack once. An attack that cannot be made at all is an
// error; one that nobody notices is Missed.
func Run(ctx context.Context, w World) (*Report, error) {
	if w.Say == nil {
		w.Say = func(string, ...any) {}
	}
	x := &run{World: w, report: &Report{Attacks: make(map[string]string), Traces: make(map[string][]Trace)}, arrived: make(map[string]bool)}
	attacks := map[string]func(context.Context) error{
		"outsider": x.outsider, "wrongrole": x.wrongRole, "altered": x.altered, "replayed": x.replayed,
		"removed": x.removed, "moved": x.moved, "part_swapped": x.partSwapped, "revoked": x.revoked,
	}
	defer x.close()
	for _, name := range Attacks {
		x.report.Attacks[name] = Missed
		if err := attacks[name](ctx); err != nil {
			return nil, fmt.Errorf("attack %s: %w", name, err)
		}
		w.Say("attack %s: %s", name, x.report.Attacks[name])
	}
	return x.report, nil
}

// run is one run of the attacks.
type run struct {
	World
	report    *Report
	impostors []*Impostor
	member    *member         // a villain that holds the aggregator's role for a while
	arrived   map[string]bool // messages that gateways handed over to the villain's consumer
}

func (x *run) close() {
	for _, v := range x.impostors {
		v.Close()
	}
}

// watch is a place in a gateway's events; wait looks from there on.
type watch struct {
	gateway *client.Client
	after   int64
}

// eventsNow begins to watch a gateway's events.
func eventsNow(ctx context.Context, g *client.Client) (*watch, error) {
	w := &watch{gateway: g}
	for {
		evs, next, err := g.Events(ctx, w.after, 0, "")
		if err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		if len(evs) == 0 {
			return w, nil
		}
		w.after = next
	}
}

// wait returns the first event that fits, nil when none came in time.
func (w *watch) wait(ctx context.Context, fits func(*gateway.Event) bool) (*gateway.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, noticed)
	defer cancel()
	after := w.after
	for {
		evs, next, err := w.gateway.Events(ctx, after, 2*time.Second, "")
		if ctx.Err() != nil {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		for i := range evs {
			if fits(&evs[i]) {
				return &evs[i], nil
			}
		}
		after = max(after, next)
	}
}
