package envelope

import (
	"context"
	"crypto/ed25519"
)

// Grant opens a session for one recipient instance (section 9):
// [3, Sign1(spine/grant, core, H("spine/1 grant" || pkg || box)), pkg, box].
// The signature covers core, package and box together, so a grant cannot be
// moved to another recipient.
type Grant struct {
	// Core is the session.
	Core *Core
	// Package names the recipient's key package.
	Package Digest
	// Box is the sealed text for that package; not to be changed.
	Box   []byte
	raw   []byte
	sign1 sign1
}

// NewGrant signs a grant with the key of the core's certificate. Errors:
// too_large, or those of the signer.
func NewGrant(ctx context.Context, signer InstanceSigner, core *Core, pkg Digest, box []byte) (*Grant, error) {
	external := grantExternal(pkg, box)
	s, err := newSign1(ctx, signer, typeGrant, external[:], core.Bytes())
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, 2+len(s)+stringSize(32)+stringSize(len(box)))
	b = append(b, 0x84, byte(KindGrant))
	b = append(b, s...)
	b = appendBytes(b, pkg[:])
	b = appendBytes(b, box)
	return ParseGrant(b)
}

// ParseGrant reads a grant and its core (G1). It keeps b. Errors: too_large,
// malformed, not_canonical, version.
func ParseGrant(b []byte) (*Grant, error) {
	if len(b) > MaxCore+MaxBox+256 {
		return nil, TooLarge.Errorf("grant of %d bytes", len(b))
	}
	g := &Grant{raw: b}
	r := reader{b: b}
	r.exact(majorArray, 4)
	r.key(uint64(KindGrant))
	g.sign1 = r.sign1(typeGrant)
	r.fixed(g.Package[:])
	g.Box = r.bytes()
	if !r.done() {
		return nil, misread(b)
	}
	if len(g.Box) > MaxBox {
		return nil, TooLarge.Errorf("box of %d bytes, at most %d", len(g.Box), MaxBox)
	}
	core, err := ParseCore(g.sign1.payload)
	if err != nil {
		return nil, err
	}
	g.Core = core
	return g, nil
}

// Bytes returns the wire message; not to be changed.
func (g *Grant) Bytes() []byte { return g.raw }

// Digest returns D, the hash of what was signed.
func (g *Grant) Digest() Digest {
	external := grantExternal(g.Package, g.Box)
	return g.sign1.digest(typeGrant, external[:])
}

// Sum returns H of all bytes.
func (g *Grant) Sum() Digest { return Sum(g.raw) }

// Verify is the signature of G5: key is that of the core's certificate. Else
// signature.
func (g *Grant) Verify(key ed25519.PublicKey) error {
	external := grantExternal(g.Package, g.Box)
	if !g.sign1.verify(key, typeGrant, external[:]) {
		return fail(BadSignature, "grant is not signed by the core's certificate")
	}
	return nil
}

func grantExternal(pkg Digest, box []byte) Digest { return hash(labelGrant, pkg[:], box) }
