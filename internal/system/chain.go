package system

import (
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/evm/contract"
	"github.com/digital-spine/spine/evm/devchain"
	"github.com/digital-spine/spine/internal/config"
)

// Chain is the running development chain.
type Chain struct {
	data  string
	chain *devchain.Chain
}

// NewChain opens the chain and serves JSON-RPC.
func NewChain(ctx context.Context, cfg devchain.Config, b Base) (*Chain, error) {
	cfg.Log = b.withDefaults("chain").Log
	c, err := devchain.Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &Chain{data: cfg.DataDir, chain: c}, nil
}

// Name implements System.
func (c *Chain) Name() string { return "chain" }

// URL returns the JSON-RPC endpoint.
func (c *Chain) URL() string { return c.chain.RPC() }

// Faucet returns the key of the account that holds the chain's coins and owns
// the root of the names. It is worth nothing outside this chain.
func (c *Chain) Faucet() *ecdsa.PrivateKey { return c.chain.Faucet() }

// Run serves until ctx ends.
func (c *Chain) Run(ctx context.Context) error {
	err := config.Ready{System: "chain", URL: c.URL()}.Write(c.data)
	if err == nil {
		<-ctx.Done()
	}
	return errors.Join(err, c.Close())
}

// Close stops the chain.
func (c *Chain) Close() error { return c.chain.Close() }

// EnsureNetwork makes the network file say what is on the chain: it keeps an
// existing file's contracts and constants, deploys where there are none (paid
// by t, the names then owned by root), and sets the URLs that o gives. It
// reports whether it deployed.
func EnsureNetwork(ctx context.Context, t *evm.Transactor, root common.Address, file string, o devchain.Init) (n *config.Network, made bool, err error) {
	n, err = config.LoadNetwork(file)
	chainID := t.ChainID().Uint64()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		n = config.NewNetwork(o.Name, chainID, config.Contracts{})
	case err != nil:
		return nil, false, err
	case n.ChainID != chainID:
		return nil, false, fmt.Errorf("network file %s is of chain %d, the endpoint serves %d", file, n.ChainID, chainID)
	}
	before := *n
	if n.Contracts, made, err = contract.Ensure(ctx, t, root, n.Contracts); err != nil {
		return nil, false, err
	}
	for _, u := range []struct {
		at    *string
		given string
	}{{&n.Hub, o.Hub}, {&n.Broker, o.Broker}, {&n.NATS, o.NATS}} {
		if u.given != "" {
			*u.at = u.given
		}
	}
	if *n == before {
		return n, made, nil
	}
	return n, made, n.Save(file)
}

// FaucetHex returns a key the way --endpoints prints it.
func FaucetHex(key *ecdsa.PrivateKey) string { return "0x" + hex.EncodeToString(crypto.FromECDSA(key)) }

func addresses(a ...common.Address) []common.Address { return a }
