package system

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/evm/devchain"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/hub"
	"github.com/digital-spine/spine/internal/config"
)

// Spine is a whole spine in one process: a development chain, a hub, a broker
// and some gateways, each with its own folder below one data folder, its own
// keys and its own listener. They reach each other over loopback, as they would
// in nine processes.
type Spine struct {
	Data     string
	Network  *config.Network
	Chain    *Chain
	Hub      *Hub
	Broker   *Broker
	Gateways []*Gateway

	clock  clockwork.Clock
	stages [][]*running // in the order of their start
	mu     sync.Mutex
	errs   []error
	failed chan struct{}
}

// running is a system that was started.
type running struct {
	stop    context.CancelFunc
	stopped chan struct{}
}

// NetworkFile is the name of the network file in a spine's data folder.
const NetworkFile = "network.yaml"

// StartSpine starts everything, or starts it again on the data of an earlier
// run. Gateways are named by their folders.
func StartSpine(ctx context.Context, data string, gateways []string, b Base) (s *Spine, err error) {
	run := context.WithoutCancel(ctx)
	made := &Spine{Data: data, clock: b.withDefaults("").Clock, failed: make(chan struct{})}
	defer func() {
		if err != nil {
			s, err = nil, errors.Join(err, made.Close())
		}
	}()
	s = made
	if data, err = filepath.Abs(data); err != nil {
		return nil, err
	}
	dir := func(name string) string { return filepath.Join(data, name) }
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	if s.Chain, err = NewChain(ctx, devchain.Config{DataDir: dir("chain"), Listen: "127.0.0.1:0"}, b); err != nil {
		return nil, err
	}
	s.start(run, s.Chain)
	file := dir(NetworkFile)
	if s.Network, err = s.ensureNetwork(ctx, file); err != nil {
		return nil, err
	}
	// Servers know themselves by the address they listen on; it is written into
	// the network file once it is known, before any gateway reads it.
	s.Network.Hub, s.Network.Broker, s.Network.NATS = "", "", ""
	if err := s.Network.Save(file); err != nil {
		return nil, err
	}
	if s.Hub, err = NewHub(ctx, hub.Config{Listen: "127.0.0.1:0", Data: dir("hub"), Network: file, RPC: s.Chain.URL()}, b); err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	s.start(run, s.Hub)
	bc := broker.Config{Data: dir("broker"), Listen: "127.0.0.1:0", Network: file, RPC: s.Chain.URL()}
	bc.NATS.Listen = "127.0.0.1:0"
	if s.Broker, err = NewBroker(ctx, bc, b); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	s.start(run, s.Broker)
	s.Network.Hub, s.Network.Broker, s.Network.NATS = s.Hub.URL(), s.Broker.URL(), s.Broker.NATSURL()
	if err := s.Network.Save(file); err != nil {
		return nil, err
	}
	s.stages = append(s.stages, nil)
	for _, name := range gateways {
		g, err := NewGateway(ctx, gateway.Config{Name: name, Listen: "127.0.0.1:0", Data: dir(name), Network: file, RPC: s.Chain.URL()}, b)
		if err != nil {
			return nil, fmt.Errorf("gateway %s: %w", name, err)
		}
		s.Gateways = append(s.Gateways, g)
		s.beside(run, g)
	}
	return s, nil
}

// ensureNetwork deploys the contracts on a new chain, paid by its faucet.
func (s *Spine) ensureNetwork(ctx context.Context, file string) (*config.Network, error) {
	c, err := evm.Dial(ctx, s.Chain.URL())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	id, err := c.ChainID(ctx)
	if err != nil {
		return nil, err
	}
	t := evm.NewTransactor(c, evm.NewKeySigner(s.Chain.Faucet()), id)
	n, _, err := EnsureNetwork(ctx, t, t.Address(), file, devchain.Init{Name: "demo"})
	return n, err
}

// start runs a system that those started later use.
func (s *Spine) start(ctx context.Context, sys System) {
	s.stages = append(s.stages, nil)
	s.beside(ctx, sys)
}

// beside runs a system beside those that were started last. The first that
// fails is told by Failed.
func (s *Spine) beside(ctx context.Context, sys System) {
	ctx, stop := context.WithCancel(ctx)
	r := &running{stop: stop, stopped: make(chan struct{})}
	last := len(s.stages) - 1
	s.stages[last] = append(s.stages[last], r)
	go func() {
		defer close(r.stopped)
		err := Serve(ctx, sys, s.clock)
		ended := ctx.Err() == nil // nobody had asked for it
		if ended && err == nil {
			err = errors.New("ended by itself")
		}
		if err == nil {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.errs = append(s.errs, fmt.Errorf("%s: %w", sys.Name(), err))
		select {
		case <-s.failed:
		default:
			if ended {
				close(s.failed)
			}
		}
	}()
}

// Failed is closed when a system ended by itself; Close tells why.
func (s *Spine) Failed() <-chan struct{} { return s.failed }

// AdminKey returns the operator's key of the broker.
func (s *Spine) AdminKey() (string, error) {
	b, err := os.ReadFile(filepath.Join(s.Data, "broker", "admin.key"))
	return string(b), err
}

// Close stops everything in the order that leaves nobody without what it uses:
// the gateways, the broker, the hub, the chain. It returns the errors of systems
// that had failed or did not stop in order.
func (s *Spine) Close() error {
	for _, stage := range slices.Backward(s.stages) {
		for _, r := range stage {
			r.stop()
		}
		for _, r := range stage {
			<-r.stopped
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.errs...)
}
