package identity

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/internal/problem"
)

const day = 24 * time.Hour

var ctx = context.Background()

func code(t *testing.T, err error, want string) {
	t.Helper()
	if got := problem.CodeOf(err); got != want {
		t.Fatalf("error %v has code %q, want %q", err, got, want)
	}
}

// seal makes a box for the newest package and returns its package.
func seal(t *testing.T, s *Self) (pkg envelope.Digest, info, box []byte) {
	t.Helper()
	p := s.Package()
	if p == nil {
		t.Fatal("no package")
	}
	sid := envelope.Digest{1}
	box, err := envelope.SealBox(sid, p, &envelope.BoxText{Secret: envelope.NewSecret()})
	if err != nil {
		t.Fatal(err)
	}
	return p.Digest(), envelope.BoxInfo(sid, p.Digest()), box
}

func TestFirstStart(t *testing.T) {
	w := newWorld(t)
	s := w.self()
	code(t, s.Err(), "not_ready")
	w.step(s, "")
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	c, p := s.Certificate(), s.Package()
	if c.DID != s.DID() || c.Floor != 0 || c.NotAfter-c.NotBefore != envelope.CertificateLife {
		t.Fatalf("certificate %+v", c.CertificateBody)
	}
	if p.Gen != uint64(t0.Unix()) || p.NotAfter != c.NotAfter || p.Check(c, t0.UnixMilli()) != nil {
		t.Fatalf("package gen %d", p.Gen)
	}
	if len(w.broker.list) != 1 || w.broker.list[0].Certificate != c.Digest() || w.broker.list[0].Package != p.Digest() {
		t.Fatalf("directory: %+v", w.broker.list)
	}
	login, err := s.Session(ctx)
	if err != nil || login.Addr != s.Addr() || login.PP != 1 || w.hub.logins != 1 {
		t.Fatalf("login %+v, %v", login, err)
	}
	pkg, info, box := seal(t, s)
	text, err := s.OpenBox(ctx, pkg, info, box)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := envelope.ParseBoxText(text); err != nil {
		t.Fatal(err)
	}
	_, err = s.OpenBox(ctx, envelope.Digest{9}, info, box)
	code(t, err, "not_for_me")
	box[len(box)-1] ^= 1
	_, err = s.OpenBox(ctx, pkg, info, box)
	code(t, err, "box")
	_, err = s.SignWith(ctx, envelope.Digest{9}, nil)
	code(t, err, "cert")

	// A restart makes nothing new.
	again := w.ready()
	if again.DID() != s.DID() || again.Certificate().Digest() != c.Digest() || again.Package().Digest() != p.Digest() || len(w.store.pkgs) != 1 {
		t.Fatal("a restart made other papers")
	}
}

func TestLoginIsRenewed(t *testing.T) {
	w := newWorld(t)
	s := w.ready()
	login, _ := s.Session(ctx)
	before, _ := login.NATSToken()
	w.clock.Advance(4 * time.Minute)
	w.step(s, "")
	if w.broker.logins != 1 {
		t.Fatal("logged in too early")
	}
	w.clock.Advance(2 * time.Minute)
	w.step(s, "")
	after, _ := login.NATSToken()
	if w.broker.logins != 2 || w.hub.logins != 2 || before == after {
		t.Fatalf("logins %d, %d", w.broker.logins, w.hub.logins)
	}
	s.Refresh()
	w.step(s, "")
	if w.broker.logins != 2 {
		t.Fatal("a server that refuses at once keeps the gateway busy")
	}
	w.clock.Advance(loginPause)
	s.Refresh()
	w.step(s, "")
	if w.broker.logins != 3 || w.hub.logins != 2 {
		t.Fatal("no login after Refresh")
	}
	w.hub.refused()
	w.step(s, "")
	if w.hub.logins != 3 || w.broker.logins != 3 {
		t.Fatal("no login after the hub refused the bearer")
	}
}

func TestDirectoryLosesThePapers(t *testing.T) {
	w := newWorld(t)
	s := w.ready()
	clear(w.broker.objects)
	w.broker.list = nil
	w.clock.Advance(6 * time.Minute) // the next login
	w.step(s, "")
	if len(w.broker.list) != 1 || w.broker.list[0].Certificate != s.Certificate().Digest() || w.broker.list[0].Package != s.Package().Digest() || len(w.broker.objects) != 2 {
		t.Fatalf("not published again: %+v", w.broker.list)
	}
	if len(w.store.pkgs) != 1 {
		t.Fatal("new papers were made")
	}
}

func TestPackageIsRenewedDailyAndDies(t *testing.T) {
	w := newWorld(t)
	s := w.ready()
	pkg, info, box := seal(t, s)
	w.clock.Advance(day)
	w.step(s, "")
	if s.Package().Digest() == pkg || s.Package().Gen != uint64(t0.Add(day).Unix()) || len(s.Packages()) != 2 {
		t.Fatal("no new package after a day")
	}
	w.clock.Advance(2*day + time.Second)
	w.step(s, "")
	if _, err := s.OpenBox(ctx, pkg, info, box); err != nil {
		t.Fatal("destroyed before the mailbox was drained:", err)
	}
	s.Drained(t0.Add(2 * day).UnixMilli()) // before the grace ended
	w.step(s, "")
	if _, err := s.OpenBox(ctx, pkg, info, box); err != nil {
		t.Fatal("destroyed though drained before the grace ended:", err)
	}
	s.Drained(w.clock.Now().UnixMilli())
	w.step(s, "")
	_, err := s.OpenBox(ctx, pkg, info, box)
	code(t, err, "package_gone")
	code(t, s.Mine(pkg), "package_gone")
	if _, _, err := w.ring.Public(ctx, "package/1767225600"); err == nil {
		t.Fatal("the key is still in the keyring")
	}
	// The next start knows it, too.
	code(t, w.self().Mine(pkg), "package_gone")
	// After naf + R and a day the row goes.
	w.clock.Advance(15*day + 7*day + day)
	w.step(s, "")
	code(t, s.Mine(pkg), "not_for_me")
}

func TestPackageDiesAtRetentionWithoutDrain(t *testing.T) {
	w := newWorld(t)
	s := w.ready()
	pkg, _, _ := seal(t, s)
	w.clock.Advance(15*day + 7*day)
	w.step(s, "")
	if err := s.Mine(pkg); err != nil {
		t.Fatal("destroyed before naf + R:", err)
	}
	w.clock.Advance(time.Millisecond)
	w.step(s, "")
	code(t, s.Mine(pkg), "package_gone")
}

func TestCertificateIsRenewedAndOldKeyStays(t *testing.T) {
	w := newWorld(t)
	s := w.ready()
	old := s.Certificate()
	w.clock.Advance(10 * day)
	w.step(s, "")
	if s.Certificate().Digest() != old.Digest() {
		t.Fatal("renewed too early")
	}
	logins := w.broker.logins
	w.clock.Advance(time.Second)
	w.step(s, "")
	c, p := s.Certificate(), s.Package()
	if c.Digest() == old.Digest() || c.Floor != old.Floor || c.Key == old.Key || p.Cert != c.Digest() {
		t.Fatal("no renewal with a fresh key and the same floor, or no package with it")
	}
	if w.broker.logins != logins+1 {
		t.Fatal("no login with the new certificate")
	}
	sig, err := s.SignWith(ctx, old.Digest(), []byte("x"))
	if err != nil || len(sig) != 64 {
		t.Fatal("the old key cannot sign a re-grant:", err)
	}
	w.clock.Advance(5*day + 7*day)
	w.step(s, "")
	_, err = s.SignWith(ctx, old.Digest(), []byte("x"))
	code(t, err, "cert")
}

func TestNetworkMismatchStops(t *testing.T) {
	for name, change := range map[string]func(*world){
		"retention": func(w *world) { w.broker.network.RetentionMS++ },
		"ttl":       func(w *world) { w.hub.network.StatusTTLMS++ },
		"wire":      func(w *world) { w.broker.network.Wire++ },
		"cap":       func(w *world) { w.hub.network.Cap-- },
		"nats":      func(w *world) { w.broker.nats = "nats://elsewhere:4222" },
		"plain":     func(w *world) { w.network.NATS, w.broker.nats = "", "nats://192.0.2.1:4222" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			change(w)
			s := w.self()
			err := s.Run(ctx)
			code(t, err, "network_mismatch")
			if !errors.Is(err, ErrMismatch) {
				t.Fatal(err)
			}
			code(t, s.Err(), "network_mismatch")
			_, err = s.Session(ctx)
			code(t, err, "network_mismatch")
		})
	}
}

func TestClockOffStopsAndNothingSticks(t *testing.T) {
	for _, c := range []struct {
		ahead time.Duration
		off   bool
	}{{120 * time.Second, false}, {-120 * time.Second, false}, {122 * time.Second, true}, {-121 * time.Second, true}, {365 * day, true}} {
		w := newWorld(t)
		w.servers = w.clock
		own := newClock(t0.Add(c.ahead))
		w.clock = own
		s := w.self()
		if !c.off {
			w.step(s, "")
			continue
		}
		w.step(s, "clock")
		code(t, s.Err(), "clock")
		if len(w.store.certs) != 0 || len(w.store.pkgs) != 0 {
			t.Fatalf("%s: papers were made by a wrong clock", c.ahead)
		}
		if !slices.Equal(w.events.codes, []string{"clock"}) {
			t.Fatalf("events %v", w.events.codes)
		}
	}

	// A year ahead while it runs, then right again.
	w := newWorld(t)
	s := w.ready()
	c, p := s.Certificate(), s.Package()
	right := w.clock
	w.servers = right
	wrong := newClock(t0.Add(365 * day))
	s.d.Clock = wrong
	if err := s.step(ctx); problem.CodeOf(err) != "clock" && !errors.Is(err, ErrClock) {
		t.Fatalf("step with a wrong clock: %v", err)
	}
	s.d.Clock = right
	right.Advance(day)
	w.step(s, "")
	if s.Certificate().Floor != 0 || s.Package().Gen != uint64(right.Now().Unix()) {
		t.Fatalf("gen %d is stuck (before %d, certificate %s)", s.Package().Gen, p.Gen, c.Digest())
	}
	if err := s.Mine(p.Digest()); err != nil {
		t.Fatal("a wrong clock destroyed a key:", err)
	}
}

func TestBrokerAway(t *testing.T) {
	w := newWorld(t)
	w.broker.down = true
	s := w.self()
	w.step(s, "unreachable")
	code(t, s.Err(), "not_ready")
	w.broker.down = false
	w.step(s, "")
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	// The hub's being away does not keep the broker's papers back.
	w = newWorld(t)
	w.hub.down = true
	s = w.self()
	w.step(s, "unreachable")
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
}
