package system

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/hub"
	"github.com/digital-spine/spine/hub/chainsync"
	"github.com/digital-spine/spine/hub/httpapi"
	"github.com/digital-spine/spine/hub/sqlstore"
	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/internal/lock"
)

// Hub is a running SSI-Hub.
type Hub struct {
	cfg    hub.Config
	lock   *os.File // of the data folder
	store  *sqlstore.Store
	chain  *evm.RPC
	server *httpapi.Server
}

// NewHub opens the hub's store, connects to the chain and listens.
func NewHub(ctx context.Context, cfg hub.Config, b Base) (h *Hub, err error) {
	b = b.withDefaults("hub")
	network, err := config.LoadNetwork(cfg.Network)
	if err != nil {
		return nil, err
	}
	made := &Hub{cfg: cfg}
	defer func() {
		if err != nil {
			h, err = nil, errors.Join(err, made.Close())
		}
	}()
	h = made
	if h.lock, err = lock.Dir(cfg.Data); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if cfg.AdminKeyFile == "" {
		cfg.AdminKeyFile = filepath.Join(cfg.Data, "admin.key")
	}
	// The key file has the same form for every server's operator.
	if _, err := broker.LoadAdminKey(cfg.AdminKeyFile); err != nil {
		return nil, err
	}
	admin, err := os.ReadFile(cfg.AdminKeyFile)
	if err != nil {
		return nil, err
	}
	h.cfg = cfg
	if cfg.Database == "" {
		cfg.Database = "sqlite:" + filepath.Join(cfg.Data, "hub.db")
	}
	if h.store, err = sqlstore.Open(ctx, cfg.Database); err != nil {
		return nil, err
	}
	if h.chain, err = dialChain(ctx, cfg.RPC, network, b); err != nil {
		return nil, err
	}
	dids := resolver(h.chain, network, b.Clock)
	registry := ens.NewRegistry(h.chain, network.Contracts)
	var server *httpapi.Server
	domain, err := hub.New(ctx, hub.Deps{
		Store: h.store, Chain: chainsync.NewReader(registry, network.ChainID), DIDs: dids, Network: network, Clock: b.Clock, Log: b.Log,
		Origin: func() string {
			for _, u := range []string{cfg.URL, network.Hub} {
				if u != "" {
					return u
				}
			}
			return server.URL()
		},
	})
	if err != nil {
		return nil, err
	}
	sync, err := chainsync.New(chainsync.Deps{Client: h.chain, Contracts: network.Contracts, ChainID: network.ChainID, Registry: registry,
		Store: h.store, Wake: domain.Wake, DIDs: dids, Clock: b.Clock, Log: b.Log})
	if err != nil {
		return nil, err
	}
	if server, err = httpapi.New(httpapi.Deps{Hub: domain, Chain: sync, AdminKey: strings.TrimSpace(string(admin)), MaxBody: cfg.MaxBody,
		Version: Version, Log: b.Log}); err != nil {
		return nil, err
	}
	h.server = server
	return h, server.Listen(ctx, cfg.Listen, sticky(cfg.Data))
}

// Name implements System.
func (h *Hub) Name() string { return "hub" }

// URL returns the address listened on.
func (h *Hub) URL() string { return h.server.URL() }

// Run serves until ctx ends.
func (h *Hub) Run(ctx context.Context) error {
	err := config.Ready{System: "hub", URL: h.URL()}.Write(h.cfg.Data)
	if err == nil {
		err = all(ctx, h.server.Run)
	}
	return errors.Join(err, h.Close())
}

// Close releases everything.
func (h *Hub) Close() error {
	var err error
	if h.server != nil {
		err = h.server.Close()
	}
	if h.store != nil {
		err = errors.Join(err, h.store.Close())
		h.store = nil
	}
	if h.chain != nil {
		h.chain.Close()
		h.chain = nil
	}
	if h.lock != nil {
		err = errors.Join(err, h.lock.Close())
		h.lock = nil
	}
	return err
}
