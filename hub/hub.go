// Package hub is the SSI-Hub: an index of what the chain says about names,
// roles and DIDs, and a store of what issuers signed (credentials, status
// lists), with enrolments between them and a feed of every change.
//
// The root holds the vocabulary, the rules, and the interfaces it needs. It
// issues nothing: there is no issuing key in a hub, and whoever reads from it
// checks signatures and the chain for itself. It serves no HTTP (hub/httpapi),
// knows no SQL (hub/sqlstore) and follows no chain (hub/chainsync).
package hub

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jonboulle/clockwork"
	"golang.org/x/sync/errgroup"

	"github.com/digital-spine/spine/did"
	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/vc"
)

// Limits of what one party may store. Reaching one is the code quota (429).
const (
	MaxEnrolmentsOpen      = 256     // requested and not decided, per subject
	MaxEnrolments          = 4096    // of any status, per subject
	MaxCredentialsOfPair   = 128     // per issuer and subject
	MaxCredentialsOfIssuer = 200_000 // per issuer
	MaxListsOfIssuer       = 64      // status lists per issuer
	MaxReason              = 500     // bytes of a rejection's reason
	MaxPage                = 20_000  // rows of one answer
)

// Chain reads names and role definitions from the hub's own RPC endpoint.
// Errors: ErrNameUnknown, ErrRoleUnknown, or anything for an endpoint that
// does not answer.
type Chain interface {
	Name(ctx context.Context, name string) (*Name, error)
	Role(ctx context.Context, name string) (*Role, error)
}

// DIDs resolves DIDs at the hub's own RPC endpoint.
type DIDs interface {
	vc.DIDStates
	Document(ctx context.Context, did string) (*did.Document, error)
}

// Deps are what a Hub is made of.
type Deps struct {
	Store   Store
	Chain   Chain
	DIDs    DIDs
	Network *config.Network
	Clock   clockwork.Clock
	Log     *slog.Logger
	// Origin is the base URL that logins must name, without trailing slash.
	Origin func() string
	// Freshness judges spine/status structures; nil means vc's own.
	Freshness vc.Freshness
}

// Hub is the domain: its methods are what the HTTP API offers. It may be used
// by many goroutines.
type Hub struct {
	store    Store
	chain    Chain
	dids     DIDs
	network  *config.Network
	clock    clockwork.Clock
	log      *slog.Logger
	origin   func() string
	domain   vc.Domain
	verifier *vc.Verifier
	feed     *feed
	writes   *limiter // of DIDs that logged in
	lookups  *limiter // of everybody together, under one key
	secret   [32]byte
}

// New makes a hub on an open store. It starts nothing; Run does.
func New(ctx context.Context, d Deps) (*Hub, error) {
	if d.Store == nil || d.Chain == nil || d.DIDs == nil || d.Network == nil || d.Origin == nil {
		return nil, errors.New("hub: a dependency is missing")
	}
	if d.Clock == nil {
		d.Clock = clockwork.NewRealClock()
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	h := &Hub{store: d.Store, chain: d.Chain, dids: d.DIDs, network: d.Network, clock: d.Clock, log: d.Log, origin: d.Origin,
		domain: vc.Domain{ChainID: d.Network.ChainID, Registry: d.Network.Contracts.DIDRegistry}}
	var err error
	if h.secret, err = d.Store.Secret(ctx); err != nil {
		return nil, err
	}
	ttl := time.Duration(d.Network.StatusTTLMS) * time.Millisecond
	if d.Freshness == nil {
		d.Freshness = vc.NewFreshness(d.DIDs, h.domain, ttl, d.Store)
	}
	h.verifier = vc.NewVerifier(vc.Deps{
		Roles: definitions{h}, DIDs: d.DIDs, Credentials: credentials{h}, Status: statuses{h}, Freshness: d.Freshness,
		Revisions: stored{}, Domain: h.domain, StatusTTL: ttl, Clock: d.Clock,
	})
	h.feed = newFeed(d.Store, d.Clock)
	h.writes = newLimiter(d.Clock, WritesPerSecond, WriteBurst)
	h.lookups = newLimiter(d.Clock, LookupsPerSecond, LookupBurst)
	return h, nil
}

// Run does what the hub does by itself (waking long polls for changes that
// another process wrote, forgetting old events and nonces) until ctx ends.
func (h *Hub) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return h.feed.run(ctx, h.log) })
	g.Go(func() error { return h.sweep(ctx) })
	return g.Wait()
}

// sweep bounds the tables that grow by themselves.
func (h *Hub) sweep(ctx context.Context) error {
	t := h.clock.NewTicker(time.Minute)
	defer t.Stop()
	for {
		if err := h.store.Sweep(ctx, h.now()-(2*challengeLife).Milliseconds(), KeptEvents); err != nil && ctx.Err() == nil {
			h.log.Warn("sweep failed", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.Chan():
		}
	}
}

// Network returns the constants of the network, as told at login.
func (h *Hub) Network() *config.Network { return h.network }

// Stats counts what the hub holds.
func (h *Hub) Stats(ctx context.Context) (*Stats, error) { return h.store.Stats(ctx) }

func (h *Hub) now() int64 { return h.clock.Now().UnixMilli() }
