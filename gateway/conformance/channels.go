package conformance

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/channels"
)

// Channels is the suite of the channels. fresh makes an empty database and
// returns how to open it: each call closes what the call before it returned.
func Channels(t *testing.T, fresh func(t *testing.T) (open func() channels.Store)) {
	open := fresh(t)
	a := gateway.Channel{Name: "a", Topic: "t.b", Send: &gateway.Admission{Roles: []string{"r.roles.b"}, DIDs: []string{"did:x"}}, Require: gateway.RequireAny}
	b := gateway.Channel{Name: "b", Topic: "t.b", Version: "1.0.0", Receive: &gateway.Admission{DIDs: []string{"did:y"}}}
	holds := func(want ...gateway.Channel) {
		t.Helper()
		list, err := open().List(ctx)
		ok(t, err)
		byName := cmpopts.SortSlices(func(x, y gateway.Channel) bool { return x.Name < y.Name })
		if d := cmp.Diff(want, list, byName, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("differs (-want +got):\n%s", d)
		}
	}
	holds()
	st := open()
	ok(t, st.Put(ctx, b))
	ok(t, st.Put(ctx, a))
	holds(a, b)
	a.Send, a.Receive, a.Require = nil, &gateway.Admission{DIDs: []string{"did:z"}}, ""
	ok(t, open().Put(ctx, a))
	holds(a, b)
	st = open()
	ok(t, st.Delete(ctx, "b"))
	ok(t, st.Delete(ctx, "b"))
	holds(a)
}
