package schema

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// MaxDepth is the nesting that documents may have.
const MaxDepth = 64

// Limits of CheckJSON; zero values mean the defaults.
type Limits struct {
	Depth int // levels of nesting; MaxDepth
	// Checked is for Object and Array: the text is part of one that has passed
	// these checks, so values are stepped over and not checked again.
	Checked bool
}

// CheckJSON checks that doc is exactly one JSON text (RFC 8259) in UTF-8, not
// nested deeper than allowed and with no name twice in one object. It is one
// pass and allocates nothing for ordinary documents. Codes: body_empty,
// json_invalid, json_depth, json_duplicate_key.
func CheckJSON(doc []byte, l Limits) error {
	if l.Depth <= 0 {
		l.Depth = MaxDepth
	}
	c := checker{b: doc, limit: l.Depth}
	c.space()
	if c.i == len(doc) {
		return &Error{Code: CodeEmpty, Message: "there is no document"}
	}
	if err := c.value(0); err != nil {
		return err
	}
	return c.end()
}

func (c *checker) duplicate(at int) error {
	return &Error{Code: CodeDuplicate, Message: fmt.Sprintf("a name is given twice in one object (at byte %d)", at), Offset: at}
}

func (c *checker) fail(message string) error {
	return &Error{Code: CodeJSON, Message: fmt.Sprintf("%s (at byte %d)", message, c.i), Offset: c.i}
}

// checker is a scanner over one document.
type checker struct {
	b     []byte
	i     int
	limit int
	names nameset
}

func (c *checker) space() {
	for c.i < len(c.b) {
		switch c.b[c.i] {
		case ' ', '\n', '\r', '\t':
			c.i++
		default:
			return
		}
	}
}

func (c *checker) value(depth int) error {
	if c.i >= len(c.b) {
		return c.fail("the document ends too early")
	}
	switch b := c.b[c.i]; {
	case b == '{':
		return c.object(depth + 1)
	case b == '[':
		return c.array(depth + 1)
	case b == '"':
		_, _, err := c.text()
		return err
	case b == '-' || (b >= '0' && b <= '9'):
		return c.number()
	case b == 't':
		return c.word("true")
	case b == 'f':
		return c.word("false")
	case b == 'n':
		return c.word("null")
	}
	return c.fail("a value is expected here")
}

func (c *checker) word(w string) error {
	if len(c.b)-c.i < len(w) || string(c.b[c.i:c.i+len(w)]) != w {
		return c.fail("a value is expected here")
	}
	c.i += len(w)
	return nil
}

func (c *checker) deep(depth int) error {
	if depth > c.limit {
		return &Error{Code: CodeDepth, Message: fmt.Sprintf("the document is nested deeper than %d levels (at byte %d)", c.limit, c.i), Offset: c.i}
	}
	return nil
}

func (c *checker) array(depth int) error {
	if err := c.deep(depth); err != nil {
		return err
	}
	c.i++
	c.space()
	if c.i < len(c.b) && c.b[c.i] == ']' {
		c.i++
		return nil
	}
	for {
		c.space()
		if err := c.value(depth); err != nil {
			return err
		}
		c.space()
		if c.i >= len(c.b) {
			return c.fail("the document ends too early")
		}
		switch c.b[c.i] {
		case ',':
			c.i++
		case ']':
			c.i++
			return nil
		default:
			return c.fail("a comma or the end of the array is expected here")
		}
	}
}

func (c *checker) object(depth int) error {
	if err := c.deep(depth); err != nil {
		return err
	}
	c.i++
	c.space()
	if c.i < len(c.b) && c.b[c.i] == '}' {
		c.i++
		return nil
	}
	mark := c.names.open()
	defer c.names.close(mark)
	for {
		c.space()
		if c.i >= len(c.b) || c.b[c.i] != '"' {
			return c.fail("a name is expected here")
		}
		at := c.i
		name, escaped, err := c.text()
		if err != nil {
			return err
		}
		if escaped {
			name = unescape(nil, name)
		}
		if c.names.twice(mark, name) {
			return c.duplicate(at)
		}
		c.space()
		if c.i >= len(c.b) || c.b[c.i] != ':' {
			return c.fail("a colon is expected here")
		}
		c.i++
		c.space()
		if err := c.value(depth); err != nil {
			return err
		}
		c.space()
		if c.i >= len(c.b) {
			return c.fail("the document ends too early")
		}
		switch c.b[c.i] {
		case ',':
			c.i++
		case '}':
			c.i++
			return nil
		default:
			return c.fail("a comma or the end of the object is expected here")
		}
	}
}

// plain marks the bytes that stand for themselves inside a string.
var plain = func() (t [256]bool) {
	for i := 0x20; i < 0x80; i++ {
		t[i] = i != '"' && i != '\\'
	}
	return t
}()

// skipPlain returns the first place from i on that holds a byte which does not
// stand for itself inside a string. It looks at eight bytes at a time: strings
// are most of what there is to read.
func skipPlain(b []byte, i int) int {
	const each, high = 0x0101010101010101, 0x8080808080808080
	for i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, escape := w^each*'"', w^each*'\\'
		// The lowest bit that is set tells the first such byte: a borrow only
		// spoils bytes behind it.
		if odd := (w | (w-each*0x20)&^w | (quote-each)&^quote | (escape-each)&^escape) & high; odd != 0 {
			return i + bits.TrailingZeros64(odd)/8
		}
		i += 8
	}
	for i < len(b) && plain[b[i]] {
		i++
	}
	return i
}

// text scans a string and returns the bytes between its quotes, and whether
// they hold escapes.
func (c *checker) text() (raw []byte, escaped bool, err error) {
	b, i := c.b, c.i+1
	start := i
	for {
		i = skipPlain(b, i)
		if i >= len(b) {
			c.i = i
			return nil, false, c.fail("the document ends inside a string")
		}
		switch ch := b[i]; {
		case ch == '"':
			c.i = i + 1
			return b[start:i], escaped, nil
		case ch == '\\':
			escaped = true
			n := escapeLen(b[i:])
			if n == 0 {
				c.i = i
				return nil, false, c.fail("an escape in a string is not valid")
			}
			i += n
		case ch < 0x20:
			c.i = i
			return nil, false, c.fail("a control character stands unescaped in a string")
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n <= 1 {
				c.i = i
				return nil, false, c.fail("the document is not UTF-8")
			}
			i += n
		}
	}
}

// escapeLen returns the length of the escape at the start of b, 0 when it is
// not one. Halves of surrogate pairs must come in pairs: a lone one cannot be
// written in UTF-8.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		v, ok := hex4(b[2:])
		switch {
		case !ok || v >= 0xdc00 && v < 0xe000:
			return 0
		case v >= 0xd800 && v < 0xdc00:
			if len(b) < 12 || b[6] != '\\' || b[7] != 'u' {
				return 0
			}
			if low, ok := hex4(b[8:]); !ok || low < 0xdc00 || low >= 0xe000 {
				return 0
			}
			return 12
		}
		return 6
	}
	return 0
}

func hex4(b []byte) (v rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			v = v<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// unescape appends the text of a checked string's raw bytes to dst.
func unescape(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			dst = append(dst, raw[i])
			i++
			continue
		}
		n := escapeLen(raw[i:])
		switch c := raw[i+1]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			v, _ := hex4(raw[i+2:])
			if n == 12 {
				low, _ := hex4(raw[i+8:])
				v = 0x10000 + (v-0xd800)<<10 + (low - 0xdc00)
			}
			dst = utf8.AppendRune(dst, v)
		default:
			dst = append(dst, c)
		}
		i += n
	}
	return dst
}

// Bounds of a number's text: beyond them it is of no use to anybody, and costs
// readers that compute with it without rounding a fortune.
const (
	maxNumber   = 400 // bytes
	maxExponent = 3   // digits
)

// number scans a number of RFC 8259.
func (c *checker) number() error {
	b, i := c.b, c.i
	digits := func() bool {
		start := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > start
	}
	if b[i] == '-' {
		i++
	}
	ok := true
	if i < len(b) && b[i] == '0' {
		i++
	} else {
		ok = digits()
	}
	if ok && i < len(b) && b[i] == '.' {
		i++
		ok = digits()
	}
	if ok && i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		for i+1 < len(b) && b[i] == '0' && b[i+1] >= '0' && b[i+1] <= '9' {
			i++
		}
		start := i
		if ok = digits(); i-start > maxExponent {
			return c.fail("a number is out of range")
		}
	}
	if i-c.i > maxNumber {
		return c.fail("a number is out of range")
	}
	if !ok {
		c.i = i
		return c.fail("a number is not written as JSON writes them")
	}
	c.i = i
	return nil
}
