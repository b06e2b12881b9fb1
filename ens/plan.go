package ens

import (
	"context"
	"errors"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/evm"
)

// interfaceClear is the ERC-165 id of resolvers that can begin the records of
// a node anew (the selector of recordVersions).
var interfaceClear = [4]byte{0xd7, 0x00, 0xff, 0x33}

// plan gathers what a change of names needs: writes of the registry, sent
// without waiting between them, and then all records in one transaction of the
// resolver.
type plan struct {
	w       *Writer
	names   []evm.Call
	records [][]byte
	made    map[string]bool // names this plan creates
	clear   *bool           // whether the resolver can clear records
}

func (w *Writer) plan() *plan { return &plan{w: w, made: map[string]bool{}} }

func (p *plan) set(calls ...[]byte) { p.records = append(p.records, calls...) }

// node makes sure that a name exists, is the sender's, has our resolver and
// carries its own text. A name that is made anew begins with empty records:
// what a former owner left must not come back to life.
func (p *plan) node(ctx context.Context, name string) error {
	w, node := p.w, Namehash(name)
	owner, err := w.r.owner(ctx, node, nil)
	if err != nil {
		return err
	}
	switch owner {
	case w.t.Address():
		resolver, err := w.r.resolver(ctx, node, nil)
		if err != nil {
			return err
		}
		if resolver != w.r.at.Resolver {
			p.names = append(p.names, w.write(registryABI.PackSetResolver(node, w.r.at.Resolver)))
		}
		return p.named(ctx, name)
	case common.Address{}:
		label, parent := Split(name)
		if !p.made[parent] {
			above, err := w.r.owner(ctx, Namehash(parent), nil)
			if err != nil {
				return err
			}
			if above != w.t.Address() {
				return ErrParent
			}
		}
		p.made[name] = true
		p.names = append(p.names, w.write(registryABI.PackSetSubnodeRecord(
			Namehash(parent), Labelhash(label), w.t.Address(), w.r.at.Resolver, 0)))
		clears, err := p.clears(ctx)
		if err != nil {
			return err
		}
		if clears {
			p.set(resolverABI.PackClearRecords(node))
		}
		p.set(resolverABI.PackSetName(node, name))
		return nil
	}
	return ErrTaken
}

// named sets the name record where it is another.
func (p *plan) named(ctx context.Context, name string) error {
	node := Namehash(name)
	out, err := p.w.r.multicall(ctx, nil, resolverABI.PackName(node))
	if err != nil {
		return err
	}
	now, err := resolverABI.UnpackName(out[0])
	if err != nil {
		return ErrChain.Wrap(err)
	}
	if now != name {
		p.set(resolverABI.PackSetName(node, name))
	}
	return nil
}

// text sets the definition where it is another, and says whether it was.
func (p *plan) text(ctx context.Context, name, text string) (bool, error) {
	node := Namehash(name)
	if !p.made[name] {
		out, err := p.w.r.multicall(ctx, nil, resolverABI.PackText(node, keyMetadata))
		if err != nil {
			return false, err
		}
		now, err := resolverABI.UnpackText(out[0])
		if err != nil {
			return false, ErrChain.Wrap(err)
		}
		if now == text {
			return false, nil
		}
	}
	p.set(resolverABI.PackSetText(node, keyMetadata, text))
	return true, nil
}

// role plans everything of one role.
func (p *plan) role(ctx context.Context, d *RoleDefinition) error {
	def, err := d.check()
	if err != nil {
		return err
	}
	text, err := metadata(def.Metadata, memberRole, firstLabel(def.Name))
	if err != nil {
		return err
	}
	before := len(p.records)
	if err := p.node(ctx, def.Name); err != nil {
		return err
	}
	now, err := p.current(ctx, def.Name)
	if err != nil {
		return err
	}
	if now == nil || string(now.Metadata) != text {
		p.set(resolverABI.PackSetText(Namehash(def.Name), keyMetadata, text))
	}
	p.set(def.changes(now)...)
	if len(p.records) > before {
		p.set(resolverABI.PackDomainUpdated(Namehash(def.Name)))
	}
	return nil
}

// current is what the records of a role hold; nil when they are unknown, since
// they may be left from another life of the name, and all must be written.
func (p *plan) current(ctx context.Context, name string) (*RoleDefinition, error) {
	if p.made[name] {
		if clears, err := p.clears(ctx); err != nil || !clears {
			return nil, err
		}
		return &RoleDefinition{}, nil
	}
	now, err := p.w.r.Role(ctx, name)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrResolver) {
		return nil, nil
	}
	return now, err
}

// changes are the writes of the typed records that differ from now, or all of
// them when now is nil.
func (d *RoleDefinition) changes(now *RoleDefinition) [][]byte {
	node := Namehash(d.Name)
	var out [][]byte
	all := now == nil
	if all {
		now = &RoleDefinition{}
	}
	if all || d.Version != now.Version {
		out = append(out, resolverABI.PackSetVersionNumber(node, new(big.Int).SetUint64(d.Version)))
	}
	if all || !slices.Equal(d.IssuerDIDs, now.IssuerDIDs) || d.IssuerRole != now.IssuerRole {
		if d.IssuerRole != "" {
			out = append(out, resolverABI.PackSetIssuerRole(node, Namehash(d.IssuerRole)))
		} else {
			out = append(out, resolverABI.PackSetIssuerDids(node, d.IssuerDIDs))
		}
	}
	if all || !slices.Equal(d.RevokerDIDs, now.RevokerDIDs) || d.RevokerRole != now.RevokerRole {
		if d.RevokerRole != "" {
			out = append(out, resolverABI.PackSetRevokerRole(node, Namehash(d.RevokerRole)))
		} else {
			out = append(out, resolverABI.PackSetRevokerDids(node, d.RevokerDIDs))
		}
	}
	if all || !slices.Equal(d.Prerequisites, now.Prerequisites) || d.AllPrerequisites != now.AllPrerequisites {
		nodes := make([][32]byte, len(d.Prerequisites))
		for i, name := range d.Prerequisites {
			nodes[i] = Namehash(name)
		}
		out = append(out, resolverABI.PackSetPrerequisiteRoles(node, nodes, d.AllPrerequisites))
	}
	return out
}

// clears asks the resolver once whether it can clear records; the older
// contract in use elsewhere cannot.
func (p *plan) clears(ctx context.Context) (bool, error) {
	if p.clear == nil {
		out, err := p.w.r.call(ctx, p.w.r.at.Resolver, resolverABI.PackSupportsInterface(interfaceClear), nil)
		if err != nil {
			return false, err
		}
		ok, err := resolverABI.UnpackSupportsInterface(out)
		if err != nil {
			return false, ErrChain.Wrap(err)
		}
		p.clear = &ok
	}
	return *p.clear, nil
}

// send carries the plan out.
func (p *plan) send(ctx context.Context) error {
	if err := p.w.sendAll(ctx, p.names); err != nil {
		return err
	}
	if len(p.records) == 0 {
		return nil
	}
	return p.w.sendAll(ctx, []evm.Call{{To: &p.w.r.at.Resolver, Data: resolverABI.PackMulticall(p.records)}})
}
