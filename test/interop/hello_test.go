package interop

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/system"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/participant/market"
)

// startMarket starts a spine with the market's three gateways and sets the
// market up.
func startMarket(t *testing.T, data string) (*system.Spine, map[string]*client.Client) {
	t.Helper()
	ctx := testkit.Context(t)
	s, err := system.StartSpine(ctx, data, market.Parties, system.Base{Log: testkit.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	gateways := make(map[string]*client.Client)
	for _, g := range s.Gateways {
		gateways[g.Name()] = client.New(g.URL(), g.APIKey())
	}
	chain := market.Chain{RPC: s.Chain.URL(), Contracts: s.Network.Contracts, Root: s.Chain.Faucet()}
	setup, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	if err := market.Setup(setup, chain, gateways); err != nil {
		t.Fatal(err)
	}
	return s, gateways
}

func TestFirstMessage(t *testing.T) {
	ctx := testkit.Context(t)
	_, gateways := startMarket(t, t.TempDir())
	to, err := gateways[market.Aggregator].Identity(ctx)
	if err != nil {
		t.Fatal(err)
	}
	a, err := gateways[market.MarketOperator].Send(ctx, gateway.Draft{Channel: "hello", To: []string{to.DID}, Body: json.RawMessage(`{"n":1}`)})
	if err != nil {
		t.Fatal(err)
	}
	ms, err := gateways[market.Aggregator].Receive(ctx, client.Receive{Channel: "hello", Wait: 60 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if len(ms) != 1 || ms[0].ID != a.ID || string(ms[0].Body) != `{"n":1}` {
		t.Fatalf("sent %s, received %+v", a.ID, ms)
	}
	for name, verdict := range ms[0].Checks {
		if verdict != "ok" {
			t.Errorf("check %s: %s", name, verdict)
		}
	}
	if err := gateways[market.Aggregator].Ack(ctx, ms[0].Ack); err != nil {
		t.Fatal(err)
	}
}
