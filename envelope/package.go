package envelope

import (
	"context"
	"crypto/hpke"
	"sync"
)

// Suite1 is the only suite: HPKE base mode with X-Wing, HKDF-SHA256 and
// AES-256-GCM; Ed25519, SHA-256, HKDF-SHA256, AES-256-GCM.
const Suite1 uint64 = 1

// KEMKeySize is the length of a public key of suite 1.
const KEMKeySize = 1216

// PackageBody holds the fields of a key package (section 7).
type PackageBody struct {
	// Cert names the certificate whose key signs.
	Cert Digest `cbor:"2,keyasint"`
	// Gen is the generation; it only rises.
	Gen uint64 `cbor:"3,keyasint"`
	// NotBefore and NotAfter are its window, in ms.
	NotBefore int64 `cbor:"4,keyasint"`
	NotAfter  int64 `cbor:"5,keyasint"`
	// KEM has the public key of each suite the recipient reads.
	KEM map[uint64][]byte `cbor:"6,keyasint"`
}

type packageMap struct {
	V uint64 `cbor:"1,keyasint"`
	PackageBody
}

// Package is an HPKE public key that a gateway instance reads with:
// Sign1(spine/package, body) under its certificate's key.
type Package struct {
	PackageBody
	raw    []byte
	sign1  sign1
	digest Digest
	key    func() (hpke.PublicKey, error)
}

// NewPackage signs a key package. The shape is checked, the times are not.
// Errors: malformed, too_large, or those of the signer.
func NewPackage(ctx context.Context, signer InstanceSigner, body PackageBody) (*Package, error) {
	b, err := newSign1(ctx, signer, typePackage, nil, encode(packageMap{1, body}))
	if err != nil {
		return nil, err
	}
	return ParsePackage(b)
}

// ParsePackage reads a key package. It keeps b. Errors: too_large, malformed,
// not_canonical, version.
func ParsePackage(b []byte) (*Package, error) {
	s, err := parseSign1(b, MaxPackage, typePackage)
	if err != nil {
		return nil, err
	}
	var m packageMap
	if err := decode(s.payload, MaxPackage, &m); err != nil {
		return nil, err
	}
	if m.V != 1 {
		return nil, BadVersion.Errorf("package version %d", m.V)
	}
	if m.NotBefore < 0 || m.NotAfter < 0 || len(m.KEM) == 0 {
		return nil, fail(Malformed, "number out of range or no key")
	}
	if len(m.KEM) > MaxSuites {
		return nil, TooLarge.Errorf("%d suites, at most %d", len(m.KEM), MaxSuites)
	}
	p := &Package{PackageBody: m.PackageBody, raw: b, sign1: s, digest: hash(labelPackage, s.payload)}
	p.key = sync.OnceValues(func() (hpke.PublicKey, error) {
		return hpke.MLKEM768X25519().NewPublicKey(p.KEM[Suite1])
	})
	return p, nil
}

// Bytes returns the encoded package; not to be changed.
func (p *Package) Bytes() []byte { return p.raw }

// Digest returns the name of the package, H("spine/1 package" || body).
func (p *Package) Digest() Digest { return p.digest }

// Sum returns H of all bytes, the key under which results are cached.
func (p *Package) Sum() Digest { return Sum(p.raw) }

// Check is P1: signed by the key of this certificate (which must have passed
// C1 to C4), window and generation in bounds, and a key of suite 1 that can be
// used. Else package.
func (p *Package) Check(cert *Certificate, now int64) error {
	switch {
	case p.Cert != cert.Digest():
		return fail(BadPackage, "names another certificate")
	case p.NotAfter <= p.NotBefore:
		return fail(BadPackage, "window ends before it begins")
	case p.NotAfter > cert.NotAfter:
		return fail(BadPackage, "outlives its certificate")
	case int64(min(p.Gen, maxInt/1000))*1000 > now+Skew:
		return fail(BadPackage, "generation ahead of now")
	case len(p.KEM[Suite1]) != KEMKeySize:
		return fail(BadPackage, "no key of suite 1 of the right length")
	}
	if _, err := p.key(); err != nil {
		return BadPackage.Errorf("key of suite 1: %w", err)
	}
	if !p.sign1.verify(cert.PublicKey(), typePackage, nil) {
		return fail(BadPackage, "not signed by the certificate's key")
	}
	return nil
}

// CheckGeneration is P2: the generation is neither below the floor nor below
// the highest known for this DID and instance. Else package_rolled_back: seal
// to the known one.
func (p *Package) CheckGeneration(floor, highest uint64) error {
	if p.Gen < floor || p.Gen < highest {
		return PackageRolledBack.Errorf("generation %d, floor %d, known %d", p.Gen, floor, highest)
	}
	return nil
}

// CheckNow demands that now lies in the window, give or take the skew, before
// sealing to the package. Else package.
func (p *Package) CheckNow(now int64) error {
	if now < p.NotBefore-Skew || now > p.NotAfter+Skew {
		return fail(BadPackage, "out of its window")
	}
	return nil
}

// PublicKey returns the key of suite 1, imported once. Errors: package.
func (p *Package) PublicKey() (hpke.PublicKey, error) {
	key, err := p.key()
	if err != nil {
		return nil, BadPackage.Errorf("key of suite 1: %w", err)
	}
	return key, nil
}

// NextGeneration returns the generation of a new package: last + 1 or the
// start of its window in seconds, whichever is higher. A last generation that
// is ahead of now by more than the skew does not count, so that a clock once
// wrong leaves no generation stuck; and nothing needs to be remembered.
func NextGeneration(last uint64, notBefore, now int64) uint64 {
	gen := uint64(notBefore / 1000)
	if last <= uint64(now+Skew)/1000 && last+1 > gen {
		return last + 1
	}
	return gen
}
