// Package chainsync keeps a hub's index in step with the chain: it follows the
// events of the ENS registry, the resolver, the notifier and the ERC-1056
// registry, reads what they are about, writes names and role definitions to
// the hub's store and announces every change in its feed. Reader answers from
// the chain directly.
//
// It decides nothing: the index is a convenience, and whoever needs certainty
// asks the chain.
package chainsync

import (
	"context"
	"errors"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/hub"
)

// Registry is the part of ens.Registry that is used here.
type Registry interface {
	NameOf(ctx context.Context, node [32]byte) (string, error)
	Name(ctx context.Context, name string) (*ens.Record, error)
	Role(ctx context.Context, name string) (*ens.RoleDefinition, error)
}

// Reader implements hub.Chain over an ENS registry.
type Reader struct {
	registry Registry
	chainID  uint64
}

var _ hub.Chain = (*Reader)(nil)

// NewReader makes a Reader; addresses are written as DIDs of the chain.
func NewReader(r Registry, chainID uint64) *Reader { return &Reader{registry: r, chainID: chainID} }

// Name implements hub.Chain.
func (r *Reader) Name(ctx context.Context, name string) (*hub.Name, error) {
	rec, err := r.registry.Name(ctx, name)
	if err != nil {
		return nil, notFound(err, hub.ErrNameUnknown)
	}
	return &hub.Name{Name: rec.Name, Kind: string(rec.Kind), Owner: r.did(rec.Owner), Metadata: rec.Metadata}, nil
}

// Role implements hub.Chain.
func (r *Reader) Role(ctx context.Context, name string) (*hub.Role, error) {
	def, err := r.registry.Role(ctx, name)
	if err != nil {
		return nil, notFound(err, hub.ErrRoleUnknown)
	}
	out := &hub.Role{
		Name: def.Name, Version: def.Version, Owner: r.did(def.Owner), Metadata: def.Metadata, Prerequisites: def.Prerequisites, AllOfThem: def.AllPrerequisites,
		Issuers:  hub.Party{DIDs: r.dids(def.IssuerDIDs), Role: def.IssuerRole},
		Revokers: hub.Party{DIDs: r.dids(def.RevokerDIDs), Role: def.RevokerRole},
	}
	if out.Prerequisites == nil {
		out.Prerequisites = []string{}
	}
	return out, nil
}

func (r *Reader) did(a common.Address) string {
	return ethr.ID{ChainID: r.chainID, Address: a}.String()
}

func (r *Reader) dids(list []common.Address) []string {
	out := make([]string, 0, len(list))
	for _, a := range list {
		out = append(out, r.did(a))
	}
	return out
}

// notFound turns what the chain says for certain into the hub's own word; a
// name kept by a foreign resolver has no definition here either.
func notFound(err, unknown error) error {
	if errors.Is(err, ens.ErrNotFound) || errors.Is(err, ens.ErrResolver) {
		return unknown
	}
	return err
}
