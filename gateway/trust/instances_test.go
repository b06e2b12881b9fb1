package trust

import (
	"errors"
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/brokerclient"
)

func TestInstances(t *testing.T) {
	w := newWorld(t)
	b := party(t, 2)
	_, err := w.book.Instances(ctx, b.did)
	code(t, err, "package")
	if !errors.Is(err, ErrAbsent) {
		t.Fatal("an empty directory is to be waited for")
	}
	c := w.certificate(b, t0, 0)
	p := w.pkg(b, c, t0)
	w.list(b, c, p)
	w.clock.Advance(absentMax)
	m, err := w.book.Instances(ctx, b.did)
	if err != nil || len(m) != 1 || m[0].Addr != c.Address() || m[0].PP != 3 || m[0].Package.Digest() != p.Digest() {
		t.Fatalf("%+v, %v", m, err)
	}
	calls := w.broker.calls
	if _, err := w.book.Instances(ctx, b.did); err != nil || w.broker.calls != calls {
		t.Fatal("asked again within ten minutes")
	}
	// The directory away: the copy counts, until it is ten minutes old.
	w.broker.down = true
	w.clock.Advance(9 * time.Minute)
	if _, err := w.book.Instances(ctx, b.did); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(2 * time.Minute)
	_, err = w.book.Instances(ctx, b.did)
	code(t, err, "package")
	if !errors.Is(err, ErrAbsent) {
		t.Fatal("a directory that is away is to be waited for")
	}
}

func TestCertificateRefusals(t *testing.T) {
	w := newWorld(t)
	b, x := party(t, 2), party(t, 3)
	good := w.certificate(b, t0, 0)
	if c, err := w.book.Certificate(ctx, good.Digest()); err != nil || c.DID != b.did {
		t.Fatal(err)
	}

	// Signed by somebody else's DID key.
	c, err := envelope.NewCertificate(ctx, domain, x, b, envelope.CertificateBody{DID: b.did, Key: good.Key, NotBefore: w.now(), NotAfter: w.now() + 1000})
	if err != nil {
		t.Fatal(err)
	}
	w.broker.objects[c.Digest()] = c.Bytes()
	_, err = w.book.Certificate(ctx, c.Digest())
	code(t, err, "cert")
	if errors.Is(err, ErrAbsent) {
		t.Fatal("a refusal is not to be waited for")
	}

	// The instance key did not sign.
	pop, err := envelope.NewCertificate(ctx, domain, b, x, envelope.CertificateBody{DID: b.did, Key: good.Key, NotBefore: w.now(), NotAfter: w.now() + 2000})
	if err != nil {
		t.Fatal(err)
	}
	w.broker.objects[pop.Digest()] = pop.Bytes()
	_, err = w.book.Certificate(ctx, pop.Digest())
	code(t, err, "pop")

	// Absent; another one served.
	_, err = w.book.Certificate(ctx, envelope.Digest{1})
	code(t, err, "cert")
	if !errors.Is(err, ErrAbsent) {
		t.Fatal("an absent certificate is to be waited for")
	}
	w.broker.objects[envelope.Digest{2}] = good.Bytes()
	_, err = w.book.Certificate(ctx, envelope.Digest{2})
	code(t, err, "cert")

	// No fresh state of the DID.
	w.chain.stale = true
	other := w.certificate(x, t0, 0)
	_, err = w.book.Certificate(ctx, other.Digest())
	code(t, err, "did_stale")
	w.chain.stale = false
	w.clock.Advance(unreachableMax)
	if _, err := w.book.Certificate(ctx, other.Digest()); err != nil {
		t.Fatal("did_stale does not pass:", err)
	}

	// The DID's key is taken away on the chain: at once.
	w.chain.remove(b)
	_, err = w.book.Certificate(ctx, good.Digest())
	code(t, err, "cert")
	if !w.told(Change{DID: b.did}) {
		t.Fatal("the change was not told")
	}
}

func TestBrokenCopyThenGoodOne(t *testing.T) {
	w := newWorld(t)
	b := party(t, 2)
	c := w.certificate(b, t0, 0)
	broken := append([]byte(nil), c.Bytes()...)
	broken[len(broken)-2] ^= 1 // in the proof, which the digest leaves out
	w.broker.objects[c.Digest()] = broken
	if _, err := w.book.Certificate(ctx, c.Digest()); err == nil {
		t.Fatal("a broken proof was accepted")
	}
	w.broker.objects[c.Digest()] = c.Bytes()
	w.clock.Advance(refetchAfter)
	if _, err := w.book.Certificate(ctx, c.Digest()); err != nil {
		t.Fatal("the good copy is not found:", err)
	}
}

func TestStaleCertificate(t *testing.T) {
	w := newWorld(t)
	b := party(t, 2)
	c := w.certificate(b, t0, 0)
	w.list(b, c, w.pkg(b, c, t0))
	if _, err := w.book.Instances(ctx, b.did); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(15*day + 3*time.Minute)
	_, err := w.book.Instances(ctx, b.did)
	code(t, err, "cert")
}

func TestFloorRaised(t *testing.T) {
	w := newWorld(t)
	b := party(t, 2)
	c := w.certificate(b, t0, 0)
	p := w.pkg(b, c, t0)
	w.list(b, c, p)
	if _, err := w.book.Instances(ctx, b.did); err != nil {
		t.Fatal(err)
	}
	if err := w.book.Standing(ctx, b.did, 0, c.Digest(), nil, w.now()); err != nil {
		t.Fatal(err)
	}

	w.clock.Advance(time.Hour)
	floor := uint64(w.clock.Now().Unix())
	raised := w.certificate(b, w.clock.Now(), floor)
	if _, err := w.book.Certificate(ctx, raised.Digest()); err != nil {
		t.Fatal(err)
	}
	_, err := w.book.Certificate(ctx, c.Digest())
	code(t, err, "cert_void")
	code(t, w.book.Standing(ctx, b.did, 0, c.Digest(), nil, w.now()), "cert_void")
	if !w.told(Change{DID: b.did}) {
		t.Fatal("the floor was not told")
	}
	// The thief of the instance key makes a higher gen under the voided one.
	w.clock.Advance(time.Minute)
	w.list(b, raised, w.pkg(b, c, w.clock.Now()))
	_, err = w.book.Instances(ctx, b.did)
	code(t, err, "cert_void")
	// The true one below the floor.
	w.list(b, raised, p)
	w.clock.Advance(2 * refusedFor)
	_, err = w.book.Instances(ctx, b.did)
	code(t, err, "cert_void")
	// And above it.
	w.list(b, raised, w.pkg(b, raised, w.clock.Now()))
	w.clock.Advance(2 * refusedFor)
	if _, err := w.book.Instances(ctx, b.did); err != nil {
		t.Fatal(err)
	}
	// The floor outlives the process.
	w.open()
	_, err = w.book.Certificate(ctx, c.Digest())
	code(t, err, "cert_void")
}

func TestPackageRolledBack(t *testing.T) {
	w := newWorld(t)
	b := party(t, 2)
	c := w.certificate(b, t0, 0)
	old := w.pkg(b, c, t0)
	w.clock.Advance(day)
	newest := w.pkg(b, c, w.clock.Now())
	w.list(b, c, newest)
	if _, err := w.book.Instances(ctx, b.did); err != nil {
		t.Fatal(err)
	}
	// The directory goes back: the known one is sealed to, also by the next process.
	for range 2 {
		w.list(b, c, old)
		w.clock.Advance(listingFor)
		m, err := w.book.Instances(ctx, b.did)
		if err != nil || m[0].Package.Digest() != newest.Digest() {
			t.Fatalf("%v, %v", m, err)
		}
		if !w.events.has("package_rolled_back") {
			t.Fatal("not told")
		}
		w.open()
	}
	// Without the known one's bytes there is nothing to seal to.
	k := w.store.instances[instance{b.did, 0}]
	k.Package, k.Certificate = nil, nil
	w.store.instances[instance{b.did, 0}] = k
	w.open()
	_, err := w.book.Instances(ctx, b.did)
	code(t, err, "package_rolled_back")
}

func TestNewerPackageHidden(t *testing.T) {
	w := newWorld(t)
	b := party(t, 2)
	c := w.certificate(b, t0, 0)
	w.list(b, c, w.pkg(b, c, t0))
	if _, err := w.book.Instances(ctx, b.did); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(day)
	hidden := w.pkg(b, c, w.clock.Now())
	delete(w.broker.objects, hidden.Digest())
	w.book.Named(b.did, 0, hidden.Digest(), 0)
	_, err := w.book.Instances(ctx, b.did)
	code(t, err, "package")
	if !errors.Is(err, ErrAbsent) {
		t.Fatal("it waits until the directory serves the package")
	}
	w.open() // also in the next process
	_, err = w.book.Instances(ctx, b.did)
	code(t, err, "package")
	// Served by its digest, though not listed: good enough.
	w.broker.objects[hidden.Digest()] = hidden.Bytes()
	w.clock.Advance(absentMax + time.Second)
	m, err := w.book.Instances(ctx, b.did)
	if err != nil || m[0].Package.Digest() != hidden.Digest() {
		t.Fatalf("%v, %v", m, err)
	}
}

func TestPackageRefusals(t *testing.T) {
	w := newWorld(t)
	b, x := party(t, 2), party(t, 3)
	c := w.certificate(b, t0, 0)
	for name, p := range map[string]*envelope.Package{
		"another key":   w.pkg(x, c, t0),
		"an hour ahead": w.pkg(b, c, t0.Add(time.Hour)),
		"another DID's": w.pkg(x, w.certificate(x, t0, 0), t0),
	} {
		w.list(b, c, p)
		w.book.listings.drop(b.did)
		_, err := w.book.Instances(ctx, b.did)
		if envelope.CodeOf(err) != envelope.BadPackage {
			t.Errorf("%s: %v", name, err)
		}
	}
	short, err := envelope.NewPackage(ctx, b, envelope.PackageBody{Cert: c.Digest(), Gen: uint64(t0.Unix()), NotBefore: w.now(), NotAfter: c.NotAfter, KEM: map[uint64][]byte{1: make([]byte, 12)}})
	if err != nil {
		t.Fatal(err)
	}
	w.broker.objects[short.Digest()] = short.Bytes()
	w.list(b, c, short)
	w.book.listings.drop(b.did)
	_, err = w.book.Instances(ctx, b.did)
	code(t, err, "package")
}

func TestDirectoryHidesOrIsOld(t *testing.T) {
	w := newWorld(t)
	b := party(t, 2)
	c := w.certificate(b, t0, 0)
	w.list(b, c, w.pkg(b, c, t0))
	if _, err := w.book.Instances(ctx, b.did); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(49 * time.Hour)
	if _, err := w.book.Instances(ctx, b.did); err != nil || !w.events.has("package_stale") {
		t.Fatal("package_stale was not told", err)
	}
	w.broker.instances = map[string][]brokerclient.Instance{}
	w.clock.Advance(listingFor)
	if _, err := w.book.Instances(ctx, b.did); err == nil || !w.events.has("holder_missing") {
		t.Fatal("holder_missing was not told", err)
	}
}
