package ens

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/evm/contract"
	"github.com/digital-spine/spine/internal/problem"
)

// Errors by code.
var (
	// ErrNotFound: nobody owns the name, or it holds no definition of the kind
	// that was asked for.
	ErrNotFound = problem.New(404, "name_not_found", "no such name")
	// ErrResolver: the name points to a resolver other than the network's own,
	// whose answers mean nothing here.
	ErrResolver = problem.New(422, "name_resolver", "the name is kept by a resolver of another network")
	// ErrChain: the RPC endpoint did not answer, or not as a registry would.
	ErrChain = problem.New(503, "chain", "the chain cannot be read")
)

// keyMetadata is the text record that holds a definition as JSON.
const keyMetadata = "metadata"

// Members of the metadata that tell its kind.
const (
	memberOrganisation = "orgName"
	memberApplication  = "appName"
	memberRole         = "roleName"
)

// Kind says what a name stands for.
type Kind string

// The kinds of names.
const (
	KindOrganisation Kind = "organisation"
	KindApplication  Kind = "application"
	KindRole         Kind = "role"
	KindContainer    Kind = "container" // roles, apps, or a root such as iam.ewc
)

// Record is what the chain says about a name.
type Record struct {
	Name     string          `json:"name"`
	Kind     Kind            `json:"kind"`
	Owner    common.Address  `json:"owner"`
	Metadata json.RawMessage `json:"metadata,omitempty" doc:"the definition as its owner wrote it"`
}

// RoleDefinition says what a role is and who may give and take it. Issuers
// and revokers are each a list of DIDs (their addresses) or one role whose
// holders may, never both.
type RoleDefinition struct {
	Name             string           `json:"name"`
	Version          uint64           `json:"version"`
	Owner            common.Address   `json:"owner"`
	IssuerDIDs       []common.Address `json:"issuerDids,omitempty"`
	IssuerRole       string           `json:"issuerRole,omitempty"`
	RevokerDIDs      []common.Address `json:"revokerDids,omitempty"`
	RevokerRole      string           `json:"revokerRole,omitempty"`
	Prerequisites    []string         `json:"prerequisites,omitempty" doc:"roles a holder needs before"`
	AllPrerequisites bool             `json:"allPrerequisites,omitempty" doc:"all of them, not any one"`
	Metadata         json.RawMessage  `json:"metadata,omitempty"`
}

// Registry reads names of one network. It is safe for concurrent use and
// keeps nothing.
type Registry struct {
	client evm.Client
	at     contract.Addresses
}

var (
	registryABI = contract.NewENSRegistry()
	resolverABI = contract.NewRoleDefinitionResolver()
	notifierABI = contract.NewDomainNotifier()

	// TopicDomainUpdated is the first topic of the notifier's event; the second
	// is the node that changed.
	TopicDomainUpdated = notifierABI.GetABI().Events["DomainUpdated"].ID
)

// NewRegistry makes a reader of the names that the contracts hold.
func NewRegistry(c evm.Client, at contract.Addresses) *Registry {
	return &Registry{client: c, at: at}
}

// Owner returns the owner of a name, or ErrNotFound.
func (r *Registry) Owner(ctx context.Context, name string) (common.Address, error) {
	name, err := Normalize(name)
	if err != nil {
		return common.Address{}, err
	}
	owner, err := r.owner(ctx, Namehash(name), nil)
	if err == nil && owner == (common.Address{}) {
		return owner, ErrNotFound
	}
	return owner, err
}

// Name returns what the chain says about a name, or ErrNotFound.
func (r *Registry) Name(ctx context.Context, name string) (*Record, error) {
	name, err := Normalize(name)
	if err != nil {
		return nil, err
	}
	node := Namehash(name)
	head, owner, err := r.find(ctx, node)
	if err != nil {
		return nil, err
	}
	out, err := r.multicall(ctx, head, resolverABI.PackText(node, keyMetadata))
	if err != nil {
		return nil, err
	}
	meta, err := resolverABI.UnpackText(out[0])
	if err != nil {
		return nil, ErrChain.Wrap(err)
	}
	rec := &Record{Name: name, Owner: owner, Kind: kindOf(meta)}
	if rec.Kind != KindContainer {
		rec.Metadata = json.RawMessage(meta)
	}
	return rec, nil
}

// Role returns the definition of a role, merged from its records at one
// block, or ErrNotFound.
func (r *Registry) Role(ctx context.Context, name string) (*RoleDefinition, error) {
	if _, _, err := ParseRole(name); err != nil {
		return nil, err
	}
	node := Namehash(name)
	head, owner, err := r.find(ctx, node)
	if err != nil {
		return nil, err
	}
	out, err := r.multicall(ctx, head,
		resolverABI.PackText(node, keyMetadata),
		resolverABI.PackVersionNumber(node),
		resolverABI.PackIssuers(node),
		resolverABI.PackRevokers(node),
		resolverABI.PackPrerequisiteRoles(node),
	)
	if err != nil {
		return nil, err
	}
	meta, err1 := resolverABI.UnpackText(out[0])
	version, err2 := resolverABI.UnpackVersionNumber(out[1])
	issuers, err3 := resolverABI.UnpackIssuers(out[2])
	revokers, err4 := resolverABI.UnpackRevokers(out[3])
	needs, err5 := resolverABI.UnpackPrerequisiteRoles(out[4])
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return nil, ErrChain.Wrap(err)
	}
	if kindOf(meta) != KindRole {
		return nil, ErrNotFound
	}
	if !version.IsUint64() {
		return nil, ErrChain.Wrap(errors.New("version out of range"))
	}
	names, err := r.names(ctx, head, append(slices.Clone(needs.Roles), issuers.Role, revokers.Role))
	if err != nil {
		return nil, err
	}
	last := len(needs.Roles)
	return &RoleDefinition{
		Name: name, Version: version.Uint64(), Owner: owner, Metadata: json.RawMessage(meta),
		IssuerDIDs: issuers.Dids, IssuerRole: names[last],
		RevokerDIDs: revokers.Dids, RevokerRole: names[last+1],
		Prerequisites: names[:last], AllPrerequisites: needs.MustHaveAll,
	}, nil
}

// find returns the head to read at and the owner of a node whose resolver is
// the network's own.
func (r *Registry) find(ctx context.Context, node [32]byte) (*big.Int, common.Address, error) {
	n, err := r.client.BlockNumber(ctx)
	if err != nil {
		return nil, common.Address{}, ErrChain.Wrap(err)
	}
	head := new(big.Int).SetUint64(n)
	owner, err := r.owner(ctx, node, head)
	if err != nil {
		return nil, owner, err
	}
	if owner == (common.Address{}) {
		return nil, owner, ErrNotFound
	}
	resolver, err := r.resolver(ctx, node, head)
	if err != nil {
		return nil, owner, err
	}
	switch resolver {
	case r.at.Resolver:
		return head, owner, nil
	case common.Address{}:
		return nil, owner, ErrNotFound
	}
	return nil, owner, ErrResolver
}

func (r *Registry) owner(ctx context.Context, node [32]byte, head *big.Int) (common.Address, error) {
	out, err := r.call(ctx, r.at.ENSRegistry, registryABI.PackOwner(node), head)
	if err != nil {
		return common.Address{}, err
	}
	return address(registryABI.UnpackOwner(out))
}

func (r *Registry) resolver(ctx context.Context, node [32]byte, head *big.Int) (common.Address, error) {
	out, err := r.call(ctx, r.at.ENSRegistry, registryABI.PackResolver(node), head)
	if err != nil {
		return common.Address{}, err
	}
	return address(registryABI.UnpackResolver(out))
}

func address(a common.Address, err error) (common.Address, error) {
	if err != nil {
		return a, ErrChain.Wrap(errors.New("no registry at the configured address"))
	}
	return a, nil
}

// names turns nodes back into names. A node whose name record is absent or
// does not hash to it is written [<hex>], which is no name and equals none; a
// zero node is "".
func (r *Registry) names(ctx context.Context, head *big.Int, nodes [][32]byte) ([]string, error) {
	out := make([]string, len(nodes))
	var calls [][]byte
	var places []int
	for i, node := range nodes {
		if node != ([32]byte{}) {
			calls = append(calls, resolverABI.PackName(node))
			places = append(places, i)
		}
	}
	for len(calls) > 0 {
		n := min(len(calls), batch)
		results, err := r.multicall(ctx, head, calls[:n]...)
		if err != nil {
			return nil, err
		}
		for k, i := range places[:n] {
			name, err := resolverABI.UnpackName(results[k])
			if err != nil {
				return nil, ErrChain.Wrap(err)
			}
			if normal, err := Normalize(name); err != nil || normal != name || Namehash(name) != nodes[i] {
				name = fmt.Sprintf("[%x]", nodes[i])
			}
			out[i] = name
		}
		calls, places = calls[n:], places[n:]
	}
	return out, nil
}

// batch is how many records one call reads.
const batch = 100

// multicall reads several records of the resolver in one call.
func (r *Registry) multicall(ctx context.Context, head *big.Int, calls ...[]byte) ([][]byte, error) {
	out, err := r.call(ctx, r.at.Resolver, resolverABI.PackMulticall(calls), head)
	if err != nil {
		return nil, err
	}
	results, err := resolverABI.UnpackMulticall(out)
	if err != nil || len(results) != len(calls) {
		return nil, ErrChain.Wrap(errors.New("no resolver at the configured address"))
	}
	return results, nil
}

func (r *Registry) call(ctx context.Context, to common.Address, data []byte, head *big.Int) ([]byte, error) {
	out, err := r.client.CallContract(ctx, ethereum.CallMsg{To: &to, Data: data}, head)
	if err != nil {
		return nil, ErrChain.Wrap(err)
	}
	return out, nil
}

// kindOf tells a definition's kind by the member that every one of its kind
// has. What is not JSON counts as no definition.
func kindOf(meta string) Kind {
	var members map[string]json.RawMessage
	if !strings.HasPrefix(meta, "{") || json.Unmarshal([]byte(meta), &members) != nil {
		return KindContainer
	}
	for member, kind := range map[string]Kind{
		memberOrganisation: KindOrganisation, memberApplication: KindApplication, memberRole: KindRole,
	} {
		if _, ok := members[member]; ok {
			return kind
		}
	}
	return KindContainer
}
