package outbox_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/evm/eip712"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/brokerclient"
	"github.com/digital-spine/spine/gateway/outbox"
	"github.com/digital-spine/spine/gateway/sqlstore"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/internal/sqlkit"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/schema"
	"github.com/digital-spine/spine/vc"
)

const (
	topicName = "telemetry.market.apps.edge.iam.ewc"
	roleName  = "networkoperator.roles.market.apps.edge.iam.ewc"
	retention = int64(7 * 24 * time.Hour / time.Millisecond)
)

var domain = eip712.Domain{ChainID: 1337, Registry: common.HexToAddress("0x1111111111111111111111111111111111111111")}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// party is a gateway instance with real keys and papers.
type party struct {
	did   string
	inst  uint64
	addr  string
	owner *ecdsa.PrivateKey
	key   ed25519.PrivateKey
	cert  *envelope.Certificate
	keys  map[envelope.Digest]ed25519.PrivateKey
	xwing map[envelope.Digest]hpke.PrivateKey
	pkg   *envelope.Package
	gen   uint64
	err   error
}

type didSigner struct{ key *ecdsa.PrivateKey }

func (s didSigner) SignDigest(_ context.Context, d [32]byte) ([]byte, error) {
	return eip712.Sign(s.key, d)
}

type edSigner struct{ key ed25519.PrivateKey }

func (s edSigner) Sign(_ context.Context, m []byte) ([]byte, error) {
	return ed25519.Sign(s.key, m), nil
}

func newParty(now int64) *party {
	owner := must(crypto.GenerateKey())
	p := &party{owner: owner, keys: map[envelope.Digest]ed25519.PrivateKey{}, xwing: map[envelope.Digest]hpke.PrivateKey{}}
	p.did = ethr.ID{ChainID: 1337, Address: crypto.PubkeyToAddress(owner.PublicKey)}.String()
	p.addr = envelope.Address(p.did, p.inst)
	p.certify(now, 0)
	p.renew(now)
	return p
}

// certify makes a new instance certificate.
func (p *party) certify(now int64, floor uint64) {
	_, p.key, _ = ed25519.GenerateKey(rand.Reader)
	p.cert = must(envelope.NewCertificate(context.Background(), domain, didSigner{p.owner}, edSigner{p.key}, envelope.CertificateBody{
		DID: p.did, Inst: p.inst, Key: envelope.Digest(p.key.Public().(ed25519.PublicKey)), NotBefore: now, NotAfter: now + envelope.CertificateLife, Floor: floor}))
	p.keys[p.cert.Digest()] = p.key
}

// renew makes a new key package.
func (p *party) renew(now int64) {
	x := must(hpke.MLKEM768X25519().GenerateKey())
	p.gen = envelope.NextGeneration(p.gen, now, now)
	p.pkg = must(envelope.NewPackage(context.Background(), edSigner{p.key}, envelope.PackageBody{Cert: p.cert.Digest(), Gen: p.gen,
		NotBefore: now, NotAfter: p.cert.NotAfter, KEM: map[uint64][]byte{envelope.Suite1: x.PublicKey().Bytes()}}))
	p.xwing[p.pkg.Digest()] = x
}

func (p *party) DID() string                        { return p.did }
func (p *party) Inst() uint64                       { return p.inst }
func (p *party) Addr() string                       { return p.addr }
func (p *party) Certificate() *envelope.Certificate { return p.cert }
func (p *party) Err() error                         { return p.err }

func (p *party) SignWith(_ context.Context, cert envelope.Digest, m []byte) ([]byte, error) {
	key, ok := p.keys[cert]
	if !ok {
		return nil, errors.New("no such key")
	}
	return ed25519.Sign(key, m), nil
}

func (p *party) member() trust.Member {
	return trust.Member{DID: p.did, Inst: p.inst, Addr: p.addr, PP: 7, Certificate: p.cert, Package: p.pkg}
}

// book is a trust.Book whose answers the test sets.
type book struct {
	mu      sync.Mutex
	topics  map[string]*trust.Topic
	holders map[string][]trust.Holder
	members map[string][]trust.Member
	certs   map[envelope.Digest]*envelope.Certificate
	own     []*vc.Verified
	fail    error         // of Instances
	slow    chan struct{} // Instances waits for it
	named   map[string]envelope.Digest
	hooks   []func(trust.Change)
}

func (b *book) Current(context.Context, string, string) (*trust.Topic, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.topics[topicName]; t != nil {
		return t, nil
	}
	return nil, envelope.BadTopic.Errorf("no record")
}

func (b *book) Holders(_ context.Context, role string) ([]trust.Holder, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.holders[role], nil
}

func (b *book) Own(context.Context) ([]*vc.Verified, error) { return b.own, nil }

func (b *book) Instances(_ context.Context, did string) ([]trust.Member, error) {
	b.mu.Lock()
	m, err, slow := b.members[did], b.fail, b.slow
	b.mu.Unlock()
	if slow != nil {
		<-slow
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (b *book) Certificate(_ context.Context, d envelope.Digest) (*envelope.Certificate, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.certs[d]; c != nil {
		return c, nil
	}
	return nil, envelope.BadCert.Errorf("absent")
}

func (b *book) Named(did string, _ uint64, pkg envelope.Digest, _ uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.named[did] = pkg
}

func (b *book) Keep(context.Context, string, uint64) error { return nil }

func (b *book) OnChange(fn func(trust.Change)) { b.hooks = append(b.hooks, fn) }

func (b *book) set(fn func()) {
	b.mu.Lock()
	fn()
	b.mu.Unlock()
	for _, h := range b.hooks {
		h(trust.Change{})
	}
}

func (b *book) admit(p *party) {
	b.set(func() {
		b.holders[roleName] = append(b.holders[roleName], trust.Holder{DID: p.did, Credential: envelope.Sum([]byte(p.did))})
		b.members[p.did] = []trust.Member{p.member()}
		b.certs[p.cert.Digest()] = p.cert
	})
}

func (b *book) dismiss(p *party) {
	b.set(func() {
		var keep []trust.Holder
		for _, h := range b.holders[roleName] {
			if h.DID != p.did {
				keep = append(keep, h)
			}
		}
		b.holders[roleName] = keep
	})
}

// net is a broker that keeps what it stored.
type net struct {
	mu     sync.Mutex
	stored []bus.Msg
	tried  []bus.Msg
	fail   func(bus.Msg) error
	news   chan struct{}
	hold   chan struct{} // publishes wait for it
	delay  time.Duration // of a publish, for benchmarks
	forget bool          // for benchmarks
}

func (n *net) Publish(ctx context.Context, msgs []bus.Msg) []error {
	n.mu.Lock()
	hold := n.hold
	n.mu.Unlock()
	if n.delay > 0 {
		time.Sleep(n.delay)
	}
	if n.forget {
		return make([]error, len(msgs))
	}
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	errs := make([]error, len(msgs))
	for i, m := range msgs {
		n.tried = append(n.tried, m)
		if ctx.Err() != nil {
			errs[i] = ctx.Err()
			continue
		}
		if n.fail != nil {
			if errs[i] = n.fail(m); errs[i] != nil {
				continue
			}
		}
		n.stored = append(n.stored, m)
	}
	close(n.news)
	n.news = make(chan struct{})
	return errs
}

func (n *net) set(fail func(bus.Msg) error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fail = fail
}

// to returns what is stored for an address.
func (n *net) to(addr string) [][]byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out [][]byte
	for _, m := range n.stored {
		if _, mailbox, _, err := bus.ParseSubject(m.Subject); err == nil && mailbox == addr {
			out = append(out, m.Data)
		}
	}
	return out
}

// await waits until ok holds, looking again at every publish.
func (n *net) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx := testkit.Context(t)
	for {
		n.mu.Lock()
		news := n.news
		n.mu.Unlock()
		if ok() {
			return
		}
		select {
		case <-news:
		case <-time.After(20 * time.Millisecond): // state beside the bus
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

type channels struct {
	mu      sync.Mutex
	m       map[string]*gateway.Channel
	changed chan struct{}
}

func (c *channels) Channel(name string) (*gateway.Channel, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch := c.m[name]; ch != nil {
		return ch, nil
	}
	return nil, gateway.ChannelUnknown(name)
}
func (c *channels) ForTopic(string) []gateway.Channel { return nil }
func (c *channels) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}
func (c *channels) put(ch *gateway.Channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.m[ch.Name] = ch
	close(c.changed)
	c.changed = make(chan struct{})
}

type events struct {
	mu   sync.Mutex
	list []gateway.Event
}

func (e *events) Emit(_ context.Context, ev gateway.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, ev)
}

func (e *events) has(code string) *gateway.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range e.list {
		if e.list[i].Code == code {
			return &e.list[i]
		}
	}
	return nil
}

// ring wraps by a constant: the outbox only needs its own secret back.
type ring struct{}

func (ring) Wrap(_ context.Context, label string, plain []byte) ([]byte, error) {
	return append([]byte(label), plain...), nil
}
func (ring) Unwrap(_ context.Context, label string, wrapped []byte) ([]byte, error) {
	plain, ok := bytes.CutPrefix(wrapped, []byte(label))
	if !ok {
		return nil, errors.New("other label")
	}
	return plain, nil
}

type directory struct{ list []brokerclient.Instance }

func (d directory) InstanceAt(_ context.Context, addr string) ([]brokerclient.Instance, error) {
	for _, i := range d.list {
		if i.Addr == addr {
			return []brokerclient.Instance{i}, nil
		}
	}
	return nil, brokerclient.ErrNotFound
}

// flaky is a store whose commits can be made to fail, before or after they
// happened.
type flaky struct {
	outbox.Store
	mu            sync.Mutex
	before, after func(*outbox.Commit) error
}

func (f *flaky) set(before, after func(*outbox.Commit) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.after = before, after
}

func (f *flaky) Commit(ctx context.Context, c *outbox.Commit) error {
	f.mu.Lock()
	before, after := f.before, f.after
	f.mu.Unlock()
	if before != nil {
		if err := before(c); err != nil {
			return err
		}
	}
	if err := f.Store.Commit(ctx, c); err != nil {
		return err
	}
	if after != nil {
		return after(c)
	}
	return nil
}

// world is one sender with its surroundings. It survives a restart of the
// outbox.
type world struct {
	t        testing.TB
	clock    *clockwork.FakeClock
	self     *party
	book     *book
	net      *net
	channels *channels
	events   *events
	dir      directory
	path     string
	config   outbox.Config
	network  outbox.Network

	db    *sqlstore.Store
	store *flaky
	box   *outbox.Outbox
	stop  func()
}

var began = time.UnixMilli(1_767_225_600_000)

func newWorld(t testing.TB) *world {
	now := began.UnixMilli()
	w := &world{t: t, clock: clockwork.NewFakeClockAt(began), self: newParty(now),
		book: &book{topics: map[string]*trust.Topic{}, holders: map[string][]trust.Holder{}, members: map[string][]trust.Member{},
			certs: map[envelope.Digest]*envelope.Certificate{}, named: map[string]envelope.Digest{}},
		net:      &net{news: make(chan struct{})},
		channels: &channels{m: map[string]*gateway.Channel{}, changed: make(chan struct{})},
		events:   &events{}, path: filepath.Join(t.TempDir(), "gateway.db"),
		network: outbox.Network{RetentionMS: retention, Wire: envelope.WireDefault, Cap: 1_000_000},
	}
	w.publishTopic(1)
	w.channels.put(&gateway.Channel{Name: "telemetry", Topic: topicName, Send: &gateway.Admission{Roles: []string{roleName}}})
	return w
}

// publishTopic puts a revision of the topic's record in force.
func (w *world) publishTopic(revision uint64) {
	files := []envelope.File{{Name: "root.json", Bytes: []byte(`{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}`)}}
	s := must(envelope.NewSchema("json", "root.json", files))
	rec := must(envelope.NewTopic(context.Background(), domain, didSigner{w.self.owner}, envelope.TopicBody{DID: w.self.did, Name: topicName,
		Version: "1.0.0", Revision: revision, Kind: "json", Schema: s.Digest(), NotBefore: began.UnixMilli(), NotAfter: began.UnixMilli() + envelope.TopicLife}))
	v := must(schema.Compile("json", "root.json", []schema.File{{Name: "root.json", Data: files[0].Bytes}}))
	w.book.set(func() { w.book.topics[topicName] = &trust.Topic{Record: rec, Digest: rec.Digest(), Schema: v} })
}

// start opens the store and runs an outbox over it.
func (w *world) start() *outbox.Outbox {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w.db = must(sqlstore.Open(ctx, "sqlite:"+w.path, sqlkit.Options{}))
	w.store = &flaky{Store: w.db.Outbox()}
	w.box = w.make(w.store)
	done := make(chan error, 1)
	go func() { done <- w.box.Run(ctx) }()
	var once sync.Once
	w.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				w.t.Errorf("run ended with %v", err)
			}
			if err := w.db.Close(); err != nil {
				w.t.Errorf("close: %v", err)
			}
		})
	}
	w.t.Cleanup(w.stop)
	return w.box
}

func (w *world) make(st outbox.Store) *outbox.Outbox {
	return must(outbox.New(context.Background(), outbox.Deps{Config: w.config, Network: w.network, Store: st, Ring: ring{}, Trust: w.book, Self: w.self,
		Bus: w.net, Directory: w.dir, Channels: w.channels, Events: w.events, Clock: w.clock, Log: testkit.Logger(w.t)}))
}

func draft(n int) gateway.Draft {
	return gateway.Draft{Channel: "telemetry", Body: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))}
}

// send sends one draft and returns what was accepted.
func (w *world) send(d gateway.Draft) gateway.Accepted {
	w.t.Helper()
	out, errs := w.box.Send(context.Background(), []gateway.Draft{d})
	if errs[0] != nil {
		w.t.Fatalf("send: %v", errs[0])
	}
	return out[0]
}

func (w *world) status(id string) *gateway.MessageStatus {
	w.t.Helper()
	st, err := w.box.Status(context.Background(), id)
	if err != nil {
		w.t.Fatalf("status: %v", err)
	}
	return st
}

// advance moves the clock in steps, so that timers made by timers fire too.
func (w *world) advance(d time.Duration) {
	for step := d / 10; d > 0; d -= step {
		w.clock.Advance(min(step, d))
		time.Sleep(time.Millisecond) // lets woken goroutines make their next timers
	}
}

type trustMember = trust.Member

func instance(p *party, pp int) brokerclient.Instance {
	return brokerclient.Instance{DID: p.did, Inst: p.inst, Addr: p.addr, PP: pp}
}
