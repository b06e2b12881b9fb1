package interop

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/participant/market"
	"github.com/digital-spine/spine/test/processes"
)

// TestNineProcesses runs the market with every system and every participant in
// a process of its own, each from its configuration file, and compares the
// participants' ledgers. Then all are stopped in order and started again, the
// last one first.
func TestNineProcesses(t *testing.T) {
	const devices, rounds = 200, 3
	ctx, cancel := context.WithTimeout(testkit.Context(t), 3*time.Minute)
	defer cancel()
	m := processes.StartMarket(ctx, t, devices)
	m.Trade(ctx, rounds)
	traded(ctx, t, m, devices, rounds)

	all := m.All() // the chain first, participants last
	slices.Reverse(all)
	stop(ctx, t, all)
	for _, g := range m.Gateways {
		if err := g.Start(); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []*processes.Process{m.Broker, m.Hub, m.Chain} {
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
	}
	for party, g := range m.Gateways {
		r, err := g.Ready(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if r.URL != m.URLs[party] {
			t.Errorf("the gateway of the %s was at %s and is at %s now", party, m.URLs[party], r.URL)
		}
	}
	m.Trade(ctx, rounds+1)
	traded(ctx, t, m, devices, rounds+1)
	stop(ctx, t, all)
}

// stop ends processes one after the other, in order.
func stop(ctx context.Context, t *testing.T, all []*processes.Process) {
	t.Helper()
	for _, p := range all {
		if err := p.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
}

// traded waits until every message of the first rounds was delivered, and
// checks that nothing else was.
func traded(ctx context.Context, t *testing.T, m *processes.Market, devices, rounds int) {
	t.Helper()
	const bids = market.BidsPerRound
	want := map[string]int{
		market.Aggregator:      rounds * (devices + bids),
		market.NetworkOperator: rounds*market.EnvelopesPerRound + market.Models(rounds),
		market.MarketOperator:  rounds * bids, // a dispatch for each bid
	}
	var b *processes.Books
	testkit.Eventually(t, ctx, "all messages to be delivered", func() bool {
		for _, p := range m.All() {
			if err := p.Failed(); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if b, err = processes.ReadBooks(m.Ledgers(), m.DIDs); err != nil {
			t.Fatal(err)
		}
		for party, n := range want {
			if b.ByParty[party] < n || m.Rounds(party) < rounds {
				return false
			}
		}
		return len(b.Lost()) == 0
	})
	t.Logf("%d rounds: %s", rounds, b)
	for party, n := range want {
		if b.ByParty[party] != n {
			t.Errorf("the %s sent %d messages, not %d", party, b.ByParty[party], n)
		}
	}
	// Telemetry goes to two recipients.
	if n := rounds*(2*devices+2*bids+market.EnvelopesPerRound) + market.Models(rounds); len(b.Received) != n {
		t.Errorf("%d deliveries, not %d", len(b.Received), n)
	}
	if len(b.Stray())+len(b.Violations)+len(b.Unverified)+len(b.Unmarked)+len(b.Strange) > 0 || b.Again > 0 {
		t.Errorf("not as it should be: %s; unknown recipients %v", b, b.Strange)
	}
}
