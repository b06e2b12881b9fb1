package intake_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
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
	"github.com/digital-spine/spine/gateway/inbox"
	"github.com/digital-spine/spine/gateway/intake"
	"github.com/digital-spine/spine/gateway/sqlstore"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/internal/sqlkit"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/schema"
	"github.com/digital-spine/spine/vc"
)

const (
	topicName = "telemetry.market.apps.edge.iam.ewc"
	roleName  = "aggregator.roles.market.apps.edge.iam.ewc"
	retention = 7 * 24 * time.Hour
)

var (
	background = context.Background()
	domain     = eip712.Domain{ChainID: 1337, Registry: common.HexToAddress("0x1111111111111111111111111111111111111111")}
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

type didSigner struct{ key *ecdsa.PrivateKey }

func (s didSigner) SignDigest(_ context.Context, d [32]byte) ([]byte, error) {
	return eip712.Sign(s.key, d)
}

type edSigner struct{ key ed25519.PrivateKey }

func (s edSigner) Sign(_ context.Context, m []byte) ([]byte, error) {
	return ed25519.Sign(s.key, m), nil
}

// party is a gateway instance with real keys and papers. As the recipient it
// is the intake's Self.
type party struct {
	mu      sync.Mutex
	did     string
	addr    string
	owner   *ecdsa.PrivateKey
	key     ed25519.PrivateKey
	cert    *envelope.Certificate
	xwing   map[envelope.Digest]hpke.PrivateKey
	gone    map[envelope.Digest]bool
	pkg     *envelope.Package
	err     error
	drained int64
}

func newParty(now int64) *party {
	p := &party{owner: must(crypto.GenerateKey()), xwing: map[envelope.Digest]hpke.PrivateKey{}, gone: map[envelope.Digest]bool{}}
	p.did = ethr.ID{ChainID: 1337, Address: crypto.PubkeyToAddress(p.owner.PublicKey)}.String()
	p.addr = envelope.Address(p.did, 0)
	_, p.key, _ = ed25519.GenerateKey(rand.Reader)
	p.cert = must(envelope.NewCertificate(background, domain, didSigner{p.owner}, edSigner{p.key}, envelope.CertificateBody{
		DID: p.did, Key: envelope.Digest(p.key.Public().(ed25519.PublicKey)), NotBefore: now, NotAfter: now + envelope.CertificateLife}))
	p.renew(now)
	return p
}

func (p *party) renew(now int64) {
	x := must(hpke.MLKEM768X25519().GenerateKey())
	p.pkg = must(envelope.NewPackage(background, edSigner{p.key}, envelope.PackageBody{Cert: p.cert.Digest(), Gen: uint64(now/1000) + uint64(len(p.xwing)),
		NotBefore: now, NotAfter: p.cert.NotAfter, KEM: map[uint64][]byte{envelope.Suite1: x.PublicKey().Bytes()}}))
	p.xwing[p.pkg.Digest()] = x
}

func (p *party) DID() string                                            { return p.did }
func (p *party) Inst() uint64                                           { return 0 }
func (p *party) Addr() string                                           { return p.addr }
func (p *party) Certificate() *envelope.Certificate                     { return p.cert }
func (p *party) Package() *envelope.Package                             { return p.pkg }
func (p *party) InstanceSigner(envelope.Digest) envelope.InstanceSigner { return edSigner{p.key} }
func (p *party) Err() error                                             { return p.err }
func (p *party) Drained(at int64)                                       {}

func (p *party) Mine(pkg envelope.Digest) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.gone[pkg]:
		return envelope.PackageGone.Errorf("destroyed")
	case p.xwing[pkg] == nil:
		return envelope.NotForMe.Errorf("not mine")
	}
	return nil
}

func (p *party) OpenBox(_ context.Context, pkg envelope.Digest, info, box []byte) ([]byte, error) {
	if err := p.Mine(pkg); err != nil {
		return nil, err
	}
	b, err := hpke.Open(p.xwing[pkg], hpke.HKDFSHA256(), hpke.AES256GCM(), info, box)
	if err != nil {
		return nil, envelope.BadBox.Errorf("does not open")
	}
	return b, nil
}

// book is the intake's Trust: real checks of certificates, the rest as set.
type book struct {
	mu       sync.Mutex
	clock    clockwork.Clock
	certs    map[envelope.Digest]*envelope.Certificate
	owners   map[string]common.Address // who may sign for a DID
	floors   map[string]uint64
	topics   map[envelope.Digest]*trust.Topic
	roles    map[envelope.Digest]*vc.Verified
	roleErr  error
	standErr error
	hooks    []func(trust.Change)
}

func (b *book) Entitled(_ context.Context, did string, signer common.Address) error {
	if b.owners[did] != signer {
		return envelope.BadCert.Errorf("not entitled")
	}
	return nil
}

func (b *book) Certificate(ctx context.Context, d envelope.Digest) (*envelope.Certificate, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.certs[d]
	if c == nil {
		return nil, fmt.Errorf("%w: %w", envelope.BadCert.Errorf("no such certificate"), trust.ErrAbsent)
	}
	return c, c.Check(ctx, b.clock.Now().UnixMilli(), domain, b, b.floors[c.DID])
}

func (b *book) Topic(_ context.Context, rec envelope.Digest, name string, nbf int64) (*trust.Topic, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topics[rec]
	if t == nil {
		return nil, fmt.Errorf("%w: %w", envelope.BadTopic.Errorf("no such record"), trust.ErrAbsent)
	}
	return t, nil
}

func (b *book) Roles(_ context.Context, did string, creds []envelope.Digest) (out []*vc.Verified, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.roleErr != nil {
		return nil, b.roleErr
	}
	for _, c := range creds {
		v := b.roles[c]
		if v == nil || v.Subject != did {
			return nil, envelope.BadRole.Errorf("credential of another subject")
		}
		out = append(out, v)
	}
	return out, nil
}

func (b *book) Standing(context.Context, string, uint64, envelope.Digest, []envelope.Digest, int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.standErr
}

func (b *book) OnChange(f func(trust.Change)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hooks = append(b.hooks, f)
}

// set changes the book and tells the intake.
func (b *book) set(f func()) {
	b.mu.Lock()
	f()
	hooks := b.hooks
	b.mu.Unlock()
	for _, h := range hooks {
		h(trust.Change{})
	}
}

type channelList struct {
	mu      sync.Mutex
	list    []gateway.Channel
	changed chan struct{}
}

func (c *channelList) Channel(name string) (*gateway.Channel, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.list {
		if c.list[i].Name == name {
			ch := c.list[i]
			return &ch, nil
		}
	}
	return nil, gateway.ChannelUnknown(name)
}

func (c *channelList) ForTopic(topic string) (out []gateway.Channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range c.list {
		if ch.Topic == topic {
			out = append(out, ch)
		}
	}
	return out
}

func (c *channelList) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

func (c *channelList) set(list ...gateway.Channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = list
	close(c.changed)
	c.changed = make(chan struct{})
}

// mailbox is a fake of the broker: what is pushed is delivered until it is
// acknowledged, again after a restart.
type mailbox struct {
	mu     sync.Mutex
	seq    uint64
	queue  []intake.Delivery
	unack  map[uint64]intake.Delivery
	acked  int
	wake   chan struct{}
	rewind []uint64
}

func (m *mailbox) Next(ctx context.Context) ([]intake.Delivery, error) {
	for {
		m.mu.Lock()
		batch := m.queue
		m.queue = nil
		wake := m.wake
		m.mu.Unlock()
		if len(batch) > 0 {
			return batch, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-wake:
		}
	}
}

func (m *mailbox) Rewind(_ context.Context, seq uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rewind = append(m.rewind, seq)
	return nil
}

func (m *mailbox) push(subject string, wires ...[]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range wires {
		m.seq++
		m.add(m.seq, subject, w, false)
	}
	close(m.wake)
	m.wake = make(chan struct{})
}

func (m *mailbox) add(seq uint64, subject string, w []byte, again bool) {
	d := intake.Delivery{Subject: subject, Data: append([]byte(nil), w...), Stream: "S", Seq: seq, Redelivered: again}
	d.Ack = func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.unack, seq)
		m.acked++
		return nil
	}
	m.unack[seq] = d
	m.queue = append(m.queue, d)
}

// replies records receipts by recipient.
type replies struct {
	mu   sync.Mutex
	list []*envelope.Receipt
}

func (r *replies) Reply(_ context.Context, _ string, _ uint64, wire []byte) error {
	return r.ReplyAddr(nil, "", wire)
}

func (r *replies) ReplyAddr(_ context.Context, _ string, wire []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, must(envelope.ParseReceipt(wire)))
	return nil
}

// lane returns the newest lane of a session that was told.
func (r *replies) lane(sid envelope.Digest) *envelope.Lane {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.list) - 1; i >= 0; i-- {
		for j := range r.list[i].Lanes {
			if r.list[i].Lanes[j].Session == sid {
				return &r.list[i].Lanes[j]
			}
		}
	}
	return nil
}

type sink struct {
	mu  sync.Mutex
	got int
}

func (s *sink) Receipt(context.Context, string, []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got++
	return nil
}

// events records what is emitted.
type events struct {
	mu   sync.Mutex
	list []gateway.Event
}

func (e *events) Emit(_ context.Context, v gateway.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, v)
}

func (e *events) find(code string) *gateway.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range e.list {
		if e.list[i].Code == code {
			return &e.list[i]
		}
	}
	return nil
}

func (e *events) count(code string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range e.list {
		if e.list[i].Code == code {
			n++
		}
	}
	return n
}

// ring wraps by doing nothing: the vault's own sealing is what is tested.
type ring struct{}

func (ring) Wrap(_ context.Context, label string, b []byte) ([]byte, error) {
	return append([]byte(label), b...), nil
}
func (ring) Unwrap(_ context.Context, label string, b []byte) ([]byte, error) {
	return append([]byte(nil), b[len(label):]...), nil
}

// flaky is a store whose next commit fails after, or before, it was made.
type flaky struct {
	intake.Store
	mu     sync.Mutex
	before int // commits that fail without effect
	after  int // commits that are made and still fail
}

func (f *flaky) Commit(ctx context.Context, r *intake.Round) error {
	f.mu.Lock()
	before, after := f.before > 0, f.after > 0
	if before {
		f.before--
	} else if after {
		f.after--
	}
	f.mu.Unlock()
	if before {
		return fmt.Errorf("commit fails on purpose")
	}
	if err := f.Store.Commit(ctx, r); err != nil {
		return err
	}
	if after {
		return fmt.Errorf("commit's answer is lost on purpose")
	}
	return nil
}

// world is one recipient with its intake over a real store, and what it meets.
type world struct {
	t        testing.TB
	ctx      context.Context
	clock    *clockwork.FakeClock
	path     string
	self     *party
	book     *book
	channels *channelList
	mail     *mailbox
	replies  *replies
	sink     *sink
	events   *events
	config   intake.Config

	store *sqlstore.Store
	flaky *flaky
	inbox *inbox.Inbox
	stop  func()

	record  *envelope.Topic
	prompt  *envelope.Topic
	ownerOf *party
}

func newWorld(t testing.TB) *world {
	start := time.UnixMilli(1767225600000)
	now := start.UnixMilli()
	w := &world{t: t, ctx: testkit.Context(t), clock: clockwork.NewFakeClockAt(start.Add(10 * time.Minute)), path: filepath.Join(t.TempDir(), "gateway.db"),
		self: newParty(now), mail: &mailbox{unack: map[uint64]intake.Delivery{}, wake: make(chan struct{})}, replies: &replies{}, sink: &sink{}, events: &events{},
		channels: &channelList{changed: make(chan struct{})}}
	w.book = &book{clock: w.clock, certs: map[envelope.Digest]*envelope.Certificate{}, owners: map[string]common.Address{}, floors: map[string]uint64{},
		topics: map[envelope.Digest]*trust.Topic{}, roles: map[envelope.Digest]*vc.Verified{}}
	w.channels.set(w.channel())
	w.ownerOf = newParty(now)
	w.record, w.prompt = w.topic(topicName, 0), w.topic("price.market.apps.edge.iam.ewc", 1)
	w.start()
	t.Cleanup(func() { w.halt() })
	return w
}

func (w *world) channel() gateway.Channel {
	return gateway.Channel{Name: "telemetry", Topic: topicName, Receive: &gateway.Admission{Roles: []string{roleName}}}
}

const schemaText = `{"type":"object","required":["n"],"properties":{"n":{"type":"integer"}}}`

func (w *world) topic(name string, order uint64) *envelope.Topic {
	now := w.clock.Now().UnixMilli() - 1000*3600
	rec := must(envelope.NewTopic(background, domain, didSigner{w.ownerOf.owner}, envelope.TopicBody{DID: w.ownerOf.did, Name: name, Version: "1.0.0", Revision: 1,
		Kind: "json", Schema: envelope.Sum([]byte(schemaText)), Order: order, NotBefore: now, NotAfter: now + 300*24*3600*1000}))
	val := must(schema.Compile("json", "root.json", []schema.File{{Name: "root.json", Data: []byte(schemaText)}}))
	w.book.topics[rec.Digest()] = &trust.Topic{Record: rec, Digest: rec.Digest(), Schema: val}
	return rec
}

// start opens the store and runs the intake; halt stops both, as a kill would.
func (w *world) start() {
	w.t.Helper()
	w.store = must(sqlstore.Open(w.ctx, "sqlite:"+w.path, sqlkit.Options{}))
	w.flaky = &flaky{Store: w.store.Intake()}
	vault := must(inbox.OpenVault(w.ctx, ring{}, w.store.Inbox(), w.clock))
	log := testkit.Logger(w.t)
	w.inbox = inbox.New(inbox.Deps{Store: w.store.Inbox(), Vault: vault, Channels: w.channels, Clock: w.clock, Log: log})
	in := intake.New(intake.Deps{Config: w.config, Network: intake.Network{Retention: retention, Wire: envelope.WireDefault, Cap: 1_000_000},
		Mailbox: w.mail, Store: w.flaky, Vault: vault, Inbox: w.inbox, Self: w.self, Trust: w.book, Channels: w.channels, Events: w.events,
		Replies: w.replies, Receipts: w.sink, Clock: w.clock, Log: log})
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	w.stop = func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("intake: %v", err)
		}
		w.store.Close()
	}
}

func (w *world) halt() {
	if w.stop != nil {
		w.stop()
		w.stop = nil
	}
}

// restart stops everything and delivers again what was not acknowledged.
func (w *world) restart() {
	w.halt()
	w.mail.mu.Lock()
	w.mail.queue = nil
	for seq := uint64(1); seq <= w.mail.seq; seq++ {
		if d, ok := w.mail.unack[seq]; ok {
			w.mail.add(seq, d.Subject, d.Data, true)
		}
	}
	w.mail.mu.Unlock()
	w.start()
}

// until waits for a condition while the clock runs in small steps.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	turn := time.NewTicker(time.Millisecond)
	defer turn.Stop()
	for range 4000 {
		if ok() {
			return
		}
		w.clock.Advance(5 * time.Millisecond)
		<-turn.C
	}
	w.events.mu.Lock()
	defer w.events.mu.Unlock()
	w.t.Fatalf("waited in vain for %s; events: %+v", what, w.events.list)
}

// pass lets time go by in steps that give the intake its turns.
func (w *world) pass(d time.Duration) {
	turn := time.NewTicker(2 * time.Millisecond)
	defer turn.Stop()
	for step := d / 20; d > 0; d -= step {
		w.clock.Advance(step)
		<-turn.C
	}
}

// event waits for an event and returns it.
func (w *world) event(code string) *gateway.Event {
	w.t.Helper()
	w.until("event "+code, func() bool { return w.events.find(code) != nil })
	return w.events.find(code)
}

// settled waits until everything pushed was acknowledged.
func (w *world) settled() {
	w.t.Helper()
	w.until("acknowledgements", func() bool {
		w.mail.mu.Lock()
		defer w.mail.mu.Unlock()
		return len(w.mail.unack) == 0
	})
}

// receive pulls until n messages came and acknowledges them.
func (w *world) receive(n int) []gateway.Message {
	w.t.Helper()
	var out []gateway.Message
	w.until(fmt.Sprintf("%d messages", n), func() bool {
		got, err := w.inbox.Pull(w.ctx, gateway.Consumer{Name: "app", Channel: "telemetry"}, 1000, 0)
		if err != nil {
			w.t.Fatalf("pull: %v", err)
		}
		tokens := make([]string, len(got))
		for i := range got {
			tokens[i] = got[i].Ack
		}
		if err := w.inbox.Ack(w.ctx, tokens); err != nil {
			w.t.Fatalf("ack: %v", err)
		}
		out = append(out, got...)
		return len(out) >= n
	})
	if len(out) != n {
		w.t.Fatalf("%d messages were handed over, expected %d", len(out), n)
	}
	return out
}

// sender makes sessions and envelopes with package envelope.
type sender struct {
	*party
	w      *world
	chanID envelope.ID
	cred   envelope.Digest
}

func (w *world) sender() *sender {
	p := newParty(w.clock.Now().UnixMilli() - 600_000)
	s := &sender{party: p, w: w, cred: envelope.Sum([]byte(p.did))}
	rand.Read(s.chanID[:])
	w.book.set(func() {
		w.book.certs[p.cert.Digest()] = p.cert
		w.book.owners[p.did] = crypto.PubkeyToAddress(p.owner.PublicKey)
		w.book.roles[s.cred] = &vc.Verified{Digest: s.cred, Role: roleName, Subject: p.did}
	})
	return s
}

// flow is an open session on the sender's side.
type flow struct {
	s      *sender
	core   *envelope.Core
	secret envelope.Secret
	keys   *envelope.SessionKeys
	grant  []byte
	next   uint64
	head   envelope.Digest
	t      int64
}

type option func(*envelope.CoreBody, *envelope.BoxText)

func (s *sender) open(opts ...option) *flow {
	now := s.w.clock.Now().UnixMilli()
	body := envelope.CoreBody{Suite: envelope.Suite1, From: s.did, Cert: s.cert.Digest(), Chan: s.chanID, Topic: s.w.record.Name, Record: s.w.record.Digest(),
		NotBefore: now, NotAfter: now + envelope.SessionDefault}
	text := &envelope.BoxText{Secret: envelope.NewSecret(), Creds: []envelope.Digest{s.cred}}
	for _, o := range opts {
		o(&body, text)
	}
	core := must(envelope.NewCore(body))
	f := &flow{s: s, core: core, secret: text.Secret, keys: envelope.NewSessionKeys(core.Session(), text.Secret), head: core.Session(), t: body.NotBefore}
	f.grant = f.regrant(text)
	return f
}

func (f *flow) regrant(text *envelope.BoxText) []byte {
	w := f.s.w
	box := must(envelope.SealBox(f.core.Session(), w.self.pkg, text))
	return must(envelope.NewGrant(background, edSigner{f.s.key}, f.core, w.self.pkg.Digest(), box)).Bytes()
}

// after makes a session that names f's last entry as its predecessor.
func (f *flow) after() option {
	return func(_ *envelope.CoreBody, t *envelope.BoxText) {
		t.Prev = &envelope.Prev{Session: f.core.Session(), Seq: f.next - 1, Digest: f.head, NotAfter: f.core.NotAfter}
	}
}

var frameNo int

func frame(body string) envelope.Frame {
	frameNo++
	f := envelope.Frame{Type: "application/json", Body: []byte(body), At: 1767225600000}
	rand.Read(f.ID[:])
	return f
}

func good(n int) []envelope.Frame {
	out := make([]envelope.Frame, n)
	for i := range out {
		out[i] = frame(fmt.Sprintf(`{"n":%d}`, frameNo))
	}
	return out
}

// seal makes the next envelope of the chain.
func (f *flow) seal(frames ...envelope.Frame) *envelope.Envelope {
	if len(frames) == 0 {
		frames = good(1)
	}
	f.t = max(f.t, min(f.s.w.clock.Now().UnixMilli(), f.core.NotAfter))
	e := must(f.keys.Seal(background, edSigner{f.s.key}, envelope.Entry{Seq: f.next, Prev: f.head, Time: f.t}, frames))
	f.next, f.head = f.next+1, e.Digest()
	return e
}

// subject is where the broker puts a sender's messages.
func (w *world) subject(from string) string { return bus.Subject(7, w.self.addr, from) }

// send delivers wire messages of the sender.
func (s *sender) send(wires ...[]byte) { s.w.mail.push(s.w.subject(s.addr), wires...) }
