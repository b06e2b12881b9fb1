//go:build !nochain

package chainsync_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/evm/contract"
	"github.com/digital-spine/spine/evm/devchain/chaintest"
	"github.com/digital-spine/spine/hub"
	"github.com/digital-spine/spine/hub/chainsync"
	"github.com/digital-spine/spine/hub/sqlstore"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
)

const (
	org  = "edge.iam.ewc"
	role = "aggregator.roles.edge.iam.ewc"
)

// flaky is a registry whose endpoint fails when told to.
type flaky struct {
	chainsync.Registry
	down  atomic.Bool
	tried atomic.Int64
}

func (f *flaky) NameOf(ctx context.Context, node [32]byte) (string, error) {
	if f.down.Load() {
		f.tried.Add(1)
		return "", errors.New("connection refused")
	}
	return f.Registry.NameOf(ctx, node)
}

type world struct {
	net      *chaintest.Net
	writer   *ens.Writer
	registry *flaky
	store    hub.Store
	dids     *ethr.Resolver
	sync     *chainsync.Sync
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{net: chaintest.Start(t)}
	w.writer = ens.NewWriter(w.net.Root, w.net.Contracts)
	w.registry = &flaky{Registry: w.writer.Registry()}
	w.dids = ethr.NewResolver(w.net.Client, w.net.Contracts.DIDRegistry, w.net.ChainID, clockwork.NewRealClock(), ethr.Options{})
	var err error
	if w.store, err = sqlstore.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "hub.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	return w
}

// run follows the chain until stop is called.
func (w *world) run(t *testing.T) (stop func()) {
	t.Helper()
	var err error
	w.sync, err = chainsync.New(chainsync.Deps{Client: w.net.Client, Contracts: w.net.Contracts, ChainID: w.net.ChainID, Registry: w.registry,
		Store: w.store, DIDs: w.dids, Interval: 10 * time.Millisecond, Log: testkit.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.sync.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func (w *world) ready(t *testing.T) {
	t.Helper()
	testkit.Eventually(t, testkit.Context(t), "the index", func() bool { return w.sync.Ready(t.Context()) == nil })
}

func (w *world) define(t *testing.T, version uint64, issuers ...common.Address) {
	t.Helper()
	def := ens.RoleDefinition{Name: role, Version: version, IssuerDIDs: issuers, RevokerDIDs: issuers, Metadata: json.RawMessage(`{"roleName":"aggregator"}`)}
	write := w.writer.UpdateRole
	if version == 1 {
		write = w.writer.CreateRole
	}
	if err := write(t.Context(), def); err != nil {
		t.Fatal(err)
	}
}

func (w *world) events(t *testing.T, kind string) int {
	t.Helper()
	list, err := w.store.Events(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range list {
		if e.Type == kind {
			n++
		}
	}
	return n
}

func TestIndex(t *testing.T) {
	w := start(t)
	ctx := testkit.Context(t)
	root := w.net.Root.Address()
	if err := w.writer.CreateOrganisation(ctx, org, json.RawMessage(`{"orgName":"edge"}`)); err != nil {
		t.Fatal(err)
	}
	stop := w.run(t)
	w.ready(t)

	// What was on the chain before is indexed without being announced.
	n, err := w.store.Name(ctx, org)
	if err != nil || n.Kind != "organisation" || n.Owner != (ethr.ID{ChainID: w.net.ChainID, Address: root}).String() {
		t.Fatalf("organisation %+v, %v", n, err)
	}
	if last := w.events(t, hub.EventName); last != 0 {
		t.Errorf("%d old names were announced", last)
	}

	// A new role, and a changed one, are indexed and announced.
	w.define(t, 1, root)
	testkit.Eventually(t, ctx, "the role", func() bool { r, err := w.store.Role(ctx, role); return err == nil && r.Version == 1 })
	testkit.Eventually(t, ctx, "its event", func() bool { return w.events(t, hub.EventRole) > 0 })
	other := w.net.Account(t)
	w.define(t, 2, other.Signer.Address())
	testkit.Eventually(t, ctx, "the change", func() bool {
		r, err := w.store.Role(ctx, role)
		return err == nil && r.Version == 2 && len(r.Issuers.DIDs) == 1 && r.Issuers.DIDs[0] == other.DID
	})
	list, err := w.store.Names(ctx, org, "", 100)
	if err != nil || len(list) < 2 {
		t.Errorf("names under %s: %v, %v", org, list, err)
	}

	// While the endpoint fails nothing is lost.
	w.registry.down.Store(true)
	w.define(t, 3, root)
	testkit.Eventually(t, ctx, "a failed read", func() bool { return w.registry.tried.Load() > 0 })
	w.registry.down.Store(false)
	testkit.Eventually(t, ctx, "the role after the failure", func() bool { r, err := w.store.Role(ctx, role); return err == nil && r.Version == 3 })

	// Nor while the hub is down.
	stop()
	w.define(t, 4, root)
	stop = w.run(t)
	testkit.Eventually(t, ctx, "the role after the restart", func() bool { r, err := w.store.Role(ctx, role); return err == nil && r.Version == 4 })
	w.ready(t)

	// A lost index is read again from the chain.
	if err := w.store.DropName(ctx, role, nil); err != nil {
		t.Fatal(err)
	}
	for _, ahead := range []uint64{1 << 40, 1 << 63, 1<<64 - 1} {
		if err := w.sync.Resync(ctx, ahead); problem.CodeOf(err) != "block_ahead" {
			t.Errorf("resync from %d, ahead of the chain: %v", ahead, err)
		}
	}
	if err := w.sync.Resync(ctx, 0); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, ctx, "the role after a resync", func() bool { _, err := w.store.Role(ctx, role); return err == nil })
	stop()
}

func TestDIDEvent(t *testing.T) {
	w := start(t)
	ctx := testkit.Context(t)
	w.run(t)
	w.ready(t)
	a := w.net.Account(t)
	next := w.net.Account(t)
	if err := w.dids.Entitled(ctx, a.DID, a.Signer.Address()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Send(ctx, &w.net.Contracts.DIDRegistry, contract.NewEthereumDIDRegistry().PackChangeOwner(a.Signer.Address(), next.Signer.Address()), nil); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, ctx, "the event", func() bool { return w.events(t, hub.EventDID) > 0 })
	list, err := w.store.Events(ctx, 0, 10)
	if err != nil || list[0].Subject != a.DID {
		t.Errorf("event %+v, %v", list, err)
	}
	// Who hears of the change is not answered with the state before it.
	if err := w.dids.Entitled(ctx, a.DID, a.Signer.Address()); err == nil {
		t.Error("the former owner still counts")
	}
}

func TestReader(t *testing.T) {
	w := start(t)
	r := chainsync.NewReader(w.registry, w.net.ChainID)
	if _, err := r.Name(t.Context(), "none.iam.ewc"); !errors.Is(err, hub.ErrNameUnknown) {
		t.Errorf("unknown name: %v", err)
	}
	if _, err := r.Role(t.Context(), "a.roles.none.iam.ewc"); !errors.Is(err, hub.ErrRoleUnknown) {
		t.Errorf("unknown role: %v", err)
	}
}
