package envelope

import (
	"context"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/hex"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/digital-spine/spine/evm/eip712"
)

// The parties of docs/protocol.md section 36: DID keys 1 and 2 on chain 1337,
// instance seeds 00..1f and 20..3f, and an X-Wing seed of 40..5f for B.
const (
	t0   = int64(1767225600000)
	didA = "did:ethr:0x539:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
	didB = "did:ethr:0x539:0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"
)

var testDomain = eip712.Domain{
	ChainID:  1337,
	Registry: common.HexToAddress("0x1111111111111111111111111111111111111111"),
}

type instanceKey ed25519.PrivateKey

func (k instanceKey) Sign(_ context.Context, message []byte) ([]byte, error) {
	return ed25519.Sign(ed25519.PrivateKey(k), message), nil
}

func (k instanceKey) public() Digest {
	return Digest(ed25519.PrivateKey(k).Public().(ed25519.PublicKey))
}

func instance(first byte) instanceKey { return instanceKey(ed25519.NewKeyFromSeed(run(first, 32))) }

type didKey struct{ *ecdsa.PrivateKey }

func newDIDKey(scalar int64) didKey {
	b := make([]byte, 32)
	big.NewInt(scalar).FillBytes(b)
	return didKey{must(crypto.ToECDSA(b))}
}

func (k didKey) SignDigest(_ context.Context, digest [32]byte) ([]byte, error) {
	return eip712.Sign(k.PrivateKey, digest)
}

// states entitles, for each DID, some addresses; a DID it does not know is
// stale.
type states map[string][]common.Address

func (s states) Entitled(_ context.Context, did string, signer common.Address) error {
	addresses, ok := s[did]
	if !ok {
		return fail(DIDStale, "no head")
	}
	for _, a := range addresses {
		if a == signer {
			return nil
		}
	}
	return fail(BadCert, "not entitled")
}

var testStates = states{
	didA: {common.HexToAddress("0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf")},
	didB: {common.HexToAddress("0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF")},
}

// run returns n bytes that count up from first.
func run(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func unhexed(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ok[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// wantCode asserts that an error has exactly this code, "" for none.
func wantCode(t testing.TB, err error, code Code) {
	t.Helper()
	if got := CodeOf(err); got != code || (err == nil) != (code == "") {
		t.Errorf("got %v, want code %q", err, code)
	}
}

// market is one of everything, made from the seeds of section 36.
type market struct {
	ctx        context.Context
	keyA, keyB instanceKey
	didA, didB didKey
	xwing      hpke.PrivateKey
	certA      *Certificate
	certB      *Certificate
	pkgB       *Package
	schema     *Schema
	topic      *Topic
	core       *Core
	secret     Secret
	keys       *SessionKeys
	frame      Frame
	envelope   *Envelope
}

func (m *market) certBody(did string, key instanceKey) CertificateBody {
	return CertificateBody{DID: did, Key: key.public(), NotBefore: t0, NotAfter: t0 + 15*day}
}

func (m *market) pkgBody() PackageBody {
	return PackageBody{
		Cert: m.certB.Digest(), Gen: uint64(t0 / 1000), NotBefore: t0, NotAfter: t0 + 15*day,
		KEM: map[uint64][]byte{Suite1: m.xwing.PublicKey().Bytes()},
	}
}

func (m *market) topicBody() TopicBody {
	return TopicBody{
		DID: didA, Name: "telemetry.market.apps.edge.iam.ewc", Version: "1.0.0", Revision: 1, Kind: KindJSON,
		Schema: m.schema.Digest(), NotBefore: t0, NotAfter: t0 + 365*day,
	}
}

func (m *market) coreBody() CoreBody {
	return CoreBody{
		Suite: Suite1, From: didA, Cert: m.certA.Digest(), Chan: ID(run(0, 16)), Topic: m.topic.Name,
		Record: m.topic.Digest(), Nonce: ID(run(0x10, 16)), NotBefore: t0 + 1000, NotAfter: t0 + 3601000,
	}
}

// fixedNonce is the mode of the known answers: the nonce is c0..cb.
func fixedNonce(block cipher.Block) (cipher.AEAD, []byte) {
	return must(cipher.NewGCM(block)), run(0xc0, 12)
}

func newMarket(t testing.TB) *market {
	t.Helper()
	m := &market{
		ctx: t.Context(), keyA: instance(0), keyB: instance(0x20), didA: newDIDKey(1), didB: newDIDKey(2),
		xwing: ok[hpke.PrivateKey](t)(hpke.MLKEM768X25519().NewPrivateKey(run(0x40, 32))),
	}
	m.certA = ok[*Certificate](t)(NewCertificate(m.ctx, testDomain, m.didA, m.keyA, m.certBody(didA, m.keyA)))
	m.certB = ok[*Certificate](t)(NewCertificate(m.ctx, testDomain, m.didB, m.keyB, m.certBody(didB, m.keyB)))
	m.pkgB = ok[*Package](t)(NewPackage(m.ctx, m.keyB, m.pkgBody()))
	m.schema = ok[*Schema](t)(NewSchema(KindJSON, "root.json", []File{{Name: "root.json", Bytes: []byte("{}")}}))
	m.topic = ok[*Topic](t)(NewTopic(m.ctx, testDomain, m.didA, m.topicBody()))
	m.core = ok[*Core](t)(NewCore(m.coreBody()))
	m.secret = Secret(run(0, 32))
	m.keys = NewSessionKeys(m.core.Session(), m.secret)
	m.frame = Frame{
		ID: ID(unhexed(t, "a0a1a2a3a4a5a6a7a8a9aaabacadae00")), Type: "application/json", Body: []byte("xxxxx"), At: t0 + 2000,
	}
	entry := Entry{Seq: 0, Prev: m.core.Session(), Time: t0 + 3000}
	m.envelope = ok[*Envelope](t)(m.keys.seal(m.ctx, m.keyA, entry, []Frame{m.frame}, fixedNonce))
	return m
}

// grant seals a fresh box to B and signs a grant for it.
func (m *market) grant(t testing.TB, text *BoxText) *Grant {
	t.Helper()
	box := ok[[]byte](t)(SealBox(m.core.Session(), m.pkgB, text))
	return ok[*Grant](t)(NewGrant(m.ctx, m.keyA, m.core, m.pkgB.Digest(), box))
}
