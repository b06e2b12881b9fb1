package fault

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/participant/market"
	"github.com/digital-spine/spine/test/processes"
)

// TestKillOneOfNine kills one of the nine processes after the other at random
// moments while the market trades and names are written, and starts each again
// at once.
func TestKillOneOfNine(t *testing.T) {
	const devices = 60
	ctx, cancel := context.WithTimeout(testkit.Context(t), 8*time.Minute)
	defer cancel()
	rng := seeded(t)
	m := processes.StartMarket(ctx, t, devices)
	rpc, err := m.Chain.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	before := headOf(ctx, t, rpc.URL)
	written := writeNames(ctx, t, m.Clients[market.MarketOperator])
	m.Trade(ctx, 0)
	testkit.Eventually(t, ctx, "the first round", func() bool { return m.Rounds(market.Aggregator) > 0 })

	all := m.All()
	var order []int // each process as often as any other, give or take one
	for range kills(20, 5) {
		if len(order) == 0 {
			order = rng.Perm(len(all))
		}
		victim := all[order[0]]
		order = order[1:]
		// Now when all run, now while the last one still starts.
		moment(rng, []time.Duration{1500, 300}[rng.IntN(2)]*time.Millisecond)
		if !victim.Kill() {
			t.Fatal(victim.Failed())
		}
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		t.Logf("killed %s in round %d", victim.Name, m.Rounds(market.Aggregator)+1)
	}
	for _, p := range all {
		if _, err := p.Ready(ctx); err != nil {
			t.Fatal(err)
		}
	}
	names := written()

	// Trade goes on, and what was broken off is repeated under its old keys.
	for _, p := range m.Participants {
		if err := p.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
	last := max(m.Rounds(market.Aggregator), m.Rounds(market.NetworkOperator)) + 1
	t.Logf("%d names written; all run again after round %d", len(names), m.Rounds(market.Aggregator))
	m.Trade(ctx, last)
	const bids = market.BidsPerRound
	want := map[string]int{
		market.Aggregator:      last * (devices + bids),
		market.NetworkOperator: last*market.EnvelopesPerRound + market.Models(last),
		market.MarketOperator:  last * bids,
	}
	b := drained(ctx, t, m, want)
	t.Log(b)
	judge(t, b)
	for party, n := range want {
		if b.ByParty[party] != n {
			t.Errorf("the %s sent %d messages in %d rounds, not %d: a repeated request made a new message", party, b.ByParty[party], last, n)
		}
	}
	intact(ctx, t, rpc.URL, m.Network, before, names)
	for i := range all { // participants first, the chain last
		if err := all[len(all)-1-i].Stop(ctx); err != nil {
			t.Error(err)
		}
	}
}

// drained waits until every party sent what it has to and nothing is under way.
func drained(ctx context.Context, t *testing.T, m *processes.Market, want map[string]int) (b *processes.Books) {
	t.Helper()
	begin := time.Now()
	wait, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, p := range m.All() {
			if err := p.Failed(); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if b, err = processes.ReadBooks(m.Ledgers(), m.DIDs); err != nil {
			t.Fatal(err)
		}
		done := len(b.Lost()) == 0 && len(b.Stray()) == 0
		for party, n := range want {
			done = done && b.ByParty[party] >= n
		}
		if done {
			t.Logf("drained in %v", time.Since(begin).Round(time.Millisecond))
			return b
		}
		select {
		case <-wait.Done():
			t.Errorf("not drained: %s; sent %v of %v", b, b.ByParty, want)
			explain(ctx, t, m, b)
			return b
		case <-tick.C:
		}
	}
}

// explain shows what the gateways say about lost messages, the sender's and
// the recipient's.
func explain(ctx context.Context, t *testing.T, m *processes.Market, b *processes.Books) {
	t.Helper()
	lost := b.Lost()
	lost = lost[:min(len(lost), 5)]
	for _, d := range lost {
		trace, err := m.Clients[d.Party].Trace(ctx, gateway.In, d.ID)
		if err != nil {
			t.Logf("%s at the %s: %v", d.ID, d.Party, err)
			continue
		}
		text, _ := json.Marshal(trace)
		t.Logf("%s at the %s: %s", d.ID, d.Party, text)
	}
	for party, c := range m.Clients {
		for _, d := range lost {
			if s, err := c.Status(ctx, d.ID); err == nil {
				t.Logf("%s of the %s for the %s: %+v", d.ID, party, d.Party, *s)
			}
		}
		events, _, err := c.Events(ctx, 0, 0, "")
		for _, e := range events[max(0, len(events)-20):] {
			e.Messages = nil
			t.Logf("event of the %s: %+v", party, e)
		}
		if err != nil {
			t.Logf("events of the %s: %v", party, err)
		}
	}
}

// head is a block of the chain.
type head struct {
	number uint64
	hash   common.Hash
}

func headOf(ctx context.Context, t *testing.T, rpc string) head {
	t.Helper()
	c, err := evm.Dial(ctx, rpc)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	h, err := c.HeaderByNumber(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	return head{h.Number.Uint64(), h.Hash()}
}

// writeNames has a gateway write one name after the other until the function
// that it returns is called, which tells those that were answered 2xx. The
// first is written when writeNames returns.
func writeNames(ctx context.Context, t *testing.T, c *client.Client) func() []string {
	t.Helper()
	put := func(n int) (string, error) {
		name := fmt.Sprintf("n%d.roles.%s", n, market.Application)
		return name, c.PutName(ctx, name, client.Name{Kind: "role", Definition: json.RawMessage(`{"version":1}`)})
	}
	first, err := put(1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(ctx)
	result := make(chan []string, 1)
	go func() {
		names := []string{first}
		for ctx.Err() == nil {
			name, err := put(len(names) + 1)
			if err != nil { // such as: the gateway, or the chain, was just killed
				select {
				case <-ctx.Done():
				case <-time.After(50 * time.Millisecond):
				}
				continue
			}
			names = append(names, name)
		}
		result <- names
	}()
	end := sync.OnceValue(func() []string {
		stop()
		return <-result
	})
	t.Cleanup(func() { end() })
	return end
}

// intact checks that the chain has every block and name it had told of.
func intact(ctx context.Context, t *testing.T, rpc, network string, before head, names []string) {
	t.Helper()
	n, err := config.LoadNetwork(network)
	if err != nil {
		t.Fatal(err)
	}
	c, err := evm.Dial(ctx, rpc)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if now := headOf(ctx, t, rpc); now.number < before.number+uint64(len(names)) {
		t.Errorf("the chain's head is block %d: there were %d, and %d names were written since", now.number, before.number, len(names))
	}
	h, err := c.HeaderByNumber(ctx, new(big.Int).SetUint64(before.number))
	if err != nil || h.Hash() != before.hash {
		t.Errorf("block %d is not what it was: %v", before.number, err)
	}
	registry := ens.NewRegistry(c, n.Contracts)
	for _, name := range append(names, market.RoleAggregator, market.RoleMarketOperator, market.RoleNetworkOperator) {
		if _, err := registry.Role(ctx, name); err != nil {
			t.Errorf("role %s: %v", name, err)
		}
	}
}
