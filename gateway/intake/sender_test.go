package intake_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/evm/eip712"
	"github.com/digital-spine/spine/vc"
)

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
	mu    sync.Mutex
	did   string
	addr  string
	owner *ecdsa.PrivateKey
	key   ed25519.PrivateKey
	cert  *envelope.Certificate
	xwing map[envelope.Digest]hpke.PrivateKey
	gone  map[envelope.Digest]bool
	pkg   *envelope.Package
	err   error
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

func (p *party) DID() string { return p.did }

func (p *party) Inst() uint64 { return 0 }

func (p *party) Addr() string { return p.addr }

func (p *party) Certificate() *envelope.Certificate { return p.cert }

func (p *party) Package() *envelope.Package { return p.pkg }

func (p *party) InstanceSigner(envelope.Digest) envelope.InstanceSigner { return edSigner{p.key} }

func (p *party) Err() error { return p.err }

func (p *party) Drained(at int64) {}

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
	f, text := s.invent(opts...)
	f.grant = f.regrant(text)
	return f
}

// invent is a session of which nobody has a grant.
func (s *sender) invent(opts ...option) (*flow, *envelope.BoxText) {
	now := s.w.clock.Now().UnixMilli()
	body := envelope.CoreBody{Suite: envelope.Suite1, From: s.did, Cert: s.cert.Digest(), Chan: s.chanID, Topic: s.w.record.Name, Record: s.w.record.Digest(),
		NotBefore: now, NotAfter: now + envelope.SessionDefault}
	text := &envelope.BoxText{Secret: envelope.NewSecret(), Creds: []envelope.Digest{s.cred}}
	for _, o := range opts {
		o(&body, text)
	}
	core := must(envelope.NewCore(body))
	return &flow{s: s, core: core, secret: text.Secret, keys: envelope.NewSessionKeys(core.Session(), text.Secret), head: core.Session(), t: body.NotBefore}, text
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

// frameNo makes bodies differ; tests run in parallel.
var frameNo atomic.Int64

func frame(body string) envelope.Frame {
	f := envelope.Frame{Type: "application/json", Body: []byte(body), At: 1767225600000}
	rand.Read(f.ID[:])
	return f
}

func good(n int) []envelope.Frame {
	out := make([]envelope.Frame, n)
	for i := range out {
		out[i] = frame(fmt.Sprintf(`{"n":%d}`, frameNo.Add(1)))
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

// wires makes the next n envelopes.
func (f *flow) wires(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = f.seal().Bytes()
	}
	return out
}

// skip goes on as if an envelope had been sealed that nobody sees.
func (f *flow) skip() {
	rand.Read(f.head[:])
	f.next++
}

// subject is where the broker puts a sender's messages.
func (w *world) subject(from string) string { return bus.Subject(7, w.self.addr, from) }

// send delivers wire messages of the sender.
func (s *sender) send(wires ...[]byte) { s.w.mail.push(s.w.subject(s.addr), wires...) }
