// Package system puts the systems of a spine together from their
// configuration: one constructor each for chain, hub, broker and gateway. The
// binary runs one of them in a process, the demo and the tests several; both
// call the same constructors, and nothing here lets two systems depend on being
// in one process.
//
// It holds no rules: those are in the systems' own packages.
package system

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"path/filepath"
	"time"

	"github.com/jonboulle/clockwork"
	"golang.org/x/sync/errgroup"

	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/internal/httpkit"
)

// Version is told by every server.
const Version = "0.1.0-dev"

// System is a running part of a spine: it listens once it is made, serves in
// Run until the context ends, and writes ready.json into its data folder when
// it can be used. Close releases everything; Run does it too.
type System interface {
	Name() string
	URL() string
	Run(ctx context.Context) error
	Close() error
}

// Base is what every constructor takes beside its configuration.
type Base struct {
	Log   *slog.Logger
	Clock clockwork.Clock
	// Inline has a gateway send every recipient the whole message, also where
	// one body in the blob store would do for many: for measurements.
	Inline bool
}

// StopTimeout bounds how long a system may take to stop. Each bounds what it
// waits for in others by less, so that none needs it; and leaving without it is
// safe, since what was acknowledged is on disk.
const StopTimeout = 30 * time.Second

// Serve runs a system until ctx ends and it has stopped. A nil clock is the
// real one.
func Serve(ctx context.Context, s System, clock clockwork.Clock) error {
	if clock == nil {
		clock = clockwork.NewRealClock()
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	t := clock.NewTimer(StopTimeout)
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-t.Chan():
		return fmt.Errorf("did not stop within %s; what was acknowledged is on disk", StopTimeout)
	}
}

func (b Base) withDefaults(name string) Base {
	if b.Log == nil {
		b.Log = slog.New(slog.DiscardHandler)
	}
	b.Log = slog.New(calm{b.Log.Handler()}).With("system", name)
	if b.Clock == nil {
		b.Clock = clockwork.NewRealClock()
	}
	return b
}

// How often and how long a system that starts asks a chain that does not
// answer: both may have been started at the same time, in any order.
const (
	chainEvery = 250 * time.Millisecond
	chainWait  = 30 * time.Second
)

// dialChain connects to the RPC endpoint of a system's own choice and checks
// that it is on the network's chain.
func dialChain(ctx context.Context, rpc string, n *config.Network, b Base) (*evm.RPC, error) {
	if rpc == "" {
		return nil, errors.New("rpc is missing: every system reads the chain from an endpoint of its own choice")
	}
	if err := config.CheckURL(rpc); err != nil { // everything that is believed rests on its answers
		return nil, fmt.Errorf("rpc: %w", err)
	}
	c, err := evm.Dial(ctx, rpc)
	if err != nil {
		return nil, err
	}
	until := b.Clock.Now().Add(chainWait)
	for said := false; ; said = true {
		id, err := c.ChainID(ctx)
		if err == nil && id.Cmp(new(big.Int).SetUint64(n.ChainID)) == 0 {
			return c, nil
		}
		if err == nil {
			c.Close()
			return nil, fmt.Errorf("the endpoint is on chain %s, the network file says %d", id, n.ChainID)
		}
		if ctx.Err() != nil || !b.Clock.Now().Before(until) {
			c.Close()
			return nil, fmt.Errorf("ask the chain for its id: %w", err)
		}
		if !said {
			b.Log.Warn("the chain does not answer; trying on", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-b.Clock.After(chainEvery):
		}
	}
}

// resolver makes the reader of DID states.
func resolver(c evm.Client, n *config.Network, clock clockwork.Clock) *ethr.Resolver {
	return ethr.NewResolver(c, n.Contracts.DIDRegistry, n.ChainID, clock, ethr.Options{})
}

// sticky is the file that remembers the address a system listened on.
func sticky(data string) string { return filepath.Join(data, "listen") }

// all runs functions until the first error or the end of ctx. The end of ctx
// is no error.
func all(ctx context.Context, fns ...func(context.Context) error) error {
	g, gctx := errgroup.WithContext(ctx)
	for _, fn := range fns {
		g.Go(func() error { return fn(gctx) })
	}
	if err := g.Wait(); err != nil && !(ctx.Err() != nil && errors.Is(err, context.Canceled)) {
		return err
	}
	return nil
}

// httpGrace bounds the end of requests that are under way when a system stops.
const httpGrace = 5 * time.Second

// serveHTTP answers requests until ctx ends.
func serveHTTP(ctx context.Context, s *httpkit.Server) error {
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stopped <- closeHTTP(s)
	}()
	if err := s.Serve(); err != nil {
		return err
	}
	return <-stopped
}

// closeHTTP stops a server. Requests that do not end in time are cut off, and
// nothing of them was promised.
func closeHTTP(s *httpkit.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), httpGrace)
	defer cancel()
	if err := s.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
