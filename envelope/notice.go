package envelope

import "crypto/ed25519"

// Notice is an envelope without its ciphertext, which lies in the blob store
// under its hash (section 20): [2, Sign1(spine/envelope, header, H(ct)),
// H(ct), len]. It has the D of its envelope, and all checks up to E9 are made
// on it before anything is fetched.
type Notice struct {
	Header
	// CTHash is H(ct), under which the blob store has the ciphertext.
	CTHash Digest
	// Len is the length of the ciphertext. It is not signed: it says how much
	// room to make, while the hash decides, so that nobody can spoil a good
	// body by it. What is fetched is bounded by MaxCiphertext.
	Len    int
	raw    []byte
	signed []byte
	sign1  sign1
	digest Digest
}

// MaxCiphertext is the longest ciphertext of an envelope.
const MaxCiphertext = WireMax - WireOverhead + nonceSize + tagSize

// ParseNotice reads a notice (E1). It keeps b and verifies nothing. Errors:
// too_large (also for a ciphertext above its limit), malformed, not_canonical,
// version.
func ParseNotice(b []byte) (*Notice, error) {
	if len(b) > MaxNotice {
		return nil, TooLarge.Errorf("notice of %d bytes, at most %d", len(b), MaxNotice)
	}
	n := &Notice{raw: b}
	r := reader{b: b}
	r.exact(majorArray, 4)
	r.key(uint64(KindNotice))
	signed := r.b
	n.sign1 = r.sign1(typeEnvelope)
	n.signed = signed[:len(signed)-len(r.b)]
	r.fixed(n.CTHash[:])
	size := r.uint()
	if !r.done() {
		return nil, misread(b)
	}
	h, err := ParseHeader(n.sign1.payload)
	switch {
	case err != nil:
		return nil, err
	case size > MaxCiphertext:
		return nil, TooLarge.Errorf("ciphertext of %d bytes, at most %d", size, MaxCiphertext)
	case size < nonceSize+MinPlain+tagSize:
		return nil, Malformed.Errorf("ciphertext of %d bytes", size)
	}
	n.Header, n.Len = *h, int(size)
	n.digest = n.sign1.digest(typeEnvelope, n.CTHash[:])
	return n, nil
}

// appendNotice encodes a notice from the encoded Sign1 of an envelope.
func appendNotice(signed []byte, ct Digest, size int) []byte {
	b := make([]byte, 0, 2+len(signed)+stringSize(len(ct))+headSize(uint64(size)))
	b = append(append(b, 0x84, byte(KindNotice)), signed...)
	return appendHead(appendBytes(b, ct[:]), majorUint, uint64(size))
}

// Bytes returns the wire message; not to be changed.
func (n *Notice) Bytes() []byte { return n.raw }

// Signed returns the encoded Sign1, the same as that of the envelope; not to
// be changed.
func (n *Notice) Signed() []byte { return n.signed }

// CiphertextHash returns H(ct).
func (n *Notice) CiphertextHash() Digest { return n.CTHash }

// Digest returns D (E5), the same as that of the envelope.
func (n *Notice) Digest() Digest { return n.digest }

// Verify is E6: key is that of the certificate of the session's core. Else
// signature.
func (n *Notice) Verify(key ed25519.PublicKey) error {
	if !n.sign1.verify(key, typeEnvelope, n.CTHash[:]) {
		return fail(BadSignature, "notice is not signed by the session's sender")
	}
	return nil
}

// CheckHeld is the upper half of E9, as for an envelope. Else forked.
func (n *Notice) CheckHeld(held Digest) error {
	if n.digest != held {
		return Forked.Errorf("envelope %d has another digest than is held", n.Seq)
	}
	return nil
}

// Envelope puts the ciphertext fetched back in its place. What it returns
// passes E6 where the notice did. Errors: content_hash when ct is not the body
// that was signed.
func (n *Notice) Envelope(ct []byte) (*Envelope, error) {
	if Sum(ct) != n.CTHash {
		return nil, fail(ContentHash, "body is not the one that was signed")
	}
	b := make([]byte, 0, 2+len(n.signed)+stringSize(len(ct)))
	b = append(append(b, 0x83, byte(KindEnvelope)), n.signed...)
	return ParseEnvelope(appendBytes(b, ct))
}
