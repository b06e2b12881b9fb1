package devchain

import (
	"errors"
	"log/slog"
)

// DefaultChainID is the chain id when none is configured; in DIDs 0x539.
const DefaultChainID = 1337

// FaucetFile is the name of the file in the data directory that holds the key
// of the account with the coin, in hexadecimal, mode 0600.
const FaucetFile = "faucet.key"

// ErrExcluded says that the binary was built with the tag nochain.
var ErrExcluded = errors.New("devchain: this binary was built without a chain (tag nochain); use an RPC endpoint instead")

// Config is the configuration of the chain.
type Config struct {
	DataDir string `yaml:"data" default:"spine-data/chain" doc:"Directory of the chain's data and of the faucet key."`
	Listen  string `yaml:"listen" default:"127.0.0.1:0" doc:"Loopback address of JSON-RPC. Port 0 takes a free one, and that of the last run if it can."`
	ChainID uint64 `yaml:"chain_id" default:"1337" doc:"Chain id; fixed once the data directory exists."`
	Init    Init   `yaml:"init" doc:"What is set up on the chain at the start, where it is not there yet."`

	Log *slog.Logger `yaml:"-"`
}

// Init says what the command puts on a new chain. Start itself does not look
// at it.
type Init struct {
	Network string   `yaml:"network" doc:"Network file to write after deploying the contracts; empty deploys nothing."`
	Name    string   `yaml:"name" default:"development" doc:"Name of the network."`
	Hub     string   `yaml:"hub" doc:"Base URL of the hub, for the network file."`
	Broker  string   `yaml:"broker" doc:"Base URL of the broker, for the network file."`
	NATS    string   `yaml:"nats" doc:"URL of the broker's NATS, for the network file."`
	Fund    []string `yaml:"fund" doc:"Addresses or DIDs that get one coin each, unless they have it."`
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
