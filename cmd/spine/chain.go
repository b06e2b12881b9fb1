package main

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/evm/devchain"
	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/system"
)

type chainCmd struct {
	Run  chainRunCmd  `cmd:"" default:"withargs" help:"Run the development chain."`
	Init chainInitCmd `cmd:"" help:"Deploy the contracts on any chain and write the network file."`
}

type chainRunCmd struct {
	Config  string `help:"Configuration file (YAML)." placeholder:"FILE"`
	Data    string `help:"Data directory, in place of the configured one." placeholder:"DIR"`
	Listen  string `help:"Address to listen on, in place of the configured one." placeholder:"ADDR"`
	Network string `help:"Network file to write, in place of the configured one." placeholder:"FILE"`
	Example bool   `help:"Print a commented configuration file and end."`
}

// coin is one unit of a chain's currency in its smallest part.
var coin = big.NewInt(1e18)

// Run runs the development chain until it is told to stop. When the chain and
// what init names are there, <data>/ready.json says so.
func (c *chainRunCmd) Run(a *app) error {
	var cfg devchain.Config
	if c.Example {
		_, err := fmt.Fprint(a.stdout, config.Example("chain", &cfg))
		return err
	}
	if err := config.Load("chain", c.Config, &cfg); err != nil {
		return err
	}
	override(&cfg.DataDir, c.Data)
	override(&cfg.Listen, c.Listen)
	override(&cfg.Init.Network, c.Network)
	base := system.Base{Log: slog.New(slog.NewTextHandler(a.stderr, nil))}
	chain, err := system.NewChain(a.ctx, cfg, base)
	if errors.Is(err, devchain.ErrExcluded) {
		return problem.New(501, "no_chain", "this binary was built without a chain").
			WithHint("use the RPC endpoint of another chain, or build without the tag nochain")
	}
	if err != nil {
		return err
	}
	err = setUp(a.ctx, chain, cfg)
	if err == nil {
		err = a.print(map[string]any{"rpc": chain.URL(), "chainId": cfg.ChainID, "data": cfg.DataDir},
			"chain %d runs at %s\n", cfg.ChainID, chain.URL())
	}
	if err != nil {
		return errors.Join(err, chain.Close())
	}
	return system.Serve(a.ctx, chain, nil)
}

// setUp puts on the chain what the configuration's init names.
func setUp(ctx context.Context, chain *system.Chain, cfg devchain.Config) error {
	if cfg.Init.Network == "" && len(cfg.Init.Fund) == 0 {
		return nil
	}
	client, err := evm.Dial(ctx, chain.URL())
	if err != nil {
		return err
	}
	defer client.Close()
	t := evm.NewTransactor(client, evm.NewKeySigner(chain.Faucet()), new(big.Int).SetUint64(cfg.ChainID))
	if err := fund(ctx, t, cfg.Init.Fund); err != nil || cfg.Init.Network == "" {
		return err
	}
	_, _, err = system.EnsureNetwork(ctx, t, t.Address(), cfg.Init.Network, cfg.Init)
	return err
}

type chainInitCmd struct {
	RPC     string `name:"rpc" required:"" env:"SPINE_RPC" help:"JSON-RPC endpoint of the chain." placeholder:"URL"`
	KeyFile string `required:"" help:"File with the key that pays, in hexadecimal; the development chain's is <data>/faucet.key." placeholder:"FILE"`
	Network string `required:"" env:"SPINE_NETWORK" help:"Network file to write or complete." placeholder:"FILE"`
	Root    string `help:"Address or DID that will own iam.ewc; the payer by default." placeholder:"WHO"`
	Name    string `help:"Name of the network." default:"development"`
	Hub     string `help:"Base URL of the hub." placeholder:"URL"`
	Broker  string `help:"Base URL of the broker." placeholder:"URL"`
	NATS    string `name:"nats" help:"URL of the broker's NATS." placeholder:"URL"`
}

// Run deploys the contracts unless the network file names some that are
// there, and writes the file with the URLs that were given.
func (c *chainInitCmd) Run(a *app) error {
	key, err := readKey(c.KeyFile)
	if err != nil {
		return err
	}
	client, err := evm.Dial(a.ctx, c.RPC)
	if err != nil {
		return err
	}
	defer client.Close()
	id, err := client.ChainID(a.ctx)
	if err != nil {
		return problem.New(503, "chain", "the chain does not answer").Wrap(err)
	}
	t := evm.NewTransactor(client, evm.NewKeySigner(key), id)
	root := t.Address()
	if c.Root != "" {
		if root, err = parseAccount(c.Root); err != nil {
			return err
		}
	}
	n, made, err := system.EnsureNetwork(a.ctx, t, root, c.Network, devchain.Init{Name: c.Name, Hub: c.Hub, Broker: c.Broker, NATS: c.NATS})
	if err != nil {
		return err
	}
	word := "contracts were there"
	if made {
		word = "contracts deployed"
	}
	return a.print(n, "network %s on chain %d: %s, file %s written\n", n.Name, n.ChainID, word, c.Network)
}

// fund gives each account one coin that has less than half of one.
func fund(ctx context.Context, t *evm.Transactor, accounts []string) error {
	var calls []evm.Call
	for _, each := range accounts {
		to, err := parseAccount(each)
		if err != nil {
			return err
		}
		has, err := t.Client().BalanceAt(ctx, to, nil)
		if err != nil {
			return fmt.Errorf("reading a balance: %w", err)
		}
		if new(big.Int).Lsh(has, 1).Cmp(coin) < 0 {
			calls = append(calls, evm.Call{To: &to, Value: coin})
		}
	}
	_, err := t.SendAll(ctx, calls)
	return err
}

// parseAccount reads an address or a did:ethr.
func parseAccount(s string) (common.Address, error) {
	if strings.HasPrefix(s, "did:") {
		normal, err := ethr.Normalize(s)
		if err != nil {
			return common.Address{}, err
		}
		id, err := ethr.Parse(normal)
		return id.Address, err
	}
	if !common.IsHexAddress(s) {
		return common.Address{}, fmt.Errorf("%q is neither an address nor a DID", s)
	}
	return common.HexToAddress(s), nil
}

func readKey(file string) (*ecdsa.PrivateKey, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	key, err := crypto.HexToECDSA(strings.TrimPrefix(strings.TrimSpace(string(b)), "0x"))
	if err != nil {
		return nil, fmt.Errorf("%s does not hold a key of 32 bytes in hexadecimal", file)
	}
	return key, nil
}

// override puts a given value in place of a configured one.
func override(at *string, given string) {
	if given != "" {
		*at = given
	}
}
