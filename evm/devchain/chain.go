//go:build !nochain

package devchain

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/eth/catalyst"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/digital-spine/spine/internal/config"
)

// cacheMB is the size of each of the node's caches. The defaults would
// preallocate log files of more than a gigabyte.
const cacheMB = 16

// nodeName is the folder of the node's data in the data directory.
const nodeName = "devchain"

// gasLimit is the gas of one block.
const gasLimit = 60_000_000

// Chain is a running chain.
type Chain struct {
	id     identity
	log    *slog.Logger
	stack  *node.Node
	eth    *eth.Ethereum
	miner  *miner
	self   *rpc.Client // asks the node what an answer is made of
	server *http.Server
	url    string
	served chan struct{}
	close  sync.Once
	err    error
}

// Start opens the chain of the data directory, or makes it, and serves
// JSON-RPC. It returns when requests are answered. The chain runs until Close;
// ctx bounds the start only.
func Start(ctx context.Context, cfg Config) (*Chain, error) {
	cfg.defaults()
	id, err := loadIdentity(cfg.DataDir, cfg.ChainID)
	if err != nil {
		return nil, err
	}
	listener, err := listen(ctx, cfg.Listen, cfg.DataDir)
	if err != nil {
		return nil, err
	}
	c := &Chain{id: id, log: cfg.Log, url: "http://" + listener.Addr().String(), served: make(chan struct{})}
	if err := c.open(cfg.DataDir); err != nil {
		listener.Close()
		return nil, err
	}
	handler, err := c.handler()
	if err != nil {
		listener.Close()
		return nil, errors.Join(err, c.stop())
	}
	c.server = &http.Server{Handler: handler, ReadHeaderTimeout: readTimeout, IdleTimeout: idleTimeout}
	go func() {
		defer close(c.served)
		if err := c.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			c.log.Error("the chain's RPC stopped", "err", err)
		}
	}()
	c.log.Info("chain runs", "rpc", c.url, "chain_id", id.ChainID, "block", c.eth.BlockChain().CurrentBlock().Number)
	return c, nil
}

// RPC returns the address of JSON-RPC.
func (c *Chain) RPC() string { return c.url }

// ChainID returns the chain id.
func (c *Chain) ChainID() uint64 { return c.id.ChainID }

// Faucet returns the key of the account that holds the coin. It was made at
// random for this data directory.
func (c *Chain) Faucet() *ecdsa.PrivateKey { return c.id.key }

// Close stops the chain and writes what is in memory.
func (c *Chain) Close() error {
	c.close.Do(func() {
		err := c.server.Close()
		<-c.served
		c.err = errors.Join(err, c.stop())
	})
	return c.err
}

func (c *Chain) stop() error {
	if c.miner != nil {
		c.miner.stop()
	}
	c.self.Close()
	return c.stack.Close()
}

// open composes the node: no peers, every block's state written (scheme hash,
// no pruning), since state kept in memory would roll the chain back to the
// last clean stop when the process is killed.
func (c *Chain) open(dataDir string) error {
	nodeKey, err := crypto.GenerateKey()
	if err != nil {
		return fmt.Errorf("devchain: making the node's key: %w", err)
	}
	stack, err := node.New(&node.Config{
		Name:    nodeName,
		DataDir: dataDir,
		P2P:     p2p.Config{PrivateKey: nodeKey, NoDiscovery: true, NoDial: true, MaxPeers: 0},
		// No account of the node's own, and so no key store beside the data.
		UseLightweightKDF: true,
	})
	if err != nil {
		return fmt.Errorf("devchain: opening %s: %w", dataDir, err)
	}
	// The directory is locked from here on.
	if err := clean(path(dataDir, nodeName)); err != nil {
		return fmt.Errorf("devchain: %w", errors.Join(err, stack.Close()))
	}
	conf := ethconfig.Defaults
	conf.Genesis = genesis(c.id)
	conf.NetworkId = c.id.ChainID
	conf.SyncMode = ethconfig.FullSync
	conf.StateScheme = rawdb.HashScheme
	conf.NoPruning = true
	conf.LogNoHistory = true
	conf.TransactionHistory = 0
	conf.DatabaseCache = cacheMB
	conf.TrieCleanCache = cacheMB
	conf.TrieDirtyCache = cacheMB
	conf.SnapshotCache = 0
	conf.RPCTxFeeCap = 0
	conf.TxPool.NoLocals = true
	conf.TxPool.Journal = ""
	conf.TxPool.PriceLimit = 1
	conf.Miner.GasPrice = big.NewInt(1)
	conf.Miner.GasCeil = gasLimit
	conf.GPO.IgnorePrice = big.NewInt(0)
	backend, err := eth.New(stack, &conf)
	if err != nil {
		return fmt.Errorf("devchain: opening the chain: %w", errors.Join(err, stack.Close()))
	}
	c.stack, c.eth = stack, backend
	if err := stack.Start(); err != nil {
		return fmt.Errorf("devchain: starting the node: %w", errors.Join(err, stack.Close()))
	}
	beacon, err := catalyst.NewSimulatedBeacon(0, common.Address{}, backend)
	if err != nil {
		return fmt.Errorf("devchain: starting the sealer: %w", errors.Join(err, stack.Close()))
	}
	backend.SetSynced()
	if dataDir != "" {
		err := backend.ChainDb().SyncKeyValue()
		if err == nil {
			err = config.WriteFile(path(dataDir, nodeName, completeFile), nil, 0o600)
		}
		if err != nil {
			return fmt.Errorf("devchain: writing the first block: %w", errors.Join(err, stack.Close()))
		}
	}
	c.miner, c.self = startMiner(backend, beacon, c.log), stack.Attach()
	return nil
}

// completeFile says that the node's folder was once wholly made. It is written
// before the first request is answered.
const completeFile = "complete"

// clean removes what the library would not open again. A kill while it makes
// its databases leaves them half made, and then nobody has been told of a
// block: all goes. Its database of peers goes always, since there are none.
func clean(dir string) error {
	if dir == "" {
		return nil
	}
	_, err := os.Stat(filepath.Join(dir, completeFile))
	if err == nil {
		return os.RemoveAll(filepath.Join(dir, "nodes"))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == "LOCK" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// genesis is fixed by the identity alone: the same data directory gives the
// same block for ever, whatever release of the library reads it.
func genesis(id identity) *core.Genesis {
	alloc := core.SystemContractAllocs()
	coin := new(big.Int).Exp(big.NewInt(10), big.NewInt(30), nil)
	alloc[crypto.PubkeyToAddress(id.key.PublicKey)] = types.Account{Balance: coin}
	return &core.Genesis{
		Config:     chainConfig(id.ChainID),
		Timestamp:  id.Created,
		GasLimit:   gasLimit,
		BaseFee:    big.NewInt(params.Wei * 1000),
		Difficulty: new(big.Int),
		Alloc:      alloc,
	}
}

// chainConfig names every rule in force. It is written out because the
// library's own set for development also switches on forks that are not in
// use anywhere yet, and changes with each release.
func chainConfig(chainID uint64) *params.ChainConfig {
	zero, start := new(big.Int), uint64(0)
	return &params.ChainConfig{
		ChainID:                 new(big.Int).SetUint64(chainID),
		HomesteadBlock:          zero,
		EIP150Block:             zero,
		EIP155Block:             zero,
		EIP158Block:             zero,
		ByzantiumBlock:          zero,
		ConstantinopleBlock:     zero,
		PetersburgBlock:         zero,
		IstanbulBlock:           zero,
		MuirGlacierBlock:        zero,
		BerlinBlock:             zero,
		LondonBlock:             zero,
		ArrowGlacierBlock:       zero,
		GrayGlacierBlock:        zero,
		MergeNetsplitBlock:      zero,
		TerminalTotalDifficulty: zero,
		ShanghaiTime:            &start,
		CancunTime:              &start,
		PragueTime:              &start,
		BlobScheduleConfig: &params.BlobScheduleConfig{
			Cancun: params.DefaultCancunBlobConfig,
			Prague: params.DefaultPragueBlobConfig,
		},
	}
}

// path joins names to the data directory; "" stays "".
func path(dataDir string, names ...string) string {
	if dataDir == "" {
		return ""
	}
	return filepath.Join(append([]string{dataDir}, names...)...)
}
