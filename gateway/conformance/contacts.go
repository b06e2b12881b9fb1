package conformance

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/contacts"
)

// Contacts is the suite of the names of DIDs. fresh makes an empty database and
// returns how to open it: each call closes what the call before it returned.
func Contacts(t *testing.T, fresh func(t *testing.T) (open func() contacts.Store)) {
	open := fresh(t)
	holds := func(want ...gateway.Contact) {
		t.Helper()
		list, err := open().List(ctx)
		ok(t, err)
		byDID := cmpopts.SortSlices(func(x, y gateway.Contact) bool { return x.DID < y.DID })
		if d := cmp.Diff(want, list, byDID, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("differs (-want +got):\n%s", d)
		}
	}
	a, b := gateway.Contact{DID: "did:a", Name: "Netz & Söhne"}, gateway.Contact{DID: "did:b", Name: "'; DROP TABLE contact; --"}
	holds()
	st := open()
	ok(t, st.Put(ctx, b))
	ok(t, st.Put(ctx, a))
	holds(a, b)
	a.Name = "other"
	ok(t, open().Put(ctx, a))
	holds(a, b)
	st = open()
	ok(t, st.Delete(ctx, b.DID))
	ok(t, st.Delete(ctx, b.DID))
	holds(a)
}
