package envelope

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/fxamacker/cbor/v2"
)

// Structures declare their shape by struct tags and are coded by the library.
// Its decoder accepts more than the one deterministic encoding (long integers,
// unsorted keys, absent for zero, arrays for byte strings), even when it is
// set to be strict; so what it decoded is encoded again and compared. The few
// shapes of the hot path (Sign1, header, frames) are read by [reader], which
// accepts nothing else to begin with.
var (
	encoding = must(cbor.EncOptions{
		Sort:          cbor.SortBytewiseLexical,
		IndefLength:   cbor.IndefLengthForbidden,
		TagsMd:        cbor.TagsForbidden,
		NilContainers: cbor.NilContainerAsEmpty,
	}.EncMode())
	decoding = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		UTF8:              cbor.UTF8RejectInvalid,
		MaxNestedLevels:   maxNesting,
		MaxArrayElements:  MaxRanges, // the longest list of any declared structure
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // options are constants of this file
	}
	return v
}

// encode returns the deterministic encoding of a declared structure.
func encode(v any) []byte { return must(encoding.Marshal(v)) }

// decode reads a declared structure, limit first. Errors: too_large,
// malformed, not_canonical, and version when the map is well formed but its
// key 1 is not 1.
func decode(b []byte, limit int, v any) error {
	if len(b) > limit {
		return TooLarge.Errorf("%d bytes, at most %d", len(b), limit)
	}
	if err := canonical(b); err != nil {
		return err
	}
	if err := decoding.Unmarshal(b, v); err != nil {
		if _, long := err.(*cbor.MaxArrayElementsError); long {
			return TooLarge.Errorf("list of more than %d", MaxRanges)
		}
		return shape(b)
	}
	if !bytes.Equal(encode(v), b) {
		return shape(b)
	}
	return nil
}

// shape names what is wrong with canonical CBOR that is not the structure
// expected.
func shape(b []byte) error {
	// A map whose first key is 1 carries the version there.
	r := reader{b: b}
	if r.open(majorMap) > 0 && r.uint() == 1 {
		if v := r.uint(); !r.bad && v != 1 {
			return BadVersion.Errorf("version %d", v)
		}
	}
	return fail(Malformed, "not the structure expected")
}

// misread is the error of a reader that stopped: not canonical where the bytes
// decode, else malformed.
func misread(b []byte) error {
	if err := canonical(b); err != nil {
		return err
	}
	return shape(b)
}

// Major types of CBOR (RFC 8949 section 3.1).
const (
	majorUint  = 0
	majorNeg   = 1
	majorBytes = 2
	majorText  = 3
	majorArray = 4
	majorMap   = 5
)

// appendHead appends the shortest head of an item.
func appendHead(dst []byte, major byte, arg uint64) []byte {
	switch argSize(arg) {
	case 0:
		return append(dst, major<<5|byte(arg))
	case 1:
		return append(dst, major<<5|24, byte(arg))
	case 2:
		return binary.BigEndian.AppendUint16(append(dst, major<<5|25), uint16(arg))
	case 4:
		return binary.BigEndian.AppendUint32(append(dst, major<<5|26), uint32(arg))
	}
	return binary.BigEndian.AppendUint64(append(dst, major<<5|27), arg)
}

func appendBytes(dst, b []byte) []byte {
	return append(appendHead(dst, majorBytes, uint64(len(b))), b...)
}

func appendText(dst []byte, s string) []byte {
	return append(appendHead(dst, majorText, uint64(len(s))), s...)
}

// headSize is the length of a shortest head.
func headSize(arg uint64) int { return 1 + argSize(arg) }

// stringSize is the length of an encoded string of n bytes.
func stringSize(n int) int { return headSize(uint64(n)) + n }

// log2 returns floor(log2 n) for n > 0.
func log2(n uint64) int { return bits.Len64(n) - 1 }
