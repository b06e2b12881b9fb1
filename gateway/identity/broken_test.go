package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hpke"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/evm/eip712"
	"github.com/digital-spine/spine/gateway/brokerclient"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/keyring"
)

// breaks counts calls until the one that breaks off, before it is made or with
// its answer lost.
type breaks struct {
	left  int
	after bool
}

func (b *breaks) do(fn func() error) error {
	if b.left--; b.left != 0 {
		return fn()
	}
	if b.after {
		if err := fn(); err != nil {
			return err
		}
	}
	return context.Canceled
}

func call[T any](b *breaks, fn func() (T, error)) (out T, err error) {
	err = b.do(func() error { out, err = fn(); return err })
	if err != nil {
		var none T
		return none, err
	}
	return out, nil
}

type breakingStore struct {
	Store
	*breaks
}

func (s breakingStore) Certificates(ctx context.Context) ([]Certificate, error) {
	return call(s.breaks, func() ([]Certificate, error) { return s.Store.Certificates(ctx) })
}

func (s breakingStore) PutCertificate(ctx context.Context, c Certificate) error {
	return s.do(func() error { return s.Store.PutCertificate(ctx, c) })
}

func (s breakingStore) DropCertificate(ctx context.Context, d envelope.Digest) error {
	return s.do(func() error { return s.Store.DropCertificate(ctx, d) })
}

func (s breakingStore) Packages(ctx context.Context) ([]Package, error) {
	return call(s.breaks, func() ([]Package, error) { return s.Store.Packages(ctx) })
}

func (s breakingStore) PutPackage(ctx context.Context, p Package) error {
	return s.do(func() error { return s.Store.PutPackage(ctx, p) })
}

func (s breakingStore) DropPackage(ctx context.Context, d envelope.Digest) error {
	return s.do(func() error { return s.Store.DropPackage(ctx, d) })
}

// ring is a keyring in memory: the file's would have the test wait for the disk.
type ring struct {
	keyring.Keyring // what is not used
	did             *ecdsa.PrivateKey
	signs           map[string]ed25519.PrivateKey
	opens           map[string]hpke.PrivateKey
}

func (r *ring) Public(_ context.Context, name string) (keyring.Kind, []byte, error) {
	if name != KeyDID {
		return "", nil, keyring.ErrNotFound
	}
	return keyring.Secp256k1, crypto.FromECDSAPub(&r.did.PublicKey), nil
}

func (r *ring) Create(_ context.Context, name string, kind keyring.Kind) ([]byte, error) {
	if kind == keyring.XWing {
		if r.opens[name] == nil {
			key, err := hpke.MLKEM768X25519().GenerateKey()
			if err != nil {
				return nil, err
			}
			r.opens[name] = key
		}
		return r.opens[name].PublicKey().Bytes(), nil
	}
	if r.signs[name] == nil {
		_, r.signs[name], _ = ed25519.GenerateKey(nil)
	}
	return r.signs[name].Public().(ed25519.PublicKey), nil
}

func (r *ring) Sign(_ context.Context, name string, message []byte) ([]byte, error) {
	if name == KeyDID {
		return eip712.Sign(r.did, [32]byte(message))
	}
	if r.signs[name] == nil {
		return nil, keyring.ErrNotFound
	}
	return ed25519.Sign(r.signs[name], message), nil
}

func (r *ring) Open(_ context.Context, name string, info, box []byte) ([]byte, error) {
	if r.opens[name] == nil {
		return nil, keyring.ErrNotFound
	}
	return hpke.Open(r.opens[name], hpke.HKDFSHA256(), hpke.AES256GCM(), info, box)
}

func (r *ring) Destroy(_ context.Context, name string) error {
	delete(r.signs, name)
	delete(r.opens, name)
	return nil
}

type breakingRing struct {
	*ring
	*breaks
}

func (r breakingRing) Create(ctx context.Context, name string, kind keyring.Kind) ([]byte, error) {
	return call(r.breaks, func() ([]byte, error) { return r.ring.Create(ctx, name, kind) })
}

func (r breakingRing) Sign(ctx context.Context, name string, message []byte) ([]byte, error) {
	return call(r.breaks, func() ([]byte, error) { return r.ring.Sign(ctx, name, message) })
}

func (r breakingRing) Destroy(ctx context.Context, name string) error {
	return r.do(func() error { return r.ring.Destroy(ctx, name) })
}

// breakingBroker notes the generations it was shown, too.
type breakingBroker struct {
	*fakeBroker
	*breaks
	t    *testing.T
	gens map[uint64]envelope.Digest
}

func (b *breakingBroker) Instances(ctx context.Context, did string) ([]brokerclient.Instance, error) {
	return call(b.breaks, func() ([]brokerclient.Instance, error) { return b.fakeBroker.Instances(ctx, did) })
}

func (b *breakingBroker) Login(ctx context.Context, certificate, login []byte) (*brokerclient.Login, error) {
	return call(b.breaks, func() (*brokerclient.Login, error) { return b.fakeBroker.Login(ctx, certificate, login) })
}

func (b *breakingBroker) PutObject(ctx context.Context, kind string, digest [32]byte, raw []byte) error {
	return b.do(func() error {
		if p, err := envelope.ParsePackage(raw); kind == brokerclient.KindPackage && err == nil {
			if old, ok := b.gens[p.Gen]; ok && old != digest {
				b.t.Errorf("two packages of generation %d", p.Gen)
			}
			b.gens[p.Gen] = digest
		}
		return b.fakeBroker.PutObject(ctx, kind, digest, raw)
	})
}

// stride is from one call that breaks off to the next.
var stride = 1

// TestWhatBreaksOffLosesNoKey has each call to store, keyring and broker break
// off in turn, through a first start, a new package, a raised floor and the end
// of old keys, with the process that goes on and with the next one: no
// generation is used twice, what others can seal to opens for 48 h after it was
// superseded and not for ever, a raised floor gets out though nobody asks again,
// and no key is left over.
func TestWhatBreaksOffLosesNoKey(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, restart := range []bool{false, true} {
			for n := 1; ; n += stride {
				broke := false
				t.Run(fmt.Sprintf("call %d, made %v, restarted %v", n, after, restart), func(t *testing.T) {
					broke = breakOff(t, &breaks{left: n, after: after}, restart)
				})
				if !broke {
					break
				}
			}
		}
	}
}

func breakOff(t *testing.T, b *breaks, restart bool) bool {
	w := worldWith(t, nil)
	did, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	keys := &ring{did: did, signs: map[string]ed25519.PrivateKey{}, opens: map[string]hpke.PrivateKey{}}
	broker := &breakingBroker{fakeBroker: w.broker, breaks: b, t: t, gens: map[uint64]envelope.Digest{}}
	open := func() *Self {
		for {
			s, err := New(ctx, Deps{Keyring: breakingRing{keys, b}, Broker: broker, Hub: w.hub, DIDs: anyone{}, Store: breakingStore{w.store, b},
				Domain: domain, Network: w.network, Events: w.events, Clock: w.clock, Log: testkit.Logger(t)})
			if err == nil {
				return s
			}
		}
	}
	s := open()
	again := func() {
		if restart && b.left <= 0 {
			restart = false
			s = open()
		}
		w.clock.Advance(firstPause)
	}
	type sealed struct {
		pkg       envelope.Digest
		info, box []byte
		last      time.Time // when it was in the directory last
	}
	var boxes []*sealed
	// steps is what Run does until nothing fails, and what others see then.
	steps := func() {
		for s.step(ctx) != nil {
			again()
		}
		if b.left <= 0 {
			again()
			if err := s.step(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if s.Err() != nil || w.broker.list[0].Certificate != s.Certificate().Digest() || w.broker.list[0].Package != s.Package().Digest() {
			t.Fatalf("not in the directory: %v", s.Err())
		}
		if len(boxes) == 0 || boxes[len(boxes)-1].pkg != s.Package().Digest() {
			pkg, info, box := seal(t, s)
			boxes = append(boxes, &sealed{pkg: pkg, info: info, box: box})
		}
		boxes[len(boxes)-1].last = w.clock.Now()
		for i, x := range boxes {
			_, err := s.OpenBox(ctx, x.pkg, x.info, x.box)
			if since := w.clock.Since(x.last); since <= 2*day && err != nil || since > 4*day+time.Hour && err == nil {
				t.Fatalf("box %d, %s after its package was in the directory: %v", i, since, err)
			}
		}
	}
	steps()
	w.clock.Advance(day)
	steps()
	asked := uint64(w.clock.Now().Unix())
	err = s.RaiseFloor(ctx)
	again()
	steps()
	raised := slices.ContainsFunc(slices.Collect(maps.Values(w.store.certs)), func(c Certificate) bool { return c.Floor >= asked })
	if got := s.Certificate().Floor >= asked; got != raised || err == nil && !raised {
		t.Fatalf("a floor is stored: %v, in force: %v, answered with %v", raised, got, err)
	}
	for range 6 {
		w.clock.Advance(day)
		s.Drained(w.clock.Now().UnixMilli())
		steps()
	}
	names := slices.Sorted(maps.Keys(keys.signs))
	names = append(names, slices.Sorted(maps.Keys(keys.opens))...)
	var want []string
	for _, c := range w.store.certs {
		want = append(want, c.Key)
	}
	for _, p := range w.store.pkgs {
		if !p.Destroyed {
			want = append(want, p.Key)
		}
	}
	slices.Sort(want)
	if !slices.Equal(names, slices.Compact(want)) && (restart || b.left > 0) { // a process that ends before it asked the store leaves one
		t.Errorf("keys %v, papers for %v", names, want)
	}
	return b.left <= 0
}

// lateStore refuses to note what was superseded, once.
type lateStore struct {
	*memory
	refuse bool
}

func (s *lateStore) PutPackage(ctx context.Context, p Package) error {
	if p.Superseded != 0 && s.refuse {
		s.refuse = false
		return context.Canceled
	}
	return s.memory.PutPackage(ctx, p)
}

// A process that ends before it noted that a package was superseded leaves it
// to the next one, which does not wait for a newer package to notice.
func TestSupersededIsNotedByTheNextStart(t *testing.T) {
	w := newWorld(t)
	store := &lateStore{memory: w.store}
	s := w.ready()
	pkg, info, box := seal(t, s)
	w.clock.Advance(day)
	store.refuse = true
	s.d.Store = store
	if s.step(ctx) == nil {
		t.Fatal("the store did not refuse")
	}
	s = w.ready()
	for _, p := range w.store.pkgs {
		if superseded := p.Superseded != 0; superseded != (p.Digest == pkg) {
			t.Fatalf("package %s is superseded: %v", p.Digest, superseded)
		}
	}
	w.clock.Advance(2*day + time.Second)
	s.Drained(w.clock.Now().UnixMilli())
	w.step(s, "")
	_, err := s.OpenBox(ctx, pkg, info, box)
	code(t, err, "package_gone")
}

// meanwhile calls fn in the middle of the publication of a package.
type meanwhile struct {
	*fakeBroker
	fn func()
}

func (b *meanwhile) PutObject(ctx context.Context, kind string, digest [32]byte, raw []byte) error {
	if fn := b.fn; kind == brokerclient.KindPackage && fn != nil {
		b.fn = nil
		fn()
	}
	return b.fakeBroker.PutObject(ctx, kind, digest, raw)
}

// A package that is made while the one before it is being published is not
// superseded by that one: its key would die before those that seal to it know.
func TestFloorRaisedWhileAPackageIsPublished(t *testing.T) {
	w := newWorld(t)
	s := w.ready()
	w.clock.Advance(day)
	b := &meanwhile{fakeBroker: w.broker}
	b.fn = func() {
		if err := s.RaiseFloor(ctx); err != nil {
			t.Error(err)
		}
	}
	s.d.Broker = b
	w.step(s, "")
	w.step(s, "")
	newest := s.Package().Digest()
	if w.broker.list[0].Package != newest || s.Package().Gen < s.Certificate().Floor {
		t.Fatal("the new package is not in the directory")
	}
	if at := w.store.pkgs[newest].Superseded; at != 0 {
		t.Fatal("the newest package is superseded")
	}
}

// A token that is refused right after the login that gave it is not kept until
// it ends: nobody may say so a second time.
func TestRefusedRightAfterTheLogin(t *testing.T) {
	w := newWorld(t)
	s := w.ready()
	s.Refresh()
	w.step(s, "")
	w.clock.Advance(loginPause + time.Second)
	w.step(s, "")
	if w.broker.logins != 2 {
		t.Fatalf("%d logins", w.broker.logins)
	}
}
