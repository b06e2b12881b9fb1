//go:build !nochain

// Package chaintest gives tests a chain with our contracts on it and funded
// accounts. It is used by tests only.
package chaintest

import (
	"context"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/evm/contract"
	"github.com/digital-spine/spine/evm/devchain"
)

// Net is a chain in memory with contracts, ended with the test.
type Net struct {
	Chain     *devchain.Chain
	Client    *evm.RPC
	ChainID   uint64
	Contracts contract.Addresses
	Root      *evm.Transactor // owns the faucet's coin and iam.ewc
}

// Start runs a chain with chain id 1337 and deploys the contracts.
func Start(t testing.TB) *Net {
	t.Helper()
	ctx := context.Background()
	chain, err := devchain.Start(ctx, devchain.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := chain.Close(); err != nil {
			t.Error(err)
		}
	})
	client, err := evm.Dial(ctx, chain.RPC())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	root := evm.NewTransactor(client, evm.NewKeySigner(chain.Faucet()), new(big.Int).SetUint64(chain.ChainID()))
	at, err := contract.Deploy(ctx, root, root.Address())
	if err != nil {
		t.Fatal(err)
	}
	return &Net{Chain: chain, Client: client, ChainID: chain.ChainID(), Contracts: at, Root: root}
}

// Account makes a key with coin for some thousand transactions.
func (n *Net) Account(t testing.TB) *Account {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	signer := evm.NewKeySigner(key)
	n.Fund(t, signer.Address())
	return &Account{
		Transactor: evm.NewTransactor(n.Client, signer, new(big.Int).SetUint64(n.ChainID)),
		Signer:     signer,
		DID:        ethr.ID{ChainID: n.ChainID, Address: signer.Address()}.String(),
	}
}

// Account is a key, its DID and a transactor that pays from it.
type Account struct {
	*evm.Transactor
	Signer *evm.KeySigner
	DID    string
}

// Fund gives an address a coin.
func (n *Net) Fund(t testing.TB, to common.Address) {
	t.Helper()
	if _, err := n.Root.Send(context.Background(), &to, nil, big.NewInt(1e18)); err != nil {
		t.Fatal(err)
	}
}
