package envelope

import (
	"crypto/rand"
)

// CoreBody holds the fields of a session's core (section 9).
type CoreBody struct {
	// Suite is the suite that every box and envelope of the session uses.
	Suite uint64 `cbor:"2,keyasint"`
	// From and Inst are the sender.
	From string `cbor:"3,keyasint"`
	Inst uint64 `cbor:"4,keyasint"`
	// Cert names the sender's certificate.
	Cert Digest `cbor:"5,keyasint"`
	// Chan is random per channel and recipient selection of the sender.
	Chan ID `cbor:"6,keyasint"`
	// Topic is the name of the topic, Record the digest of its record.
	Topic  string `cbor:"7,keyasint"`
	Record Digest `cbor:"8,keyasint"`
	// Nonce is random and makes every core unique.
	Nonce ID `cbor:"9,keyasint"`
	// NotBefore and NotAfter are the window, in ms; at most 24 h.
	NotBefore int64 `cbor:"10,keyasint"`
	NotAfter  int64 `cbor:"11,keyasint"`
}

type coreMap struct {
	V uint64 `cbor:"1,keyasint"`
	CoreBody
}

// Core says what a session is: sender, channel, topic and time. It is the same
// for every recipient, and so is its hash, the session id.
type Core struct {
	CoreBody
	raw []byte
	sid Digest
}

// NewCore makes a core; a zero nonce is drawn at random. Errors: malformed.
func NewCore(body CoreBody) (*Core, error) {
	if body.Nonce.IsZero() {
		rand.Read(body.Nonce[:])
	}
	return ParseCore(encode(coreMap{1, body}))
}

// ParseCore reads a core. It keeps b. Errors: too_large, malformed,
// not_canonical, version.
func ParseCore(b []byte) (*Core, error) {
	var m coreMap
	if err := decode(b, MaxCore, &m); err != nil {
		return nil, err
	}
	if m.V != 1 {
		return nil, BadVersion.Errorf("core version %d", m.V)
	}
	if err := checkDID(m.From); err != nil {
		return nil, err
	}
	if err := checkInst(m.Inst); err != nil {
		return nil, err
	}
	if m.NotBefore < 0 || m.NotAfter < 0 || len(m.Topic) > MaxTopicName {
		return nil, fail(Malformed, "number out of range or topic too long")
	}
	return &Core{CoreBody: m.CoreBody, raw: b, sid: hash(labelSession, b)}, nil
}

// Bytes returns the encoded core; not to be changed.
func (c *Core) Bytes() []byte { return c.raw }

// Session returns the session id, H("spine/1 session" || core).
func (c *Core) Session() Digest { return c.sid }

// Sender returns the address of the sender.
func (c *Core) Sender() string { return Address(c.From, c.Inst) }

// CheckSender is part of E3 and G3: the sender of the subject is the core's.
// Else rebound.
func (c *Core) CheckSender(address string) error {
	if c.Sender() != address {
		return fail(Rebound, "subject names another sender than the core")
	}
	return nil
}

// CheckSuite is part of G4: the suite stands in the package that the grant is
// for. Else suite.
func (c *Core) CheckSuite(p *Package) error {
	if _, ok := p.KEM[c.Suite]; !ok || c.Suite != Suite1 {
		return BadSuite.Errorf("suite %d", c.Suite)
	}
	return nil
}

// CheckWindow is the window of G4: time with cause [ErrAhead] when the session
// begins after now and skew (it waits), time when the window is not forward or
// longer than 24 h (refused for good).
func (c *Core) CheckWindow(now int64) error {
	if c.NotAfter <= c.NotBefore || c.NotAfter > c.NotBefore+SessionLife {
		return fail(BadTime, "session window is not within 24 h")
	}
	if c.NotBefore > now+Skew {
		return BadTime.Errorf("session begins %d ms after now: %w", c.NotBefore-now, ErrAhead)
	}
	return nil
}

// CheckOver is the age of G4 and E3: now is not past the end of the session
// and retention, and that end lies above what the ledger forgot of this
// sender (the latest naf + retention, in ms; 0 for nothing). Else
// session_over.
func (c *Core) CheckOver(now, retention, forgotten int64) error {
	end := c.NotAfter + retention
	if now > end {
		return fail(SessionOver, "session and retention are past")
	}
	if forgotten > 0 && end <= forgotten {
		return fail(SessionOver, "the ledger has forgotten sessions of that time")
	}
	return nil
}

// CheckCertificate is part of G5: the certificate is the one named, of this
// DID and instance, and its window holds the session's (C5). Else cert.
func (c *Core) CheckCertificate(cert *Certificate) error {
	switch {
	case cert.Digest() != c.Cert:
		return fail(BadCert, "not the certificate of the core")
	case cert.DID != c.From || cert.Inst != c.Inst:
		return fail(BadCert, "certificate of another DID or instance")
	case c.NotBefore < cert.NotBefore || c.NotAfter > cert.NotAfter:
		return fail(BadCert, "session reaches out of the certificate's window")
	}
	return nil
}

// CheckTopic is part of G7: the record is the one named, and of this topic.
// Else topic.
func (c *Core) CheckTopic(t *Topic) error {
	if t.Digest() != c.Record || t.Name != c.Topic {
		return fail(BadTopic, "not the record of the core")
	}
	return nil
}
