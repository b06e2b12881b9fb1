package system

import (
	"context"
	"errors"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/broker/node"
	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/internal/config"
)

// Broker is a running message broker.
type Broker struct {
	cfg   broker.Config
	chain *evm.RPC
	dids  func(context.Context) error
	node  *node.Node
}

// NewBroker opens the broker's store and message bus, connects to the chain
// and listens.
func NewBroker(ctx context.Context, cfg broker.Config, b Base) (*Broker, error) {
	b = b.withDefaults("broker")
	network, err := config.LoadNetwork(cfg.Network)
	if err != nil {
		return nil, err
	}
	chain, err := dialChain(ctx, cfg.RPC, network, b)
	if err != nil {
		return nil, err
	}
	dids := resolver(chain, network, b.Clock)
	follower := evm.NewFollower(chain, evm.FollowerOptions{Addresses: addresses(network.Contracts.DIDRegistry), FromHead: true, Clock: b.Clock, Log: b.Log})
	dids.Watch(follower)
	n, err := node.New(ctx, node.Deps{Config: cfg, Network: network, DIDs: dids, Names: ens.NewRegistry(chain, network.Contracts),
		Clock: b.Clock, Log: b.Log, Version: Version})
	if err != nil {
		chain.Close()
		return nil, err
	}
	return &Broker{cfg: cfg, chain: chain, dids: follower.Run, node: n}, nil
}

// Name implements System.
func (b *Broker) Name() string { return "broker" }

// URL returns the address listened on.
func (b *Broker) URL() string { return b.node.URL() }

// NATSURL returns where gateways connect to the data plane.
func (b *Broker) NATSURL() string { return b.node.NATSURL() }

// Run serves until ctx ends.
func (b *Broker) Run(ctx context.Context) error {
	err := config.Ready{System: "broker", URL: b.URL(), Extra: map[string]string{"nats": b.NATSURL()}}.Write(b.cfg.Data)
	if err == nil {
		err = all(ctx, b.node.Run, b.dids)
	}
	return errors.Join(err, b.Close())
}

// Close releases everything.
func (b *Broker) Close() error {
	err := b.node.Close()
	b.chain.Close()
	return err
}
