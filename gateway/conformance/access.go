package conformance

import (
	"cmp"
	"slices"
	"testing"
	"time"

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

// Sessions is the suite of the signed-in browsers, and of what becomes of them
// with their API key. fresh makes an empty database and returns how to open it:
// each call closes what the call before it returned.
func Sessions(t *testing.T, fresh func(t *testing.T) (open func() (access.SessionStore, access.Store))) {
	open := fresh(t)
	at := time.UnixMilli(1_800_000_000_123)
	a := access.Session{Name: "control room", Scopes: []access.Scope{access.Receive, access.Send}, Key: "k1", Ends: at.Add(12 * time.Hour), Used: at}
	b := access.Session{Scopes: []access.Scope{access.Admin}, Key: "k2", Ends: at.Add(time.Hour), Used: at}
	idA, idB := [32]byte{1, 31: 2}, [32]byte{3}
	holds := func(want map[[32]byte]access.Session) {
		t.Helper()
		st, _ := open()
		list, err := st.Sessions(ctx)
		ok(t, err)
		if len(list) != len(want) {
			t.Fatalf("%d sessions, want %d", len(list), len(want))
		}
		for id, w := range want {
			g := list[id]
			if g.Name != w.Name || !slices.Equal(g.Scopes, w.Scopes) || g.Key != w.Key || !g.Ends.Equal(w.Ends) || !g.Used.Equal(w.Used) {
				t.Fatalf("kept %+v, want %+v", g, w)
			}
		}
	}
	holds(nil)
	st, keys := open()
	ok(t, keys.Put(ctx, access.Key{ID: "k1", Scopes: []access.Scope{access.Admin}}))
	ok(t, keys.Put(ctx, access.Key{ID: "k2", Scopes: []access.Scope{access.Admin}}))
	ok(t, st.PutSession(ctx, idA, a))
	ok(t, st.PutSession(ctx, idB, b))
	holds(map[[32]byte]access.Session{idA: a, idB: b})
	st, _ = open()
	a.Used = at.Add(time.Minute)
	ok(t, st.UseSession(ctx, idA, a.Used))
	ok(t, st.UseSession(ctx, [32]byte{9}, at)) // not made by its use
	holds(map[[32]byte]access.Session{idA: a, idB: b})
	_, keys = open()
	ok(t, keys.Delete(ctx, "k2"))
	holds(map[[32]byte]access.Session{idA: a})
	st, _ = open()
	ok(t, st.DeleteSessions(ctx))
	ok(t, st.DeleteSessions(ctx, idA, idB))
	holds(nil)
}
