package schema

import (
	"bytes"
	"strconv"
	"sync"
	"unicode/utf8"
)

// compiled runs a program first and asks the library when that does not accept.
type compiled struct {
	prog *node
	lib  *library
}

// Validate implements Validator.
func (v *compiled) Validate(doc []byte) error {
	if accepts(v.prog, doc) {
		return nil
	}
	return v.lib.Validate(doc)
}

// maxSteps bounds the values that one run looks at, alternatives included.
const maxSteps = 5_000_000

// runner is one run of a program over a document.
type runner struct {
	checker
	unsure bool // something was not decided; the library must
	steps  int
	buf    []byte // of unescaped text
}

var runners = sync.Pool{New: func() any { return new(runner) }}

// accepts reports whether doc is one JSON text, as CheckJSON has it, that fits
// the program for certain.
func accepts(prog *node, doc []byte) bool {
	r := runners.Get().(*runner)
	r.b, r.i, r.limit, r.unsure, r.steps = doc, 0, MaxDepth, false, 0
	r.names.reset(0)
	r.space()
	ok := r.value(prog, 0)
	if ok {
		r.space()
		ok = r.i == len(doc) && !r.unsure
	}
	r.names.reset(0)
	r.b = nil
	if cap(r.buf) > 4096 {
		r.buf = nil
	}
	runners.Put(r)
	return ok
}

// maybe notes that a failure is not certain.
func (r *runner) maybe(ok bool) bool {
	r.unsure = r.unsure || !ok
	return ok
}

// value reads one value and reports whether it fits n.
func (r *runner) value(n *node, depth int) bool {
	if n == nil {
		return r.checker.value(depth) == nil
	}
	if r.steps++; r.steps > maxSteps {
		return r.maybe(false)
	}
	if n.never || r.i >= len(r.b) {
		return false
	}
	start := r.i
	var ok bool
	switch c := r.b[r.i]; {
	case c == '{':
		ok = n.types&isObject != 0 && r.listed(n) && r.object(n, depth+1)
	case c == '[':
		ok = n.types&isArray != 0 && r.listed(n) && r.array(n, depth+1)
	case c == '"':
		ok = n.types&isText != 0 && r.string(n)
	case c == 't':
		ok = n.types&isBool != 0 && (n.enum == nil || n.enum.yes) && r.word("true") == nil
	case c == 'f':
		ok = n.types&isBool != 0 && (n.enum == nil || n.enum.no) && r.word("false") == nil
	case c == 'n':
		ok = n.types&isNull != 0 && (n.enum == nil || n.enum.simple&isNull != 0) && r.word("null") == nil
	default:
		ok = n.types&isNumber != 0 && (c == '-' || c >= '0' && c <= '9') && r.num(n)
	}
	if !ok {
		return false
	}
	if n.all != nil || n.any != nil || n.one != nil || n.not != nil {
		return r.combine(n, start, depth)
	}
	return true
}

// listed reports whether an array or object needs no look at an enum; equality
// of those is the library's to judge.
func (r *runner) listed(n *node) bool {
	if n.enum == nil {
		return true
	}
	r.maybe(!n.enum.complex)
	return false
}

// combine reads the value at start again for every schema that applies to the
// same place.
func (r *runner) combine(n *node, start, depth int) bool {
	end := r.i
	try := func(s *node) bool {
		mark := len(r.names.names)
		r.i = start
		ok := r.value(s, depth)
		r.names.reset(mark)
		r.i = end
		return ok
	}
	for _, s := range n.all {
		if !try(s) {
			return false
		}
	}
	if n.any != nil {
		found := false
		for _, s := range n.any {
			if found = try(s); found {
				break
			}
		}
		if !found {
			return false
		}
	}
	if n.one != nil {
		fits := 0
		for _, s := range n.one {
			if try(s) {
				fits++
			}
		}
		if fits != 1 {
			return false
		}
	}
	return n.not == nil || !try(n.not)
}

func (r *runner) string(n *node) bool {
	raw, escaped, err := r.text()
	if err != nil {
		return false
	}
	if escaped {
		r.buf = unescape(r.buf[:0], raw)
		raw = r.buf
	}
	if n.minLen > 0 || n.maxLen >= 0 {
		l := utf8.RuneCount(raw)
		if l < n.minLen || n.maxLen >= 0 && l > n.maxLen {
			return false
		}
	}
	if n.enum != nil && !n.enum.texts[string(raw)] {
		return false
	}
	if n.pattern != nil && !n.pattern.Match(raw) {
		return false
	}
	return n.format == nil || r.maybe(n.format(raw))
}

// num reads a number. Comparing as floats is monotonic, so only equality with
// a bound may hide a difference.
func (r *runner) num(n *node) bool {
	start := r.i
	if r.number() != nil {
		return false
	}
	text := r.b[start:r.i]
	if n.integer && bytes.ContainsAny(text, ".eE") {
		return r.maybe(false)
	}
	if n.enum != nil && !n.enum.numbers[string(text)] {
		return r.maybe(false)
	}
	if n.min == nil && n.max == nil {
		return true
	}
	f, ok := float(text)
	if !ok {
		return r.maybe(false)
	}
	for _, b := range [2]*bound{n.min, n.max} {
		switch {
		case b == nil:
		case f == b.v:
			if string(text) != b.text {
				return r.maybe(false)
			}
			if b.open {
				return false
			}
		case (f > b.v) != (b == n.min):
			return false
		}
	}
	return true
}

// powers are the powers of ten that a float holds exactly.
var powers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// float reads a checked number, correctly rounded.
func float(text []byte) (float64, bool) {
	if len(text) <= 16 {
		var v int64
		point, i := -1, 0
		if text[0] == '-' {
			i = 1
		}
		plain := true
		for ; i < len(text) && plain; i++ {
			switch c := text[i]; {
			case c == '.':
				point = i
			case c >= '0' && c <= '9':
				v = v*10 + int64(c-'0')
			default:
				plain = false
			}
		}
		// At most 15 digits: the integer and the power of ten are exact, so
		// one division rounds once.
		if plain && v < 1e15 {
			f := float64(v)
			if point >= 0 {
				f /= powers[len(text)-1-point]
			}
			if text[0] == '-' {
				f = -f
			}
			return f, true
		}
	}
	f, err := strconv.ParseFloat(string(text), 64)
	return f, err == nil
}

func (r *runner) array(n *node, depth int) bool {
	if depth > r.limit {
		return false
	}
	r.i++
	r.space()
	count := 0
	if r.i < len(r.b) && r.b[r.i] == ']' {
		r.i++
		return n.minItems == 0
	}
	for {
		r.space()
		if !r.value(n.items, depth) {
			return false
		}
		count++
		r.space()
		if r.i >= len(r.b) {
			return false
		}
		c := r.b[r.i]
		r.i++
		if c == ']' {
			return count >= n.minItems && (n.maxItems < 0 || count <= n.maxItems)
		}
		if c != ',' {
			return false
		}
	}
}

func (r *runner) object(n *node, depth int) bool {
	if depth > r.limit {
		return false
	}
	r.i++
	r.space()
	if r.i < len(r.b) && r.b[r.i] == '}' {
		r.i++
		return n.required == 0 && n.minProps == 0
	}
	mark := r.names.open()
	var seen uint64
	count := 0
	for {
		r.space()
		if r.i >= len(r.b) || r.b[r.i] != '"' {
			return false
		}
		name, escaped, err := r.text()
		if err != nil {
			return false
		}
		if escaped {
			name = unescape(nil, name)
		}
		p, known := n.props[string(name)]
		next := n.others
		if known {
			if seen&p.bit != 0 {
				return false // twice
			}
			seen |= p.bit
			if p.named {
				next = p.node
			}
		} else if r.names.twice(mark, name) {
			return false
		}
		count++
		r.space()
		if r.i >= len(r.b) || r.b[r.i] != ':' {
			return false
		}
		r.i++
		r.space()
		if !r.value(next, depth) {
			return false
		}
		r.space()
		if r.i >= len(r.b) {
			return false
		}
		c := r.b[r.i]
		r.i++
		if c == '}' {
			r.names.close(mark)
			return seen&n.required == n.required && count >= n.minProps && (n.maxProps < 0 || count <= n.maxProps)
		}
		if c != ',' {
			return false
		}
	}
}
