package envelope

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Digest is a SHA-256 hash. It prints as lower-case hexadecimal.
type Digest [32]byte

// ParseDigest reads 64 lower-case hexadecimal digits; anything else is
// malformed.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	if err := d.UnmarshalText([]byte(s)); err != nil {
		return Digest{}, err
	}
	return d, nil
}

// String returns 64 lower-case hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// IsZero reports whether the digest is all zero, which stands for none.
func (d Digest) IsZero() bool { return d == Digest{} }

// Bytes32 returns the digest as the bytes32 of typed data.
func (d Digest) Bytes32() [32]byte { return d }

// MarshalText implements encoding.TextMarshaler.
func (d Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler. Upper case is refused, so
// that a digest has one spelling.
func (d *Digest) UnmarshalText(text []byte) error { return unhex(d[:], text) }

// ID is a 16-byte identifier: of a message (a UUID), a channel or a nonce. It
// prints as a UUID.
type ID [16]byte

// ParseID reads the lower-case form of a UUID, with its four hyphens.
func ParseID(s string) (ID, error) {
	var id ID
	if err := id.UnmarshalText([]byte(s)); err != nil {
		return ID{}, err
	}
	return id, nil
}

// String returns the identifier in the form of a UUID.
func (id ID) String() string {
	b := make([]byte, 0, 36)
	for i, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return string(b)
}

// IsZero reports whether the identifier is all zero, which stands for none.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText implements encoding.TextMarshaler.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *ID) UnmarshalText(text []byte) error {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return fail(Malformed, "not a UUID")
	}
	digits := make([]byte, 0, 32)
	for _, part := range [][]byte{text[:8], text[9:13], text[14:18], text[19:23], text[24:]} {
		digits = append(digits, part...)
	}
	return unhex(id[:], digits)
}

func unhex(dst, text []byte) error {
	if len(text) != 2*len(dst) {
		return fail(Malformed, fmt.Sprintf("%d hexadecimal digits expected", 2*len(dst)))
	}
	for _, c := range text {
		if c >= 'A' && c <= 'F' {
			return fail(Malformed, "upper-case hexadecimal")
		}
	}
	if _, err := hex.Decode(dst, text); err != nil {
		return fail(Malformed, "not hexadecimal")
	}
	return nil
}

// Hash labels. They keep a hash to its purpose; none is a prefix of another.
const (
	labelAddress  = "spine/1 address"
	labelCert     = "spine/1 cert"
	labelPackage  = "spine/1 package"
	labelTopic    = "spine/1 topic"
	labelSchema   = "spine/1 schema"
	labelSession  = "spine/1 session"
	labelGrant    = "spine/1 grant"
	labelBox      = "spine/1 box"
	labelEnvelope = "spine/1 envelope"
	labelPart     = "spine/1 part"
)

// Sum returns H(b), SHA-256. Results of checks are cached under the sum of all
// bytes of an object, never under a digest that leaves signatures out.
func Sum(b []byte) Digest { return sha256.Sum256(b) }

// hash returns H(label || parts).
func hash(label string, parts ...[]byte) (d Digest) {
	h := sha256.New()
	h.Write([]byte(label))
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(d[:0])
	return d
}
