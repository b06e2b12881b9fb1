package devchain

import (
	"errors"
	"log/slog"
)

// DefaultChainID is the chain id when none is configured; in DIDs 0x539.
const DefaultChainID = 1337

// ErrExcluded says that the binary was built with the tag nochain.
var ErrExcluded = errors.New("devchain: this binary was built without a chain (tag nochain); use an RPC endpoint instead")

// Config is the configuration of the chain.
type Config struct {
	DataDir string       `yaml:"data" doc:"directory of the chain's data and of the faucet key; empty keeps everything in memory"`
	Listen  string       `yaml:"listen" doc:"loopback address of JSON-RPC; port 0 takes a free one, the one of the last run if it can"`
	ChainID uint64       `yaml:"chainId" doc:"chain id; fixed once the data directory exists (default 1337)"`
	Log     *slog.Logger `yaml:"-"`
}

func (c *Config) defaults() {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.ChainID == 0 {
		c.ChainID = DefaultChainID
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}
