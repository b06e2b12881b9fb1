package envelope

import (
	"context"
	"crypto/ed25519"
)

// States of a mark.
const (
	// MarkAlive: the sender goes on with the session.
	MarkAlive uint64 = 1
	// MarkClosed: nothing comes in it any more.
	MarkClosed uint64 = 2
)

// MarkBody holds the fields of a mark (section 22). Key 6 is left free: in a
// header it is the root.
type MarkBody struct {
	// Session is the session id.
	Session Digest `cbor:"2,keyasint"`
	// Seq is the number that the next envelope would have, 0 to 2^20.
	Seq uint64 `cbor:"3,keyasint"`
	// Prev is D of the envelope before it, the session id when Seq is 0.
	Prev Digest `cbor:"4,keyasint"`
	// Time is when the mark was made, in ms; it may pass the session's end.
	Time int64 `cbor:"5,keyasint"`
	// State is MarkAlive or MarkClosed.
	State uint64 `cbor:"7,keyasint"`
}

type markMap struct {
	V uint64 `cbor:"1,keyasint"`
	MarkBody
}

// Mark says which number of a session would be next, so that a recipient finds
// out when the last ones were withheld: [5, Sign1(spine/mark, body)]. It uses
// up no number and is not stored: the next one replaces a lost one.
type Mark struct {
	MarkBody
	raw   []byte
	sign1 sign1
}

// NewMark signs a mark with the key of the session's certificate. Errors:
// malformed, too_large, or those of the signer.
func NewMark(ctx context.Context, signer InstanceSigner, body MarkBody) (*Mark, error) {
	s, err := newSign1(ctx, signer, typeMark, nil, encode(markMap{1, body}))
	if err != nil {
		return nil, err
	}
	return ParseMark(append([]byte{0x82, byte(KindMark)}, s...))
}

// ParseMark reads a mark (M1). It keeps b. Errors: too_large, malformed,
// not_canonical, version.
func ParseMark(b []byte) (*Mark, error) {
	if len(b) > MaxMark {
		return nil, TooLarge.Errorf("mark of %d bytes, at most %d", len(b), MaxMark)
	}
	k := &Mark{raw: b}
	r := reader{b: b}
	r.exact(majorArray, 2)
	r.key(uint64(KindMark))
	k.sign1 = r.sign1(typeMark)
	if !r.done() {
		return nil, misread(b)
	}
	var m markMap
	if err := decode(k.sign1.payload, MaxMark, &m); err != nil {
		return nil, err
	}
	switch {
	case m.V != 1:
		return nil, BadVersion.Errorf("mark version %d", m.V)
	case m.Time < 0 || m.State != MarkAlive && m.State != MarkClosed:
		return nil, fail(Malformed, "time or state out of range")
	case m.Seq > MaxEnvelopes:
		return nil, TooLarge.Errorf("next envelope %d, at most %d", m.Seq, MaxEnvelopes)
	case m.Seq == 0 && m.Prev != m.Session:
		return nil, fail(Malformed, "a predecessor before the first envelope")
	}
	k.MarkBody = m.MarkBody
	return k, nil
}

// Bytes returns the wire message; not to be changed.
func (m *Mark) Bytes() []byte { return m.raw }

// Digest returns D, the hash of what was signed.
func (m *Mark) Digest() Digest { return m.sign1.digest(typeMark, nil) }

// Verify is M4: key is that of the certificate of the session's core. Else
// signature.
func (m *Mark) Verify(key ed25519.PublicKey) error {
	if !m.sign1.verify(key, typeMark, nil) {
		return fail(BadSignature, "mark is not signed by the session's sender")
	}
	return nil
}

// CheckTime is M5: newer than the last mark of the session (0 for none), not
// before the session, and not ahead of now by more than the skew. Else
// replayed, time.
//
// An old mark is true but says nothing about now: were it to count, whoever
// holds back the new ones could keep a watch on the lane quiet.
func (m *Mark) CheckTime(core *Core, last, now int64) error {
	switch {
	case m.Time <= last:
		return fail(Replayed, "mark is not newer than the last")
	case m.Time < core.NotBefore:
		return fail(BadTime, "mark from before the session")
	case m.Time > now+Skew:
		return BadTime.Errorf("mark made %d ms after now: %w", m.Time-now, ErrAhead)
	}
	return nil
}

// CheckPrev is M6, made when Seq is at most the next number here: mine is the
// digest of the envelope held at Seq - 1, the session id when Seq is 0. Else
// forked.
func (m *Mark) CheckPrev(mine Digest) error {
	if m.Prev != mine {
		return Forked.Errorf("the mark names another envelope before %d", m.Seq)
	}
	return nil
}
