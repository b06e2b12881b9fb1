//go:build !nochain

package ens_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/google/go-cmp/cmp"

	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/evm/contract"
	"github.com/digital-spine/spine/evm/devchain/chaintest"
	"github.com/digital-spine/spine/internal/problem"
)

const (
	organisation = "edge.iam.ewc"
	application  = "market.apps.edge.iam.ewc"
	aggregator   = "aggregator.roles.market.apps.edge.iam.ewc"
	operator     = "marketoperator.roles.market.apps.edge.iam.ewc"
)

func TestMarketNames(t *testing.T) {
	ctx := t.Context()
	net := chaintest.Start(t)
	owner := net.Account(t)
	root := ens.NewWriter(net.Root, net.Contracts)
	w := ens.NewWriter(owner.Transactor, net.Contracts)
	r := w.Registry()

	if err := w.CreateOrganisation(ctx, organisation, nil); !errors.Is(err, ens.ErrParent) {
		t.Fatalf("a stranger below iam.ewc: %v", err)
	}
	if err := root.SetOwner(ctx, organisation, owner.Address()); err != nil {
		t.Fatal(err)
	}
	if err := w.CreateApplication(ctx, application, nil); !errors.Is(err, ens.ErrParent) {
		t.Fatalf("an application before its organisation: %v", err)
	}
	steps := func() {
		t.Helper()
		if err := w.CreateOrganisation(ctx, organisation, []byte(`{"orgName":"Project EDGE"}`)); err != nil {
			t.Fatal(err)
		}
		if err := w.CreateApplication(ctx, application, nil); err != nil {
			t.Fatal(err)
		}
		if err := w.CreateRoles(ctx, []ens.RoleDefinition{
			{Name: operator, IssuerDIDs: []common.Address{owner.Address()}, RevokerDIDs: []common.Address{owner.Address()}},
			{Name: aggregator, IssuerRole: operator, RevokerRole: operator, Prerequisites: []string{operator}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	before := sent(t, net, owner)
	steps()
	first := sent(t, net, owner) - before
	steps()
	if n := sent(t, net, owner) - before; n != first {
		t.Errorf("doing it again sent %d transactions", n-first)
	}
	t.Logf("the market's names took %d transactions", first)
	if first != 3+3+3 {
		t.Errorf("%d transactions", first)
	}

	org, err := r.Name(ctx, organisation)
	if err != nil {
		t.Fatal(err)
	}
	want := &ens.Record{Name: organisation, Kind: ens.KindOrganisation, Owner: owner.Address(), Metadata: []byte(`{"orgName":"Project EDGE"}`)}
	if d := cmp.Diff(want, org); d != "" {
		t.Error(d)
	}
	for name, kind := range map[string]ens.Kind{
		"iam.ewc": ens.KindContainer, "apps." + organisation: ens.KindContainer,
		application: ens.KindApplication, aggregator: ens.KindRole,
	} {
		if rec, err := r.Name(ctx, name); err != nil || rec.Kind != kind {
			t.Errorf("%s: %+v, %v", name, rec, err)
		}
	}
	role, err := r.Role(ctx, aggregator)
	if err != nil {
		t.Fatal(err)
	}
	wantRole := &ens.RoleDefinition{
		Name: aggregator, Version: 1, Owner: owner.Address(), IssuerDIDs: []common.Address{}, RevokerDIDs: []common.Address{},
		IssuerRole: operator, RevokerRole: operator, Prerequisites: []string{operator}, Metadata: []byte(`{"roleName":"aggregator"}`),
	}
	if d := cmp.Diff(wantRole, role); d != "" {
		t.Error(d)
	}
	names, err := r.List(ctx, "iam.ewc")
	if err != nil || !slices.Equal(names, []string{aggregator, organisation, application, operator}) {
		t.Errorf("%v, %v", names, err)
	}
	if _, err := r.Role(ctx, "nobody.roles.market.apps.edge.iam.ewc"); !errors.Is(err, ens.ErrNotFound) {
		t.Errorf("a role that is not there: %v", err)
	}
	if _, err := r.Owner(ctx, "nobody.iam.ewc"); !errors.Is(err, ens.ErrNotFound) {
		t.Errorf("a name that is not there: %v", err)
	}
}

func sent(t *testing.T, net *chaintest.Net, a *chaintest.Account) uint64 {
	t.Helper()
	n, err := net.Client.PendingNonceAt(t.Context(), a.Address())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRoleChangesAndTransfer(t *testing.T) {
	ctx := t.Context()
	net := chaintest.Start(t)
	w := ens.NewWriter(net.Root, net.Contracts)
	heir := net.Account(t)
	if err := w.CreateOrganisation(ctx, organisation, nil); err != nil {
		t.Fatal(err)
	}
	name := "auditor.roles." + organisation
	def := ens.RoleDefinition{Name: name, IssuerDIDs: []common.Address{{1}, {2}}}
	if err := w.UpdateRole(ctx, def); !errors.Is(err, ens.ErrNotFound) {
		t.Errorf("update of a role that is not there: %v", err)
	}
	if err := w.CreateRole(ctx, def); err != nil {
		t.Fatal(err)
	}
	def.Version, def.IssuerDIDs, def.IssuerRole = 2, nil, "boss.roles."+organisation
	if err := w.UpdateRole(ctx, def); err != nil {
		t.Fatal(err)
	}
	got, err := w.Registry().Role(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	// The issuer role does not exist, so that its node has no name.
	if got.Version != 2 || len(got.IssuerDIDs) != 0 || got.IssuerRole[0] != '[' {
		t.Errorf("%+v", got)
	}
	if err := w.SetOwner(ctx, organisation, heir.Address()); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{organisation, "roles." + organisation, "apps." + organisation} {
		if owner, err := w.Registry().Owner(ctx, n); err != nil || owner != heir.Address() {
			t.Errorf("%s: %v, %v", n, owner, err)
		}
	}
	if err := w.CreateOrganisation(ctx, organisation, nil); !errors.Is(err, ens.ErrTaken) {
		t.Errorf("writing another's name: %v", err)
	}
	if err := w.SetOwner(ctx, organisation, net.Root.Address()); !errors.Is(err, ens.ErrTaken) {
		t.Errorf("taking another's name: %v", err)
	}
}

// TestNameTakenAgainStartsEmpty: the issuers of a name's former life must not
// come back with it.
func TestNameTakenAgainStartsEmpty(t *testing.T) {
	ctx := t.Context()
	net := chaintest.Start(t)
	w := ens.NewWriter(net.Root, net.Contracts)
	if err := w.CreateOrganisation(ctx, organisation, nil); err != nil {
		t.Fatal(err)
	}
	name := "auditor.roles." + organisation
	old := ens.RoleDefinition{Name: name, Version: 4, IssuerDIDs: []common.Address{{0xba, 0xd}}, Prerequisites: []string{"x.roles." + organisation}}
	if err := w.CreateRole(ctx, old); err != nil {
		t.Fatal(err)
	}
	registry := contract.NewENSRegistry()
	drop := registry.PackSetRecord(ens.Namehash(name), common.Address{}, common.Address{}, 0)
	if _, err := net.Root.Send(ctx, &net.Contracts.ENSRegistry, drop, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Registry().Role(ctx, name); !errors.Is(err, ens.ErrNotFound) {
		t.Errorf("a deleted role: %v", err)
	}
	if err := w.CreateRole(ctx, ens.RoleDefinition{Name: name}); err != nil {
		t.Fatal(err)
	}
	got, err := w.Registry().Role(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	if got.Version != 1 || len(got.IssuerDIDs) != 0 || len(got.Prerequisites) != 0 {
		t.Errorf("the former life shows: %+v", got)
	}
}

func TestDefinitionsThatContradictThemselves(t *testing.T) {
	net := chaintest.Start(t)
	w := ens.NewWriter(net.Root, net.Contracts)
	name := "a.roles.iam.ewc"
	for what, def := range map[string]ens.RoleDefinition{
		"both issuers":  {Name: name, IssuerDIDs: []common.Address{{1}}, IssuerRole: "b.roles.iam.ewc"},
		"zero address":  {Name: name, IssuerDIDs: []common.Address{{}}},
		"not an object": {Name: name, Metadata: []byte("[]")},
		"other kind":    {Name: name, Metadata: []byte(`{"orgName":"x"}`)},
		"too long":      {Name: name, Metadata: []byte(`{"x":"` + strings.Repeat("x", 30_000) + `"}`)},
		"no role":       {Name: "iam.ewc"},
		"not normal":    {Name: "A.roles.iam.ewc"},
	} {
		if err := w.CreateRole(t.Context(), def); problem.CodeOf(err) != "name_definition" && problem.CodeOf(err) != "name" {
			t.Errorf("%s: %v", what, err)
		}
	}
}
