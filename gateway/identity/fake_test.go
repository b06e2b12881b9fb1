package identity

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/evm/eip712"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/brokerclient"
	"github.com/digital-spine/spine/gateway/hubclient"
	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/keyring"
	"github.com/digital-spine/spine/keyring/file"
)

var (
	t0     = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	domain = eip712.Domain{ChainID: 1337, Registry: common.HexToAddress("0x1111111111111111111111111111111111111111")}
)

// world is everything around a Self, with a clock that the test holds.
type world struct {
	t       *testing.T
	clock   *clockwork.FakeClock
	servers *clockwork.FakeClock // the servers' clock; the same one unless a test says so
	ring    keyring.Keyring
	store   *memory
	broker  *fakeBroker
	hub     *fakeHub
	events  *recorder
	network *config.Network
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ring, _, err := file.Open(filepath.Join(t.TempDir(), "keys"), bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return worldWith(t, ring)
}

func worldWith(t *testing.T, ring keyring.Keyring) *world {
	w := &world{t: t, clock: clockwork.NewFakeClockAt(t0), ring: ring, store: &memory{}, events: &recorder{}}
	w.servers = w.clock
	w.network = config.NewNetwork("test", 1337, config.Contracts{})
	w.network.NATS = "nats://127.0.0.1:4222"
	told := brokerclient.Network{RetentionMS: w.network.RetentionMS, StatusTTLMS: w.network.StatusTTLMS, Wire: w.network.Wire, Cap: w.network.Cap}
	w.broker = &fakeBroker{w: w, network: told, nats: w.network.NATS, objects: map[[32]byte][]byte{}}
	w.hub = &fakeHub{w: w, network: hubclient.Network(told)}
	return w
}

func (w *world) self() *Self {
	w.t.Helper()
	s, err := New(context.Background(), Deps{Keyring: w.ring, Broker: w.broker, Hub: w.hub, DIDs: anyone{}, Store: w.store, Domain: domain,
		Network: w.network, Events: w.events, Clock: w.clock, Log: testkit.Logger(w.t), Inst: 0})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// ready is a Self after its first step.
func (w *world) ready() *Self {
	w.t.Helper()
	s := w.self()
	w.step(s, "")
	return s
}

// step runs one step and demands the code of its error, "" for none.
func (w *world) step(s *Self, code string) {
	w.t.Helper()
	if err := s.step(context.Background()); problem.CodeOf(err) != code {
		w.t.Fatalf("step: %v; want code %q", err, code)
	}
}

// anyone entitles the address in the DID.
type anyone struct{}

func (anyone) Entitled(_ context.Context, did string, signer common.Address) error {
	if !bytes.HasSuffix([]byte(did), []byte(signer.Hex())) {
		return envelope.BadCert.Errorf("not entitled")
	}
	return nil
}

type fakeBroker struct {
	w       *world
	network brokerclient.Network
	nats    string

	mu      sync.Mutex
	down    bool
	heard   bool
	objects map[[32]byte][]byte
	list    []brokerclient.Instance
	logins  int
}

var errDown = problem.New(502, "unreachable", "the server cannot be reached")

func (b *fakeBroker) answer() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return errDown
	}
	b.heard = true
	return nil
}

func (b *fakeBroker) URL() string { return "http://broker" }

func (b *fakeBroker) ServerTime() time.Time {
	if !b.heard {
		return time.Time{}
	}
	return b.w.servers.Now().Truncate(time.Second)
}

func (b *fakeBroker) Challenge(context.Context) ([32]byte, error) { return [32]byte{1}, b.answer() }

func (b *fakeBroker) Login(_ context.Context, certificate, login []byte) (*brokerclient.Login, error) {
	if err := b.answer(); err != nil {
		return nil, err
	}
	l, err := checkLogin(certificate, login, "http://broker", b.w.servers.Now().UnixMilli())
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.logins++
	c, _ := envelope.ParseCertificate(certificate)
	return &brokerclient.Login{Token: "t", Expires: b.w.servers.Now().Add(10 * time.Minute), Network: b.network,
		NATS: brokerclient.NATS{URL: b.nats, Token: string(rune('a'-1+b.logins)) + l.NKey, Stream: "MB_01", Consumer: "i-" + c.Address(), PP: 1, Addr: c.Address()}}, nil
}

func checkLogin(certificate, login []byte, origin string, now int64) (*envelope.Login, error) {
	c, err := envelope.ParseCertificate(certificate)
	if err != nil {
		return nil, err
	}
	l, err := envelope.ParseLogin(login)
	if err != nil {
		return nil, err
	}
	return l, errors.Join(c.Check(context.Background(), now, domain, anyone{}, 0), c.CheckNow(now), l.Check(c, origin, [32]byte{1}, now))
}

func (b *fakeBroker) Object(_ context.Context, _ string, digest [32]byte) ([]byte, error) {
	if err := b.answer(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if raw, ok := b.objects[digest]; ok {
		return raw, nil
	}
	return nil, brokerclient.ErrNotFound
}

func (b *fakeBroker) PutObject(_ context.Context, kind string, digest [32]byte, raw []byte) error {
	if err := b.answer(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.objects[digest] = raw
	switch kind {
	case brokerclient.KindCertificate:
		c, err := envelope.ParseCertificate(raw)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(b.list, func(i brokerclient.Instance) bool { return i.DID == c.DID && i.Inst == c.Inst })
		if i < 0 {
			i = len(b.list)
			b.list = append(b.list, brokerclient.Instance{DID: c.DID, Inst: c.Inst, Addr: c.Address(), PP: 1})
		}
		b.list[i].Certificate = digest
	case brokerclient.KindPackage:
		for i := range b.list {
			b.list[i].Package = digest
		}
	}
	return nil
}

func (b *fakeBroker) Instances(_ context.Context, did string) ([]brokerclient.Instance, error) {
	if err := b.answer(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []brokerclient.Instance
	for _, i := range b.list {
		if i.DID == did {
			out = append(out, i)
		}
	}
	return out, nil
}

type fakeHub struct {
	w       *world
	network hubclient.Network
	down    bool
	logins  int
	refused func()
}

func (h *fakeHub) OnUnauthorized(fn func()) { h.refused = fn }

func (h *fakeHub) URL() string { return "http://hub" }

func (h *fakeHub) ServerTime() time.Time {
	if h.logins == 0 {
		return time.Time{}
	}
	return h.w.servers.Now().Truncate(time.Second)
}

func (h *fakeHub) Challenge(context.Context) ([32]byte, error) {
	if h.down {
		return [32]byte{}, errDown
	}
	return [32]byte{1}, nil
}

func (h *fakeHub) Login(_ context.Context, certificate, login []byte) (*hubclient.Login, error) {
	l, err := checkLogin(certificate, login, "http://hub", h.w.servers.Now().UnixMilli())
	if err != nil {
		return nil, err
	}
	if l.NKey != "" {
		return nil, errors.New("a login to the hub names no NATS key")
	}
	h.logins++
	return &hubclient.Login{Token: "t", Expires: h.w.servers.Now().Add(10 * time.Minute), Network: h.network}, nil
}

// memory is a Store for tests.
type memory struct {
	mu    sync.Mutex
	certs map[envelope.Digest]Certificate
	pkgs  map[envelope.Digest]Package
}

func (m *memory) clone() *memory {
	return &memory{certs: maps.Clone(m.certs), pkgs: maps.Clone(m.pkgs)}
}

func (m *memory) Certificates(context.Context) ([]Certificate, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Values(m.certs), func(a, b Certificate) int { return cmp.Compare(a.NotBefore, b.NotBefore) }), nil
}

func (m *memory) PutCertificate(_ context.Context, c Certificate) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.certs == nil {
		m.certs = map[envelope.Digest]Certificate{}
	}
	m.certs[c.Digest] = c
	return nil
}

func (m *memory) DropCertificate(_ context.Context, d envelope.Digest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.certs, d)
	return nil
}

func (m *memory) Packages(context.Context) ([]Package, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Values(m.pkgs), func(a, b Package) int { return cmp.Compare(a.Gen, b.Gen) }), nil
}

func (m *memory) PutPackage(_ context.Context, p Package) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pkgs == nil {
		m.pkgs = map[envelope.Digest]Package{}
	}
	m.pkgs[p.Digest] = p
	return nil
}

func (m *memory) DropPackage(_ context.Context, d envelope.Digest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.pkgs, d)
	return nil
}

type recorder struct {
	mu    sync.Mutex
	codes []string
}

func (r *recorder) Emit(_ context.Context, e gateway.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.codes = append(r.codes, e.Code)
}

// stranger signs with a key of somebody else.
func stranger(t *testing.T) envelope.DIDSigner {
	t.Helper()
	ring, _, err := file.Open(filepath.Join(t.TempDir(), "keys"), bytes.Repeat([]byte{8}, 32))
	if err != nil {
		t.Fatal(err)
	}
	address, err := didKey(context.Background(), ring)
	if err != nil {
		t.Fatal(err)
	}
	return Signer{ring: ring, address: address}
}
