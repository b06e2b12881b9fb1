package envelope

import (
	"context"
	"crypto/ed25519"
)

// Why an envelope is missing.
const (
	// WhyHole: it did not arrive.
	WhyHole uint64 = 1
	// WhySecret: no secret to open it, a grant is needed first.
	WhySecret uint64 = 2
	// WhyBytes: it arrived with bytes that do not verify.
	WhyBytes uint64 = 3
	// WhyBody: its body, or a part of an object in it, is not in the blob
	// store as named.
	WhyBody uint64 = 4
)

// Refusal says that envelopes First to Last, or one frame of one envelope,
// were refused.
type Refusal struct {
	_           struct{} `cbor:",toarray"`
	First, Last uint64
	Code        Code
	// Frame is the index of the frame, or -1 for whole envelopes.
	Frame int64
}

// Missing asks for envelopes First to Last.
type Missing struct {
	_           struct{} `cbor:",toarray"`
	First, Last uint64
	// Why is WhyHole, WhySecret, WhyBytes or WhyBody.
	Why uint64
}

// Lane is what a receipt says of one session.
type Lane struct {
	_       struct{} `cbor:",toarray"`
	Session Digest
	// UpTo is the last number in custody, -1 for none. Head is D of that
	// envelope, the session id for none.
	UpTo int64
	Head Digest
	// Refused and Missing are exceptions up to UpTo, or asks beyond it.
	Refused []Refusal
	Missing []Missing
}

// ReceiptBody holds the fields of a receipt (section 11).
type ReceiptBody struct {
	// Cert is the recipient's certificate, Package its newest key package.
	Cert    Digest `cbor:"2,keyasint"`
	Package Digest `cbor:"3,keyasint"`
	// At rises with every receipt of an instance, in ms.
	At int64 `cbor:"4,keyasint"`
	// Lanes are 1 to 256 sessions that changed or have holes.
	Lanes []Lane `cbor:"5,keyasint"`
}

type receiptMap struct {
	V uint64 `cbor:"1,keyasint"`
	ReceiptBody
}

// Receipt says what is in the recipient's durable custody, what was refused
// and what is missing: [4, Sign1(spine/receipt, body)].
type Receipt struct {
	ReceiptBody
	raw   []byte
	sign1 sign1
}

// RefuseSession returns the lane that refuses a whole session.
func RefuseSession(session Digest, code Code) Lane {
	return Lane{
		Session: session, UpTo: -1, Head: session,
		Refused: []Refusal{{Last: MaxEnvelopes - 1, Code: code, Frame: -1}},
	}
}

// NewReceipt signs a receipt with the newest instance key. Errors: malformed,
// too_large, or those of the signer.
func NewReceipt(ctx context.Context, signer InstanceSigner, body ReceiptBody) (*Receipt, error) {
	s, err := newSign1(ctx, signer, typeReceipt, nil, encode(receiptMap{1, body}))
	if err != nil {
		return nil, err
	}
	return ParseReceipt(append([]byte{0x82, byte(KindReceipt)}, s...))
}

// ParseReceipt reads a receipt (R1). It keeps b. Errors: too_large, malformed,
// not_canonical, version.
func ParseReceipt(b []byte) (*Receipt, error) {
	if len(b) > WireMax {
		return nil, TooLarge.Errorf("receipt of %d bytes, at most %d", len(b), WireMax)
	}
	c := &Receipt{raw: b}
	r := reader{b: b}
	r.exact(majorArray, 2)
	r.key(uint64(KindReceipt))
	c.sign1 = r.sign1(typeReceipt)
	if !r.done() {
		return nil, misread(b)
	}
	var m receiptMap
	if err := decode(c.sign1.payload, WireMax, &m); err != nil {
		return nil, err
	}
	if m.V != 1 {
		return nil, BadVersion.Errorf("receipt version %d", m.V)
	}
	c.ReceiptBody = m.ReceiptBody
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}

func (b *ReceiptBody) check() error {
	if b.At < 0 || len(b.Lanes) == 0 {
		return fail(Malformed, "time out of range or no lane")
	}
	if len(b.Lanes) > MaxLanes {
		return TooLarge.Errorf("%d lanes, at most %d", len(b.Lanes), MaxLanes)
	}
	for i := range b.Lanes {
		if err := b.Lanes[i].check(); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lane) check() error {
	if l.UpTo < -1 || l.UpTo >= MaxEnvelopes || l.UpTo == -1 && l.Head != l.Session {
		return fail(Malformed, "lane out of range, or a head without an envelope")
	}
	if len(l.Refused) > MaxRanges || len(l.Missing) > MaxRanges {
		return TooLarge.Errorf("more than %d ranges", MaxRanges)
	}
	for _, r := range l.Refused {
		if !validRange(r.First, r.Last) || !r.Code.TellsSender() || r.Frame < -1 || r.Frame >= MaxFrames ||
			r.Frame >= 0 && r.First != r.Last {
			return fail(Malformed, "refused range")
		}
	}
	for _, r := range l.Missing {
		if !validRange(r.First, r.Last) || r.Why < WhyHole || r.Why > WhyBody {
			return fail(Malformed, "missing range")
		}
	}
	return nil
}

func validRange(first, last uint64) bool { return first <= last && last < MaxEnvelopes }

// Bytes returns the wire message; not to be changed.
func (c *Receipt) Bytes() []byte { return c.raw }

// Digest returns D, the hash of what was signed.
func (c *Receipt) Digest() Digest { return c.sign1.digest(typeReceipt, nil) }

// Sum returns H of all bytes.
func (c *Receipt) Sum() Digest { return Sum(c.raw) }

// CheckTime is the time of R2: newer than the last receipt of this instance (0
// for none) and not ahead of now by more than the skew. Else receipt.
func (c *Receipt) CheckTime(last, now int64) error {
	if c.At <= last {
		return fail(BadReceipt, "not newer than the last")
	}
	if c.At > now+Skew {
		return fail(BadReceipt, "ahead of now")
	}
	return nil
}

// CheckCertificate is part of R3: the certificate is the one named and its
// window holds the receipt's time (C5). Else cert.
func (c *Receipt) CheckCertificate(cert *Certificate) error {
	if cert.Digest() != c.Cert {
		return fail(BadCert, "not the certificate of the receipt")
	}
	return cert.CheckAt(c.At)
}

// Verify is the signature of R3. Else signature.
func (c *Receipt) Verify(key ed25519.PublicKey) error {
	if !c.sign1.verify(key, typeReceipt, nil) {
		return fail(BadSignature, "receipt is not signed by its certificate")
	}
	return nil
}

// CheckHead is R4: mine is the digest of my envelope at UpTo, the session id
// when UpTo is -1. Else forked; nothing may be deleted then.
func (l *Lane) CheckHead(mine Digest) error {
	if l.Head != mine {
		return Forked.Errorf("the recipient holds another envelope %d", l.UpTo)
	}
	return nil
}
