package trust

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/evm/eip712"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/brokerclient"
	"github.com/digital-spine/spine/gateway/hubclient"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/vc"
)

var (
	ctx    = context.Background()
	t0     = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	domain = eip712.Domain{ChainID: 1337, Registry: common.HexToAddress("0x1111111111111111111111111111111111111111")}
)

const (
	namespace = "market.apps.edge.iam.ewc"
	topicName = "telemetry." + namespace
	roleName  = "aggregator.roles." + namespace
	day       = 24 * time.Hour
)

// world is broker, hub and chain around one book, with a clock that the test
// holds. Everything in it is signed for real.
type world struct {
	t      *testing.T
	clock  *clockwork.FakeClock
	broker *fakeBroker
	hub    *fakeHub
	chain  *fakeChain
	store  *memory
	events *recorder
	book   *Book

	mu      sync.Mutex
	changes []Change
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: clockwork.NewFakeClockAt(t0), store: newMemory(), events: &recorder{}}
	w.broker = &fakeBroker{objects: map[[32]byte][]byte{}, instances: map[string][]brokerclient.Instance{}, records: map[string][]brokerclient.Record{}}
	w.hub = &fakeHub{credentials: map[[32]byte][]byte{}, holders: map[string][]hubclient.Holder{}, of: map[string][]hubclient.Credential{},
		lists: map[string]*hubclient.Status{}, news: make(chan struct{}, 100)}
	w.chain = &fakeChain{removed: map[string]bool{}, owners: map[string]common.Address{}, roles: map[string]*ens.RoleDefinition{}}
	w.open()
	return w
}

// open makes a book over the store, as a start does.
func (w *world) open() { w.openOver(w.broker, w.hub, w.store) }

func (w *world) openOver(broker Directory, hub Hub, store Store) {
	w.book = New(Deps{DID: party(w.t, 99).did, Domain: domain, StatusTTL: time.Minute, Broker: broker, Hub: hub, DIDs: w.chain, Names: w.chain,
		Store: store, Chain: w.chain, Events: w.events, Clock: w.clock, Log: testkit.Logger(w.t)})
	w.book.OnChange(func(c Change) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.changes = append(w.changes, c)
	})
}

func (w *world) now() int64 { return w.clock.Now().UnixMilli() }

func (w *world) told(c Change) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.changes, c)
}

func code(t *testing.T, err error, want string) {
	t.Helper()
	if got := problem.CodeOf(err); got != want {
		t.Fatalf("error %v has code %q, want %q", err, got, want)
	}
}

// signer is a participant with an instance key.
type signer struct {
	*evm.KeySigner
	did  string
	key  ed25519.PrivateKey
	inst uint64
}

// party makes the same participant each time for the same seed.
func party(t testing.TB, seed byte) *signer {
	t.Helper()
	secret := make([]byte, 32)
	secret[31] = seed
	k, err := crypto.ToECDSA(secret)
	if err != nil {
		t.Fatal(err)
	}
	s := evm.NewKeySigner(k)
	return &signer{KeySigner: s, did: ethr.ID{ChainID: 1337, Address: s.Address()}.String(), key: ed25519.NewKeyFromSeed(secret)}
}

func (s *signer) Sign(_ context.Context, message []byte) ([]byte, error) {
	return ed25519.Sign(s.key, message), nil
}

// certificate makes a certificate from nbf with a floor.
func (w *world) certificate(s *signer, nbf time.Time, floor uint64) *envelope.Certificate {
	w.t.Helper()
	c, err := envelope.NewCertificate(ctx, domain, s, s, envelope.CertificateBody{DID: s.did, Inst: s.inst, Key: envelope.Digest(s.key.Public().(ed25519.PublicKey)),
		NotBefore: nbf.UnixMilli(), NotAfter: nbf.UnixMilli() + envelope.CertificateLife, Floor: floor})
	if err != nil {
		w.t.Fatal(err)
	}
	w.broker.objects[c.Digest()] = c.Bytes()
	return c
}

// pkg makes a package under a certificate.
func (w *world) pkg(s *signer, c *envelope.Certificate, at time.Time) *envelope.Package {
	w.t.Helper()
	key, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := envelope.NewPackage(ctx, s, envelope.PackageBody{Cert: c.Digest(), Gen: uint64(at.Unix()), NotBefore: at.UnixMilli(), NotAfter: c.NotAfter,
		KEM: map[uint64][]byte{envelope.Suite1: key.PublicKey().Bytes()}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.broker.objects[p.Digest()] = p.Bytes()
	return p
}

// list puts a party's papers into the directory as its newest.
func (w *world) list(s *signer, c *envelope.Certificate, p *envelope.Package) {
	w.broker.mu.Lock()
	defer w.broker.mu.Unlock()
	w.broker.instances[s.did] = []brokerclient.Instance{{DID: s.did, Inst: s.inst, Addr: c.Address(), PP: 3, Certificate: c.Digest(), Package: p.Digest()}}
}

// issuer makes a party the issuer of the role, with a clear status list.
type issuer struct {
	*signer
	w        *world
	cert     *envelope.Certificate
	bits     *vc.Bitstring
	list     []byte
	id       string
	revision uint64
}

func (w *world) issuer(seed byte) *issuer {
	s := party(w.t, seed)
	w.chain.roles[roleName] = &ens.RoleDefinition{Name: roleName, IssuerDIDs: []common.Address{s.Address()}}
	i := &issuer{signer: s, w: w, cert: w.certificate(s, t0, 0), bits: vc.NewBitstring(0), id: vc.ListID(s.did, "1")}
	i.publish()
	return i
}

// publish signs the list when its bits changed, and a freshness from now.
func (i *issuer) publish() {
	i.w.t.Helper()
	i.sign()
	i.freshen()
}

func (i *issuer) sign() {
	raw, err := vc.IssueList(ctx, domain, i, i.id, i.w.now(), i.bits)
	if err != nil {
		i.w.t.Fatal(err)
	}
	i.list = raw
	i.revision++
}

// freshen signs a freshness of the list as it is.
func (i *issuer) freshen() {
	now := i.w.now()
	f, err := envelope.NewStatus(ctx, i, envelope.StatusBody{Cert: i.cert.Digest(), List: envelope.Sum(i.list), Revision: i.revision, At: now, NotAfter: now + 60_000, ListID: i.id})
	if err != nil {
		i.w.t.Fatal(err)
	}
	i.w.hub.mu.Lock()
	defer i.w.hub.mu.Unlock()
	i.w.hub.lists[i.id] = &hubclient.Status{List: i.list, Freshness: f.Bytes(), Certificate: i.cert.Bytes()}
}

// issue gives a subject the role.
func (i *issuer) issue(subject string, index uint64, until time.Time) envelope.Digest {
	i.w.t.Helper()
	c := vc.RoleCredential{Issuer: i.did, Subject: subject, Role: roleName, ValidFrom: i.w.now(), StatusList: i.id, StatusIndex: index}
	if !until.IsZero() {
		c.ValidUntil = until.UnixMilli()
	}
	raw, err := vc.IssueRole(ctx, domain, i, c)
	if err != nil {
		i.w.t.Fatal(err)
	}
	d := vc.Digest(raw)
	i.w.hub.mu.Lock()
	defer i.w.hub.mu.Unlock()
	i.w.hub.credentials[d] = raw
	i.w.hub.holders[roleName] = append(i.w.hub.holders[roleName], hubclient.Holder{DID: subject, Credential: d})
	i.w.hub.of[subject] = append(i.w.hub.of[subject], hubclient.Credential{Digest: d, Role: roleName, Issuer: i.did})
	return d
}

// revoke sets a bit; tell says whether the hub shows it and tells of it.
func (i *issuer) revoke(index uint64, subject string, tell bool) {
	i.w.t.Helper()
	if err := i.bits.Set(index); err != nil {
		i.w.t.Fatal(err)
	}
	i.sign()
	if tell {
		i.freshen()
		i.w.hub.tell(hubclient.Event{Type: "revocation", Subject: subject, Role: roleName, List: i.id})
	}
}

type fakeBroker struct {
	mu        sync.Mutex
	down      bool
	calls     int
	objects   map[[32]byte][]byte
	instances map[string][]brokerclient.Instance
	records   map[string][]brokerclient.Record
}

var errDown = problem.New(502, "unreachable", "the server cannot be reached")

func (b *fakeBroker) Object(_ context.Context, _ string, digest [32]byte) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	if b.down {
		return nil, errDown
	}
	if raw, ok := b.objects[digest]; ok {
		return raw, nil
	}
	return nil, brokerclient.ErrNotFound
}

func (b *fakeBroker) Instances(_ context.Context, did string) ([]brokerclient.Instance, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	if b.down {
		return nil, errDown
	}
	return slices.Clone(b.instances[did]), nil
}

func (b *fakeBroker) Records(_ context.Context, name string) ([]brokerclient.Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	if b.down {
		return nil, errDown
	}
	return slices.Clone(b.records[name]), nil
}

type fakeHub struct {
	mu          sync.Mutex
	down        bool
	calls       int
	credentials map[[32]byte][]byte
	holders     map[string][]hubclient.Holder
	of          map[string][]hubclient.Credential
	lists       map[string]*hubclient.Status
	events      []hubclient.Event
	news        chan struct{}
	reset       bool
}

func (h *fakeHub) set(down bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = down
}

func (h *fakeHub) ask() error {
	h.calls++
	if h.down {
		return errDown
	}
	return nil
}

func (h *fakeHub) Holders(_ context.Context, role string) ([]hubclient.Holder, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.holders[role]), h.ask()
}

func (h *fakeHub) Credential(_ context.Context, digest [32]byte) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.ask(); err != nil {
		return nil, err
	}
	if raw, ok := h.credentials[digest]; ok {
		return raw, nil
	}
	return nil, hubclient.ErrNotFound
}

func (h *fakeHub) CredentialsOf(_ context.Context, subject string) ([]hubclient.Credential, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.of[subject]), h.ask()
}

func (h *fakeHub) Status(_ context.Context, list string) (*hubclient.Status, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.ask(); err != nil {
		return nil, err
	}
	if s, ok := h.lists[list]; ok {
		return s, nil
	}
	return nil, hubclient.ErrNotFound
}

func (h *fakeHub) tell(e hubclient.Event) {
	h.mu.Lock()
	e.N = uint64(len(h.events) + 1)
	h.events = append(h.events, e)
	h.mu.Unlock()
	h.news <- struct{}{}
}

func (h *fakeHub) Feed(ctx context.Context, after uint64, wait time.Duration) (*hubclient.News, error) {
	for {
		h.mu.Lock()
		last := uint64(len(h.events))
		switch {
		case h.down:
			h.mu.Unlock()
			return nil, errDown
		case after > last, h.reset:
			h.reset = false
			h.mu.Unlock()
			return &hubclient.News{Next: last, Reset: true}, nil
		case after < last:
			out := &hubclient.News{Events: slices.Clone(h.events[after:]), Next: last}
			h.mu.Unlock()
			return out, nil
		}
		h.mu.Unlock()
		if wait == 0 {
			return &hubclient.News{Next: after}, nil
		}
		select {
		case <-h.news:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// fakeChain entitles the address in a DID, unless it was removed.
type fakeChain struct {
	mu      sync.Mutex
	stale   bool
	calls   int
	removed map[string]bool
	owners  map[string]common.Address
	roles   map[string]*ens.RoleDefinition
	changed func(common.Address, [32]byte)
}

func (c *fakeChain) Watch(fn func(common.Address, [32]byte)) { c.changed = fn }

func (c *fakeChain) Entitled(_ context.Context, did string, signer common.Address) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	if c.stale {
		return ethr.ErrStale
	}
	if c.removed[did] || !strings.HasSuffix(did, signer.Hex()) {
		return ethr.ErrNotEntitled
	}
	return nil
}

// remove takes the DID's key away, and says so as the chain's follower would.
func (c *fakeChain) remove(s *signer) {
	c.mu.Lock()
	c.removed[s.did] = true
	c.mu.Unlock()
	c.changed(s.Address(), [32]byte{})
}

func (c *fakeChain) Owner(_ context.Context, name string) (common.Address, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stale {
		return common.Address{}, ens.ErrChain
	}
	if a, ok := c.owners[name]; ok {
		return a, nil
	}
	return common.Address{}, ens.ErrNotFound
}

func (c *fakeChain) Role(_ context.Context, name string) (*ens.RoleDefinition, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stale {
		return nil, ens.ErrChain
	}
	if d, ok := c.roles[name]; ok {
		return d, nil
	}
	return nil, ens.ErrNotFound
}

// memory is a Store for tests.
type memory struct {
	mu        sync.Mutex
	instances map[instance]Known
	records   map[version][]Record
	lists     map[string]revision
}

func newMemory() *memory {
	return &memory{instances: map[instance]Known{}, records: map[version][]Record{}, lists: map[string]revision{}}
}

func (m *memory) Instance(_ context.Context, did string, inst uint64) (Known, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.instances[instance{did, inst}], nil
}

func (m *memory) change(did string, inst uint64, fn func(*Known)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.instances[instance{did, inst}]
	fn(&k)
	m.instances[instance{did, inst}] = k
}

func (m *memory) RaiseFloor(_ context.Context, did string, inst uint64, floor uint64, _ int64) (raised bool, err error) {
	m.change(did, inst, func(k *Known) { raised, k.Floor = floor > k.Floor, max(floor, k.Floor) })
	return raised, nil
}

func (m *memory) RaisePackage(_ context.Context, did string, inst uint64, gen uint64, certificate, pkg []byte, _ int64) error {
	m.change(did, inst, func(k *Known) {
		if gen > k.Gen {
			k.Gen, k.Certificate, k.Package = gen, certificate, pkg
		}
	})
	return nil
}

func (m *memory) Name(_ context.Context, did string, inst uint64, pkg envelope.Digest, _ int64) error {
	m.change(did, inst, func(k *Known) { k.Named = pkg })
	return nil
}

func (m *memory) Keep(_ context.Context, did string, inst uint64, _ int64) error {
	m.change(did, inst, func(k *Known) { k.Kept = true })
	return nil
}

func (m *memory) Records(_ context.Context, name, ver string) ([]Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := slices.Clone(m.records[version{name, ver}])
	slices.SortFunc(list, func(a, b Record) int { return cmp.Compare(b.Revision, a.Revision) })
	return list, nil
}

func (m *memory) PutRecord(_ context.Context, name, ver string, r Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records[version{name, ver}] = append(m.records[version{name, ver}], r)
	return nil
}

func (m *memory) RaiseRevision(_ context.Context, list string, n uint64, digest [32]byte, _ int64) (uint64, [32]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, seen := m.lists[list]
	if !seen || n > old.n {
		m.lists[list] = revision{n, digest}
	}
	return old.n, old.digest, seen, nil
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

func (r *recorder) has(code string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.codes, code)
}
