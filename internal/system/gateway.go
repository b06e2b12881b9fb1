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

	blobfile "github.com/digital-spine/spine/blob/file"
	"github.com/digital-spine/spine/console"
	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/evm/eip712"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/access"
	"github.com/digital-spine/spine/gateway/brokerclient"
	"github.com/digital-spine/spine/gateway/channels"
	"github.com/digital-spine/spine/gateway/contacts"
	"github.com/digital-spine/spine/gateway/events"
	"github.com/digital-spine/spine/gateway/files"
	"github.com/digital-spine/spine/gateway/httpapi"
	"github.com/digital-spine/spine/gateway/hubclient"
	"github.com/digital-spine/spine/gateway/identity"
	"github.com/digital-spine/spine/gateway/inbox"
	"github.com/digital-spine/spine/gateway/intake"
	"github.com/digital-spine/spine/gateway/issuer"
	"github.com/digital-spine/spine/gateway/link"
	"github.com/digital-spine/spine/gateway/outbox"
	"github.com/digital-spine/spine/gateway/owner"
	"github.com/digital-spine/spine/gateway/sqlstore"
	"github.com/digital-spine/spine/gateway/stats"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/sqlkit"
	"github.com/digital-spine/spine/keyring"
	"github.com/digital-spine/spine/keyring/file"
	"github.com/digital-spine/spine/schema"
)

// Gateway is a running client gateway.
type Gateway struct {
	cfg    gateway.Config
	apiKey string
	log    *slog.Logger

	chain  *evm.RPC
	store  *sqlstore.Store
	blobs  *blobfile.Store
	self   *identity.Self
	link   *link.Link
	server *httpkit.Server
	parts  []func(context.Context) error
}

// NewGateway opens the gateway's keys and store, connects to the chain and
// listens. Broker and hub need not be there yet.
func NewGateway(ctx context.Context, cfg gateway.Config, b Base) (g *Gateway, err error) {
	b = b.withDefaults(cfg.Name)
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("gateway configuration: %w", err)
	}
	network, err := config.LoadNetwork(cfg.Network)
	if err != nil {
		return nil, err
	}
	if network.Hub == "" || network.Broker == "" {
		return nil, fmt.Errorf("%s does not name a hub and a broker yet", cfg.Network)
	}
	made := &Gateway{cfg: cfg, log: b.Log}
	defer func() {
		if err != nil {
			g, err = nil, errors.Join(err, made.Close())
		}
	}()
	g = made
	if cfg.Keyring == "" {
		cfg.Keyring = filepath.Join(cfg.Data, "keyring")
	}
	ring, fresh, err := file.Open(cfg.Keyring, nil)
	if err != nil {
		return nil, err
	}
	if fresh {
		b.Log.Info("made a key file for the keyring; back it up apart from the data", "file", cfg.Keyring+".key")
	}
	if cfg.Database == "" {
		cfg.Database = "sqlite:" + filepath.Join(cfg.Data, "gateway.db")
	}
	if g.store, err = sqlstore.Open(ctx, cfg.Database, sqlkit.Options{}); err != nil {
		return nil, err
	}
	if g.chain, err = dialChain(ctx, cfg.RPC, network, b); err != nil {
		return nil, err
	}
	return g, g.wire(ctx, network, ring, b)
}

// wire makes the parts and tells them of each other.
func (g *Gateway) wire(ctx context.Context, network *config.Network, ring keyring.Keyring, b Base) (err error) {
	var (
		cfg       = g.cfg
		domain    = eip712.Domain{ChainID: network.ChainID, Registry: network.Contracts.DIDRegistry}
		ttl       = time.Duration(network.StatusTTLMS) * time.Millisecond
		retention = time.Duration(network.RetentionMS) * time.Millisecond
		ringed    = events.New(g.store.Events(), b.Clock, b.Log)
		broker    = brokerclient.New(network.Broker, httpkit.Client(0))
		hub       = hubclient.New(network.Hub, httpkit.Client(0))
		dids      = resolver(g.chain, network, b.Clock)
		registry  = ens.NewRegistry(g.chain, network.Contracts)
		follower  = evm.NewFollower(g.chain, evm.FollowerOptions{FromHead: true, Interval: cfg.Poll, Clock: b.Clock, Log: b.Log,
			Addresses: addresses(network.Contracts.DIDRegistry, network.Contracts.ENSRegistry, network.Contracts.Resolver, network.Contracts.DomainNotifier)})
	)
	dids.Watch(follower)
	if g.self, err = identity.New(ctx, identity.Deps{Keyring: ring, Broker: broker, Hub: hub, DIDs: dids, Store: g.store.Identity(), Domain: domain,
		Network: network, Events: ringed, Clock: b.Clock, Log: b.Log, DID: cfg.DID, Inst: cfg.Instance}); err != nil {
		return err
	}
	book := trust.New(trust.Deps{DID: g.self.DID(), Domain: domain, StatusTTL: ttl, Broker: broker, Hub: hub, DIDs: dids, Names: registry,
		Store: g.store.Trust(), Chain: trust.Follow(follower, network.Contracts), Events: ringed, Clock: b.Clock, Log: b.Log})
	rules, err := channels.Open(ctx, g.store.Channels())
	if err != nil {
		return err
	}
	keys, err := access.Open(ctx, g.store.Keys(), b.Clock)
	if err != nil {
		return err
	}
	keyFile := cfg.APIKeyFile
	if keyFile == "" {
		keyFile = filepath.Join(cfg.Data, "api.key")
	}
	if g.apiKey, err = keys.Bootstrap(ctx, keyFile); err != nil {
		return err
	}
	sessions, err := access.OpenSessions(ctx, g.store.Sessions(), keys, b.Clock)
	if err != nil {
		return err
	}
	meter := stats.New(g.self.DID(), b.Clock)
	names, err := contacts.Open(ctx, g.store.Contacts())
	if err != nil {
		return err
	}
	if g.blobs, err = blobfile.Open(filepath.Join(cfg.Data, "blobs"), blobfile.Options{Reserve: cfg.FilesReserve, Log: b.Log}); err != nil {
		return err
	}
	box, err := files.Open(ctx, files.Deps{
		Store: g.store.Files(), Blobs: g.blobs, Remote: broker, Keyring: ring, Topics: topicsOf{rules, book}, Activity: meter,
		RetentionMS: network.RetentionMS, FileMax: network.FileMax, Quota: cfg.FilesQuota, Share: cfg.FilesShare, Keep: cfg.FilesKeep, Clock: b.Clock, Log: b.Log,
	})
	if err != nil {
		return err
	}
	bodies := outbox.Bodies(broker)
	if b.Inline {
		bodies = nil
	}
	g.link = link.New(link.Deps{Self: g.self, Consumers: broker, Name: cfg.Name, Clock: b.Clock, Log: b.Log})
	out, err := outbox.New(ctx, outbox.Deps{
		Config:  outbox.Config{MaxWaiting: cfg.OutboxMax},
		Network: outbox.Network{RetentionMS: network.RetentionMS, Wire: int(network.Wire), Cap: network.Cap},
		Store:   g.store.Outbox(), Ring: ring, Trust: book, Self: g.self, Bus: g.link, Directory: broker, Channels: rules,
		Events: ringed, Clock: b.Clock, Log: b.Log, Bodies: bodies, Objects: box, Activity: meter,
	})
	if err != nil {
		return err
	}
	box.SetSender(out)
	vault, err := inbox.OpenVault(ctx, ring, g.store.Inbox(), b.Clock)
	if err != nil {
		return err
	}
	in := inbox.New(inbox.Deps{Store: g.store.Inbox(), Vault: vault, Channels: rules, Clock: b.Clock, Log: b.Log, Objects: box})
	box.SetHeld(in)
	taker := intake.New(intake.Deps{
		Network: intake.Network{Retention: retention, Wire: int(network.Wire), Cap: int(network.Cap), FileMax: network.FileMax},
		Mailbox: g.link, Store: g.store.Intake(), Vault: vault, Inbox: in, Self: g.self, Trust: book, Channels: rules,
		Events: ringed, Replies: out, Receipts: out, Clock: b.Clock, Log: b.Log,
		Bodies: broker, Objects: box, Activity: meter,
	})
	issue := issuer.New(issuer.Deps{Self: g.self, Signer: g.self.DIDSigner(), Hub: hub, Store: g.store.Issuer(), Roles: registry, Own: book,
		Domain: domain, TTL: ttl, Clock: b.Clock, Log: b.Log})
	account := evm.NewTransactor(g.chain, g.self.DIDSigner(), new(big.Int).SetUint64(network.ChainID))
	own := owner.New(owner.Deps{DID: g.self.DID(), Signer: g.self.DIDSigner(), Directory: broker, Store: g.store.Topics(),
		Names: ens.NewWriter(account, network.Contracts), Domain: domain, Clock: b.Clock})
	g.server = httpapi.New(httpapi.Deps{
		Sender: out, Receiver: in, Channels: rules, Events: ringed, Keys: keys, Identity: httpapi.IdentityOf(g.self, g.ready),
		Owner: httpapi.OwnerOf(own), Roles: httpapi.RolesOf(g.self.DID(), hub, book, issue), Ready: g.ready, Clock: b.Clock, Log: b.Log, Version: Version,
		LogOut: out, LogIn: in, Meter: meter, Members: httpapi.MembersOf(g.self.DID(), book), Contacts: names,
		Papers: httpapi.PapersOf(g.self, book), Files: box, Sessions: sessions,
	})
	g.server.Fallback(console.New(console.Deps{API: g.server.Router, Name: cfg.Name, Version: Version, Log: b.Log}))
	g.parts = []func(context.Context) error{
		ringed.Run, follower.Run, g.self.Run, book.Run, g.link.Run, box.Run, out.Run, taker.Run, issue.Run, in.Run, g.rotate(vault, b.Clock),
	}
	return g.server.Listen(ctx, cfg.Listen, sticky(cfg.Data))
}

// ready tells whether messages can be sent and received now.
func (g *Gateway) ready(context.Context) error {
	if err := g.self.Err(); err != nil {
		return err
	}
	if !g.link.Connected() {
		return link.ErrDown
	}
	return nil
}

// Name implements System.
func (g *Gateway) Name() string { return g.cfg.Name }

// URL returns the base URL of the gateway's API.
func (g *Gateway) URL() string { return g.server.URL() }

// APIKey returns the first API key, which may do everything.
func (g *Gateway) APIKey() string { return g.apiKey }

// DID returns the participant's DID.
func (g *Gateway) DID() string { return g.self.DID() }

// Run serves until ctx ends.
func (g *Gateway) Run(ctx context.Context) error {
	err := config.Ready{System: "gateway", URL: g.URL(), Extra: map[string]string{"did": g.DID(), "name": g.cfg.Name}}.Write(g.cfg.Data)
	if err == nil {
		serve := func(ctx context.Context) error { return serveHTTP(ctx, g.server) }
		err = all(ctx, append([]func(context.Context) error{serve}, g.parts...)...)
	}
	return errors.Join(err, g.Close())
}

// Close releases everything.
func (g *Gateway) Close() error {
	var err error
	if g.server != nil {
		err = closeHTTP(g.server)
	}
	if g.store != nil {
		err = errors.Join(err, g.store.Close())
		g.store = nil
	}
	if g.blobs != nil {
		err = errors.Join(err, g.blobs.Close())
		g.blobs = nil
	}
	if g.chain != nil {
		g.chain.Close()
		g.chain = nil
	}
	return err
}

// topicsOf finds the topic of a channel.
type topicsOf struct {
	channels gateway.Channels
	book     *trust.Book
}

// ForChannel implements files.Topics.
func (t topicsOf) ForChannel(ctx context.Context, channel string) (envelope.Digest, schema.Validator, error) {
	c, err := t.channels.Channel(channel)
	if err != nil {
		return envelope.Digest{}, nil, err
	}
	topic, err := t.book.Current(ctx, c.Topic, c.Version)
	if err != nil {
		return envelope.Digest{}, nil, err
	}
	return topic.Record.Schema, topic.Schema, nil
}

// rotate changes the data key of the inbox from time to time, so that no key
// seals too much.
func (g *Gateway) rotate(vault *inbox.Vault, clock clockwork.Clock) func(context.Context) error {
	return func(ctx context.Context) error {
		t := clock.NewTicker(time.Hour)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-t.Chan():
				if err := vault.Rotate(ctx); err != nil && ctx.Err() == nil {
					g.log.Warn("rotate the inbox's data key", "err", err)
				}
			}
		}
	}
}
