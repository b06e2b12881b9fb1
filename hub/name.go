package hub

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/did"
	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/vc"
)

// Name is a name on the chain.
type Name struct {
	Name     string          `json:"name" doc:"normalised (ENSIP-15)"`
	Kind     string          `json:"kind" doc:"organisation, application, role or container"`
	Owner    string          `json:"owner" doc:"DID of the owner"`
	Metadata json.RawMessage `json:"metadata,omitempty" doc:"the definition's JSON as it stands on the chain"`
}

// Role is a role definition on the chain.
type Role struct {
	Name          string          `json:"name" doc:"fully qualified, <role>.roles.<namespace>"`
	Version       uint64          `json:"version"`
	Owner         string          `json:"owner" doc:"DID of the owner"`
	Issuers       Party           `json:"issuers" doc:"who may issue the role"`
	Revokers      Party           `json:"revokers" doc:"who may revoke it"`
	Prerequisites []string        `json:"prerequisites" doc:"roles that a subject must hold before"`
	AllOfThem     bool            `json:"allPrerequisites" doc:"whether all of them are needed, or any one"`
	Metadata      json.RawMessage `json:"metadata,omitempty" doc:"the definition's JSON as it stands on the chain"`
}

// Party is a list of DIDs or the holders of a role.
type Party struct {
	DIDs []string `json:"dids" doc:"DIDs in normal form"`
	Role string   `json:"role,omitempty" doc:"holders of this role"`
}

// Name returns a name from the index, or from the chain when the index does
// not have it yet.
func (h *Hub) Name(ctx context.Context, name string) (*Name, error) {
	name, err := ens.Normalize(name)
	if err != nil {
		return nil, err
	}
	n, err := h.store.Name(ctx, name)
	if !errors.Is(err, ErrNameUnknown) {
		return n, err
	}
	if err := h.lookups.allow(""); err != nil {
		return nil, err
	}
	if n, err = h.chain.Name(ctx, name); err != nil {
		return nil, chainError(err)
	}
	// The index follows when the chain's event is read; nothing is announced
	// here, so that the event announces it.
	return n, nil
}

// Names lists indexed names below under.
func (h *Hub) Names(ctx context.Context, under, after string, limit int) ([]Name, error) {
	if under != "" {
		var err error
		if under, err = ens.Normalize(under); err != nil {
			return nil, err
		}
	}
	return h.store.Names(ctx, under, after, page(limit))
}

// Role returns a role definition from the index, or from the chain.
func (h *Hub) Role(ctx context.Context, name string) (*Role, error) {
	name, err := ens.Normalize(name)
	if err != nil {
		return nil, err
	}
	r, err := h.store.Role(ctx, name)
	if !errors.Is(err, ErrRoleUnknown) {
		return r, err
	}
	if err := h.lookups.allow(""); err != nil {
		return nil, err
	}
	return h.role(ctx, name)
}

// role reads a definition from the chain, for decisions that must not rest on
// an index that lags behind.
func (h *Hub) role(ctx context.Context, name string) (*Role, error) {
	r, err := h.chain.Role(ctx, name)
	if err != nil {
		return nil, chainError(err)
	}
	return r, nil
}

// Document returns the DID document at the chain head.
func (h *Hub) Document(ctx context.Context, id string) (*did.Document, error) {
	normal, err := h.did(id)
	if err != nil {
		return nil, err
	}
	if err := h.lookups.allow(""); err != nil {
		return nil, err
	}
	doc, err := h.dids.Document(ctx, normal)
	if err != nil {
		if problem.CodeOf(err) == vc.CodeDIDStale {
			return nil, problem.New(503, vc.CodeDIDStale, "no fresh state of this DID can be had").Wrap(err)
		}
		return nil, chainError(err)
	}
	return doc, nil
}

// did brings a DID of this network to its normal form.
func (h *Hub) did(s string) (string, error) {
	normal, err := ethr.Normalize(s)
	if err != nil {
		return "", ErrDID.Wrap(err)
	}
	if id, err := ethr.Parse(normal); err != nil || id.ChainID != h.network.ChainID {
		return "", ErrDID
	}
	return normal, nil
}

// mayIssue reports whether a DID may issue a role by the definition: it is
// named, or holds the issuer role by an unrevoked credential in the index.
func (h *Hub) mayIssue(ctx context.Context, r *Role, issuer string) (bool, error) {
	if slices.Contains(r.Issuers.DIDs, issuer) {
		return true, nil
	}
	if r.Issuers.Role == "" {
		return false, nil
	}
	held, err := h.store.Credentials(ctx, Selection{Subject: issuer, Role: r.Issuers.Role, ValidAt: h.now(), Limit: 1})
	return len(held) > 0, err
}

// chainError keeps errors that have a code and turns the rest (transport,
// node) into chain_unavailable.
func chainError(err error) error {
	if code := problem.CodeOf(err); code == "internal" || code == "timeout" || errors.Is(err, ens.ErrChain) {
		return ErrChainAway.Wrap(err)
	}
	return err
}

// definitions gives the verifier role definitions from the chain.
type definitions struct{ h *Hub }

// Definition implements vc.RoleDefinitions.
func (d definitions) Definition(ctx context.Context, name string) (*vc.Definition, error) {
	r, err := d.h.role(ctx, name)
	if errors.Is(err, ErrRoleUnknown) || errors.Is(err, ens.ErrName) {
		return nil, vc.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	out := &vc.Definition{IssuerRole: r.Issuers.Role, Issuers: make([]common.Address, 0, len(r.Issuers.DIDs))}
	for _, s := range r.Issuers.DIDs {
		id, err := ethr.Parse(s)
		if err != nil {
			return nil, err
		}
		out.Issuers = append(out.Issuers, id.Address)
	}
	return out, nil
}

func page(limit int) int {
	if limit <= 0 || limit > MaxPage {
		return MaxPage
	}
	return limit
}
