//go:build !nochain

package evm_test

import (
	"context"
	"errors"
	"math/big"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/evm/contract"
	"github.com/digital-spine/spine/evm/devchain/chaintest"
)

func TestReverted(t *testing.T) {
	net := chaintest.Start(t)
	stranger := net.Account(t)
	data := contract.NewENSRegistry().PackSetOwner([32]byte{}, stranger.Address())
	if _, err := stranger.Send(t.Context(), &net.Contracts.ENSRegistry, data, nil); !errors.Is(err, evm.ErrReverted) {
		t.Errorf("at the estimate: %v", err)
	}
	receipts, err := stranger.SendAll(t.Context(), []evm.Call{{To: &net.Contracts.ENSRegistry, Data: data, Gas: 100_000}})
	if !errors.Is(err, evm.ErrReverted) || len(receipts) != 1 {
		t.Errorf("in a block: %v", err)
	}
	if _, err := stranger.Send(t.Context(), &common.Address{1}, nil, big.NewInt(1)); err != nil {
		t.Errorf("after a revert: %v", err)
	}
}

// TestTwoTransactorsOfOneAccount: two processes with one key find out about
// each other's numbers.
func TestTwoTransactorsOfOneAccount(t *testing.T) {
	net := chaintest.Start(t)
	a := net.Account(t)
	b := evm.NewTransactor(net.Client, a.Signer, new(big.Int).SetUint64(net.ChainID))
	for i := range 6 {
		tr := a.Transactor
		if i%2 == 1 {
			tr = b
		}
		if _, err := tr.Send(t.Context(), &common.Address{1}, nil, big.NewInt(1)); err != nil {
			t.Fatalf("transaction %d: %v", i, err)
		}
	}
	var wait sync.WaitGroup
	for range 10 {
		for _, tr := range []*evm.Transactor{a.Transactor, b} {
			wait.Go(func() {
				if _, err := tr.Send(t.Context(), &common.Address{1}, nil, big.NewInt(1)); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wait.Wait()
	balance, err := net.Client.BalanceAt(t.Context(), common.Address{1}, nil)
	if err != nil || balance.Int64() != 26 {
		t.Errorf("%v of 26 arrived, %v", balance, err)
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	net := chaintest.Start(t)
	a := net.Account(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Send(ctx, &common.Address{1}, nil, big.NewInt(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestDialKeepsTheAddressOutOfErrors(t *testing.T) {
	if _, err := evm.Dial(t.Context(), "gopher://user:secret@example.org"); err == nil || err.Error() != "evm: the RPC address is not one of http or https" {
		t.Errorf("%v", err)
	}
}
