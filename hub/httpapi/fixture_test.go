package httpapi_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/did"
	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/evm/eip712"
	"github.com/digital-spine/spine/hub"
	"github.com/digital-spine/spine/hub/httpapi"
	"github.com/digital-spine/spine/hub/sqlstore"
	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/vc"
)

const (
	t0       = int64(1767225600000)
	adminKey = "operator"
	role     = "aggregator.roles.market.apps.edge.iam.ewc"
	registry = "registrar.roles.market.apps.edge.iam.ewc"
)

var domain = vc.Domain{ChainID: 1337, Registry: common.HexToAddress("0x1111111111111111111111111111111111111111")}

// party is a DID with its key and one gateway instance.
type party struct {
	key   *ecdsa.PrivateKey
	did   string
	inst  ed25519.PrivateKey
	cert  *envelope.Certificate
	token string
}

func (p *party) SignDigest(_ context.Context, digest [32]byte) ([]byte, error) {
	return eip712.Sign(p.key, digest)
}

func (p *party) Sign(_ context.Context, message []byte) ([]byte, error) {
	return ed25519.Sign(p.inst, message), nil
}

func newParty(t *testing.T, scalar byte) *party {
	t.Helper()
	var b, seed [32]byte
	b[31], seed[0] = scalar, scalar
	key, err := crypto.ToECDSA(b[:])
	if err != nil {
		t.Fatal(err)
	}
	p := &party{key: key, inst: ed25519.NewKeyFromSeed(seed[:]), did: ethr.ID{ChainID: domain.ChainID, Address: crypto.PubkeyToAddress(key.PublicKey)}.String()}
	p.certify(t, func(*envelope.CertificateBody) {})
	return p
}

func (p *party) certify(t *testing.T, change func(*envelope.CertificateBody)) {
	t.Helper()
	body := envelope.CertificateBody{DID: p.did, Key: envelope.Digest(p.inst.Public().(ed25519.PublicKey)), NotBefore: t0, NotAfter: t0 + envelope.CertificateLife}
	change(&body)
	var err error
	if p.cert, err = envelope.NewCertificate(t.Context(), domain, p, p, body); err != nil {
		t.Fatal(err)
	}
}

// chain is the chain as the hub's RPC endpoint tells it.
type chain struct {
	mu    sync.Mutex
	roles map[string]*hub.Role
	away  bool
	stale bool
}

func (c *chain) Name(_ context.Context, name string) (*hub.Name, error) {
	if name == "edge.iam.ewc" {
		return &hub.Name{Name: name, Kind: "organisation"}, nil
	}
	return nil, hub.ErrNameUnknown
}

func (c *chain) Role(_ context.Context, name string) (*hub.Role, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return nil, context.DeadlineExceeded
	}
	if r, ok := c.roles[name]; ok {
		return r, nil
	}
	return nil, hub.ErrRoleUnknown
}

type coded string

func (c coded) Error() string     { return string(c) }
func (c coded) ErrorCode() string { return string(c) }

func (c *chain) Entitled(_ context.Context, d string, signer common.Address) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stale {
		return coded("did_stale")
	}
	if id, err := ethr.Parse(d); err != nil || id.Address != signer {
		return coded("cert")
	}
	return nil
}

func (c *chain) Document(_ context.Context, d string) (*did.Document, error) {
	return &did.Document{ID: d}, nil
}

func (c *chain) set(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// world is a hub that serves, with a chain and a clock that the test holds.
type world struct {
	t     *testing.T
	url   string
	hub   *hub.Hub
	store hub.Store
	chain *chain
	clock *clockwork.FakeClock
	hc    *http.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(testkit.Context(t))
	w := &world{t: t, chain: &chain{roles: map[string]*hub.Role{}}, clock: clockwork.NewFakeClockAt(time.UnixMilli(t0 + 3_600_000)), hc: httpkit.Client(0)}
	var err error
	if w.store, err = sqlstore.Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "hub.db")); err != nil {
		t.Fatal(err)
	}
	network := config.NewNetwork("test", domain.ChainID, config.Contracts{DIDRegistry: domain.Registry})
	var server *httpapi.Server
	w.hub, err = hub.New(ctx, hub.Deps{Store: w.store, Chain: w.chain, DIDs: w.chain, Network: network, Clock: w.clock, Log: testkit.Logger(t),
		Origin: func() string { return server.URL() }})
	if err != nil {
		t.Fatal(err)
	}
	if server, err = httpapi.New(httpapi.Deps{Hub: w.hub, AdminKey: adminKey, Log: testkit.Logger(t)}); err != nil {
		t.Fatal(err)
	}
	if err := server.Listen(ctx, "127.0.0.1:0", ""); err != nil {
		t.Fatal(err)
	}
	w.url = server.URL()
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error("server ended with:", err)
		}
		w.store.Close()
	})
	return w
}

func (w *world) now() int64 { return w.clock.Now().UnixMilli() }

// call sends JSON and returns the code of the problem, "" for none.
func (w *world) call(method, path, token string, in, out any) string {
	w.t.Helper()
	return problem.CodeOf(httpkit.DoJSON(w.t.Context(), w.hc, method, w.url+"/api/v1"+path, token, in, out))
}

func (w *world) must(method, path, token string, in, out any) {
	w.t.Helper()
	if err := httpkit.DoJSON(w.t.Context(), w.hc, method, w.url+"/api/v1"+path, token, in, out); err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (w *world) nonce() (n envelope.Digest) {
	w.t.Helper()
	var out struct{ Nonce string }
	w.must("POST", "/challenge", "", struct{}{}, &out)
	b, err := base64.RawURLEncoding.DecodeString(out.Nonce)
	if err != nil || len(b) != 32 {
		w.t.Fatalf("nonce %q", out.Nonce)
	}
	copy(n[:], b)
	return n
}

// login logs a party in with a body that change may spoil.
func (w *world) login(p *party, change func(*envelope.LoginBody)) string {
	w.t.Helper()
	body := envelope.LoginBody{Cert: p.cert.Digest(), Origin: w.url, Nonce: w.nonce(), At: w.now()}
	if change != nil {
		change(&body)
	}
	l, err := envelope.NewLogin(w.t.Context(), p, body)
	if err != nil {
		w.t.Fatal(err)
	}
	var out struct {
		Token   string
		Expires int64
		Network httpapi.Network
	}
	code := w.call("POST", "/login", "", map[string]string{"certificate": b64(p.cert.Bytes()), "login": b64(l.Bytes())}, &out)
	if code == "" {
		if out.Expires != w.now()+600_000 || out.Network.StatusTTLMS != 60_000 || out.Network.Wire != 262_144 {
			w.t.Fatalf("login answered %+v", out)
		}
		p.token = out.Token
	}
	return code
}

func (w *world) member(scalar byte) *party {
	w.t.Helper()
	p := newParty(w.t, scalar)
	if code := w.login(p, nil); code != "" {
		w.t.Fatalf("login: %s", code)
	}
	return p
}

// define puts a role on the chain.
func (w *world) define(name, issuerRole string, issuers ...*party) {
	r := &hub.Role{Name: name, Version: 1, Issuers: hub.Party{DIDs: []string{}, Role: issuerRole}, Revokers: hub.Party{DIDs: []string{}}, Prerequisites: []string{}}
	for _, p := range issuers {
		r.Issuers.DIDs = append(r.Issuers.DIDs, p.did)
	}
	w.chain.set(func() { w.chain.roles[name] = r })
}

func credential(t *testing.T, by *party, subject, role string, change func(*vc.RoleCredential)) []byte {
	t.Helper()
	c := vc.RoleCredential{Issuer: by.did, Subject: subject, Role: role, ValidFrom: t0, StatusList: vc.ListID(by.did, "1")}
	if change != nil {
		change(&c)
	}
	raw, err := vc.IssueRole(t.Context(), domain, by, c)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// post publishes a credential and returns its digest and the problem's code.
func (w *world) post(token string, raw []byte) (digest, code string) {
	w.t.Helper()
	b, err := httpkit.Do(w.t.Context(), w.hc, "POST", w.url+"/api/v1/credentials", token, "application/vc+json", raw)
	if err != nil {
		return "", problem.CodeOf(err)
	}
	var out struct{ Digest string }
	if err := json.Unmarshal(b, &out); err != nil {
		w.t.Fatal(err)
	}
	if d := vc.Digest(raw); out.Digest != hex.EncodeToString(d[:]) {
		w.t.Fatalf("digest %s", out.Digest)
	}
	return out.Digest, ""
}

type status struct {
	List        string `json:"list"`
	Freshness   string `json:"freshness"`
	Certificate string `json:"certificate"`
}

// statusOf signs a status list and its freshness.
func (w *world) statusOf(by *party, revision uint64, change func(*envelope.StatusBody), revoked ...uint64) status {
	w.t.Helper()
	bits := vc.NewBitstring(0)
	for _, i := range revoked {
		if err := bits.Set(i); err != nil {
			w.t.Fatal(err)
		}
	}
	id := vc.ListID(by.did, "1")
	raw, err := vc.IssueList(w.t.Context(), domain, by, id, t0, bits)
	if err != nil {
		w.t.Fatal(err)
	}
	body := envelope.StatusBody{Cert: by.cert.Digest(), List: vc.Digest(raw), Revision: revision, At: w.now(), NotAfter: w.now() + 60_000, ListID: id}
	if change != nil {
		change(&body)
	}
	s, err := envelope.NewStatus(w.t.Context(), by, body)
	if err != nil {
		w.t.Fatal(err)
	}
	return status{b64(raw), b64(s.Bytes()), b64(by.cert.Bytes())}
}
