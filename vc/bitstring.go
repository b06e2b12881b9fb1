package vc

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"strings"
)

// Bounds of a status list, in bits. The minimum is that of Bitstring Status
// List 1.0 (so that one entry hides among many), the maximum is ours.
const (
	MinBits = 131_072
	MaxBits = 4_194_304
)

// Bitstring is the content of a status list: bit 0 is the most significant bit
// of the first byte. A set bit means revoked. It is not safe for use by
// several goroutines while one of them calls Set.
type Bitstring struct{ b []byte }

// NewBitstring returns a clear bitstring of at least bits bits, within MinBits
// and MaxBits, in whole bytes.
func NewBitstring(bits uint64) *Bitstring {
	bits = min(max(bits, MinBits), MaxBits)
	return &Bitstring{b: make([]byte, (bits+7)/8)}
}

// Len returns the number of bits.
func (s *Bitstring) Len() uint64 { return uint64(len(s.b)) * 8 }

// Get reports whether bit i is set; a bit outside the list is an error of code
// status_list, never "not revoked".
func (s *Bitstring) Get(i uint64) (bool, error) {
	if i >= s.Len() {
		return false, fail(CodeStatusList, "index %d is outside a list of %d bits", i, s.Len())
	}
	return s.b[i/8]&(0x80>>(i%8)) != 0, nil
}

// Set sets bit i, growing the list up to MaxBits. A bit is never cleared:
// revocation is for ever.
func (s *Bitstring) Set(i uint64) error {
	if i >= MaxBits {
		return fail(CodeStatusList, "index %d is not below %d", i, MaxBits)
	}
	if i >= s.Len() {
		s.b = append(s.b, make([]byte, i/8+1-uint64(len(s.b)))...)
	}
	s.b[i/8] |= 0x80 >> (i % 8)
	return nil
}

// Clone returns a copy.
func (s *Bitstring) Clone() *Bitstring { return &Bitstring{b: bytes.Clone(s.b)} }

// Includes reports whether every bit of older is also set here.
func (s *Bitstring) Includes(older *Bitstring) bool {
	for i, b := range older.b {
		if i >= len(s.b) {
			if b != 0 {
				return false
			}
		} else if b&^s.b[i] != 0 {
			return false
		}
	}
	return true
}

// Added calls f for every bit that is set here and not in older, which may be
// nil, in rising order, until f returns false.
func (s *Bitstring) Added(older *Bitstring, f func(i uint64) bool) {
	for n, b := range s.b {
		if older != nil && n < len(older.b) {
			b &^= older.b[n]
		}
		for bit := 0; b != 0 && bit < 8; bit++ {
			if b&(0x80>>bit) != 0 && !f(uint64(n)*8+uint64(bit)) {
				return
			}
		}
	}
}

// Encode returns the multibase form: "u" and base64url of gzip.
func (s *Bitstring) Encode() string {
	var out bytes.Buffer
	// Neither writer can fail on a buffer.
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	_, _ = z.Write(s.b)
	_ = z.Close()
	return "u" + base64.RawURLEncoding.EncodeToString(out.Bytes())
}

// DecodeBitstring reads the multibase form. Expansion stops at MaxBits, so a
// bomb costs 512 KiB at most. Code status_list.
func DecodeBitstring(text string) (*Bitstring, error) {
	if len(text) > MaxSize {
		return nil, fail(CodeStatusList, "encoded list above %d bytes", MaxSize)
	}
	digits, ok := strings.CutPrefix(text, "u")
	if !ok {
		return nil, fail(CodeStatusList, "encoded list is not multibase base64url")
	}
	packed, err := base64.RawURLEncoding.Strict().DecodeString(digits)
	if err != nil {
		return nil, &Error{Code: CodeStatusList, Text: "encoded list is not base64url", Err: err}
	}
	in := bytes.NewReader(packed)
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, &Error{Code: CodeStatusList, Text: "encoded list is not gzip", Err: err}
	}
	z.Multistream(false)
	b, err := io.ReadAll(io.LimitReader(z, MaxBits/8+1))
	switch {
	case err != nil:
		return nil, &Error{Code: CodeStatusList, Text: "encoded list does not expand", Err: err}
	case len(b) > MaxBits/8:
		return nil, fail(CodeStatusList, "list above %d bits", MaxBits)
	case len(b) < MinBits/8:
		return nil, fail(CodeStatusList, "list below %d bits", MinBits)
	case in.Len() > 0:
		return nil, fail(CodeStatusList, "bytes follow the list")
	}
	return &Bitstring{b: b}, nil
}
