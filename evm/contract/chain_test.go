//go:build !nochain

package contract_test

import (
	"context"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/evm/contract"
	"github.com/digital-spine/spine/evm/devchain/chaintest"
)

var (
	registry = contract.NewENSRegistry()
	resolver = contract.NewRoleDefinitionResolver()
	notifier = contract.NewDomainNotifier()
	dids     = contract.NewEthereumDIDRegistry()
)

// try sends a call with a fixed amount of gas, so that a revert is seen as
// such and not at the estimate.
func try(t *testing.T, a *evm.Transactor, to common.Address, data []byte) bool {
	t.Helper()
	receipts, err := a.SendAll(t.Context(), []evm.Call{{To: &to, Data: data, Gas: 500_000}})
	if len(receipts) != 1 {
		t.Fatal(err)
	}
	return err == nil
}

func TestWhoMayWriteNames(t *testing.T) {
	net := chaintest.Start(t)
	stranger, friend, operator := net.Account(t), net.Account(t), net.Account(t)
	at := net.Contracts
	node := ens.Namehash("iam.ewc")
	name := resolver.PackSetName(node, "iam.ewc")
	issuers := resolver.PackSetIssuerDids(node, []common.Address{{1}})

	for what, data := range map[string][]byte{
		"set owner":   registry.PackSetOwner(node, stranger.Address()),
		"set record":  registry.PackSetRecord(node, stranger.Address(), at.Resolver, 0),
		"set subnode": registry.PackSetSubnodeRecord(node, ens.Labelhash("x"), stranger.Address(), at.Resolver, 0),
		"resolver":    registry.PackSetResolver(node, stranger.Address()),
		"ttl":         registry.PackSetTTL(node, 1),
	} {
		if try(t, stranger.Transactor, at.ENSRegistry, data) {
			t.Errorf("a stranger may %s", what)
		}
	}
	for what, data := range map[string][]byte{
		"name": name, "issuers": issuers, "clear": resolver.PackClearRecords(node),
		"nested":     resolver.PackMulticall([][]byte{resolver.PackMulticall([][]byte{name})}),
		"text":       resolver.PackSetText(node, "metadata", "{}"),
		"announce":   resolver.PackDomainUpdated(node),
		"version":    resolver.PackSetVersionNumber(node, big.NewInt(9)),
		"revokers":   resolver.PackSetRevokerRole(node, node),
		"needs":      resolver.PackSetPrerequisiteRoles(node, nil, true),
		"types":      resolver.PackSetIssuerType(node, 1),
		"other type": resolver.PackSetRevokerType(node, 1),
		"address":    resolver.PackSetAddr0(node, common.Address{1}),
	} {
		if try(t, stranger.Transactor, at.Resolver, data) {
			t.Errorf("a stranger may set %s", what)
		}
	}
	if try(t, stranger.Transactor, at.DomainNotifier, notifier.PackDomainUpdated(node)) {
		t.Error("the notifier takes the word of a stranger")
	}
	// The owner lets a friend write this node, and an operator all.
	if !try(t, net.Root, at.Resolver, resolver.PackSetAuthorisation(node, friend.Address(), true)) ||
		!try(t, net.Root, at.ENSRegistry, registry.PackSetApprovalForAll(operator.Address(), true)) {
		t.Fatal("the owner cannot authorise")
	}
	for _, a := range []*chaintest.Account{friend, operator} {
		if !try(t, a.Transactor, at.Resolver, resolver.PackMulticall([][]byte{name, resolver.PackMulticall([][]byte{issuers})})) {
			t.Error("an authorised account cannot write")
		}
	}
	if try(t, friend.Transactor, at.ENSRegistry, registry.PackSetTTL(node, 1)) {
		t.Error("authority over records reaches the registry")
	}
	// All or none.
	if try(t, net.Root, at.Resolver, resolver.PackMulticall([][]byte{
		resolver.PackSetText(node, "k", "v"), resolver.PackSetText(ens.Namehash("nobody"), "k", "v"),
	})) {
		t.Error("half a multicall succeeded")
	}
	out := view(t, net, at.Resolver, resolver.PackText(node, "k"))
	if text, err := resolver.UnpackText(out); err != nil || text != "" {
		t.Errorf("half a multicall stayed: %q, %v", text, err)
	}
}

func view(t *testing.T, net *chaintest.Net, to common.Address, data []byte) []byte {
	t.Helper()
	out, err := net.Client.CallContract(t.Context(), ethereum.CallMsg{To: &to, Data: data}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestResolverRecords(t *testing.T) {
	net := chaintest.Start(t)
	at := net.Contracts.Resolver
	node := ens.Namehash("iam.ewc")
	set := func(data ...[]byte) {
		t.Helper()
		if !try(t, net.Root, at, resolver.PackMulticall(data)) {
			t.Fatal("refused")
		}
	}
	set(resolver.PackSetIssuerDids(node, []common.Address{{1}, {2}}), resolver.PackSetAddr0(node, common.Address{5}),
		resolver.PackSetIssuerType(node, 3))
	got, err := resolver.UnpackIssuers(view(t, net, at, resolver.PackIssuers(node)))
	if err != nil || len(got.Dids) != 2 || got.Role != [32]byte{} {
		t.Errorf("%+v, %v", got, err)
	}
	set(resolver.PackSetIssuerRole(node, [32]byte{9}))
	got, err = resolver.UnpackIssuers(view(t, net, at, resolver.PackIssuers(node)))
	if err != nil || len(got.Dids) != 0 || got.Role != [32]byte{9} {
		t.Errorf("a role beside a list: %+v, %v", got, err)
	}
	set(resolver.PackSetIssuerDids(node, []common.Address{{3}}))
	got, err = resolver.UnpackIssuers(view(t, net, at, resolver.PackIssuers(node)))
	if err != nil || len(got.Dids) != 1 || got.Role != [32]byte{} {
		t.Errorf("a list beside a role: %+v, %v", got, err)
	}
	if a, err := resolver.UnpackAddr(view(t, net, at, resolver.PackAddr(node))); err != nil || a != (common.Address{5}) {
		t.Errorf("%v, %v", a, err)
	}
	if a, err := resolver.UnpackAddr0(view(t, net, at, resolver.PackAddr0(node, big.NewInt(60)))); err != nil || common.BytesToAddress(a) != (common.Address{5}) {
		t.Errorf("%x, %v", a, err)
	}
	for _, id := range []string{
		"01ffc9a7", "3b3b57de", "f1cb7e06", "691f3431", "59d1d43c",
		"338bc8fa", "c585f697", "c53a4413", "ec7adf27", "74d3013a", "c986c404", "61610164",
	} {
		if ok, err := resolver.UnpackSupportsInterface(view(t, net, at, resolver.PackSupportsInterface([4]byte(common.FromHex(id))))); err != nil || !ok {
			t.Errorf("interface %s is not told: %v", id, err)
		}
	}
	if ok, err := resolver.UnpackSupportsInterface(view(t, net, at, resolver.PackSupportsInterface([4]byte{255, 255, 255, 255}))); err != nil || ok {
		t.Errorf("ERC-165 forbids ffffffff: %v, %v", ok, err)
	}
}

// signed returns a signature of the owner over a call of a *Signed method.
func signed(t *testing.T, net *chaintest.Net, a *chaintest.Account, nonce int64, method string, args ...[]byte) (v uint8, r, s [32]byte) {
	t.Helper()
	message := append([]byte{0x19, 0}, net.Contracts.DIDRegistry[:]...)
	message = append(message, common.LeftPadBytes(big.NewInt(nonce).Bytes(), 32)...)
	message = append(message, a.Address().Bytes()...)
	message = append(message, method...)
	for _, arg := range args {
		message = append(message, arg...)
	}
	sig, err := a.Signer.SignDigest(context.Background(), crypto.Keccak256Hash(message))
	if err != nil {
		t.Fatal(err)
	}
	return sig[64], [32]byte(sig[:32]), [32]byte(sig[32:64])
}

func TestSignedMethods(t *testing.T) {
	net := chaintest.Start(t)
	at := net.Contracts.DIDRegistry
	owner := net.Account(t)
	me := owner.Address()
	kind, delegate := [32]byte{'v'}, common.Address{4}
	year := big.NewInt(3600 * 24 * 365)
	word := func(n *big.Int) []byte { return common.LeftPadBytes(n.Bytes(), 32) }

	v, r, s := signed(t, net, owner, 0, "addDelegate", kind[:], delegate[:], word(year))
	add := dids.PackAddDelegateSigned(me, v, r, s, kind, delegate, year)
	half, _ := new(big.Int).SetString("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0", 16)
	order := new(big.Int).Add(new(big.Int).Lsh(half, 1), big.NewInt(1))
	var high [32]byte
	new(big.Int).Sub(order, new(big.Int).SetBytes(s[:])).FillBytes(high[:])
	if try(t, net.Root, at, dids.PackAddDelegateSigned(me, 55-v, r, high, kind, delegate, year)) {
		t.Error("the other form of a signature is taken")
	}
	if !try(t, net.Root, at, add) {
		t.Fatal("a signed call is refused")
	}
	if try(t, net.Root, at, add) {
		t.Error("a signed call is taken twice")
	}
	if try(t, net.Root, at, dids.PackAddDelegateSigned(common.Address{}, 0, r, s, kind, delegate, year)) {
		t.Error("a failed recovery acts for the zero address")
	}
	name, value := [32]byte{'n'}, []byte("value")
	v, r, s = signed(t, net, owner, 1, "setAttribute", name[:], value, word(year))
	if !try(t, net.Root, at, dids.PackSetAttributeSigned(me, v, r, s, name, value, year)) {
		t.Error("setAttributeSigned")
	}
	v, r, s = signed(t, net, owner, 2, "revokeAttribute", name[:], value)
	if !try(t, net.Root, at, dids.PackRevokeAttributeSigned(me, v, r, s, name, value)) {
		t.Error("revokeAttributeSigned")
	}
	v, r, s = signed(t, net, owner, 3, "revokeDelegate", kind[:], delegate[:])
	if !try(t, net.Root, at, dids.PackRevokeDelegateSigned(me, v, r, s, kind, delegate)) {
		t.Error("revokeDelegateSigned")
	}
	heir := net.Account(t)
	v, r, s = signed(t, net, owner, 4, "changeOwner", heir.Address().Bytes())
	if !try(t, net.Root, at, dids.PackChangeOwnerSigned(me, v, r, s, heir.Address())) {
		t.Error("changeOwnerSigned")
	}
	if try(t, owner.Transactor, at, dids.PackAddDelegate(me, kind, delegate, year)) {
		t.Error("the former owner still writes")
	}
	if !try(t, heir.Transactor, at, dids.PackAddDelegate(me, kind, delegate, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)))) {
		t.Error("a validity without end is refused")
	}
	if ok, err := dids.UnpackValidDelegate(view(t, net, at, dids.PackValidDelegate(me, kind, delegate))); err != nil || !ok {
		t.Errorf("a delegate without end is not valid: %v", err)
	}
	if try(t, heir.Transactor, at, dids.PackRevokeDelegate(me, kind, common.Address{99})) {
		t.Error("a delegate that never was can be revoked")
	}
}

func TestDeployHandsTheRootOver(t *testing.T) {
	net := chaintest.Start(t)
	root := common.Address{42}
	at, made, err := contract.Ensure(t.Context(), net.Root, root, contract.Addresses{})
	if err != nil || !made {
		t.Fatal(made, err)
	}
	again, made, err := contract.Ensure(t.Context(), net.Root, root, at)
	if err != nil || made || again != at {
		t.Errorf("deployed twice: %v", err)
	}
	names := ens.NewRegistry(net.Client, at)
	for _, name := range []string{"ewc", "iam.ewc"} {
		if owner, err := names.Owner(t.Context(), name); err != nil || owner != root {
			t.Errorf("%s: %v, %v", name, owner, err)
		}
	}
	if try(t, net.Root, at.ENSRegistry, registry.PackSetSubnodeOwner([32]byte{}, ens.Labelhash("ewc"), net.Root.Address())) {
		t.Error("the deployer can still take ewc back")
	}
	if _, _, err := contract.Ensure(t.Context(), net.Root, root, contract.Addresses{ENSRegistry: common.Address{1}, Resolver: common.Address{2}, DomainNotifier: common.Address{3}, DIDRegistry: common.Address{4}}); err != nil {
		t.Errorf("addresses without code: %v", err)
	}
}

func TestKnownAddressesAreComplete(t *testing.T) {
	for _, id := range []uint64{246, 73799} {
		if a, ok := contract.Known(id); !ok || a.Validate() != nil {
			t.Errorf("chain %d: %+v", id, a)
		}
	}
	if _, ok := contract.Known(1); ok {
		t.Error("chain 1")
	}
	if err := (contract.Addresses{}).Validate(); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Error(err)
	}
}
