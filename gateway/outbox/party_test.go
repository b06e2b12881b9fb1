package outbox_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"errors"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/evm/eip712"
	"github.com/digital-spine/spine/gateway/brokerclient"
	"github.com/digital-spine/spine/gateway/trust"
)

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
	idle  int // signatures that are not made before one is
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
	if p.idle > 0 {
		p.idle--
		return nil, errors.New("the keys are away")
	}
	key, ok := p.keys[cert]
	if !ok {
		return nil, errors.New("no such key")
	}
	return ed25519.Sign(key, m), nil
}

func (p *party) member() trust.Member {
	return trust.Member{DID: p.did, Inst: p.inst, Addr: p.addr, PP: 7, Certificate: p.cert, Package: p.pkg}
}

type trustMember = trust.Member

func instance(p *party, pp int) brokerclient.Instance {
	return brokerclient.Instance{DID: p.did, Inst: p.inst, Addr: p.addr, PP: pp}
}
