package envelope

import (
	"bytes"
	"unicode/utf8"
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
