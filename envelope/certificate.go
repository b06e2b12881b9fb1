package envelope

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/evm/eip712"
)

// gatewayKey is the typed data that a DID's key signs for an instance.
const gatewayKey = "GatewayKey(string did,uint64 instance,bytes32 ed25519,uint64 notBefore,uint64 notAfter,uint64 floor)"

// CertificateBody holds the fields of an instance certificate (section 6).
type CertificateBody struct {
	// DID is the participant, in normal form.
	DID string `cbor:"2,keyasint"`
	// Inst is the gateway instance, 0..7.
	Inst uint64 `cbor:"3,keyasint"`
	// Key is the Ed25519 public key of the instance.
	Key Digest `cbor:"4,keyasint"`
	// NotBefore and NotAfter are its window, in ms.
	NotBefore int64 `cbor:"5,keyasint"`
	NotAfter  int64 `cbor:"6,keyasint"`
	// Floor voids every certificate of (DID, Inst) with a lower floor and
	// every package with a generation below it; in seconds since 1970, or 0.
	Floor uint64 `cbor:"7,keyasint"`
}

type certificateMap struct {
	V uint64 `cbor:"1,keyasint"`
	CertificateBody
}

// Certificate says that a participant's DID key entitles an Ed25519 key to act
// for one of its gateway instances: [Sign1(spine/cert, body), proof].
type Certificate struct {
	CertificateBody
	raw    []byte
	sign1  sign1
	proof  proof
	digest Digest
}

// NewCertificate makes a certificate: the instance proves that it holds the
// key of the body, then the DID's key signs. The shape of the body is checked,
// its times are not (see CheckBody). Errors: malformed, or those of the
// signers.
func NewCertificate(ctx context.Context, domain eip712.Domain, did DIDSigner, instance InstanceSigner, body CertificateBody) (*Certificate, error) {
	if err := body.check(); err != nil {
		return nil, err
	}
	digest, err := body.TypedDigest(domain)
	if err != nil {
		return nil, err
	}
	b, err := newSign1(ctx, instance, typeCert, nil, encode(certificateMap{1, body}))
	if err != nil {
		return nil, err
	}
	p, err := newProof(ctx, did, digest)
	if err != nil {
		return nil, err
	}
	return ParseCertificate(appendProof(append([]byte{0x82}, b...), p))
}

// ParseCertificate reads a certificate. It keeps b. Errors: too_large,
// malformed, not_canonical, version.
func ParseCertificate(b []byte) (*Certificate, error) {
	if len(b) > MaxCertificate {
		return nil, TooLarge.Errorf("certificate of %d bytes, at most %d", len(b), MaxCertificate)
	}
	c := &Certificate{raw: b}
	r := reader{b: b}
	r.exact(majorArray, 2)
	c.sign1 = r.sign1(typeCert)
	c.proof = r.proof()
	if !r.done() {
		return nil, misread(b)
	}
	var m certificateMap
	if err := decode(c.sign1.payload, MaxCertificate, &m); err != nil {
		return nil, err
	}
	c.CertificateBody = m.CertificateBody
	c.digest = hash(labelCert, c.sign1.payload)
	if m.V != 1 {
		return nil, BadVersion.Errorf("certificate version %d", m.V)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}

// check demands the shape of the fields.
func (b *CertificateBody) check() error {
	if err := checkDID(b.DID); err != nil {
		return err
	}
	if b.NotBefore < 0 || b.NotAfter < 0 || b.NotBefore > maxInt || b.NotAfter > maxInt || b.Floor > maxInt {
		return fail(Malformed, "number out of range")
	}
	return checkInst(b.Inst)
}

// TypedDigest returns the EIP-712 digest that the DID's key signs.
func (b *CertificateBody) TypedDigest(domain eip712.Domain) ([32]byte, error) {
	return eip712.Digest(domain, gatewayKey, b.DID, b.Inst, b.Key, b.NotBefore, b.NotAfter, b.Floor)
}

// Bytes returns the encoded certificate; not to be changed.
func (c *Certificate) Bytes() []byte { return c.raw }

// Digest returns the name of the certificate, H("spine/1 cert" || body). It
// leaves the signatures out.
func (c *Certificate) Digest() Digest { return c.digest }

// Sum returns H of all bytes, the key under which results are cached.
func (c *Certificate) Sum() Digest { return Sum(c.raw) }

// Address returns the address of the instance (section 4).
func (c *Certificate) Address() string { return Address(c.DID, c.Inst) }

// PublicKey returns the instance key, to verify with.
func (c *Certificate) PublicKey() ed25519.PublicKey { return c.Key[:] }

// CheckBody is C1: the window is forward and at most 15 days, and the floor is
// neither after its start nor ahead of now. Else cert.
func (b *CertificateBody) CheckBody(now int64) error {
	floor := int64(min(b.Floor, maxInt/1000)) * 1000
	switch {
	case b.NotAfter <= b.NotBefore:
		return fail(BadCert, "window ends before it begins")
	case b.NotAfter > b.NotBefore+CertificateLife:
		return fail(BadCert, "window longer than 15 days")
	case floor > b.NotBefore:
		return fail(BadCert, "floor after the window begins")
	case floor > now+Skew:
		return fail(BadCert, "floor ahead of now")
	}
	return nil
}

// CheckKey is C2: the key is canonical and not of small order, else weak_key;
// and it signed the body itself, else pop.
func (c *Certificate) CheckKey() error {
	if weakKey(c.Key) {
		return fail(WeakKey, "instance key is not canonical or of small order")
	}
	if !c.sign1.verify(c.PublicKey(), typeCert, nil) {
		return fail(BadPop, "the instance key did not sign the certificate")
	}
	return nil
}

// Signer returns the address whose key made the proof, the first half of C3.
// Errors: cert.
func (c *Certificate) Signer(domain eip712.Domain) (common.Address, error) {
	digest, err := c.TypedDigest(domain)
	if err != nil {
		return common.Address{}, err
	}
	return c.proof.signer(domain, c.DID, digest, BadCert)
}

// CheckProof is C3: the proof was made by a key that the DID entitles. domain
// is the verifier's own. Errors: cert, did_stale.
func (c *Certificate) CheckProof(ctx context.Context, domain eip712.Domain, states DIDStates) error {
	signer, err := c.Signer(domain)
	if err != nil {
		return err
	}
	return entitled(ctx, states, c.DID, signer, BadCert)
}

// CheckFloor is C4: the floor is not below the highest ever seen for this DID
// and instance. Else cert_void.
func (b *CertificateBody) CheckFloor(highest uint64) error {
	if b.Floor < highest {
		return CertVoid.Errorf("floor %d, but %d is known", b.Floor, highest)
	}
	return nil
}

// CheckNow is C5 before sealing: now lies in the window, give or take the
// skew. Else cert.
func (b *CertificateBody) CheckNow(now int64) error {
	if now < b.NotBefore-Skew || now > b.NotAfter+Skew {
		return fail(BadCert, "out of its window")
	}
	return nil
}

// CheckAt is C5 of a receipt: its time lies in the window. Else cert.
func (b *CertificateBody) CheckAt(at int64) error {
	if at < b.NotBefore || at > b.NotAfter {
		return fail(BadCert, "signed out of the certificate's window")
	}
	return nil
}

// Check makes the checks C1 to C4, cheap ones first.
func (c *Certificate) Check(ctx context.Context, now int64, domain eip712.Domain, states DIDStates, highestFloor uint64) error {
	if err := c.CheckBody(now); err != nil {
		return err
	}
	if err := c.CheckFloor(highestFloor); err != nil {
		return err
	}
	if err := c.CheckKey(); err != nil {
		return err
	}
	return c.CheckProof(ctx, domain, states)
}

// smallOrder are the y coordinates of the points of small order, as encoded
// without the sign bit: y = 0, 1, -1, and two of order 8.
var smallOrder = func() (ys [5][32]byte) {
	for i, s := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	} {
		hex.Decode(ys[i][:], []byte(s))
	}
	return ys
}()

// weakKey reports whether an Ed25519 key is not canonical (y >= p = 2^255-19)
// or of small order: under such a key one signature may fit many messages, or
// one point have two encodings.
func weakKey(key Digest) bool {
	y := [32]byte(key)
	y[31] &= 0x7f
	for _, small := range smallOrder {
		if y == small {
			return true
		}
	}
	if y[31] != 0x7f || y[0] < 0xed {
		return false
	}
	for _, c := range y[1:31] {
		if c != 0xff {
			return false
		}
	}
	return true
}
