package system

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/hub"
	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/internal/lock"
	"github.com/digital-spine/spine/internal/testkit"
)

// TestNoChain starts each system without the chain it needs: it asks for a
// while, since the chain may have been started at the same time, and then says
// what is wrong.
func TestNoChain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rpc := "http://" + l.Addr().String()
	l.Close() // nobody listens there now
	network := filepath.Join(t.TempDir(), "network.yaml")
	n := config.NewNetwork("test", 1337, config.Contracts{ENSRegistry: common.Address{1}, Resolver: common.Address{2},
		DomainNotifier: common.Address{3}, DIDRegistry: common.Address{4}})
	n.Hub, n.Broker, n.NATS = "http://127.0.0.1:1", "http://127.0.0.1:2", "nats://127.0.0.1:3"
	if err := n.Save(network); err != nil {
		t.Fatal(err)
	}
	for name, start := range map[string]func(context.Context, string, Base) (System, error){
		"hub": func(ctx context.Context, data string, b Base) (System, error) {
			return NewHub(ctx, hub.Config{Data: data, Listen: "127.0.0.1:0", Network: network, RPC: rpc}, b)
		},
		"broker": func(ctx context.Context, data string, b Base) (System, error) {
			return NewBroker(ctx, broker.Config{Data: data, Listen: "127.0.0.1:0", Network: network, RPC: rpc}, b)
		},
		"gateway": func(ctx context.Context, data string, b Base) (System, error) {
			return NewGateway(ctx, gateway.Config{Name: "g", Data: data, Listen: "127.0.0.1:0", Network: network, RPC: rpc}, b)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := testkit.Context(t)
			clock := clockwork.NewFakeClock()
			done := make(chan error, 1)
			go func() {
				_, err := start(ctx, t.TempDir(), Base{Clock: clock, Log: testkit.Logger(t)})
				done <- err
			}()
			tries := 0
			for {
				asked, cancel := context.WithCancel(ctx)
				waiting := make(chan error, 1)
				go func() { waiting <- clock.BlockUntilContext(asked, 1) }()
				select {
				case err := <-done:
					cancel()
					if err == nil || tries < 3 {
						t.Errorf("after %d tries: %v", tries, err)
					}
					return
				case err := <-waiting:
					cancel()
					if err != nil {
						t.Fatal(err)
					}
					tries++
					clock.Advance(chainWait / 3)
				case <-time.After(time.Minute):
					t.Fatal("neither asks nor gives up")
				}
			}
		})
	}
}

// A second hub on the data of one that runs would read the chain beside it.
func TestHubTakesItsFolder(t *testing.T) {
	network, data := filepath.Join(t.TempDir(), "network.yaml"), t.TempDir()
	contracts := config.Contracts{ENSRegistry: common.Address{1}, Resolver: common.Address{2}, DomainNotifier: common.Address{3}, DIDRegistry: common.Address{4}}
	if err := config.NewNetwork("test", 1337, contracts).Save(network); err != nil {
		t.Fatal(err)
	}
	other, err := lock.Dir(data)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := NewHub(t.Context(), hub.Config{Data: data, Network: network}, Base{}); !errors.Is(err, lock.ErrHeld) {
		t.Fatal(err)
	}
}

// Roles, keys and revocations are believed because the chain says so: nobody on
// the way to it may answer in its place.
func TestChainIsNotReadInPlainText(t *testing.T) {
	_, err := dialChain(t.Context(), "http://192.0.2.1:8545", &config.Network{}, Base{}.withDefaults("test"))
	if err == nil || !strings.Contains(err.Error(), "TLS") {
		t.Fatalf("dialled in plain text: %v", err)
	}
}
