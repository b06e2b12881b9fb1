package envelope

import "unicode/utf8"

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
