// Package conformance has the tests that every implementation of broker.Store
// passes. It is for tests only.
package conformance

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/internal/testkit"
)

// Run tests a store; open returns an empty one each time.
func Run(t *testing.T, open func(t *testing.T) broker.Store) {
	for name, test := range map[string]func(*testing.T, broker.Store){
		"mailboxes": mailboxes, "objects": objects, "quota": quota, "instances": instances,
		"records": records, "floors": floors, "expiry": expiry, "bans": bans,
		"claims": claims, "claims together": claimsTogether,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func digest(n byte) (d envelope.Digest) {
	d[0], d[31] = n, 1
	return d
}

const did = "did:ethr:0x539:0x0000000000000000000000000000000000000001"

func mailboxes(t *testing.T, s broker.Store) {
	ctx := testkit.Context(t)
	var wg sync.WaitGroup
	made := make([]bool, 20)
	for i := range made {
		wg.Go(func() {
			_, created, err := s.EnsureMailbox(ctx, broker.Mailbox{Addr: "a", DID: did, Inst: 1, PP: i, Created: 5, Login: int64(i)}, 2)
			if err != nil {
				t.Error(err)
			}
			made[i] = created
		})
	}
	wg.Wait()
	first := -1
	for i, m := range made {
		if m && first >= 0 {
			t.Fatal("made twice")
		}
		if m {
			first = i
		}
	}
	got, err := s.Mailbox(ctx, "a")
	if err != nil || got.PP != first || got.DID != did || got.Inst != 1 || got.Created != 5 {
		t.Fatalf("%+v, %v: the first partition, %d, counts", got, err, first)
	}
	again, created, err := s.EnsureMailbox(ctx, broker.Mailbox{Addr: "a", PP: 99, Login: 77}, 2)
	if err != nil || created || again.PP != first || again.Login != 77 {
		t.Fatalf("%+v, %v, %v", again, created, err)
	}
	if _, _, err := s.EnsureMailbox(ctx, broker.Mailbox{Addr: "b", DID: did, Inst: 2}, 2); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.EnsureMailbox(ctx, broker.Mailbox{Addr: "c", DID: did, Inst: 3}, 2); !errors.Is(err, broker.ErrFull) {
		t.Fatalf("above the limit: %v", err)
	}
	if _, err := s.Mailbox(ctx, "c"); !errors.Is(err, broker.ErrNotFound) {
		t.Fatalf("unknown mailbox: %v", err)
	}
	page, err := s.Mailboxes(ctx, "a", 10)
	if err != nil || len(page) != 1 || page[0].Addr != "b" {
		t.Fatal(page, err)
	}
}

func objects(t *testing.T, s broker.Store) {
	ctx := testkit.Context(t)
	o := broker.Object{Digest: digest(1), Kind: broker.KindTopic, DID: did, Inst: 7, Bytes: []byte("good"), Expires: 9, Created: 3, Cert: digest(2),
		Gen: 1 << 52, NBF: 1, NAF: 2, Name: "n", Version: "1.0.0", Revision: 4, Schema: digest(3)}
	if stored, err := s.Put(ctx, o, 1000); err != nil || !stored {
		t.Fatal(stored, err)
	}
	bad := o
	bad.Bytes = []byte("evil")
	if stored, err := s.Put(ctx, bad, 1000); err != nil || stored {
		t.Fatal("replaced", stored, err)
	}
	got, err := s.Get(ctx, o.Kind, o.Digest)
	if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", o) {
		t.Fatalf("%+v, %v; want %+v", got, err, o)
	}
	if _, err := s.Get(ctx, broker.KindSchema, o.Digest); !errors.Is(err, broker.ErrNotFound) {
		t.Fatal("found under another kind", err)
	}
}

func quota(t *testing.T, s broker.Store) {
	ctx := testkit.Context(t)
	put := func(n byte, who string, size int) error {
		_, err := s.Put(ctx, broker.Object{Digest: digest(n), Kind: broker.KindSchema, DID: who, Bytes: make([]byte, size), Expires: 10}, 100)
		return err
	}
	if err := put(1, "a", 60); err != nil {
		t.Fatal(err)
	}
	if err := put(2, "a", 41); !errors.Is(err, broker.ErrQuota) {
		t.Fatalf("above the quota: %v", err)
	}
	if err := put(3, "a", 40); err != nil {
		t.Fatalf("up to the quota: %v", err)
	}
	if err := put(2, "b", 41); err != nil {
		t.Fatalf("another's share: %v", err)
	}
	if n, err := s.Expire(ctx, 11, 2); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	if n, err := s.Expire(ctx, 11, 2); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if err := put(4, "a", 100); err != nil {
		t.Fatalf("after expiry the share is whole again: %v", err)
	}
}

func instances(t *testing.T, s broker.Store) {
	ctx := testkit.Context(t)
	for i := range uint64(2) {
		if _, _, err := s.EnsureMailbox(ctx, broker.Mailbox{Addr: fmt.Sprint("box", i), DID: did, Inst: i, PP: int(i)}, 10); err != nil {
			t.Fatal(err)
		}
	}
	put := func(n byte, kind broker.Kind, gen uint64, nbf, naf int64) {
		t.Helper()
		if _, err := s.Put(ctx, broker.Object{Digest: digest(n), Kind: kind, DID: did, Inst: 1, Bytes: []byte{n}, Gen: gen, NBF: nbf, NAF: naf, Expires: 1e9}, 1e6); err != nil {
			t.Fatal(err)
		}
	}
	put(1, broker.KindCertificate, 0, 10, 100)
	put(2, broker.KindCertificate, 0, 20, 200)
	put(3, broker.KindPackage, 5, 10, 100)
	put(4, broker.KindPackage, 9, 10, 50)
	check := func(now int64, cert, pkg envelope.Digest) {
		t.Helper()
		for _, q := range [][2]string{{did, ""}, {"", "box1"}} {
			got, err := s.Instances(ctx, q[0], q[1], now)
			if err != nil || len(got) == 0 {
				t.Fatal(got, err)
			}
			last := got[len(got)-1]
			if last.Addr != "box1" || last.PP != 1 || last.Cert != cert || last.Pkg != pkg {
				t.Errorf("at %d: %+v, want %s %s", now, last, cert, pkg)
			}
		}
	}
	check(30, digest(2), digest(4))
	check(60, digest(2), digest(3))
	check(150, digest(2), envelope.Digest{})
	check(300, envelope.Digest{}, envelope.Digest{})
	if _, err := s.RaiseFloor(ctx, did, 1, 7); err != nil {
		t.Fatal(err)
	}
	check(30, envelope.Digest{}, digest(4))
	check(60, envelope.Digest{}, envelope.Digest{})
	got, err := s.Instances(ctx, did, "", 30)
	if err != nil || len(got) != 2 || got[0].Inst != 0 || !got[0].Cert.IsZero() {
		t.Fatal(got, err)
	}
}

func records(t *testing.T, s broker.Store) {
	ctx := testkit.Context(t)
	for i, r := range []struct {
		name, version string
		rev           uint64
	}{{"x", "1.0.0", 1}, {"x", "1.0.0", 3}, {"x", "1.0.0", 2}, {"x", "2.0.0", 1}, {"y", "1.0.0", 1}} {
		if _, err := s.Put(ctx, broker.Object{Digest: digest(byte(i)), Kind: broker.KindTopic, DID: did, Bytes: []byte{1}, Name: r.name, Version: r.version, Revision: r.rev}, 100); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Records(ctx, "x", 10)
	if err != nil || len(got) != 4 {
		t.Fatal(got, err)
	}
	for i, want := range []uint64{3, 2, 1, 1} {
		if got[i].Revision != want {
			t.Errorf("record %d has revision %d, want %d", i, got[i].Revision, want)
		}
	}
}

func floors(t *testing.T, s broker.Store) {
	ctx := testkit.Context(t)
	for _, step := range []struct{ raise, want uint64 }{{0, 0}, {10, 10}, {5, 10}, {11, 11}, {0, 11}} {
		if got, err := s.RaiseFloor(ctx, did, 1, step.raise); err != nil || got != step.want {
			t.Fatalf("raise to %d: %d, %v; want %d", step.raise, got, err, step.want)
		}
	}
	if got, err := s.RaiseFloor(ctx, did, 2, 0); err != nil || got != 0 {
		t.Fatal("another instance", got, err)
	}
}

func expiry(t *testing.T, s broker.Store) {
	ctx := testkit.Context(t)
	if _, err := s.Put(ctx, broker.Object{Digest: digest(1), Kind: broker.KindCertificate, DID: did, Bytes: []byte{1}, Expires: 100}, 100); err != nil {
		t.Fatal(err)
	}
	for now, want := range map[int64]int{50: 0, 100: 0} {
		if n, err := s.Expire(ctx, now, 10); err != nil || n != want {
			t.Fatal(now, n, err)
		}
	}
	// Whoever stores it again needs it for longer, or not at all.
	for _, until := range []int64{150, 120} {
		if stored, err := s.Put(ctx, broker.Object{Digest: digest(1), Kind: broker.KindCertificate, DID: did, Bytes: []byte{1}, Expires: until}, 100); err != nil || stored {
			t.Fatal(stored, err)
		}
	}
	for now, want := range map[int64]int{101: 0, 150: 0} {
		if n, err := s.Expire(ctx, now, 10); err != nil || n != want {
			t.Fatal(now, n, err)
		}
	}
	if n, err := s.Expire(ctx, 151, 10); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if _, err := s.Get(ctx, broker.KindCertificate, digest(1)); !errors.Is(err, broker.ErrNotFound) {
		t.Fatal(err)
	}
}

func bans(t *testing.T, s broker.Store) {
	ctx := testkit.Context(t)
	for _, b := range []broker.Ban{{Addr: "a", Until: 5, Before: 3, Reason: "one"}, {Addr: "a", Until: 9, Before: 8, Reason: "two", Floor: 1 << 52}} {
		if err := s.Ban(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Bans(ctx)
	if err != nil || len(got) != 1 || got[0] != (broker.Ban{Addr: "a", Until: 9, Before: 8, Reason: "two", Floor: 1 << 52}) {
		t.Fatal(got, err)
	}
	if err := s.Ping(ctx); err != nil {
		t.Fatal(err)
	}
}
