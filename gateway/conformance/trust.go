package conformance

import (
	"testing"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/trust"
)

// Trust is the suite of what is remembered of others. fresh makes an empty
// database and returns how to open it: each call closes what the call before it
// returned.
func Trust(t *testing.T, fresh func(t *testing.T) (open func() trust.Store)) {
	t.Run("instances only rise", func(t *testing.T) { trustInstances(t, fresh(t)) })
	t.Run("records stay", func(t *testing.T) { trustRecords(t, fresh(t)) })
	t.Run("revisions only rise", func(t *testing.T) { trustRevisions(t, fresh(t)) })
}

func trustInstances(t *testing.T, open func() trust.Store) {
	st := open()
	k, err := st.Instance(ctx, "did:a", 1)
	ok(t, err)
	same(t, k, trust.Known{})
	for _, c := range []struct {
		floor  uint64
		raised bool
	}{{0, false}, {5, true}, {5, false}, {4, false}, {9, true}} {
		raised, err := st.RaiseFloor(ctx, "did:a", 1, c.floor, 1)
		ok(t, err)
		if raised != c.raised {
			t.Fatalf("floor %d: raised %v", c.floor, raised)
		}
	}
	ok(t, st.RaisePackage(ctx, "did:a", 1, 7, []byte("c7"), []byte("p7"), 1))
	ok(t, st.RaisePackage(ctx, "did:a", 1, 7, []byte("other"), []byte("other"), 2))
	ok(t, st.RaisePackage(ctx, "did:a", 1, 6, []byte("c6"), []byte("p6"), 2))
	ok(t, st.Name(ctx, "did:a", 1, envelope.Digest{3}, 2))
	ok(t, st.Keep(ctx, "did:a", 1, 2))
	ok(t, st.Name(ctx, "did:a", 2, envelope.Digest{4}, 2)) // another instance of the same DID

	st = open()
	want := trust.Known{Floor: 9, Gen: 7, Certificate: []byte("c7"), Package: []byte("p7"), Named: envelope.Digest{3}, Kept: true}
	k, err = st.Instance(ctx, "did:a", 1)
	ok(t, err)
	same(t, k, want)
	k, err = st.Instance(ctx, "did:a", 2)
	ok(t, err)
	same(t, k, trust.Known{Named: envelope.Digest{4}})
	ok(t, st.Name(ctx, "did:a", 1, envelope.Digest{}, 3))
	k, err = st.Instance(ctx, "did:a", 1)
	ok(t, err)
	want.Named = envelope.Digest{}
	same(t, k, want)
}

func trustRecords(t *testing.T, open func() trust.Store) {
	st := open()
	rec := func(n uint64, raw string) trust.Record {
		return trust.Record{Revision: n, Digest: envelope.Digest{byte(n)}, Raw: []byte(raw)}
	}
	for _, r := range []trust.Record{rec(1, "one"), rec(3, "three"), rec(2, "two"), rec(3, "not this")} {
		ok(t, st.PutRecord(ctx, "a.b", "1.0.0", r))
	}
	st = open()
	list, err := st.Records(ctx, "a.b", "1.0.0")
	ok(t, err)
	same(t, list, []trust.Record{rec(3, "three"), rec(2, "two"), rec(1, "one")})
	for _, other := range [][2]string{{"a.b", "1.0.1"}, {"a.c", "1.0.0"}} {
		if list, err = st.Records(ctx, other[0], other[1]); err != nil || len(list) != 0 {
			t.Fatalf("%v: %+v, %v", other, list, err)
		}
	}
}

func trustRevisions(t *testing.T, open func() trust.Store) {
	for _, c := range []struct {
		revision, known uint64
		digest          byte
		seen            bool
	}{{2, 0, 0, false}, {5, 2, 2, true}, {4, 5, 5, true}, {5, 5, 5, true}} {
		known, digest, seen, err := open().RaiseRevision(ctx, "list", c.revision, [32]byte{byte(c.revision)}, 1)
		ok(t, err)
		if known != c.known || digest != ([32]byte{c.digest}) || seen != c.seen {
			t.Fatalf("revision %d: known %d, digest %x, seen %v", c.revision, known, digest[:1], seen)
		}
	}
}
