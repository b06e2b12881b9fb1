package vc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/evm/eip712"
)

var testDomain = Domain{ChainID: 1337, Registry: common.HexToAddress("0x1111111111111111111111111111111111111111")}

const t0 = int64(1767225600000)

// party is a DID with its key and one gateway instance.
type party struct {
	key  *ecdsa.PrivateKey
	did  string
	inst ed25519.PrivateKey
	cert []byte
}

func (p *party) SignDigest(_ context.Context, digest [32]byte) ([]byte, error) {
	return eip712.Sign(p.key, digest)
}

func (p *party) Sign(_ context.Context, message []byte) ([]byte, error) {
	return ed25519.Sign(p.inst, message), nil
}

func newParty(t testing.TB, scalar byte) *party {
	t.Helper()
	var b, seed [32]byte
	b[31], seed[0] = scalar, scalar
	key, err := crypto.ToECDSA(b[:])
	if err != nil {
		t.Fatal(err)
	}
	p := &party{key: key, inst: ed25519.NewKeyFromSeed(seed[:]), did: ethr.ID{ChainID: testDomain.ChainID, Address: crypto.PubkeyToAddress(key.PublicKey)}.String()}
	c, err := envelope.NewCertificate(t.Context(), testDomain, p, p, envelope.CertificateBody{
		DID: p.did, Key: envelope.Digest(p.inst.Public().(ed25519.PublicKey)), NotBefore: t0, NotAfter: t0 + envelope.CertificateLife})
	if err != nil {
		t.Fatal(err)
	}
	p.cert = c.Bytes()
	return p
}

func (p *party) address() common.Address { return crypto.PubkeyToAddress(p.key.PublicKey) }

// coded is an error with a code, as other packages have them.
type coded string

func (c coded) Error() string     { return string(c) }
func (c coded) ErrorCode() string { return string(c) }

// world is all a verifier can ask.
type world struct {
	clock       *clockwork.FakeClock
	definitions map[string]*Definition
	definitionE error
	stale       map[string]bool
	creds       map[[32]byte][]byte
	lists       map[string]*StatusProof
	verifier    *Verifier
}

func newWorld() *world {
	w := &world{clock: clockwork.NewFakeClockAt(time.UnixMilli(t0 + 1_000_000)), definitions: map[string]*Definition{}, stale: map[string]bool{},
		creds: map[[32]byte][]byte{}, lists: map[string]*StatusProof{}}
	w.verifier = NewVerifier(Deps{Roles: w, DIDs: w, Credentials: w, Status: w, Domain: testDomain, Clock: w.clock})
	return w
}

func (w *world) now() int64 { return w.clock.Now().UnixMilli() }

func (w *world) Definition(_ context.Context, role string) (*Definition, error) {
	if w.definitionE != nil {
		return nil, w.definitionE
	}
	if d, ok := w.definitions[role]; ok {
		return d, nil
	}
	return nil, ErrNotFound
}

func (w *world) Entitled(_ context.Context, did string, signer common.Address) error {
	if w.stale[did] {
		return coded("did_stale")
	}
	if id, err := ethr.Parse(did); err != nil || id.Address != signer {
		return coded("cert")
	}
	return nil
}

func (w *world) Credential(_ context.Context, digest [32]byte) ([]byte, error) {
	if raw, ok := w.creds[digest]; ok {
		return raw, nil
	}
	return nil, errors.New("unreachable")
}

func (w *world) Status(_ context.Context, id string) (*StatusProof, error) {
	if p, ok := w.lists[id]; ok {
		return p, nil
	}
	return nil, errors.New("unreachable")
}

// issue signs and stores a credential.
func (w *world) issue(t testing.TB, by *party, subject, role string, change func(*RoleCredential)) [32]byte {
	t.Helper()
	c := RoleCredential{Issuer: by.did, Subject: subject, Role: role, ValidFrom: t0, StatusList: ListID(by.did, "1")}
	if change != nil {
		change(&c)
	}
	raw, err := IssueRole(t.Context(), testDomain, by, c)
	if err != nil {
		t.Fatal(err)
	}
	w.creds[Digest(raw)] = raw
	return Digest(raw)
}

// publish signs a status list and its freshness at now.
func (w *world) publish(t testing.TB, by *party, revision uint64, revoked ...uint64) {
	t.Helper()
	bits := NewBitstring(0)
	for _, i := range revoked {
		if err := bits.Set(i); err != nil {
			t.Fatal(err)
		}
	}
	id := ListID(by.did, "1")
	raw, err := IssueList(t.Context(), testDomain, by, id, t0+int64(revision)*1000, bits)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := envelope.ParseCertificate(by.cert)
	if err != nil {
		t.Fatal(err)
	}
	s, err := envelope.NewStatus(t.Context(), by, envelope.StatusBody{Cert: cert.Digest(), List: Digest(raw), Revision: revision,
		At: w.now(), NotAfter: w.now() + 60_000, ListID: id})
	if err != nil {
		t.Fatal(err)
	}
	w.lists[id] = &StatusProof{List: raw, Freshness: s.Bytes(), Certificate: by.cert}
}
