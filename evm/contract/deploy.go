package contract

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/digital-spine/spine/evm"
)

//go:generate ./generate.sh

// GasSetRecord is the gas given to one write of the ENS registry, above what
// any of them needs, so that writes that depend on each other can be sent
// without waiting between them.
const GasSetRecord = 200_000

// Deploy puts the four contracts on the chain, sent and paid by t, and creates
// the names ewc and iam.ewc. root then owns both and the root of all names.
// Two calls make two sets of contracts; see Ensure.
func Deploy(ctx context.Context, t *evm.Transactor, root common.Address) (Addresses, error) {
	create := func(hex string, args []byte) evm.Call {
		return evm.Call{Data: append(common.FromHex(hex), args...)}
	}
	var a Addresses
	first, err := deployed(t.SendAll(ctx, []evm.Call{
		create(EthereumDIDRegistryMetaData.Bin, nil),
		create(ENSRegistryMetaData.Bin, nil),
	}))
	if err != nil {
		return a, err
	}
	a.DIDRegistry, a.ENSRegistry = first[0], first[1]
	second, err := deployed(t.SendAll(ctx, []evm.Call{
		create(DomainNotifierMetaData.Bin, NewDomainNotifier().PackConstructor(a.ENSRegistry)),
	}))
	if err != nil {
		return a, err
	}
	a.DomainNotifier = second[0]
	third, err := deployed(t.SendAll(ctx, []evm.Call{
		create(RoleDefinitionResolverMetaData.Bin, NewRoleDefinitionResolver().PackConstructor(a.ENSRegistry, a.DomainNotifier)),
	}))
	if err != nil {
		return a, err
	}
	a.Resolver = third[0]
	return a, createRoots(ctx, t, a, root)
}

// createRoots makes ewc and iam.ewc with their names and gives them to root.
func createRoots(ctx context.Context, t *evm.Transactor, a Addresses, root common.Address) error {
	var top [32]byte
	label := func(s string) [32]byte { return crypto.Keccak256Hash([]byte(s)) }
	child := func(node [32]byte, s string) [32]byte {
		l := label(s)
		return crypto.Keccak256Hash(node[:], l[:])
	}
	ewc := child(top, "ewc")
	iam := child(ewc, "iam")

	registry, resolver := NewENSRegistry(), NewRoleDefinitionResolver()
	me := t.Address()
	write := func(data []byte) evm.Call {
		return evm.Call{To: &a.ENSRegistry, Data: data, Gas: GasSetRecord}
	}
	if _, err := t.SendAll(ctx, []evm.Call{
		write(registry.PackSetSubnodeRecord(top, label("ewc"), me, a.Resolver, 0)),
		write(registry.PackSetSubnodeRecord(ewc, label("iam"), me, a.Resolver, 0)),
	}); err != nil {
		return fmt.Errorf("contract: creating iam.ewc: %w", err)
	}
	if _, err := t.Send(ctx, &a.Resolver, resolver.PackMulticall([][]byte{
		resolver.PackSetName(ewc, "ewc"),
		resolver.PackSetName(iam, "iam.ewc"),
	}), nil); err != nil {
		return fmt.Errorf("contract: naming iam.ewc: %w", err)
	}
	if root == me {
		return nil
	}
	if _, err := t.SendAll(ctx, []evm.Call{
		write(registry.PackSetOwner(iam, root)),
		write(registry.PackSetOwner(ewc, root)),
		write(registry.PackSetOwner(top, root)),
	}); err != nil {
		return fmt.Errorf("contract: handing the root names over: %w", err)
	}
	return nil
}

// Ensure returns the known contracts when they are on the chain, else deploys
// a set. It reports whether it did.
func Ensure(ctx context.Context, t *evm.Transactor, root common.Address, known Addresses) (Addresses, bool, error) {
	there, err := Deployed(ctx, t.Client(), known)
	if err != nil || there {
		return known, false, err
	}
	a, err := Deploy(ctx, t, root)
	return a, err == nil, err
}

// Deployed reports whether code stands at all four addresses.
func Deployed(ctx context.Context, c evm.Client, a Addresses) (bool, error) {
	if a.Validate() != nil {
		return false, nil
	}
	for _, at := range []common.Address{a.ENSRegistry, a.Resolver, a.DomainNotifier, a.DIDRegistry} {
		code, err := c.CodeAt(ctx, at, nil)
		if err != nil {
			return false, fmt.Errorf("contract: reading code: %w", err)
		}
		if len(code) == 0 {
			return false, nil
		}
	}
	return true, nil
}

func deployed(receipts []*types.Receipt, err error) ([]common.Address, error) {
	if err != nil {
		return nil, fmt.Errorf("contract: deploying: %w", err)
	}
	out := make([]common.Address, len(receipts))
	for i, r := range receipts {
		out[i] = r.ContractAddress
	}
	return out, nil
}
