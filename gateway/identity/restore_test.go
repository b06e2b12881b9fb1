package identity

import (
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/envelope"
)

func newClock(at time.Time) *clockwork.FakeClock { return clockwork.NewFakeClockAt(at) }

func TestEverythingLostButTheDIDKey(t *testing.T) {
	w := newWorld(t)
	lost := w.ready().Certificate()
	w.store = &memory{}
	w.clock.Advance(time.Hour)
	s := w.ready()
	c := s.Certificate()
	if c.Floor != uint64(w.clock.Now().Unix()) || c.Digest() == lost.Digest() {
		t.Fatalf("floor %d, want now", c.Floor)
	}
	if s.Package().Gen < c.Floor || w.broker.list[0].Certificate != c.Digest() || w.broker.list[0].Package != s.Package().Digest() {
		t.Fatal("no package above the floor in the directory")
	}
	code(t, lost.CheckFloor(c.Floor), "cert_void")
	// The next start finds itself in the directory and does nothing.
	if again := w.ready(); again.Certificate().Digest() != c.Digest() {
		t.Fatal("the floor was raised again")
	}
}

func TestRestoredFromABackup(t *testing.T) {
	w := newWorld(t)
	s := w.ready()
	backup := w.store.clone()
	// After the backup: a day passes, a new package is made.
	w.clock.Advance(day)
	w.step(s, "")
	newest := s.Package()
	cert := s.Certificate()

	w.store = backup
	w.clock.Advance(time.Minute)
	s = w.ready()
	if s.Certificate().Digest() != cert.Digest() {
		t.Fatal("the certificate is the backup's, no higher floor was seen")
	}
	if s.Package().Gen <= newest.Gen {
		t.Fatal("no new package after a restore")
	}
	code(t, s.Mine(newest.Digest()), "not_for_me")
}

func TestRestoredBelowAFloor(t *testing.T) {
	w := newWorld(t)
	s := w.ready()
	backup := w.store.clone()
	w.clock.Advance(time.Hour)
	if err := s.RaiseFloor(ctx); err != nil {
		t.Fatal(err)
	}
	w.step(s, "")
	raised := s.Certificate()
	if raised.Floor != uint64(w.clock.Now().Unix()) {
		t.Fatal("floor not raised")
	}
	w.store = backup
	w.clock.Advance(time.Hour)
	s = w.ready()
	if got := s.Certificate().Floor; got != uint64(w.clock.Now().Unix()) {
		t.Fatalf("floor %d after a restore below one", got)
	}
}

func TestShown(t *testing.T) {
	w := newWorld(t)
	s := w.ready()
	c := s.Certificate()
	if err := s.Shown(ctx, c.Bytes()); err != nil || s.Certificate().Digest() != c.Digest() {
		t.Fatal("an own certificate of the same floor changes nothing:", err)
	}
	// One with a higher floor that the DID's key did not sign changes nothing.
	body := c.CertificateBody
	body.Floor = uint64(t0.Unix())
	forged, err := envelope.NewCertificate(ctx, domain, stranger(t), s.InstanceSigner(envelope.Digest{}), body)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shown(ctx, forged.Bytes()); err != nil || s.Certificate().Digest() != c.Digest() {
		t.Fatal("a forged certificate moved the floor:", err)
	}
	real, err := envelope.NewCertificate(ctx, domain, s.DIDSigner(), s.InstanceSigner(envelope.Digest{}), body)
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Minute)
	if err := s.Shown(ctx, real.Bytes()); err != nil {
		t.Fatal(err)
	}
	if s.Certificate().Floor != uint64(w.clock.Now().Unix()) {
		t.Fatal("floor is not now")
	}
	w2 := newWorld(t)
	foreign := w2.ready().Certificate()
	code(t, s.Shown(ctx, foreign.Bytes()), "cert")
}

func TestForgedDirectoryEntryIsIgnored(t *testing.T) {
	w := newWorld(t)
	s := w.ready()
	body := s.Certificate().CertificateBody
	body.Floor = uint64(t0.Unix())
	forged, err := envelope.NewCertificate(ctx, domain, stranger(t), s.InstanceSigner(envelope.Digest{}), body)
	if err != nil {
		t.Fatal(err)
	}
	w.broker.objects[forged.Digest()] = forged.Bytes()
	w.broker.list[0].Certificate = forged.Digest()
	if again := w.ready(); again.Certificate().Floor != 0 || len(w.store.certs) != 1 {
		t.Fatal("the directory's word moved the floor")
	}
}
