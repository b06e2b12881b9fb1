package conformance

import (
	"cmp"
	"slices"
	"testing"

	"github.com/digital-spine/spine/gateway/access"
)

// Access is the suite of the API keys. fresh makes an empty database and
// returns how to open it: each call closes what the call before it returned.
func Access(t *testing.T, fresh func(t *testing.T) (open func() access.Store)) {
	open := fresh(t)
	a := access.Key{ID: "a", Name: "first app", Scopes: []access.Scope{access.Send, access.Receive}, At: 5, Hash: [32]byte{1, 31: 2}}
	b := access.Key{ID: "b", Name: "operator", Scopes: []access.Scope{access.Admin}, At: 6, Hash: [32]byte{3}}
	holds := func(want ...access.Key) {
		t.Helper()
		list, err := open().List(ctx)
		ok(t, err)
		slices.SortFunc(list, func(x, y access.Key) int { return cmp.Compare(x.ID, y.ID) })
		same(t, list, want)
	}
	holds()
	st := open()
	ok(t, st.Put(ctx, b))
	ok(t, st.Put(ctx, a))
	holds(a, b)
	a.Name, a.Scopes = "renamed", []access.Scope{access.Receive}
	ok(t, open().Put(ctx, a))
	holds(a, b)
	st = open()
	ok(t, st.Delete(ctx, "b"))
	ok(t, st.Delete(ctx, "b"))
	holds(a)
}
