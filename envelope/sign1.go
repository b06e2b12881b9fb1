package envelope

import (
	"context"
	"crypto/ed25519"
)

// InstanceSigner signs with the Ed25519 key of a gateway instance (RFC 8032)
// and returns the 64-byte signature. It is only ever given a Sig_structure of
// this package, never bytes chosen by somebody else.
type InstanceSigner interface {
	Sign(ctx context.Context, message []byte) ([]byte, error)
}

// DIDSigner signs an EIP-712 digest with a key of the DID: r || s || v, low s,
// v 27 or 28.
type DIDSigner interface {
	SignDigest(ctx context.Context, digest [32]byte) ([]byte, error)
}

// protected is the protected header of a COSE_Sign1 (RFC 9052 section 4.2):
// CBOR {1: -8 (EdDSA), 16: type}. It is one constant per type, compared and
// never parsed, so a signature for one purpose never counts for another.
type protected []byte

func newProtected(typ string) protected {
	return appendText([]byte{0xa2, 0x01, 0x27, 0x10}, typ)
}

// Types of signed objects.
var (
	typeCert     = newProtected("spine/cert")
	typePackage  = newProtected("spine/package")
	typeGrant    = newProtected("spine/grant")
	typeEnvelope = newProtected("spine/envelope")
	typeReceipt  = newProtected("spine/receipt")
	typeLogin    = newProtected("spine/login")
	typeStatus   = newProtected("spine/status")
	typeMark     = newProtected("spine/mark")
)

// sign1 is an untagged COSE_Sign1: [protected, {}, payload, signature].
type sign1 struct {
	payload   []byte
	signature []byte
}

// toBeSigned returns the Sig_structure (RFC 9052 section 4.4); its hash is the
// digest D of the object.
func toBeSigned(typ protected, external, payload []byte) []byte {
	b := make([]byte, 0, 1+11+stringSize(len(typ))+stringSize(len(external))+stringSize(len(payload)))
	b = appendHead(b, majorArray, 4)
	b = appendText(b, "Signature1")
	b = appendBytes(b, typ)
	b = appendBytes(b, external)
	return appendBytes(b, payload)
}

// newSign1 signs a payload; it returns the encoded Sign1.
func newSign1(ctx context.Context, signer InstanceSigner, typ protected, external, payload []byte) ([]byte, error) {
	sig, err := signer.Sign(ctx, toBeSigned(typ, external, payload))
	if err != nil {
		return nil, err
	}
	if len(sig) != ed25519.SignatureSize {
		return nil, BadSignature.Errorf("signer returned %d bytes", len(sig))
	}
	return appendSign1(nil, typ, payload, sig), nil
}

func appendSign1(dst []byte, typ protected, payload, signature []byte) []byte {
	dst = appendHead(dst, majorArray, 4)
	dst = appendBytes(dst, typ)
	dst = append(dst, 0xa0)
	dst = appendBytes(dst, payload)
	return appendBytes(dst, signature)
}

// sign1Size is the length of an encoded Sign1.
func sign1Size(typ protected, payload int) int {
	return 1 + stringSize(len(typ)) + 1 + stringSize(payload) + stringSize(ed25519.SignatureSize)
}

// sign1 reads a Sign1 of this type.
func (r *reader) sign1(typ protected) (s sign1) {
	r.exact(majorArray, 4)
	if prot := r.bytes(); string(prot) != string(typ) {
		r.bad = true
	}
	r.exact(majorMap, 0)
	s.payload = r.bytes()
	s.signature = r.bytes()
	if len(s.signature) != ed25519.SignatureSize {
		r.bad = true
	}
	return s
}

// parseSign1 reads bytes that are one Sign1 of this type and nothing else.
func parseSign1(b []byte, limit int, typ protected) (sign1, error) {
	if len(b) > limit {
		return sign1{}, TooLarge.Errorf("%d bytes, at most %d", len(b), limit)
	}
	r := reader{b: b}
	s := r.sign1(typ)
	if !r.done() {
		return sign1{}, misread(b)
	}
	return s, nil
}

func (s sign1) digest(typ protected, external []byte) Digest {
	return Sum(toBeSigned(typ, external, s.payload))
}

// verify checks the signature, RFC 8032 without cofactor. A key of the wrong
// length verifies nothing.
func (s sign1) verify(key ed25519.PublicKey, typ protected, external []byte) bool {
	return len(key) == ed25519.PublicKeySize && ed25519.Verify(key, toBeSigned(typ, external, s.payload), s.signature)
}
