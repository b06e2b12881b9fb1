// Package brokertest starts brokers for tests, on a chain that is made up: a
// DID's own address is its only entitled key, and names have the owners a test
// gives them. Its participants log in and connect as any gateway does.
//
// It is for tests only, of this repository's rooms that need a message bus.
package brokertest

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/broker/node"
	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/testkit"
)

// ChainID of the made-up chain.
const ChainID = 1337

// Chain is a made-up chain.
type Chain struct {
	mu     sync.Mutex
	owners map[string]common.Address
}

// Own gives a namespace to an address.
func (c *Chain) Own(name string, owner common.Address) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owners == nil {
		c.owners = make(map[string]common.Address)
	}
	c.owners[name] = owner
}

// Owner implements broker.NameOwners.
func (c *Chain) Owner(_ context.Context, name string) (common.Address, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.owners[name], nil
}

// Entitled implements envelope.DIDStates.
func (c *Chain) Entitled(_ context.Context, did string, signer common.Address) error {
	if !strings.HasSuffix(did, ":"+signer.Hex()) {
		return envelope.BadCert.Errorf("%s is not entitled", signer)
	}
	return nil
}

// Network returns a network file for tests.
func Network() *config.Network {
	return config.NewNetwork("test", ChainID, config.Contracts{
		ENSRegistry: common.Address{1}, Resolver: common.Address{2}, DomainNotifier: common.Address{3}, DIDRegistry: common.Address{4}})
}

// Broker is a running broker.
type Broker struct {
	*node.Node
	Chain *Chain
	Data  string
	stop  func()
}

// Start starts a broker in dir (a temporary folder when empty); change may
// change its configuration or network first. It ends with the test, or Stop.
func Start(t testing.TB, dir string, change func(*node.Deps)) *Broker {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	b := &Broker{Chain: &Chain{}, Data: dir}
	d := node.Deps{Config: broker.Config{Data: dir, Limits: broker.Limits{LoginsPerMinute: 10_000, WritesPerMinute: 10_000}},
		Network: Network(), DIDs: b.Chain, Names: b.Chain, Log: testkit.Logger(t)}
	if change != nil {
		change(&d)
	}
	n, err := node.New(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	b.Node = n
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("broker: %v", err)
		}
	})
	t.Cleanup(b.stop)
	return b
}

// Stop ends the broker.
func (b *Broker) Stop() { b.stop() }

// Participant is a gateway instance reduced to its keys.
type Participant struct {
	DID  string
	Inst uint64
	Addr string
	Key  *ecdsa.PrivateKey
	inst ed25519.PrivateKey
	NKey nkeys.KeyPair
	Cert *envelope.Certificate
	// NATS is the newest login's answer.
	NATS  broker.BusLogin
	Token string // HTTP bearer
}

// SignDigest implements envelope.DIDSigner.
func (p *Participant) SignDigest(_ context.Context, digest [32]byte) ([]byte, error) {
	sig, err := crypto.Sign(digest[:], p.Key)
	if err == nil {
		sig[64] += 27
	}
	return sig, err
}

// Sign implements envelope.InstanceSigner.
func (p *Participant) Sign(_ context.Context, m []byte) ([]byte, error) {
	return ed25519.Sign(p.inst, m), nil
}

// Address is the chain address of the DID.
func (p *Participant) Address() common.Address { return crypto.PubkeyToAddress(p.Key.PublicKey) }

// New makes a participant with a certificate from an hour ago.
func New(t testing.TB, floor uint64) *Participant {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	p := &Participant{Key: key, DID: "did:ethr:0x539:" + crypto.PubkeyToAddress(key.PublicKey).Hex()}
	if p.NKey, err = nkeys.CreateUser(); err != nil {
		t.Fatal(err)
	}
	p.Certify(t, floor)
	return p
}

// Certify makes a new instance key and certificate.
func (p *Participant) Certify(t testing.TB, floor uint64) {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p.inst = priv
	now := time.Now().UnixMilli()
	body := envelope.CertificateBody{DID: p.DID, Inst: p.Inst, Key: envelope.Digest(pub), NotBefore: now - 3600_000, NotAfter: now + 86400_000, Floor: floor}
	n := Network()
	p.Cert, err = envelope.NewCertificate(context.Background(), broker.Network{ChainID: n.ChainID, DIDRegistry: n.Contracts.DIDRegistry}.Domain(), p, p, body)
	if err != nil {
		t.Fatal(err)
	}
	p.Addr = p.Cert.Address()
}

// LoginBody answers a fresh challenge of b.
func (p *Participant) LoginBody(b *Broker) envelope.LoginBody {
	nk, _ := p.NKey.PublicKey()
	return envelope.LoginBody{Cert: p.Cert.Digest(), Origin: b.Broker.Origin, Nonce: b.Broker.Challenge(), At: time.Now().UnixMilli(), NKey: nk}
}

// Login logs in over HTTP.
func (p *Participant) Login(t testing.TB, b *Broker) {
	t.Helper()
	if err := p.TryLogin(t, b, p.LoginBody(b)); err != nil {
		t.Fatalf("login: %v", err)
	}
}

// TryLogin logs in with a body of the test's.
func (p *Participant) TryLogin(t testing.TB, b *Broker, body envelope.LoginBody) error {
	t.Helper()
	l, err := envelope.NewLogin(t.Context(), p, body)
	if err != nil {
		t.Fatal(err)
	}
	var out struct {
		Token string `json:"token"`
		NATS  struct {
			URL, Token, Stream, Consumer, Inbox, Addr string
			PP                                        int
		} `json:"nats"`
	}
	err = httpkit.DoJSON(t.Context(), httpkit.Client(10*time.Second), http.MethodPost, b.URL()+"/api/v1/login", "",
		map[string]string{"certificate": b64(p.Cert.Bytes()), "login": b64(l.Bytes())}, &out)
	if err == nil {
		p.Token = out.Token
		n := out.NATS
		p.NATS = broker.BusLogin{URL: n.URL, Token: n.Token, Stream: n.Stream, Consumer: n.Consumer, Inbox: n.Inbox, PP: n.PP, Addr: n.Addr}
	}
	return err
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Joined makes a participant, logs it in and connects it.
func Joined(t testing.TB, b *Broker) (*Participant, *bus.Conn) {
	t.Helper()
	p := New(t, 0)
	p.Login(t, b)
	return p, p.Connect(t, nil)
}

// Connect connects as a gateway does.
func (p *Participant) Connect(t testing.TB, change func(*bus.ConnConfig)) *bus.Conn {
	t.Helper()
	nk, _ := p.NKey.PublicKey()
	cfg := bus.ConnConfig{URL: p.NATS.URL, Token: func() (string, error) { return p.NATS.Token, nil }, NKey: nk, Sign: p.NKey.Sign,
		InboxPrefix: p.NATS.Inbox, Name: "test", Log: testkit.Logger(t)}
	if change != nil {
		change(&cfg)
	}
	c, err := bus.Connect(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Raw connects with the bare client library, as an attacker would.
func (p *Participant) Raw(t testing.TB, o ...nats.Option) (*nats.Conn, error) {
	t.Helper()
	nk, _ := p.NKey.PublicKey()
	nc, err := nats.Connect(p.NATS.URL, append([]nats.Option{nats.Token(p.NATS.Token), nats.Nkey(nk, p.NKey.Sign),
		nats.CustomInboxPrefix(p.NATS.Inbox), nats.MaxReconnects(0)}, o...)...)
	if err == nil {
		t.Cleanup(nc.Close)
	}
	return nc, err
}

// Pull opens the participant's mailbox.
func (p *Participant) Pull(t testing.TB, c *bus.Conn) *bus.Pull {
	t.Helper()
	pull, err := c.Pull(bus.PullConfig{Stream: p.NATS.Stream, Consumer: p.NATS.Consumer})
	if err != nil {
		t.Fatal(err)
	}
	return pull
}

// Subject is the subject from this participant to another.
func (p *Participant) Subject(to *Participant) string {
	return bus.Subject(to.NATS.PP, to.Addr, p.Addr)
}
