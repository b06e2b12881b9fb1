package evm

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// gasMargin is added to every estimate, in percent. Estimates are made on the
// head's state: a call whose cost depends on the block number (ERC-1056's
// changed) may need more in the block that takes it.
const gasMargin = 30

// Receipts are asked for after pollFirst, then at doubling distances up to
// pollLast.
const (
	pollFirst = 10 * time.Millisecond
	pollLast  = 200 * time.Millisecond
)

// maxNonceRetries is how often a transaction that the pool refuses for its
// nonce is signed again with a nonce read from the chain.
const maxNonceRetries = 50

// ErrReverted says that a contract refused a transaction: at the estimate, when
// nothing was sent, or in the block that took it.
var ErrReverted = errors.New("evm: transaction reverted")

// Call is one transaction to send: to nil makes a contract, Gas 0 estimates.
type Call struct {
	To    *common.Address
	Data  []byte
	Value *big.Int
	Gas   uint64
}

// Transactor sends transactions of one account. It is safe for concurrent
// use; nonces are given out under a lock. Another process that sends for the
// same account is noticed, and costs a repetition.
type Transactor struct {
	client  Client
	signer  Signer
	chainID *big.Int
	txs     types.Signer

	mu    sync.Mutex
	nonce uint64
	known bool
}

// NewTransactor makes a transactor for the signer's account on a chain.
func NewTransactor(c Client, s Signer, chainID *big.Int) *Transactor {
	return &Transactor{client: c, signer: s, chainID: chainID, txs: types.LatestSignerForChainID(chainID)}
}

// Address is the account that sends.
func (t *Transactor) Address() common.Address { return t.signer.Address() }

// Client returns the client that the transactor sends through.
func (t *Transactor) Client() Client { return t.client }

// ChainID returns the chain that the transactions are signed for.
func (t *Transactor) ChainID() *big.Int { return new(big.Int).Set(t.chainID) }

// Send sends one transaction and waits until a block holds it. A reverted one
// is ErrReverted, beside its receipt.
func (t *Transactor) Send(ctx context.Context, to *common.Address, data []byte, value *big.Int) (*types.Receipt, error) {
	receipts, err := t.SendAll(ctx, []Call{{To: to, Data: data, Value: value}})
	if len(receipts) == 0 {
		return nil, err
	}
	return receipts[0], err
}

// SendAll sends transactions in order without waiting between them, then
// waits for all. A call that depends on one before it needs its Gas given,
// since estimates see only what is in a block. It stops sending at the first
// that the endpoint refuses; the receipts are those of what was sent.
func (t *Transactor) SendAll(ctx context.Context, calls []Call) ([]*types.Receipt, error) {
	hashes := make([]common.Hash, 0, len(calls))
	var failed error
	for i := range calls {
		hash, err := t.submit(ctx, &calls[i])
		if err != nil {
			failed = err
			break
		}
		hashes = append(hashes, hash)
	}
	receipts := make([]*types.Receipt, 0, len(hashes))
	for _, hash := range hashes {
		r, err := t.wait(ctx, hash)
		if err != nil {
			return receipts, errors.Join(failed, err)
		}
		receipts = append(receipts, r)
		if r.Status != types.ReceiptStatusSuccessful && failed == nil {
			failed = fmt.Errorf("%w: %s in block %d", ErrReverted, hash, r.BlockNumber)
		}
	}
	return receipts, failed
}

func (t *Transactor) submit(ctx context.Context, c *Call) (common.Hash, error) {
	gas := c.Gas
	if gas == 0 {
		estimate, err := t.client.EstimateGas(ctx, ethereum.CallMsg{
			From: t.signer.Address(), To: c.To, Data: c.Data, Value: c.Value,
		})
		if err != nil {
			if mentions(err, "revert") {
				return common.Hash{}, fmt.Errorf("%w: %w", ErrReverted, err)
			}
			return common.Hash{}, fmt.Errorf("evm: estimating gas: %w", err)
		}
		gas = estimate + estimate*gasMargin/100
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for try := 0; ; try++ {
		if !t.known {
			n, err := t.client.PendingNonceAt(ctx, t.signer.Address())
			if err != nil {
				return common.Hash{}, fmt.Errorf("evm: reading the nonce: %w", err)
			}
			t.nonce, t.known = n, true
		}
		tx, err := t.sign(ctx, c, gas, t.nonce)
		if err != nil {
			return common.Hash{}, err
		}
		err = t.client.SendTransaction(ctx, tx)
		switch {
		case err == nil:
			t.nonce++
			return tx.Hash(), nil
		case numbered(err) && try < maxNonceRetries:
			t.known = false
		default:
			// Whether it arrived is unknown: the next one asks the chain.
			t.known = false
			return common.Hash{}, fmt.Errorf("evm: sending: %w", err)
		}
	}
}

// sign makes the transaction: EIP-1559 where the chain has a base fee, the
// older form where not.
func (t *Transactor) sign(ctx context.Context, c *Call, gas, nonce uint64) (*types.Transaction, error) {
	head, err := t.client.HeaderByNumber(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("evm: reading the head: %w", err)
	}
	value := c.Value
	if value == nil {
		value = new(big.Int)
	}
	var tx *types.Transaction
	if head.BaseFee != nil {
		tip, err := t.client.SuggestGasTipCap(ctx)
		if err != nil {
			return nil, fmt.Errorf("evm: reading the tip: %w", err)
		}
		feeCap := new(big.Int).Add(tip, new(big.Int).Mul(head.BaseFee, big.NewInt(2)))
		tx = types.NewTx(&types.DynamicFeeTx{
			ChainID: t.chainID, Nonce: nonce, GasTipCap: tip, GasFeeCap: feeCap,
			Gas: gas, To: c.To, Value: value, Data: c.Data,
		})
	} else {
		price, err := t.client.SuggestGasPrice(ctx)
		if err != nil {
			return nil, fmt.Errorf("evm: reading the gas price: %w", err)
		}
		tx = types.NewTx(&types.LegacyTx{
			Nonce: nonce, GasPrice: price, Gas: gas, To: c.To, Value: value, Data: c.Data,
		})
	}
	sig, err := t.signer.SignDigest(ctx, t.txs.Hash(tx))
	if err != nil {
		return nil, fmt.Errorf("evm: signing: %w", err)
	}
	if len(sig) != 65 || sig[64] < 27 {
		return nil, errors.New("evm: the signer gave no r || s || v of 65 bytes")
	}
	raw := append([]byte(nil), sig...)
	raw[64] -= 27
	signed, err := tx.WithSignature(t.txs, raw)
	if err != nil {
		return nil, fmt.Errorf("evm: placing the signature: %w", err)
	}
	return signed, nil
}

// wait asks for a receipt until it is there or ctx ends. An endpoint that
// fails meanwhile is asked again. The distances are real time: they measure
// how long a node takes, which no held clock could tell.
func (t *Transactor) wait(ctx context.Context, hash common.Hash) (*types.Receipt, error) {
	pause := pollFirst
	timer := time.NewTimer(0)
	defer timer.Stop()
	var last error
	for {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("evm: waiting for transaction %s: %w", hash, errors.Join(ctx.Err(), last))
		case <-timer.C:
		}
		r, err := t.client.TransactionReceipt(ctx, hash)
		if err == nil && r != nil {
			return r, nil
		}
		if !errors.Is(err, ethereum.NotFound) {
			last = err
		}
		timer.Reset(pause)
		pause = min(pause*2, pollLast)
	}
}

// numbered reports whether a pool refused a transaction for its nonce: another
// process that sends for the account was faster. "already known" belongs here,
// since it may be the other's transaction of the same content.
func numbered(err error) bool {
	return mentions(err, "already known", "nonce too low", "nonce too high", "replacement transaction underpriced", "invalid nonce")
}

func mentions(err error, words ...string) bool {
	text := strings.ToLower(err.Error())
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}
