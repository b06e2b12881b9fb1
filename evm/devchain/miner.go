//go:build !nochain

package devchain

import (
	"log/slog"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/eth/catalyst"
)

// retryPause is how long the miner leaves transactions that are executable
// but did not get into a block.
const retryPause = 100 * time.Millisecond

// miner makes a block as soon as a transaction is in the pool and syncs the
// database after each, so that a block which anyone was told of is on disk.
type miner struct {
	eth    *eth.Ethereum
	beacon *catalyst.SimulatedBeacon
	log    *slog.Logger
	quit   chan struct{}
	done   chan struct{}

	mu      sync.Mutex
	moved   *sync.Cond
	begun   uint64 // blocks that were begun, and those that are whole
	whole   uint64
	durable uint64 // number of the block on disk
	stopped bool
}

func startMiner(e *eth.Ethereum, beacon *catalyst.SimulatedBeacon, log *slog.Logger) *miner {
	m := &miner{
		eth: e, beacon: beacon, log: log,
		quit: make(chan struct{}), done: make(chan struct{}),
		durable: e.BlockChain().CurrentBlock().Number.Uint64(),
	}
	m.moved = sync.NewCond(&m.mu)
	// Subscribed before the first request can arrive.
	txs := make(chan core.NewTxsEvent, 64)
	sub := e.TxPool().SubscribeTransactions(txs, true)
	go func() {
		defer close(m.done)
		defer sub.Unsubscribe()
		for {
			select {
			case <-m.quit:
				return
			case <-txs:
				m.drain(txs)
			}
		}
	}()
	return m
}

// drain mines until the pool holds nothing executable.
func (m *miner) drain(txs <-chan core.NewTxsEvent) {
	for {
		for len(txs) > 0 {
			<-txs
		}
		before := m.eth.BlockChain().CurrentBlock().Number
		m.begin()
		m.beacon.Commit()
		if err := m.eth.ChainDb().SyncKeyValue(); err != nil {
			// Nothing that is not on disk may be told: answers stop here.
			m.log.Error("the chain's database does not sync", "err", err)
			m.halt()
			return
		}
		// The pool learns of the block before anybody else: who saw it and sends
		// the next transaction must not be judged by the state before.
		err := m.eth.TxPool().Sync()
		m.advance(m.eth.BlockChain().CurrentBlock().Number.Uint64())
		if err != nil {
			return
		}
		if executable, _ := m.eth.TxPool().Stats(); executable == 0 {
			return
		}
		pause := time.Duration(0)
		if m.eth.BlockChain().CurrentBlock().Number.Cmp(before) == 0 {
			pause = retryPause
		}
		select {
		case <-m.quit:
			return
		case <-time.After(pause):
		}
	}
}

func (m *miner) begin() {
	m.mu.Lock()
	m.begun++
	m.mu.Unlock()
}

func (m *miner) advance(number uint64) {
	m.mu.Lock()
	m.durable = max(m.durable, number)
	m.whole = m.begun
	m.mu.Unlock()
	m.moved.Broadcast()
}

// await blocks until the head, as it is now, is on disk, and the block that is
// being made, too: its receipts are seen before it is the head, and who saw one
// must find the state after it. It reports false when the miner ended first.
func (m *miner) await() bool {
	head := m.eth.BlockChain().CurrentBlock().Number.Uint64()
	m.mu.Lock()
	defer m.mu.Unlock()
	making := m.begun
	for (m.durable < head || m.whole < making) && !m.stopped {
		m.moved.Wait()
	}
	return m.durable >= head && m.whole >= making
}

func (m *miner) stop() {
	close(m.quit)
	<-m.done
	m.halt()
	if err := m.beacon.Stop(); err != nil {
		m.log.Warn("the sealer did not stop", "err", err)
	}
}

// halt ends the wait of answers that show what may never reach the disk.
func (m *miner) halt() {
	m.mu.Lock()
	m.stopped = true
	m.mu.Unlock()
	m.moved.Broadcast()
}
