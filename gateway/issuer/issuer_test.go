package issuer_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/evm/eip712"
	"github.com/digital-spine/spine/gateway/brokerclient"
	"github.com/digital-spine/spine/gateway/hubclient"
	"github.com/digital-spine/spine/gateway/issuer"
	"github.com/digital-spine/spine/gateway/owner"
	"github.com/digital-spine/spine/gateway/sqlstore"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/sqlkit"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/vc"
)

const (
	role  = "aggregator.roles.market.apps.edge.iam.ewc"
	other = "trader.roles.market.apps.edge.iam.ewc"
)

var domain = eip712.Domain{ChainID: 1337, Registry: common.HexToAddress("0x1111111111111111111111111111111111111111")}

type didKey struct{ *ecdsa.PrivateKey }

func (k didKey) SignDigest(_ context.Context, d [32]byte) ([]byte, error) {
	return eip712.Sign(k.PrivateKey, d)
}

type instanceKey ed25519.PrivateKey

func (k instanceKey) Sign(_ context.Context, m []byte) ([]byte, error) {
	return ed25519.Sign(ed25519.PrivateKey(k), m), nil
}

// self is a gateway instance with one certificate.
type self struct {
	did  string
	addr common.Address
	key  instanceKey
	cert *envelope.Certificate
}

func (s *self) DID() string                                            { return s.did }
func (s *self) Inst() uint64                                           { return 0 }
func (s *self) Address() common.Address                                { return s.addr }
func (s *self) Certificate() *envelope.Certificate                     { return s.cert }
func (s *self) InstanceSigner(envelope.Digest) envelope.InstanceSigner { return s.key }

// hub is a hub in memory, and the sources of a verifier that reads it.
type hub struct {
	mu        sync.Mutex
	away      bool
	enrolment hubclient.Enrolment
	creds     map[[32]byte][]byte
	status    map[string]hubclient.Status
	puts      chan struct{}
}

var errAway = problem.New(502, "unreachable", "the hub is away")

func (h *hub) Enrolment(_ context.Context, id string) (*hubclient.Enrolment, error) {
	if id != h.enrolment.ID {
		return nil, hubclient.ErrNotFound
	}
	e := h.enrolment
	return &e, nil
}

func (h *hub) PublishCredential(_ context.Context, raw []byte) ([32]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.away {
		return [32]byte{}, errAway
	}
	c, err := vc.ParseRole(raw)
	if err != nil {
		return [32]byte{}, err
	}
	if _, ok := h.status[c.StatusList]; !ok {
		return [32]byte{}, errors.New("credential before its list")
	}
	h.creds[vc.Digest(raw)] = raw
	return vc.Digest(raw), nil
}

func (h *hub) PublishStatus(_ context.Context, s hubclient.Status) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.away {
		return errAway
	}
	l, err := vc.ParseList(s.List)
	if err != nil {
		return err
	}
	h.status[l.ID] = s
	select {
	case h.puts <- struct{}{}:
	default:
	}
	return nil
}

func (h *hub) Credential(_ context.Context, d [32]byte) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if raw, ok := h.creds[d]; ok {
		return raw, nil
	}
	return nil, hubclient.ErrNotFound
}

func (h *hub) Status(_ context.Context, list string) (*vc.StatusProof, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.status[list]
	if !ok {
		return nil, hubclient.ErrNotFound
	}
	return &vc.StatusProof{List: s.List, Freshness: s.Freshness, Certificate: s.Certificate}, nil
}

func (h *hub) setAway(away bool) {
	h.mu.Lock()
	h.away = away
	h.mu.Unlock()
}

// chain says that addr may issue role, and signs for its DID.
type chain struct{ addr common.Address }

func (c chain) Role(_ context.Context, name string) (*ens.RoleDefinition, error) {
	if name == role {
		return &ens.RoleDefinition{Name: name, IssuerDIDs: []common.Address{c.addr}}, nil
	}
	return &ens.RoleDefinition{Name: name, IssuerRole: role}, nil
}

func (c chain) Definition(_ context.Context, _ string) (*vc.Definition, error) {
	return &vc.Definition{Issuers: []common.Address{c.addr}}, nil
}

func (c chain) Entitled(_ context.Context, did string, signer common.Address) error {
	id, err := ethr.Parse(did)
	if err != nil || id.Address != signer {
		return envelope.BadCert.Errorf("not entitled")
	}
	return nil
}

type noOwn struct{}

func (noOwn) Own(context.Context) ([]*vc.Verified, error) { return nil, nil }

type fixture struct {
	*issuer.Issuer
	hub      *hub
	clock    *clockwork.FakeClock
	verifier *vc.Verifier
	subject  string
	store    *sqlstore.Store
	key      didKey
	self     *self
	issuer.Deps
}

func start(t *testing.T) *fixture {
	t.Helper()
	st, err := sqlstore.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "g.db"), sqlkit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	f := startWith(t, st.Issuer())
	f.store = st
	return f
}

func startWith(t *testing.T, st issuer.Store) *fixture {
	t.Helper()
	ctx := t.Context()
	k, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	clock := clockwork.NewFakeClockAt(time.UnixMilli(1_767_225_600_000))
	now := clock.Now().UnixMilli()
	addr := crypto.PubkeyToAddress(k.PublicKey)
	public, private, _ := ed25519.GenerateKey(nil)
	s := &self{did: ethr.ID{ChainID: 1337, Address: addr}.String(), addr: addr, key: instanceKey(private)}
	if s.cert, err = envelope.NewCertificate(ctx, domain, didKey{k}, s.key, envelope.CertificateBody{
		DID: s.did, Key: envelope.Digest(public), NotBefore: now, NotAfter: now + 15*86_400_000}); err != nil {
		t.Fatal(err)
	}
	f := &fixture{clock: clock, key: didKey{k}, self: s, subject: "did:ethr:0x539:0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"}
	f.hub = &hub{creds: map[[32]byte][]byte{}, status: map[string]hubclient.Status{}, puts: make(chan struct{}, 100),
		enrolment: hubclient.Enrolment{ID: "e1", Role: role, Subject: f.subject, Status: "requested"}}
	c := chain{addr}
	f.verifier = vc.NewVerifier(vc.Deps{Roles: c, DIDs: c, Credentials: f.hub, Status: f.hub, Domain: domain, StatusTTL: time.Minute, Clock: clock})
	f.Deps = issuer.Deps{Self: s, Signer: didKey{k}, Hub: f.hub, Store: st, Roles: c, Own: noOwn{}, Domain: domain,
		TTL: time.Minute, Clock: clock, Log: testkit.Logger(t)}
	f.Issuer = issuer.New(f.Deps)
	return f
}

func (f *fixture) judge(t *testing.T, digest [32]byte, want string) {
	t.Helper()
	_, err := f.verifier.Role(t.Context(), digest, f.subject, f.clock.Now().UnixMilli())
	if got := problem.CodeOf(err); got != want {
		t.Fatalf("verifier says %q, want %q: %v", got, want, err)
	}
}

func TestIssueRevoke(t *testing.T) {
	f, ctx := start(t), testkit.Context(t)
	c, err := f.Issue(ctx, "e1", 0)
	if err != nil || !c.Published {
		t.Fatal(err, c)
	}
	f.judge(t, c.Digest, "")
	if again, err := f.Issue(ctx, "e1", 0); err != nil || again.Digest != c.Digest {
		t.Fatalf("issued twice: %v", err)
	}
	if err := f.Revoke(ctx, c.Digest, "left"); err != nil {
		t.Fatal(err)
	}
	f.judge(t, c.Digest, "role_revoked")
	if err := f.Revoke(ctx, c.Digest, "left"); err != nil {
		t.Fatal("again:", err)
	}
	list, err := f.Issued(ctx, 10)
	if err != nil || len(list) != 1 || list[0].Reason != "left" || list[0].Revoked == 0 {
		t.Fatal(err, list)
	}
}

func TestRefusals(t *testing.T) {
	f, ctx := start(t), testkit.Context(t)
	if _, err := f.Issue(ctx, "none", 0); problem.CodeOf(err) != "enrolment_unknown" {
		t.Error(err)
	}
	if _, err := f.Issue(ctx, "e1", 1); problem.CodeOf(err) != "valid_until" {
		t.Error(err)
	}
	if err := f.Revoke(ctx, [32]byte{1}, ""); problem.CodeOf(err) != "credential_unknown" {
		t.Error(err)
	}
	f.hub.enrolment.Role = other
	if _, err := f.Issue(ctx, "e1", 0); problem.CodeOf(err) != "issuer_not_entitled" {
		t.Error(err)
	}
	f.hub.enrolment.Status = "rejected"
	if _, err := f.Issue(ctx, "e1", 0); problem.CodeOf(err) != "enrolment_closed" {
		t.Error(err)
	}
}

func TestFreshnessAndHubAway(t *testing.T) {
	f, ctx := start(t), testkit.Context(t)
	f.hub.setAway(true)
	c, err := f.Issue(ctx, "e1", 0)
	if err != nil || c.Published {
		t.Fatal(err, c)
	}
	f.hub.setAway(false)
	run, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { f.Run(run) })
	defer func() { cancel(); wg.Wait() }()
	f.clock.Advance(0)
	<-f.hub.puts
	if err := f.clock.BlockUntilContext(ctx, 1); err != nil {
		t.Fatal(err)
	}
	f.judge(t, c.Digest, "")
	// Every half TTL there is a new freshness, so that it never runs out.
	for range 4 {
		if err := f.clock.BlockUntilContext(ctx, 1); err != nil {
			t.Fatal(err)
		}
		f.clock.Advance(30 * time.Second)
		<-f.hub.puts
		f.judge(t, c.Digest, "")
	}
	// A revocation while the hub is away stands, and is published later; until
	// then the old list counts for its TTL at most.
	f.hub.setAway(true)
	for len(f.hub.puts) > 0 { // of before
		<-f.hub.puts
	}
	if err := f.Revoke(ctx, c.Digest, ""); problem.CodeOf(err) != "unreachable" {
		t.Fatal(err)
	}
	if err := f.clock.BlockUntilContext(ctx, 1); err != nil {
		t.Fatal(err)
	}
	f.hub.setAway(false)
	f.Kick()
	<-f.hub.puts
	f.judge(t, c.Digest, "role_revoked")
}

// directory is the broker's directory in memory.
type directory map[[32]byte][]byte

func (d directory) PutObject(_ context.Context, _ string, digest [32]byte, raw []byte) error {
	d[digest] = raw
	return nil
}

func (d directory) Object(_ context.Context, _ string, digest [32]byte) ([]byte, error) {
	if raw, ok := d[digest]; ok {
		return raw, nil
	}
	return nil, brokerclient.ErrNotFound
}

func (d directory) Records(_ context.Context, name string) (out []brokerclient.Record, _ error) {
	for digest, raw := range d {
		if r, err := envelope.ParseTopic(raw); err == nil && r.Name == name {
			out = append(out, brokerclient.Record{Version: r.Version, Revision: r.Revision, Record: digest})
		}
	}
	return out, nil
}

func TestTopics(t *testing.T) {
	f, ctx := start(t), testkit.Context(t)
	dir := directory{}
	o := owner.New(owner.Deps{DID: f.self.did, Signer: f.key, Directory: dir, Store: f.store.Topics(), Domain: domain, Clock: f.clock})
	spec := owner.Spec{Name: "hello.market.apps.edge.iam.ewc", Version: "1.0.0", Schema: []byte(`{ "type":"object" }`)}
	p, err := o.PutTopic(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	now := f.clock.Now().UnixMilli()
	if err := p.Record.CheckBody(now); err != nil {
		t.Error(err)
	}
	if err := p.Record.CheckProof(ctx, domain, chain{}); err != nil {
		t.Error(err)
	}
	again, err := o.PutTopic(ctx, spec)
	if err != nil || again.Record.Digest() != p.Record.Digest() {
		t.Fatalf("not idempotent: %v", err)
	}
	spec.Order = envelope.Prompt
	next, err := o.PutTopic(ctx, spec)
	if err != nil || next.Record.Revision != 2 || next.Record.NotBefore < now+15*60_000 {
		t.Fatalf("change: %v, %+v", err, next)
	}
	if err := next.Record.CheckSuccession(p.Record, now+3_600_000); err != nil {
		t.Error(err)
	}
	for name, tc := range map[string]struct {
		change func(*owner.Spec)
		code   string
	}{
		"schema changed": {func(s *owner.Spec) { s.Schema = []byte(`{}`) }, "topic_version_exists"},
		"not a schema":   {func(s *owner.Spec) { s.Version, s.Schema = "2.0.0", []byte(`{"type":3}`) }, "schema_invalid"},
		"version":        {func(s *owner.Spec) { s.Version = "1.0" }, "topic_invalid"},
		"name":           {func(s *owner.Spec) { s.Name = "hello" }, "topic_invalid"},
		"window":         {func(s *owner.Spec) { s.Version, s.NotAfter = "3.0.0", now+500*86_400_000 }, "topic_invalid"},
		"too soon":       {func(s *owner.Spec) { s.Order, s.NotBefore = envelope.Strict, now+1 }, "topic_invalid"},
	} {
		s := spec
		tc.change(&s)
		if _, err := o.PutTopic(ctx, s); problem.CodeOf(err) != tc.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := o.Topic(ctx, spec.Name, ""); err != nil || string(got.Root()) != `{ "type":"object" }` {
		t.Errorf("shown: %v", err)
	}
	if _, err := o.Topic(ctx, "none."+spec.Name, ""); problem.CodeOf(err) != "topic_unknown" {
		t.Error(err)
	}
}
