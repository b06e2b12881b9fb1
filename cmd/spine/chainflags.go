package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/evm/contract"
	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/internal/problem"
)

// chainFlags say which chain a tool reads, and which contracts on it.
type chainFlags struct {
	RPC       string `name:"rpc" env:"SPINE_RPC" help:"JSON-RPC endpoint of the chain." placeholder:"URL"`
	Network   string `env:"SPINE_NETWORK" help:"Network file that names the contracts." placeholder:"FILE"`
	Endpoints string `help:"File that spine demo --endpoints wrote; names the RPC and the contracts." placeholder:"FILE"`
}

// errNoChain says that nothing tells the tool where to look.
var errNoChain = problem.New(400, "no_chain", "it is not known which chain to ask").
	WithHint("give --endpoints FILE (written by spine demo --endpoints FILE), or --rpc URL and --network FILE; on chains 246 and 73799 --rpc is enough")

// chainView is a chain to read.
type chainView struct {
	client    *evm.RPC
	chainID   uint64
	contracts contract.Addresses
}

// open connects to the chain that the flags name, and checks that it is the
// one that the contracts are said to be on.
func (f *chainFlags) open(ctx context.Context) (*chainView, error) {
	v := &chainView{}
	rpc := f.RPC
	if f.Endpoints != "" {
		var e struct {
			RPC       string             `json:"rpc"`
			ChainID   uint64             `json:"chainId"`
			Contracts contract.Addresses `json:"contracts"`
		}
		b, err := (&app{}).read(f.Endpoints, maxEndpoints)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, &e); err != nil || e.RPC == "" {
			return nil, notEndpoints(f.Endpoints)
		}
		v.chainID, v.contracts = e.ChainID, e.Contracts
		if rpc == "" {
			rpc = e.RPC
		}
	}
	if f.Network != "" {
		n, err := config.LoadNetwork(f.Network)
		if err != nil {
			return nil, err
		}
		v.chainID, v.contracts = n.ChainID, n.Contracts
	}
	if rpc == "" {
		return nil, errNoChain
	}
	client, err := evm.Dial(ctx, rpc)
	if err != nil {
		return nil, err
	}
	v.client = client
	id, err := client.ChainID(ctx)
	if err != nil {
		client.Close()
		return nil, problem.New(503, "chain", "the chain does not answer").Wrap(err)
	}
	if v.chainID != 0 && v.chainID != id.Uint64() {
		client.Close()
		return nil, fmt.Errorf("the endpoint serves chain %d, the contracts are on chain %d", id, v.chainID)
	}
	v.chainID = id.Uint64()
	if v.contracts.Validate() != nil {
		var ok bool
		if v.contracts, ok = contract.Known(v.chainID); !ok {
			client.Close()
			return nil, problem.New(400, "no_contracts", fmt.Sprintf("it is not known which contracts on chain %d to ask", id)).
				WithHint("give --endpoints FILE, or the network file of that chain with --network FILE; spine demo has it in its data folder")
		}
	}
	return v, nil
}
