package envelope

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"

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

// canonical walks one data item and checks that it is deterministic CBOR
// (RFC 8949 section 4.2.1) of the types this protocol uses, without
// allocating: malformed for what is not CBOR, holds tags, floats, null,
// duplicate keys, invalid UTF-8 or trailing bytes, or is nested too deeply;
// not_canonical for long integers and lengths, indefinite lengths and unsorted
// keys.
func canonical(b []byte) error {
	w := walker{b: b}
	if !w.item(1) || len(w.b) != 0 {
		return fail(Malformed, "not well-formed CBOR of the types allowed")
	}
	if w.loose {
		return fail(NotCanonical, "not the deterministic encoding")
	}
	return nil
}

// walker checks CBOR. It notes loose forms and goes on, so that what is not
// well formed anywhere counts as malformed.
type walker struct {
	b     []byte
	loose bool
}

// head reads the initial byte and the argument of an item; indefinite is true
// for lengths that end with a break.
func (w *walker) head() (major byte, arg uint64, indefinite, ok bool) {
	if len(w.b) == 0 {
		return 0, 0, false, false
	}
	major, info := w.b[0]>>5, w.b[0]&31
	w.b = w.b[1:]
	switch {
	case info < 24:
		return major, uint64(info), false, true
	case info == 31:
		if major < majorBytes || major > majorMap {
			return 0, 0, false, false
		}
		w.loose = true
		return major, 0, true, true
	case info > 27:
		return 0, 0, false, false
	}
	n := 1 << (info - 24)
	if len(w.b) < n {
		return 0, 0, false, false
	}
	for _, c := range w.b[:n] {
		arg = arg<<8 | uint64(c)
	}
	w.b = w.b[n:]
	if n != argSize(arg) {
		w.loose = true
	}
	return major, arg, false, true
}

// argSize is the number of bytes that follow the initial byte of a shortest
// head.
func argSize(arg uint64) int {
	switch {
	case arg < 24:
		return 0
	case arg < 1<<8:
		return 1
	case arg < 1<<16:
		return 2
	case arg < 1<<32:
		return 4
	}
	return 8
}

func (w *walker) item(depth int) bool {
	simple := len(w.b) > 0 && (w.b[0] == 0xf4 || w.b[0] == 0xf5) // false, true
	if simple {
		w.b = w.b[1:]
		return true
	}
	major, arg, indefinite, ok := w.head()
	if !ok {
		return false
	}
	switch major {
	case majorUint, majorNeg:
		return arg <= maxInt
	case majorBytes, majorText:
		if indefinite {
			return w.chunks(major)
		}
		return w.skip(major, arg)
	case majorArray, majorMap:
		return depth <= maxNesting && w.children(major, arg, indefinite, depth)
	}
	return false
}

// skip passes the bytes of one definite string.
func (w *walker) skip(major byte, n uint64) bool {
	if n > uint64(len(w.b)) || major == majorText && !utf8.Valid(w.b[:n]) {
		return false
	}
	w.b = w.b[n:]
	return true
}

// chunks passes the parts of an indefinite string.
func (w *walker) chunks(major byte) bool {
	for {
		if w.end() {
			return true
		}
		m, n, indefinite, ok := w.head()
		if !ok || m != major || indefinite || !w.skip(m, n) {
			return false
		}
	}
}

// end passes a break, if one is next.
func (w *walker) end() bool {
	if len(w.b) == 0 || w.b[0] != 0xff {
		return false
	}
	w.b = w.b[1:]
	return true
}

// children passes the items of an array or a map. Duplicate keys are found
// among neighbours only: in a map out of order they go unnoticed here, but
// such a map is not canonical anyway.
func (w *walker) children(major byte, n uint64, indefinite bool, depth int) bool {
	if !indefinite && n > uint64(len(w.b)) {
		return false
	}
	var last []byte
	for i := uint64(0); indefinite || i < n; i++ {
		if indefinite && w.end() {
			return true
		}
		if major == majorMap {
			before := w.b
			if !w.item(depth + 1) {
				return false
			}
			key := before[:len(before)-len(w.b)]
			switch order := bytes.Compare(last, key); {
			case order == 0:
				return false
			case order > 0:
				w.loose = true
			}
			last = key
		}
		if !w.item(depth + 1) {
			return false
		}
	}
	return true
}

// reader reads the fixed shapes of the hot path: it accepts shortest heads and
// definite lengths only, and hands out slices of what it reads. After a
// mismatch bad stays true and every value is zero; misread says why.
type reader struct {
	b   []byte
	bad bool
}

// next returns the argument of the next item, which must be of this major type.
func (r *reader) next(major byte) uint64 {
	if r.bad || len(r.b) == 0 || r.b[0]>>5 != major {
		r.bad = true
		return 0
	}
	info := r.b[0] & 31
	if info < 24 {
		r.b = r.b[1:]
		return uint64(info)
	}
	n := 1 << (info - 24)
	if info > 27 || len(r.b) <= n {
		r.bad = true
		return 0
	}
	var arg uint64
	for _, c := range r.b[1 : 1+n] {
		arg = arg<<8 | uint64(c)
	}
	if argSize(arg) != n {
		r.bad = true
		return 0
	}
	r.b = r.b[1+n:]
	return arg
}

// open reads the head of an array or a map and returns its length.
func (r *reader) open(major byte) int {
	n := r.next(major)
	if n > uint64(len(r.b)) {
		r.bad = true
		return 0
	}
	return int(n)
}

// exact reads the head of an array or a map of exactly n entries.
func (r *reader) exact(major byte, n int) {
	if r.open(major) != n {
		r.bad = true
	}
}

func (r *reader) uint() uint64 {
	n := r.next(majorUint)
	if n > maxInt {
		r.bad = true
		return 0
	}
	return n
}

// key reads a map key and demands that it is n.
func (r *reader) key(n uint64) {
	if r.uint() != n {
		r.bad = true
	}
}

// has reports whether the next item is the small integer n, and passes it.
func (r *reader) has(n byte) bool {
	if r.bad || len(r.b) == 0 || r.b[0] != n {
		return false
	}
	r.b = r.b[1:]
	return true
}

func (r *reader) bytes() []byte { return r.string(majorBytes) }

func (r *reader) text() string {
	s := r.string(majorText)
	if !utf8.Valid(s) {
		r.bad = true
		return ""
	}
	return string(s)
}

func (r *reader) string(major byte) []byte {
	n := r.next(major)
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	s := r.b[:n:n]
	r.b = r.b[n:]
	return s
}

// fixed reads a byte string of exactly the length of dst.
func (r *reader) fixed(dst []byte) {
	if s := r.bytes(); len(s) == len(dst) {
		copy(dst, s)
	} else {
		r.bad = true
	}
}

// literal passes exactly these bytes.
func (r *reader) literal(b []byte) {
	if r.bad || !bytes.HasPrefix(r.b, b) {
		r.bad = true
		return
	}
	r.b = r.b[len(b):]
}

// item passes one data item of any kind and returns its bytes.
func (r *reader) item() []byte {
	w := walker{b: r.b}
	if r.bad || !w.item(1) {
		r.bad = true
		return nil
	}
	s := r.b[: len(r.b)-len(w.b) : len(r.b)-len(w.b)]
	r.b = w.b
	return s
}

// done reports whether everything was read and fitted.
func (r *reader) done() bool { return !r.bad && len(r.b) == 0 }

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
