package ens

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/evm/contract"
	"github.com/digital-spine/spine/internal/problem"
)

// maxMetadata is the greatest definition in bytes: it is stored on the chain.
const maxMetadata = 24 << 10

// Errors of writing, by code.
var (
	// ErrTaken: somebody else owns the name.
	ErrTaken = problem.New(409, "name_taken", "somebody else owns the name")
	// ErrParent: the sender does not own the name above.
	ErrParent = problem.New(403, "name_parent", "the name above does not exist or belongs to somebody else")
	// ErrDefinition: the definition is not acceptable.
	ErrDefinition = problem.New(422, "name_definition", "not a valid definition")
)

// Writer creates and changes names as the account of its transactor. Every
// method is idempotent: it reads first, sends only what is missing, and sends
// nothing when nothing is.
type Writer struct {
	t *evm.Transactor
	r *Registry
}

// NewWriter makes a writer.
func NewWriter(t *evm.Transactor, at contract.Addresses) *Writer {
	return &Writer{t: t, r: NewRegistry(t.Client(), at)}
}

// Registry returns the reader that the writer looks with.
func (w *Writer) Registry() *Registry { return w.r }

// CreateOrganisation creates or updates an organisation with its containers
// for roles and applications. The sender owns the name already, or the one
// above it. meta is a JSON object; orgName is set to the first label when
// absent.
func (w *Writer) CreateOrganisation(ctx context.Context, name string, meta json.RawMessage) error {
	return w.create(ctx, name, memberOrganisation, meta, labelRoles, labelApps)
}

// CreateApplication creates or updates an application <app>.apps.<…> with its
// container for roles.
func (w *Writer) CreateApplication(ctx context.Context, name string, meta json.RawMessage) error {
	if _, parent := Split(name); parent == "" || firstLabel(parent) != labelApps {
		return ErrName.Wrap(fmt.Errorf("an application is <application>.apps.<namespace>"))
	}
	return w.create(ctx, name, memberApplication, meta, labelRoles)
}

func (w *Writer) create(ctx context.Context, name, member string, meta json.RawMessage, containers ...string) error {
	name, err := Normalize(name)
	if err != nil {
		return err
	}
	text, err := metadata(meta, member, firstLabel(name))
	if err != nil {
		return err
	}
	p := w.plan()
	if err := p.node(ctx, name); err != nil {
		return err
	}
	changed, err := p.text(ctx, name, text)
	if err != nil {
		return err
	}
	for _, c := range containers {
		if err := p.node(ctx, c+"."+name); err != nil {
			return err
		}
	}
	if changed || len(p.records) > 0 {
		p.set(resolverABI.PackDomainUpdated(Namehash(name)))
	}
	return p.send(ctx)
}

// CreateRole creates or updates a role from its definition; Owner is not
// looked at. Version 0 means 1.
func (w *Writer) CreateRole(ctx context.Context, def RoleDefinition) error {
	return w.CreateRoles(ctx, []RoleDefinition{def})
}

// UpdateRole is CreateRole for a role that must exist.
func (w *Writer) UpdateRole(ctx context.Context, def RoleDefinition) error {
	if _, err := w.r.Role(ctx, def.Name); err != nil {
		return err
	}
	return w.CreateRole(ctx, def)
}

// CreateRoles creates or updates several roles with one transaction for all
// their records, beside one for each new name.
func (w *Writer) CreateRoles(ctx context.Context, defs []RoleDefinition) error {
	p := w.plan()
	for i := range defs {
		if err := p.role(ctx, &defs[i]); err != nil {
			return fmt.Errorf("role %s: %w", defs[i].Name, err)
		}
	}
	return p.send(ctx)
}

// SetOwner gives a name to an address, with its containers for roles and
// applications where they belong to the sender too. Where the name belongs to
// nobody and the one above to the sender, it is made. What lies below the
// containers is not touched.
func (w *Writer) SetOwner(ctx context.Context, name string, owner common.Address) error {
	name, err := Normalize(name)
	if err != nil {
		return err
	}
	if owner == (common.Address{}) {
		return ErrDefinition.Wrap(fmt.Errorf("a name is not given to the zero address"))
	}
	me := w.t.Address()
	var calls []evm.Call
	for _, each := range []string{labelRoles + "." + name, labelApps + "." + name, name} {
		node := Namehash(each)
		now, err := w.r.owner(ctx, node, nil)
		if err != nil {
			return err
		}
		switch {
		case now == owner:
		case now == me:
			calls = append(calls, w.write(registryABI.PackSetOwner(node, owner)))
		case now == common.Address{} && each == name:
			call, err := w.subnode(ctx, name, owner)
			if err != nil {
				return err
			}
			calls = append(calls, call)
		case each == name:
			return ErrTaken
		}
	}
	return w.sendAll(ctx, calls)
}

// subnode is the write that makes a name below one that the sender owns.
func (w *Writer) subnode(ctx context.Context, name string, owner common.Address) (evm.Call, error) {
	label, parent := Split(name)
	above, err := w.r.owner(ctx, Namehash(parent), nil)
	if err != nil {
		return evm.Call{}, err
	}
	if above != w.t.Address() {
		return evm.Call{}, ErrParent
	}
	return w.write(registryABI.PackSetSubnodeRecord(Namehash(parent), Labelhash(label), owner, w.r.at.Resolver, 0)), nil
}

func (w *Writer) write(data []byte) evm.Call {
	return evm.Call{To: &w.r.at.ENSRegistry, Data: data, Gas: contract.GasSetRecord}
}

func (w *Writer) sendAll(ctx context.Context, calls []evm.Call) error {
	if len(calls) == 0 {
		return nil
	}
	if _, err := w.t.SendAll(ctx, calls); err != nil {
		return ErrChain.Wrap(err)
	}
	return nil
}

// metadata checks a definition and sets the member that tells its kind.
func metadata(meta json.RawMessage, member, label string) (string, error) {
	if len(meta) > maxMetadata {
		return "", ErrDefinition.Wrap(fmt.Errorf("longer than %d bytes", maxMetadata))
	}
	members := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(meta)) > 0 {
		if err := json.Unmarshal(meta, &members); err != nil || members == nil {
			return "", ErrDefinition.Wrap(fmt.Errorf("metadata is not a JSON object"))
		}
	}
	for _, other := range []string{memberOrganisation, memberApplication, memberRole} {
		if _, there := members[other]; there && other != member {
			return "", ErrDefinition.Wrap(fmt.Errorf("metadata holds %s, which marks another kind", other))
		}
	}
	if _, there := members[member]; !there {
		quoted, err := json.Marshal(label)
		if err != nil {
			return "", ErrDefinition.Wrap(err)
		}
		members[member] = quoted
	}
	out, err := json.Marshal(members) // in the order of names, so that equal definitions are equal texts
	if err != nil {
		return "", ErrDefinition.Wrap(err)
	}
	return string(out), nil
}

func firstLabel(name string) string {
	label, _ := Split(name)
	return label
}

// check normalises the names of a definition and refuses what contradicts
// itself.
func (d *RoleDefinition) check() (RoleDefinition, error) {
	out := *d
	if _, _, err := ParseRole(d.Name); err != nil {
		return out, err
	}
	if out.Version == 0 {
		out.Version = 1
	}
	if len(d.IssuerDIDs) > 0 && d.IssuerRole != "" || len(d.RevokerDIDs) > 0 && d.RevokerRole != "" {
		return out, ErrDefinition.Wrap(fmt.Errorf("issuers and revokers are a list or a role, not both"))
	}
	if slices.Contains(d.IssuerDIDs, common.Address{}) || slices.Contains(d.RevokerDIDs, common.Address{}) {
		return out, ErrDefinition.Wrap(fmt.Errorf("the zero address is no issuer or revoker"))
	}
	for _, name := range append(slices.Clone(d.Prerequisites), d.IssuerRole, d.RevokerRole) {
		if name == "" {
			continue
		}
		if _, _, err := ParseRole(name); err != nil {
			return out, err
		}
	}
	return out, nil
}
