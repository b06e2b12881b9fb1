package interop

import (
	"context"
	"testing"
	"time"

	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/participant/market"
	"github.com/digital-spine/spine/test/processes"
)

// TestNineProcesses runs the market with every system and every participant in
// a process of its own, each from its configuration file, and compares the
// participants' ledgers.
func TestNineProcesses(t *testing.T) {
	const devices, rounds = 200, 3
	ctx, cancel := context.WithTimeout(testkit.Context(t), 3*time.Minute)
	defer cancel()
	m := processes.StartMarket(ctx, t, devices)
	m.Trade(ctx, rounds)

	const bids = market.BidsPerRound
	want := map[string]int{
		market.Aggregator:      rounds * (devices + bids),
		market.NetworkOperator: rounds * market.EnvelopesPerRound,
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
	t.Log(b)
	for party, n := range want {
		if b.ByParty[party] != n {
			t.Errorf("the %s sent %d messages, not %d", party, b.ByParty[party], n)
		}
	}
	// Telemetry goes to two recipients.
	if n := rounds * (2*devices + 2*bids + market.EnvelopesPerRound); len(b.Received) != n {
		t.Errorf("%d deliveries, not %d", len(b.Received), n)
	}
	if len(b.Stray())+len(b.Violations)+len(b.Unverified)+len(b.Unmarked)+len(b.Strange) > 0 || b.Again > 0 {
		t.Errorf("not as it should be: %s; unknown recipients %v", b, b.Strange)
	}
	stop, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	all := m.All()
	for i := range all { // participants first, the chain last
		if err := all[len(all)-1-i].Stop(stop); err != nil {
			t.Error(err)
		}
	}
}
