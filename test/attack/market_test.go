package attack

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/evm/devchain"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/internal/system"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/participant/market"
	"github.com/digital-spine/spine/participant/villain"
)

// patience is how long a test waits for what has to come, on a machine that is
// busy with others; a test that waits for many things has five times as long.
const patience = time.Minute

// stage is a whole spine with the market on it, and the broker's operator.
type stage struct {
	*system.Spine
	operator *villain.Operator
	gateways map[string]*client.Client
	dids     map[string]string
}

// newStage starts a spine whose status lists live for ttl (zero: as long as
// usual) and sets the market up.
func newStage(t *testing.T, ttl time.Duration) *stage {
	t.Helper()
	ctx, cancel := context.WithTimeout(testkit.Context(t), 5*patience)
	defer cancel()
	data := t.TempDir()
	if ttl > 0 {
		// Nothing stands at these addresses: the contracts are made, the rest stays.
		n := config.NewNetwork("attack", devchain.DefaultChainID, config.Contracts{ENSRegistry: common.Address{1}, Resolver: common.Address{2},
			DomainNotifier: common.Address{3}, DIDRegistry: common.Address{4}})
		n.StatusTTLMS = ttl.Milliseconds()
		if err := n.Save(filepath.Join(data, system.NetworkFile)); err != nil {
			t.Fatal(err)
		}
	}
	spine, err := system.StartSpine(ctx, data, market.Parties, system.Base{Log: testkit.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := spine.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &stage{Spine: spine, gateways: make(map[string]*client.Client), dids: make(map[string]string)}
	for _, g := range spine.Gateways {
		s.gateways[g.Name()], s.dids[g.Name()] = client.New(g.URL(), g.APIKey()), g.DID()
	}
	chain := market.Chain{RPC: spine.Chain.URL(), Contracts: spine.Network.Contracts, Root: spine.Chain.Faucet()}
	if err := market.Setup(ctx, chain, s.gateways); err != nil {
		t.Fatal(err)
	}
	key, err := spine.AdminKey()
	if err != nil {
		t.Fatal(err)
	}
	s.operator = villain.NewOperator(spine.Broker.URL(), key)
	return s
}

// waitEvent waits for an event at a gateway that fits.
func waitEvent(ctx context.Context, t *testing.T, g *client.Client, what string, fits func(*gateway.Event) bool) gateway.Event {
	t.Helper()
	for after := int64(0); ; {
		evs, next, err := g.Events(ctx, after, 2*time.Second, "")
		if err != nil {
			t.Fatalf("waited for %s: %v", what, err)
		}
		for i := range evs {
			if fits(&evs[i]) {
				return evs[i]
			}
		}
		after = max(after, next)
	}
}

// receive waits until a gateway hands over n messages of a channel and
// acknowledges them.
func receive(ctx context.Context, t *testing.T, g *client.Client, channel string, n int) []gateway.Message {
	t.Helper()
	var all []gateway.Message
	for len(all) < n {
		ms, err := g.Receive(ctx, client.Receive{Channel: channel, Wait: 5 * time.Second})
		if err != nil {
			t.Fatalf("waited for %d messages, got %d: %v", n, len(all), err)
		}
		for _, m := range ms {
			if err := g.Ack(ctx, m.Ack); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, ms...)
	}
	return all
}
