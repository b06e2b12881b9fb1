package ens

import (
	"context"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/internal/problem"
)

const (
	// maxNames is the most names that a listing looks at.
	maxNames = 10_000
	// blockRange is how many blocks one query for events spans.
	blockRange = 50_000
)

// ErrTooMany: more names were ever announced than a listing looks at.
var ErrTooMany = problem.New(422, "too_large", "too many names to list from the chain; ask a hub")

// List returns the names at and below one that were announced, have an owner
// and a definition of their own, sorted. It reads the notifier's events from
// the first block on: for more than a development chain ask a hub, which has
// them indexed.
func (r *Registry) List(ctx context.Context, under string) ([]string, error) {
	under, err := Normalize(under)
	if err != nil {
		return nil, err
	}
	head, err := r.client.BlockNumber(ctx)
	if err != nil {
		return nil, ErrChain.Wrap(err)
	}
	nodes, err := r.announced(ctx, head)
	if err != nil {
		return nil, err
	}
	at := new(big.Int).SetUint64(head)
	names, err := r.names(ctx, at, nodes)
	if err != nil {
		return nil, err
	}
	out := []string{}
	for i, name := range names {
		if label, _ := Split(name); !Under(name, under) || label == labelRoles || label == labelApps {
			continue
		}
		owner, err := r.owner(ctx, nodes[i], at)
		if err != nil {
			return nil, err
		}
		if owner != (common.Address{}) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}

// NameOf turns a node, such as the second topic of an announcement, back into
// its name. ErrNotFound says that the resolver knows none that hashes to it.
func (r *Registry) NameOf(ctx context.Context, node [32]byte) (string, error) {
	names, err := r.names(ctx, nil, [][32]byte{node})
	if err != nil {
		return "", err
	}
	if names[0] == "" || names[0][0] == '[' {
		return "", ErrNotFound
	}
	return names[0], nil
}

// announced returns the nodes of all announcements, each once.
func (r *Registry) announced(ctx context.Context, head uint64) ([][32]byte, error) {
	known := map[[32]byte]bool{}
	var nodes [][32]byte
	for low := uint64(0); low <= head; low += blockRange {
		logs, err := r.client.FilterLogs(ctx, ethereum.FilterQuery{
			FromBlock: new(big.Int).SetUint64(low),
			ToBlock:   new(big.Int).SetUint64(min(low+blockRange-1, head)),
			Addresses: []common.Address{r.at.DomainNotifier},
			Topics:    [][]common.Hash{{TopicDomainUpdated}},
		})
		if err != nil {
			return nil, ErrChain.Wrap(err)
		}
		for i := range logs {
			if len(logs[i].Topics) != 2 || known[logs[i].Topics[1]] {
				continue
			}
			if len(nodes) == maxNames {
				return nil, ErrTooMany
			}
			known[logs[i].Topics[1]] = true
			nodes = append(nodes, logs[i].Topics[1])
		}
	}
	return nodes, nil
}
