package sqlstore

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/identity"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// openTrust opens a store at path, and again after a close.
func openTrust(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(context.Background(), "sqlite:"+path, sqlkit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestTrustOnlyRises(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "g.db")
	st := openTrust(t, path).Trust()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if k, err := st.Instance(ctx, "did:a", 0); err != nil || k.Floor != 0 || k.Package != nil || k.Kept {
		t.Fatalf("%+v, %v", k, err)
	}
	for _, c := range []struct {
		floor  uint64
		raised bool
	}{{0, false}, {5, true}, {5, false}, {4, false}, {9, true}} {
		raised, err := st.RaiseFloor(ctx, "did:a", 0, c.floor, 1)
		if err != nil || raised != c.raised {
			t.Fatalf("floor %d: raised %v, %v", c.floor, raised, err)
		}
	}
	must(st.RaisePackage(ctx, "did:a", 0, 7, []byte("c7"), []byte("p7"), 1))
	must(st.RaisePackage(ctx, "did:a", 0, 6, []byte("c6"), []byte("p6"), 1))
	must(st.Name(ctx, "did:a", 0, envelope.Digest{3}, 1))
	must(st.Keep(ctx, "did:a", 0, 1))
	must(st.Keep(ctx, "did:new", 0, 1))

	st = openTrust(t, path).Trust()
	k, err := st.Instance(ctx, "did:a", 0)
	if err != nil || k.Floor != 9 || k.Gen != 7 || !bytes.Equal(k.Package, []byte("p7")) || !bytes.Equal(k.Certificate, []byte("c7")) || k.Named != (envelope.Digest{3}) || !k.Kept {
		t.Fatalf("%+v, %v", k, err)
	}
	must(st.Name(ctx, "did:a", 0, envelope.Digest{}, 1))
	if k, err = st.Instance(ctx, "did:a", 0); err != nil || !k.Named.IsZero() {
		t.Fatalf("%+v, %v", k, err)
	}
	if k, err := st.Instance(ctx, "did:new", 0); err != nil || !k.Kept {
		t.Fatalf("%+v, %v", k, err)
	}
}

func TestRecordsAndRevisions(t *testing.T) {
	ctx := context.Background()
	st := openTrust(t, filepath.Join(t.TempDir(), "g.db")).Trust()
	for _, n := range []uint64{1, 3, 2, 3} {
		if err := st.PutRecord(ctx, "a.b", "1.0.0", trust.Record{Revision: n, Digest: envelope.Digest{byte(n)}, Raw: []byte{byte(n)}}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := st.Records(ctx, "a.b", "1.0.0")
	if err != nil || len(list) != 3 || list[0].Revision != 3 || list[2].Digest != (envelope.Digest{1}) {
		t.Fatalf("%+v, %v", list, err)
	}
	if list, err = st.Records(ctx, "a.b", "1.0.1"); err != nil || len(list) != 0 {
		t.Fatalf("%+v, %v", list, err)
	}
	for i, c := range []struct {
		n, known uint64
		digest   byte
		seen     bool
	}{{2, 0, 0, false}, {5, 2, 2, true}, {4, 5, 5, true}, {5, 5, 5, true}} {
		known, digest, seen, err := st.RaiseRevision(ctx, "list", c.n, [32]byte{byte(c.n)}, 1)
		if err != nil || known != c.known || digest != ([32]byte{c.digest}) || seen != c.seen {
			t.Fatalf("%d: %d, %x, %v, %v", i, known, digest[:1], seen, err)
		}
	}
}

func TestStrangersAreBounded(t *testing.T) {
	ctx := context.Background()
	const slack = 40 * trimOneIn // within which a count comes all but surely
	s := openTrust(t, filepath.Join(t.TempDir(), "g.db"))
	st := s.Trust()
	if err := st.Keep(ctx, "did:friend", 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.DB().Write(ctx, func(tx *sqlkit.Tx) error {
		for i := range trust.MaxStrangers + slack {
			if err := touch(tx, fmt.Sprintf("did:%d", i), 0, int64(i+1)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var n, oldest int64
	if err := s.DB().QueryRow(ctx, `SELECT COUNT(*), MIN(seen) FROM trust_instance WHERE known = 0`).Scan(&n, &oldest); err != nil {
		t.Fatal(err)
	}
	if n >= trust.MaxStrangers+slack || oldest <= trust.MaxStrangers/10 {
		t.Fatalf("%d strangers, oldest %d", n, oldest)
	}
	if k, err := st.Instance(ctx, "did:friend", 0); err != nil || !k.Kept {
		t.Fatal("a friend went with the strangers")
	}
}

func TestOwnPapers(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "g.db")
	st := openTrust(t, path).Identity()
	c := identity.Certificate{Digest: envelope.Digest{1}, Raw: []byte("c"), Key: "instance/1", NotBefore: 1, NotAfter: 2, Floor: 3}
	p := identity.Package{Digest: envelope.Digest{2}, Raw: []byte("p"), Certificate: c.Digest, Key: "package/4", Gen: 4, NotBefore: 5, NotAfter: 6}
	for range 2 {
		if err := st.PutCertificate(ctx, c); err != nil {
			t.Fatal(err)
		}
		if err := st.PutPackage(ctx, p); err != nil {
			t.Fatal(err)
		}
		c.Published, p.Published, p.Superseded, p.Destroyed = true, true, 7, true
	}
	st = openTrust(t, path).Identity()
	certs, err := st.Certificates(ctx)
	if err != nil || len(certs) != 1 || fmt.Sprint(certs[0]) != fmt.Sprint(c) {
		t.Fatalf("%+v, %v", certs, err)
	}
	pkgs, err := st.Packages(ctx)
	if err != nil || len(pkgs) != 1 || fmt.Sprint(pkgs[0]) != fmt.Sprint(p) {
		t.Fatalf("%+v, %v", pkgs, err)
	}
	if err := st.DropCertificate(ctx, c.Digest); err != nil {
		t.Fatal(err)
	}
	if err := st.DropPackage(ctx, p.Digest); err != nil {
		t.Fatal(err)
	}
	if certs, _ = st.Certificates(ctx); len(certs) != 0 {
		t.Fatal("still there")
	}
}
