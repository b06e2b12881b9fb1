package system

import (
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"path/filepath"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/evm/contract"
	"github.com/digital-spine/spine/evm/devchain"
	"github.com/digital-spine/spine/evm/eip712"
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
	if err := (config.Ready{System: "chain", URL: c.URL()}).Write(c.data); err != nil {
		return err
	}
	<-ctx.Done()
	return c.Close()
}

// Close stops the chain.
func (c *Chain) Close() error { return c.chain.Close() }

// Key is an evm.Signer over a key in memory, for the development chain's faucet
// and for tests; participants' keys are in keyrings.
type Key struct{ Private *ecdsa.PrivateKey }

// Address implements evm.Signer.
func (k Key) Address() common.Address { return crypto.PubkeyToAddress(k.Private.PublicKey) }

// SignDigest implements evm.Signer.
func (k Key) SignDigest(_ context.Context, digest [32]byte) ([]byte, error) {
	return eip712.Sign(k.Private, digest)
}

// EnsureNetwork returns the network of a file, after making the file, and the
// contracts it names, where they are not there yet. The contracts are paid and
// owned by key.
func EnsureNetwork(ctx context.Context, file, rpc, name string, key *ecdsa.PrivateKey) (*config.Network, error) {
	client, err := evm.Dial(ctx, rpc)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	chainID, err := client.ChainID(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the chain for its id: %w", err)
	}
	n, err := config.LoadNetwork(file)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		n = config.NewNetwork(name, chainID.Uint64(), config.Contracts{})
	}
	if chainID.Cmp(new(big.Int).SetUint64(n.ChainID)) != 0 {
		return nil, fmt.Errorf("%s is of chain %d, the endpoint of %s", filepath.Base(file), n.ChainID, chainID)
	}
	t := evm.NewTransactor(client, Key{key}, chainID)
	at, made, err := contract.Ensure(ctx, t, t.Address(), n.Contracts)
	if err != nil {
		return nil, err
	}
	if n.Contracts = at; made {
		return n, n.Save(file)
	}
	return n, nil
}

// FaucetHex returns a key the way --endpoints prints it.
func FaucetHex(key *ecdsa.PrivateKey) string { return "0x" + hex.EncodeToString(crypto.FromECDSA(key)) }

func addresses(a ...common.Address) []common.Address { return a }
