package envelope

import (
	"crypto/hpke"
	"crypto/rand"
)

// SecretSize is the length of a session secret.
const SecretSize = 32

// Secret is the session secret S: whoever holds it reads the session.
type Secret [SecretSize]byte

// NewSecret draws a session secret.
func NewSecret() (s Secret) {
	rand.Read(s[:])
	return s
}

// String hides the secret from logs.
func (Secret) String() string { return "secret" }

// MarshalText hides the secret from logs and JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte("secret"), nil }

// GoString hides the secret from logs.
func (Secret) GoString() string { return "envelope.Secret{}" }

// Prev names the last entry of a lane group that was addressed to the same
// recipient; it closes that session.
type Prev struct {
	_ struct{} `cbor:",toarray"`
	// Session, Seq and Digest are the entry, Digest its D.
	Session Digest
	Seq     uint64
	Digest  Digest
	// NotAfter is the end of that session's window.
	NotAfter int64
}

// BoxText is what a recipient finds in its box (section 9).
type BoxText struct {
	// Secret is the session secret.
	Secret Secret `cbor:"1,keyasint"`
	// Prev is nil when no earlier entry of the lane group was addressed to
	// this recipient.
	Prev *Prev `cbor:"2,keyasint,omitempty"`
	// Creds are the digests of the role credentials the sender relies on.
	Creds []Digest `cbor:"3,keyasint,omitempty"`
}

// Bytes returns the encoded text. It holds the secret.
func (t *BoxText) Bytes() []byte { return encode(t) }

// ParseBoxText reads the text of an opened box. Errors: box.
func ParseBoxText(b []byte) (*BoxText, error) {
	t := new(BoxText)
	if err := decode(b, MaxBox, t); err != nil {
		return nil, BadBox.Errorf("text of the box: %w", err)
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *BoxText) check() error {
	if len(t.Creds) > MaxCreds {
		return BadBox.Errorf("%d credentials, at most %d", len(t.Creds), MaxCreds)
	}
	if p := t.Prev; p != nil && (p.Seq >= MaxEnvelopes || p.NotAfter < 0) {
		return fail(BadBox, "prev out of range")
	}
	return nil
}

// BoxInfo returns the HPKE info of a box, "spine/1 box" || session || package:
// a box opens for this session and this package only.
func BoxInfo(session, pkg Digest) []byte {
	b := make([]byte, 0, len(labelBox)+64)
	b = append(b, labelBox...)
	b = append(b, session[:]...)
	return append(b, pkg[:]...)
}

// SealBox seals a text to a package that passed P1 and P2 (HPKE base mode,
// single shot, RFC 9180): 1,120 bytes of encapsulated key, then ciphertext.
// Errors: box, package.
func SealBox(session Digest, p *Package, text *BoxText) ([]byte, error) {
	if err := text.check(); err != nil {
		return nil, err
	}
	key, err := p.PublicKey()
	if err != nil {
		return nil, err
	}
	box, err := hpke.Seal(key, hpke.HKDFSHA256(), hpke.AES256GCM(), BoxInfo(session, p.Digest()), text.Bytes())
	if err != nil {
		return nil, BadBox.Errorf("seal: %w", err)
	}
	return box, nil
}

// OpenBox opens a box with a private key in memory; keys of a gateway stay in
// its keyring, which opens with [BoxInfo] and is followed by [ParseBoxText].
// Errors: box.
func OpenBox(key hpke.PrivateKey, session, pkg Digest, box []byte) (*BoxText, error) {
	text, err := hpke.Open(key, hpke.HKDFSHA256(), hpke.AES256GCM(), BoxInfo(session, pkg), box)
	if err != nil {
		return nil, fail(BadBox, "box does not open")
	}
	return ParseBoxText(text)
}
