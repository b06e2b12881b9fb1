package owner

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/schema"
)

// Names makes names on the chain; *ens.Writer is one.
type Names interface {
	CreateOrganisation(ctx context.Context, name string, meta json.RawMessage) error
	CreateApplication(ctx context.Context, name string, meta json.RawMessage) error
	CreateRole(ctx context.Context, def ens.RoleDefinition) error
	Registry() *ens.Registry
}

// ErrDefinition says that a definition is not as it should be.
var ErrDefinition = problem.New(http.StatusUnprocessableEntity, "name_definition", "not a valid definition")

// Name is what the chain says about a name.
type Name struct {
	ens.Record
	Role *RoleSpec // of a role
}

// RoleSpec is a role's definition in the words of the API: issuers are DIDs.
type RoleSpec struct {
	Version       uint64          `json:"version,omitempty"`
	Issuers       []string        `json:"issuers,omitempty"`
	IssuerRole    string          `json:"issuerRole,omitempty"`
	Revokers      []string        `json:"revokers,omitempty"`
	RevokerRole   string          `json:"revokerRole,omitempty"`
	Prerequisites []string        `json:"prerequisites,omitempty"`
	Metadata      json.RawMessage `json:"metadata,omitempty"`
}

// PutName makes or changes an organisation, application or role with the
// account of the DID's key, in as few transactions as possible; what is there
// already costs none. Codes name_definition, name_taken, name_parent.
func (o *Owner) PutName(ctx context.Context, kind ens.Kind, name string, definition json.RawMessage) (*Name, error) {
	if o.d.Names == nil {
		return nil, problem.New(http.StatusServiceUnavailable, "chain", "this gateway has no chain endpoint")
	}
	if len(definition) > 0 {
		if err := schema.Object(definition, schema.Limits{}, func(_, _ []byte) error { return nil }); err != nil {
			return nil, problem.New(http.StatusUnprocessableEntity, ErrDefinition.Code, "a definition is a JSON object").Wrap(err)
		}
	}
	name, err := ens.Normalize(name)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch kind {
	case ens.KindOrganisation:
		err = o.d.Names.CreateOrganisation(ctx, name, definition)
	case ens.KindApplication:
		err = o.d.Names.CreateApplication(ctx, name, definition)
	case ens.KindRole:
		var def *ens.RoleDefinition
		if def, err = o.role(name, definition); err == nil {
			err = o.d.Names.CreateRole(ctx, *def)
		}
	default:
		err = problem.New(http.StatusUnprocessableEntity, ErrDefinition.Code, "kind is organisation, application or role")
	}
	if err != nil {
		return nil, err
	}
	return o.Name(ctx, name)
}

// role reads a role's definition; without issuers, the own DID is the issuer.
func (o *Owner) role(name string, definition json.RawMessage) (*ens.RoleDefinition, error) {
	var s RoleSpec
	if len(definition) > 0 {
		if err := json.Unmarshal(definition, &s); err != nil {
			return nil, problem.New(http.StatusUnprocessableEntity, ErrDefinition.Code, "a role has version, issuers or issuerRole, revokers or revokerRole, prerequisites, metadata").Wrap(err)
		}
	}
	if len(s.Issuers) == 0 && s.IssuerRole == "" {
		s.Issuers = []string{o.d.DID}
	}
	if len(s.Revokers) == 0 && s.RevokerRole == "" {
		s.Revokers, s.RevokerRole = s.Issuers, s.IssuerRole
	}
	d := &ens.RoleDefinition{Name: name, Version: max(s.Version, 1), IssuerRole: s.IssuerRole, RevokerRole: s.RevokerRole, Prerequisites: s.Prerequisites, Metadata: s.Metadata}
	var err error
	if d.IssuerDIDs, err = addresses(s.Issuers); err == nil {
		d.RevokerDIDs, err = addresses(s.Revokers)
	}
	return d, err
}

func addresses(dids []string) ([]common.Address, error) {
	var out []common.Address
	for _, d := range dids {
		did, err := ethr.Normalize(d)
		if err != nil {
			return nil, problem.New(http.StatusUnprocessableEntity, ErrDefinition.Code, "issuers and revokers are did:ethr").Wrap(err)
		}
		id, err := ethr.Parse(did)
		if err != nil {
			return nil, err
		}
		out = append(out, id.Address)
	}
	return out, nil
}

// Name reads a name from the chain; code name_not_found.
func (o *Owner) Name(ctx context.Context, name string) (*Name, error) {
	if o.d.Names == nil {
		return nil, problem.New(http.StatusServiceUnavailable, "chain", "this gateway has no chain endpoint")
	}
	r, err := o.d.Names.Registry().Name(ctx, name)
	if err != nil {
		return nil, err
	}
	n := &Name{Record: *r}
	if r.Kind != ens.KindRole {
		return n, nil
	}
	def, err := o.d.Names.Registry().Role(ctx, name)
	if err != nil {
		return nil, err
	}
	id, err := ethr.Parse(o.d.DID)
	if err != nil {
		return nil, err
	}
	dids := func(list []common.Address) (out []string) {
		for _, a := range list {
			out = append(out, ethr.ID{ChainID: id.ChainID, Address: a}.String())
		}
		return out
	}
	n.Role = &RoleSpec{Version: def.Version, Issuers: dids(def.IssuerDIDs), IssuerRole: def.IssuerRole, Revokers: dids(def.RevokerDIDs),
		RevokerRole: def.RevokerRole, Prerequisites: def.Prerequisites, Metadata: def.Metadata}
	return n, nil
}
