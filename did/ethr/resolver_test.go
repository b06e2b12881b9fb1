//go:build !nochain

package ethr_test

import (
	"context"
	"errors"
	"math/big"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/google/go-cmp/cmp"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/did"
	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/evm/contract"
	"github.com/digital-spine/spine/evm/devchain/chaintest"
	"github.com/digital-spine/spine/internal/problem"
)

var registry = contract.NewEthereumDIDRegistry()

var long = big.NewInt(1<<53 - 2)

func name32(s string) (out [32]byte) {
	copy(out[:], s)
	return out
}

// bench is a chain, a DID on it and a resolver whose calls are counted and can
// be spoiled.
type bench struct {
	net   *chaintest.Net
	me    *chaintest.Account
	spy   *spy
	clock *clockwork.FakeClock
	r     *ethr.Resolver
}

type spy struct {
	evm.Client
	calls atomic.Int64
	away  atomic.Bool
	hide  atomic.Bool // give no logs
	old   atomic.Int64
}

var errAway = errors.New("away")

func (s *spy) HeaderByNumber(ctx context.Context, n *big.Int) (*types.Header, error) {
	s.calls.Add(1)
	if s.away.Load() {
		return nil, errAway
	}
	h, err := s.Client.HeaderByNumber(ctx, n)
	if err == nil && s.old.Load() > 0 {
		h.Time -= uint64(s.old.Load())
	}
	return h, err
}

func (s *spy) FilterLogs(ctx context.Context, q ethereum.FilterQuery) ([]types.Log, error) {
	if s.hide.Load() {
		return nil, nil
	}
	return s.Client.FilterLogs(ctx, q)
}

func newBench(t *testing.T, o ethr.Options) *bench {
	net := chaintest.Start(t)
	b := &bench{net: net, me: net.Account(t), spy: &spy{Client: net.Client}, clock: clockwork.NewFakeClockAt(time.Now())}
	b.r = ethr.NewResolver(b.spy, net.Contracts.DIDRegistry, net.ChainID, b.clock, o)
	return b
}

func (b *bench) send(t *testing.T, a *chaintest.Account, data []byte) {
	t.Helper()
	if _, err := a.Send(t.Context(), &b.net.Contracts.DIDRegistry, data, nil); err != nil {
		t.Fatal(err)
	}
	b.r.Drop(b.me.Address())
}

func (b *bench) entitled(t *testing.T, signer common.Address) string {
	t.Helper()
	return problem.CodeOf(b.r.Entitled(t.Context(), b.me.DID, signer))
}

func TestWhoMaySign(t *testing.T) {
	b := newBench(t, ethr.Options{})
	me := b.me.Address()
	delegate, login, heir := common.Address{1}, common.Address{2}, b.net.Account(t)

	if got := b.entitled(t, me); got != "" {
		t.Errorf("a DID without events: %s", got)
	}
	b.send(t, b.me, registry.PackAddDelegate(me, name32("veriKey"), delegate, big.NewInt(3600)))
	b.send(t, b.me, registry.PackAddDelegate(me, name32("sigAuth"), login, long))
	b.send(t, b.me, registry.PackSetAttribute(me, name32("did/svc/Messaging"), []byte("https://example.org"), long))
	for who, want := range map[common.Address]string{me: "", delegate: "", login: "cert", {9}: "cert", {}: "cert"} {
		if got := b.entitled(t, who); got != want {
			t.Errorf("%s: %q, want %q", who, got, want)
		}
	}
	s, err := b.r.State(t.Context(), b.me.DID)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Delegates) != 2 || len(s.Attributes) != 1 || s.Changed == 0 || s.Head.Number < s.Changed {
		t.Errorf("%+v", s)
	}

	b.clock.Advance(2 * time.Hour) // nothing happens on the chain, and yet it runs out
	if got := b.entitled(t, delegate); got != "cert" {
		t.Errorf("a delegate after its end: %q", got)
	}
	b.send(t, b.me, registry.PackAddDelegate(me, name32("veriKey"), delegate, long))
	if got := b.entitled(t, delegate); got != "" {
		t.Errorf("a delegate given again: %q", got)
	}
	b.send(t, b.me, registry.PackRevokeDelegate(me, name32("veriKey"), delegate))
	if got := b.entitled(t, delegate); got != "cert" {
		t.Errorf("a revoked delegate: %q", got)
	}
	b.send(t, b.me, registry.PackChangeOwner(me, heir.Address()))
	if got := b.entitled(t, me); got != "cert" {
		t.Errorf("the former owner: %q", got)
	}
	if got := b.entitled(t, heir.Address()); got != "" {
		t.Errorf("the new owner: %q", got)
	}
	b.send(t, heir, registry.PackChangeOwner(me, common.Address{}))
	for _, who := range []common.Address{me, heir.Address(), {}} {
		if got := b.entitled(t, who); got != "cert" {
			t.Errorf("a DID that was given up, %s: %q", who, got)
		}
	}
}

func TestStale(t *testing.T) {
	b := newBench(t, ethr.Options{BlockPeriod: 5 * time.Second})
	me := b.me.Address()
	if got := b.entitled(t, me); got != "" {
		t.Fatal(got)
	}
	b.send(t, b.me, registry.PackAddDelegate(me, name32("veriKey"), common.Address{1}, long))

	b.spy.away.Store(true)
	if got := b.entitled(t, me); got != "did_stale" {
		t.Errorf("without endpoint: %q", got)
	}
	b.spy.away.Store(false)
	b.spy.hide.Store(true)
	if got := b.entitled(t, me); got != "did_stale" {
		t.Errorf("with hidden events: %q", got)
	}
	b.spy.hide.Store(false)
	b.spy.old.Store(200)
	if got := b.entitled(t, me); got != "did_stale" {
		t.Errorf("with an old head: %q", got)
	}
	b.spy.old.Store(0)
	if got := b.entitled(t, me); got != "" {
		t.Errorf("all well again: %q", got)
	}
	b.clock.Advance(200 * time.Second) // the cached head is now too old; so is the chain's
	if got := b.entitled(t, me); got != "did_stale" {
		t.Errorf("a head that grew old in the cache: %q", got)
	}
	if _, err := b.r.State(t.Context(), "did:ethr:ewc:"+checked); problem.CodeOf(err) != "did_network" {
		t.Errorf("another chain: %v", err)
	}
	if _, err := b.r.State(t.Context(), strings.ToLower(b.me.DID)); !errors.Is(err, did.ErrSyntax) {
		t.Errorf("not in normal form: %v", err)
	}
}

func TestCacheAndEvents(t *testing.T) {
	b := newBench(t, ethr.Options{Entries: 2})
	state := func() *ethr.State {
		t.Helper()
		s, err := b.r.State(t.Context(), b.me.DID)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := state()
	if state() != first || b.spy.calls.Load() != 1 {
		t.Errorf("%d look-ups", b.spy.calls.Load())
	}
	b.clock.Advance(ethr.DefaultTTL)
	if state() == first {
		t.Error("the cache does not age")
	}
	for i := range 5 {
		id := ethr.ID{ChainID: b.net.ChainID, Address: common.Address{byte(i)}}
		if _, err := b.r.State(t.Context(), id.String()); err != nil {
			t.Fatal(err)
		}
	}

	f := evm.NewFollower(b.net.Client, evm.FollowerOptions{Addresses: []common.Address{b.net.Contracts.DIDRegistry}, FromHead: true})
	defer b.r.Watch(f)()
	if err := f.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	state()
	heir := common.Address{7}
	if _, err := b.me.Send(t.Context(), &b.net.Contracts.DIDRegistry, registry.PackChangeOwner(b.me.Address(), heir), nil); err != nil {
		t.Fatal(err)
	}
	if state().Controller == heir {
		t.Error("the cache was not used")
	}
	if err := f.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if state().Controller != heir {
		t.Error("the event did not drop the state")
	}
}

// TestSeveralEventsInOneBlock sends without waiting, so that a block takes
// more than one change.
func TestSeveralEventsInOneBlock(t *testing.T) {
	b := newBench(t, ethr.Options{})
	me := b.me.Address()
	to := &b.net.Contracts.DIDRegistry
	var calls []evm.Call
	for i := range 20 {
		calls = append(calls, evm.Call{To: to, Gas: 200_000,
			Data: registry.PackAddDelegate(me, name32("veriKey"), common.Address{byte(i + 1)}, long)})
	}
	receipts, err := b.me.SendAll(t.Context(), calls)
	if err != nil {
		t.Fatal(err)
	}
	b.r.Drop(me)
	s, err := b.r.State(t.Context(), b.me.DID)
	if err != nil || len(s.Delegates) != 20 {
		t.Fatalf("%d delegates, %v", len(s.Delegates), err)
	}
	t.Logf("20 changes in blocks %v to %v", receipts[0].BlockNumber, receipts[19].BlockNumber)
}

func TestDocument(t *testing.T) {
	b := newBench(t, ethr.Options{})
	me, id := b.me.Address(), b.me.DID
	attribute := func(name, value string) {
		b.send(t, b.me, registry.PackSetAttribute(me, name32(name), []byte(value), long))
	}
	b.send(t, b.me, registry.PackAddDelegate(me, name32("veriKey"), common.Address{1}, big.NewInt(0)))
	b.send(t, b.me, registry.PackAddDelegate(me, name32("sigAuth"), common.Address{2}, long))
	attribute("did/pub/Secp256k1/veriKey/hex", `{"publicKey":"0x03ab","tag":"key-owner"}`)
	attribute("did/pub/Ed25519/veriKey/base64", "\x01\x02\x03")
	attribute("did/pub/X25519/enc/hex", "\x0a")
	attribute("did/pub/Secp256k1/veriKey/hex", `{"publicKey":"0x03ff","tag":"controller"}`) // takes nobody's place
	attribute("did/pub/Secp256k1/veriKey/hex", `{"publicKey":"nonsense","tag":"x"}`)
	attribute("did/svc/undefined", `{"id":"s-1","serviceEndpoint":"bafk"}`)
	attribute("did/svc/Messaging", "https://example.org")
	attribute("did/svc/Gone", "x")
	b.send(t, b.me, registry.PackRevokeAttribute(me, name32("did/svc/Gone"), []byte("x")))
	attribute("colour", "blue")

	got, err := b.r.Document(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	account := func(a common.Address) string { return "eip155:1337:" + a.Hex() }
	want := &did.Document{
		Context: []string{did.ContextCore, did.ContextRecovery}, ID: id,
		VerificationMethod: []did.VerificationMethod{
			{ID: id + "#controller", Type: "EcdsaSecp256k1RecoveryMethod2020", Controller: id, BlockchainAccountID: account(me)},
			{ID: id + "#delegate-2", Type: "EcdsaSecp256k1RecoveryMethod2020", Controller: id, BlockchainAccountID: account(common.Address{2})},
			{ID: id + "#key-owner", Type: "EcdsaSecp256k1VerificationKey2019", Controller: id, PublicKeyHex: "03ab"},
			{ID: id + "#delegate-4", Type: "Ed25519VerificationKey2018", Controller: id, PublicKeyBase64: "AQID"},
			{ID: id + "#delegate-5", Type: "X25519KeyAgreementKey2019", Controller: id, PublicKeyHex: "0a"},
		},
		Authentication:       []string{id + "#controller", id + "#delegate-2"},
		AssertionMethod:      []string{id + "#controller", id + "#key-owner", id + "#delegate-4"},
		KeyAgreement:         []string{id + "#delegate-5"},
		CapabilityInvocation: []string{id + "#controller"},
		Service: []did.Service{
			{ID: id + "#s-1", Type: "undefined", ServiceEndpoint: map[string]any{"id": "s-1", "serviceEndpoint": "bafk"}},
			{ID: id + "#service-2", Type: "Messaging", ServiceEndpoint: "https://example.org"},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
