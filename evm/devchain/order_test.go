//go:build !nochain

package devchain_test

import (
	"context"
	"math/big"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/evm/devchain"
)

// TestReceiptIsSeenWithItsState has several readers ask for each receipt all
// the time: who sees it must find the state after it.
func TestReceiptIsSeenWithItsState(t *testing.T) {
	c := start(t, devchain.Config{})
	tr := transactor(c)
	const blocks, readers = 60, 4
	hashes := make([]chan common.Hash, readers)
	var wg sync.WaitGroup
	for i := range hashes {
		hashes[i] = make(chan common.Hash, 1)
		wg.Go(func() {
			client, err := evm.Dial(t.Context(), c.RPC())
			if err != nil {
				t.Error(err)
				return
			}
			defer client.Close()
			n := int64(0)
			for hash := range hashes[i] {
				n++
				if err := seen(t.Context(), client, hash); err != nil {
					t.Error(err)
					continue
				}
				if b, err := client.BalanceAt(t.Context(), common.Address{8}, nil); err != nil || b.Int64() < n {
					t.Errorf("after the receipt of transfer %d the balance is %v (%v)", n, b, err)
				}
			}
		})
	}
	for nonce := range uint64(blocks) {
		tx, err := types.SignNewTx(c.Faucet(), types.LatestSignerForChainID(tr.ChainID()), &types.LegacyTx{
			Nonce: nonce, To: &common.Address{8}, Value: big.NewInt(1), Gas: 21_000, GasPrice: big.NewInt(1e9)})
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range hashes {
			to <- tx.Hash()
		}
		if err := tr.Client().SendTransaction(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
	}
	for _, to := range hashes {
		close(to)
	}
	wg.Wait()
}

// seen asks for a receipt until it is there; the node may say that it is not
// indexed yet.
func seen(ctx context.Context, client evm.Client, hash common.Hash) error {
	for ctx.Err() == nil {
		if r, err := client.TransactionReceipt(ctx, hash); err == nil && r != nil {
			return nil
		}
	}
	return ctx.Err()
}
