// Package node makes one broker process of its parts: the database, the
// blobs' folder, the embedded message bus, the rules and the HTTP API.
//
// It reads no configuration files and parses no flags; what it is given is what
// it runs.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/jonboulle/clockwork"
	"golang.org/x/sync/errgroup"

	"github.com/digital-spine/spine/blob/file"
	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/broker/httpapi"
	"github.com/digital-spine/spine/broker/jetstream"
	"github.com/digital-spine/spine/broker/sqlstore"
	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/internal/httpkit"
)

// closeTimeout bounds the end of HTTP requests that are under way.
const closeTimeout = 5 * time.Second

// Deps are what a broker needs from outside.
type Deps struct {
	Config  broker.Config
	Network *config.Network
	DIDs    envelope.DIDStates
	Names   broker.NameOwners
	Clock   clockwork.Clock
	Log     *slog.Logger
	Version string
}

// Node is a broker process: it listens from New on, and serves in Run.
type Node struct {
	Broker *broker.Broker

	store *sqlstore.Store
	blobs *file.Store
	bus   *bus.Server
	plane *jetstream.Plane
	http  *httpkit.Server
	nats  string
	url   string
	log   *slog.Logger
}

// New opens everything and listens. The origin that logins must name is
// Config.URL, else the network file's broker URL, else the address listened on.
func New(ctx context.Context, d Deps) (n *Node, err error) {
	c := d.Config
	if d.Clock == nil {
		d.Clock = clockwork.NewRealClock()
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	made := &Node{log: d.Log}
	defer func() {
		if err != nil {
			n, err = nil, errors.Join(err, made.Close())
		}
	}()
	n = made
	admin, err := broker.LoadAdminKey(or(c.AdminKeyFile, filepath.Join(c.Data, "admin.key")))
	if err != nil {
		return nil, err
	}
	secret, err := broker.LoadSecret(filepath.Join(c.Data, "secret.key"))
	if err != nil {
		return nil, err
	}
	if n.store, err = sqlstore.Open(ctx, or(c.Database, "sqlite:"+filepath.Join(c.Data, "broker.db"))); err != nil {
		return nil, err
	}
	if n.blobs, err = file.Open(or(c.BlobDir, filepath.Join(c.Data, "blobs")), file.Options{Reserve: c.BlobReserve, Log: d.Log}); err != nil {
		return nil, err
	}
	if n.bus, err = bus.Embed(ctx, bus.EmbedConfig{StoreDir: filepath.Join(c.Data, "nats"), Listen: or(c.NATS.Listen, "127.0.0.1:0"),
		SyncInterval: c.NATS.SyncInterval, MaxFileStore: c.NATS.MaxFileStore, Log: d.Log}); err != nil {
		return nil, err
	}
	n.nats = or(c.NATS.URL, d.Network.NATS, n.bus.URL())
	partitions := c.NATS.Partitions
	if partitions < 1 || partitions > 100 {
		partitions = bus.Partitions
	}
	total := c.NATS.MaxFileStore
	if total <= 0 {
		total = 256 << 30
	}
	if n.plane, err = jetstream.New(n.bus, jetstream.Config{
		Retention: time.Duration(d.Network.RetentionMS) * time.Millisecond, Wire: d.Network.Wire, Cap: d.Network.Cap,
		// Partitions that were assigned under another number count too, up to 100.
		MaxBytes: total / int64(max(partitions, bus.Partitions)) * 95 / 100, Log: d.Log}); err != nil {
		return nil, err
	}
	deps := broker.Deps{
		Network: broker.Network{ChainID: d.Network.ChainID, DIDRegistry: d.Network.Contracts.DIDRegistry, RetentionMS: d.Network.RetentionMS,
			StatusTTLMS: d.Network.StatusTTLMS, Wire: d.Network.Wire, Cap: d.Network.Cap},
		Limits: c.Limits, Partitions: partitions, Store: n.store, Blobs: n.blobs, Plane: n.plane, DIDs: d.DIDs, Names: d.Names,
		Clock: d.Clock, Log: d.Log, NATSURL: n.nats, Secret: secret,
	}
	if n.Broker, err = broker.New(ctx, deps); err != nil {
		return nil, err
	}
	n.bus.Admit(jetstream.Admit(n.Broker))
	n.http = httpapi.New(n.Broker, admin, or(d.Version, "dev"), d.Log)
	if err := n.http.Listen(ctx, or(c.Listen, "127.0.0.1:0"), filepath.Join(c.Data, "listen")); err != nil {
		return nil, err
	}
	n.url = n.http.URL()
	n.Broker.Origin = or(c.URL, d.Network.Broker, n.url)
	return n, nil
}

// URL returns the base URL of the HTTP API as it is listened on.
func (n *Node) URL() string { return n.url }

// NATSURL returns what gateways are told to connect to.
func (n *Node) NATSURL() string { return n.nats }

// Run serves until ctx ends, then closes everything.
func (n *Node) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(n.http.Serve)
	g.Go(func() error { return n.Broker.Run(ctx) })
	g.Go(func() error {
		<-ctx.Done()
		return closeHTTP(n.http)
	})
	err := g.Wait()
	return errors.Join(err, n.Close())
}

// Close releases everything; Run does it too. The HTTP intake ends first, the
// bus server last.
func (n *Node) Close() error {
	var errs []error
	if n.http != nil {
		errs = append(errs, closeHTTP(n.http))
		n.http = nil
	}
	if n.bus != nil {
		n.bus.Admit(nil) // what decides it is about to go
	}
	if n.plane != nil {
		n.plane.Close()
		n.plane = nil
	}
	if n.bus != nil {
		if err := n.bus.Close(); err != nil {
			// Harmless: everything acknowledged is on disk.
			n.log.Warn("message bus", "err", err)
		}
		n.bus = nil
	}
	if n.blobs != nil {
		errs = append(errs, n.blobs.Close())
		n.blobs = nil
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
		n.store = nil
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close broker: %w", err)
	}
	return nil
}

// closeHTTP stops a server. Requests that do not end in time are cut off, and
// nothing of them was promised.
func closeHTTP(s *httpkit.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := s.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// or returns the first that is not empty.
func or(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}
