package envelope

import (
	"bytes"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/digital-spine/spine/evm/eip712"
)

func TestCertificate(t *testing.T) {
	m := newMarket(t)
	c := ok[*Certificate](t)(ParseCertificate(m.certA.Bytes()))
	if c.CertificateBody != m.certA.CertificateBody || c.Digest() != m.certA.Digest() {
		t.Error("parsed certificate differs")
	}
	wantCode(t, c.Check(m.ctx, t0, testDomain, testStates, 0), "")
	wantCode(t, c.CheckNow(t0), "")
	wantCode(t, m.core.CheckCertificate(c), "")

	// The proof stands outside the digest, so a second proof forks nothing;
	// but results are cached under all bytes.
	other := ok[*Certificate](t)(NewCertificate(m.ctx, testDomain, m.didB, m.keyA, c.CertificateBody))
	if other.Digest() != c.Digest() || other.Sum() == c.Sum() {
		t.Error("digest must leave the proof out, sum must not")
	}
	wantCode(t, other.Check(m.ctx, t0, testDomain, testStates, 0), BadCert)
}

func TestCertificateRefused(t *testing.T) {
	m := newMarket(t)
	now := t0 + hour
	for name, c := range map[string]struct {
		edit func(*CertificateBody)
		want Code
	}{
		"15 days":            {func(b *CertificateBody) {}, ""},
		"over 15 days":       {func(b *CertificateBody) { b.NotAfter++ }, BadCert},
		"empty window":       {func(b *CertificateBody) { b.NotAfter = b.NotBefore }, BadCert},
		"floor in window":    {func(b *CertificateBody) { b.Floor = uint64(t0/1000) + 1 }, BadCert},
		"floor at start":     {func(b *CertificateBody) { b.Floor = uint64(t0 / 1000) }, ""},
		"floor hour ahead":   {func(b *CertificateBody) { b.shift(2 * hour); b.Floor = uint64(t0+2*hour) / 1000 }, BadCert},
		"floor beyond range": {func(b *CertificateBody) { b.Floor = maxInt }, BadCert},
	} {
		t.Run(name, func(t *testing.T) {
			body := m.certBody(didA, m.keyA)
			c.edit(&body)
			cert := ok[*Certificate](t)(NewCertificate(m.ctx, testDomain, m.didA, m.keyA, body))
			wantCode(t, cert.Check(m.ctx, now, testDomain, testStates, 0), c.want)
		})
	}
	for name, edit := range map[string]func(*CertificateBody){
		"no DID":          func(b *CertificateBody) { b.DID = "" },
		"lower-case DID":  func(b *CertificateBody) { b.DID = "did:ethr:0x539:0x7e5f4552091a69125d5dfcb7b8c2659029395bdf" },
		"0xf6 for ewc":    func(b *CertificateBody) { b.DID = "did:ethr:0xf6:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf" },
		"0x12047, volta":  func(b *CertificateBody) { b.DID = "did:ethr:0x12047:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf" },
		"leading zero":    func(b *CertificateBody) { b.DID = "did:ethr:0x0539:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf" },
		"no network":      func(b *CertificateBody) { b.DID = "did:ethr:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf" },
		"instance 8":      func(b *CertificateBody) { b.Inst = 8 },
		"negative time":   func(b *CertificateBody) { b.NotBefore = -1 },
		"time above 2^53": func(b *CertificateBody) { b.NotAfter = maxInt + 1 },
	} {
		t.Run(name, func(t *testing.T) {
			body := m.certBody(didA, m.keyA)
			edit(&body)
			_, err := NewCertificate(m.ctx, testDomain, m.didA, m.keyA, body)
			wantCode(t, err, Malformed)
			raw := bytes.Clone(m.certA.Bytes())
			s := must(newSign1(m.ctx, m.keyA, typeCert, nil, encode(certificateMap{1, body})))
			_, err = ParseCertificate(appendProof(append([]byte{0x82}, s...), m.certA.proof))
			wantCode(t, err, Malformed)
			if !bytes.Equal(raw, m.certA.Bytes()) {
				t.Error("certificate of another test changed")
			}
		})
	}
}

// shift moves the window.
func (b *CertificateBody) shift(d int64) { b.NotBefore += d; b.NotAfter += d }

func TestCertificateProof(t *testing.T) {
	m := newMarket(t)
	highS := bytes.Clone(m.certA.proof)
	s := new(big.Int).Sub(crypto.S256().Params().N, new(big.Int).SetBytes(highS[32:64]))
	s.FillBytes(highS[32:64])
	highS[64] ^= 27 ^ 28
	v0, v1 := bytes.Clone(m.certA.proof), bytes.Clone(m.certA.proof)
	v0[64], v1[64] = 0, 1
	otherType := must(eip712.Sign(m.didA.PrivateKey, must(eip712.Digest(testDomain, "Other(string did)", didA))))
	ofB := must(m.didB.SignDigest(m.ctx, must(m.certA.TypedDigest(testDomain))))
	for name, p := range map[string]proof{"high s": highS, "v 0": v0, "v 1": v1, "other type": otherType, "another DID's key": ofB, "zeros": make([]byte, 65)} {
		t.Run(name, func(t *testing.T) {
			signed := must(newSign1(m.ctx, m.keyA, typeCert, nil, m.certA.sign1.payload))
			c := ok[*Certificate](t)(ParseCertificate(appendProof(append([]byte{0x82}, signed...), p)))
			wantCode(t, c.CheckProof(m.ctx, testDomain, testStates), BadCert)
		})
	}
	otherChain, otherRegistry := testDomain, testDomain
	otherChain.ChainID = 246
	otherRegistry.Registry = common.Address{1}
	for name, d := range map[string]eip712.Domain{"chain": otherChain, "registry": otherRegistry} {
		t.Run("verifier of another "+name, func(t *testing.T) {
			wantCode(t, m.certA.CheckProof(m.ctx, d, testStates), BadCert)
		})
		t.Run("made for another "+name, func(t *testing.T) {
			c := ok[*Certificate](t)(NewCertificate(m.ctx, d, m.didA, m.keyA, m.certBody(didA, m.keyA)))
			wantCode(t, c.CheckProof(m.ctx, testDomain, testStates), BadCert)
		})
	}
	wantCode(t, m.certA.CheckProof(m.ctx, testDomain, states{}), DIDStale)
	wantCode(t, m.certA.CheckProof(m.ctx, testDomain, states{didA: nil}), BadCert)
	_, err := NewCertificate(m.ctx, testDomain, badDIDSigner{}, m.keyA, m.certBody(didA, m.keyA))
	wantCode(t, err, BadSignature)
}

func TestCertificateKey(t *testing.T) {
	m := newMarket(t)
	weak := map[string]Digest{"2^255-1": {}, "p": {}, "p+1, minus": {}, "minus zero": {0: 1, 31: 0x80}}
	for _, y := range smallOrder {
		weak["small "+Digest(y).String()[:8]] = y
		y[31] |= 0x80
		weak["small minus "+Digest(y).String()[:8]] = y
	}
	for name, first := range map[string]byte{"2^255-1": 0xff, "p": 0xed, "p+1, minus": 0xee} {
		d := Digest(bytes.Repeat([]byte{0xff}, 32))
		d[0] = first
		if name != "p+1, minus" {
			d[31] = 0x7f
		}
		weak[name] = d
	}
	for name, key := range weak {
		t.Run(name, func(t *testing.T) {
			body := m.certBody(didA, m.keyA)
			body.Key = key
			c := ok[*Certificate](t)(NewCertificate(m.ctx, testDomain, m.didA, m.keyA, body))
			wantCode(t, c.CheckKey(), WeakKey)
		})
	}
	stranger := ok[*Certificate](t)(NewCertificate(m.ctx, testDomain, m.didA, m.keyA, m.certBody(didA, m.keyB)))
	wantCode(t, stranger.CheckKey(), BadPop)
	if weakKey(Digest{0: 0xec, 1: 0xff, 31: 0x7f}) {
		t.Error("an ordinary key counts as weak")
	}
}

func TestCertificateFloorAndWindow(t *testing.T) {
	m := newMarket(t)
	wantCode(t, m.certA.CheckFloor(0), "")
	wantCode(t, m.certA.CheckFloor(1), CertVoid)
	for now, want := range map[int64]Code{
		t0 - Skew - 1: BadCert, t0 - Skew: "", t0 + 15*day + Skew: "", t0 + 15*day + Skew + 1: BadCert,
	} {
		wantCode(t, m.certA.CheckNow(now), want)
	}
	for at, want := range map[int64]Code{t0 - 1: BadCert, t0: "", t0 + 15*day: "", t0 + 15*day + 1: BadCert} {
		wantCode(t, m.certA.CheckAt(at), want)
	}
}
