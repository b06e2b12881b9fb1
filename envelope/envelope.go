package envelope

import (
	"context"
	"crypto/ed25519"
)

// Header is the signed part of an envelope (section 10).
type Header struct {
	// Session is the session id.
	Session Digest
	// Seq numbers the envelopes of a session from 0.
	Seq uint64
	// Prev is D of the envelope before, or the session id when Seq is 0.
	Prev Digest
	// Time is when it was sealed, in ms; it never goes back within a session.
	Time int64
	// Root commits to the frames.
	Root Digest
}

// headerSize is the longest encoded header.
const headerSize = 1 + 2 + 3*(1+34) + 2*(1+9)

// append appends the encoded header; all six keys are always there.
func (h *Header) append(dst []byte) []byte {
	dst = append(dst, 0xa6, 1, 1, 2)
	dst = appendBytes(dst, h.Session[:])
	dst = appendHead(append(dst, 3), majorUint, h.Seq)
	dst = appendBytes(append(dst, 4), h.Prev[:])
	dst = appendHead(append(dst, 5), majorUint, uint64(h.Time))
	return appendBytes(append(dst, 6), h.Root[:])
}

// ParseHeader reads an encoded header. Errors: malformed, not_canonical,
// version, too_large (a number above 2^20 - 1).
func ParseHeader(b []byte) (*Header, error) {
	h := new(Header)
	r := reader{b: b}
	r.exact(majorMap, 6)
	r.key(1)
	r.key(1)
	r.key(2)
	r.fixed(h.Session[:])
	r.key(3)
	h.Seq = r.uint()
	r.key(4)
	r.fixed(h.Prev[:])
	r.key(5)
	h.Time = int64(r.uint())
	r.key(6)
	r.fixed(h.Root[:])
	if !r.done() {
		return nil, misread(b)
	}
	if h.Seq >= MaxEnvelopes {
		return nil, TooLarge.Errorf("envelope number %d, at most %d", h.Seq, MaxEnvelopes-1)
	}
	return h, nil
}

// Envelope carries frames, sealed once and signed once:
// [1, Sign1(spine/envelope, header, H(ct)), ct].
//
// An Envelope is not to be shared between goroutines before Digest was called
// once.
type Envelope struct {
	Header
	// Ciphertext is ct: 12 bytes of nonce, then AES-256-GCM; not to be
	// changed.
	Ciphertext []byte
	raw        []byte
	signed     []byte
	sign1      sign1
	hashed     bool
	ctHash     Digest
	digest     Digest
}

// ParseEnvelope reads an envelope (E1). It keeps b, hashes nothing and
// verifies nothing. Errors: too_large, malformed, not_canonical, version.
func ParseEnvelope(b []byte) (*Envelope, error) {
	if len(b) > WireMax {
		return nil, TooLarge.Errorf("envelope of %d bytes, at most %d", len(b), WireMax)
	}
	e := &Envelope{raw: b}
	r := reader{b: b}
	r.exact(majorArray, 3)
	r.key(uint64(KindEnvelope))
	signed := r.b
	e.sign1 = r.sign1(typeEnvelope)
	e.signed = signed[:len(signed)-len(r.b)]
	e.Ciphertext = r.bytes()
	if !r.done() {
		return nil, misread(b)
	}
	h, err := ParseHeader(e.sign1.payload)
	if err != nil {
		return nil, err
	}
	e.Header = *h
	return e, nil
}

// SignEnvelope signs a header over any ciphertext. Senders call
// [SessionKeys.Seal]; this is the part of it that says nothing about the
// ciphertext.
func SignEnvelope(ctx context.Context, signer InstanceSigner, h Header, ct []byte) (*Envelope, error) {
	external := Sum(ct)
	header := h.append(make([]byte, 0, headerSize))
	s, err := newSign1(ctx, signer, typeEnvelope, external[:], header)
	if err != nil {
		return nil, err
	}
	b := append(make([]byte, 0, 2+len(s)+stringSize(len(ct))), 0x83, byte(KindEnvelope))
	return ParseEnvelope(appendBytes(append(b, s...), ct))
}

// Notice returns the envelope without its ciphertext.
func (e *Envelope) Notice() *Notice {
	n, err := ParseNotice(appendNotice(e.signed, e.CiphertextHash(), len(e.Ciphertext)))
	return must(n, err) // an envelope that was parsed or sealed has a notice
}

// Bytes returns the wire message; not to be changed.
func (e *Envelope) Bytes() []byte { return e.raw }

// Signed returns the encoded Sign1, which with CiphertextHash is the evidence
// of the envelope without its content; not to be changed.
func (e *Envelope) Signed() []byte { return e.signed }

// CiphertextHash returns H(ct).
func (e *Envelope) CiphertextHash() Digest {
	e.hash()
	return e.ctHash
}

// Digest returns D (E5): it names the envelope in the chain and in the ledger,
// and leaves the signature out.
func (e *Envelope) Digest() Digest {
	e.hash()
	return e.digest
}

func (e *Envelope) hash() {
	if !e.hashed {
		e.ctHash = Sum(e.Ciphertext)
		e.digest = e.sign1.digest(typeEnvelope, e.ctHash[:])
		e.hashed = true
	}
}

// Verify is E6: key is that of the certificate of the session's core. Else
// signature.
func (e *Envelope) Verify(key ed25519.PublicKey) error {
	e.hash()
	if !e.sign1.verify(key, typeEnvelope, e.ctHash[:]) {
		return fail(BadSignature, "envelope is not signed by the session's sender")
	}
	return nil
}

// CheckTime is E8: the time lies in the session (with one minute's grace) and
// not before that of the envelope before (last; 0 for none). Else time; with
// cause [ErrAhead] when it is merely ahead of now by more than the skew, and
// the envelope waits.
func (h *Header) CheckTime(core *Core, last, now int64) error {
	switch {
	case h.Time < core.NotBefore || h.Time > core.NotAfter+SessionGrace:
		return fail(BadTime, "time outside the session")
	case h.Time < last:
		return fail(BadTime, "time goes back")
	case h.Time > now+Skew:
		return BadTime.Errorf("sealed %d ms after now: %w", h.Time-now, ErrAhead)
	}
	return nil
}

// CheckPrev is the lower branch of E9: the predecessor held has digest prev (the
// session id before number 0). Else chain_broken.
func (h *Header) CheckPrev(prev Digest) error {
	if h.Prev != prev {
		return ChainBroken.Errorf("envelope %d names another predecessor", h.Seq)
	}
	return nil
}

// CheckHeld is the other half of E9: the number is held already with digest
// held, or its successor, held, names held as its predecessor. Else forked.
func (e *Envelope) CheckHeld(held Digest) error {
	if e.Digest() != held {
		return Forked.Errorf("envelope %d has another digest than is held", e.Seq)
	}
	return nil
}
