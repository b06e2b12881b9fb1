package schema

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// A program is a JSON Schema in the form of nodes that are walked once over a
// document's bytes: no tree of the document is made. It knows the common
// keywords; a schema with any other is left to the library alone.
//
// It only ever says "fits" or "look closer": what it does not accept, or is not
// sure about (numbers that differ beyond a float's digits, unusual spellings of
// dates), the library judges again. So it may be wrong in one direction only,
// and the tests hunt for that one with the library as oracle.

// Kinds of values, as bits.
const (
	isNull = 1 << iota
	isBool
	isNumber
	isText
	isArray
	isObject
	isAny = 1<<iota - 1
)

// node is one schema.
type node struct {
	never   bool
	types   uint8 // accepted kinds
	integer bool  // numbers must be integers
	enum    *enum

	min, max       *bound
	minLen, maxLen int // characters; max -1: none
	pattern        *regexp.Regexp
	format         func([]byte) bool // true is sure, false is not

	items              *node
	minItems, maxItems int

	props              map[string]prop
	required           uint64 // bits of props
	others             *node  // additionalProperties; nil: anything
	minProps, maxProps int

	all, any, one []*node
	not           *node
}

// prop is a member that a schema names.
type prop struct {
	node  *node
	bit   uint64
	named bool // in properties, not only in required
}

// bound is a limit of numbers.
type bound struct {
	v    float64
	open bool // the limit itself is outside
	text string
}

// enum lists the values allowed.
type enum struct {
	texts   map[string]bool
	numbers map[string]bool // as written
	simple  uint8           // isNull
	yes, no bool
	complex bool // has arrays or objects
}

// translator turns a schema's JSON into nodes.
type translator struct {
	root any
	refs map[string]*node
	ok   bool
	n    int
}

// maxNodes bounds a program; larger schemas are left to the library.
const maxNodes = 10_000

// translate makes a program, or nil when the schema has something it does not
// know.
func translate(root any) *node {
	t := &translator{root: root, refs: map[string]*node{}, ok: true}
	n := t.ref("#")
	if !t.ok || circular(n, map[*node]int{}) {
		return nil
	}
	for _, r := range t.refs {
		if circular(r, map[*node]int{}) {
			return nil
		}
	}
	return n
}

// circular reports whether a node reaches itself without moving on in the
// document.
func circular(n *node, state map[*node]int) bool {
	if n == nil || state[n] == 2 {
		return false
	}
	if state[n] == 1 {
		return true
	}
	state[n] = 1
	for _, list := range [][]*node{n.all, n.any, n.one, {n.not}} {
		for _, s := range list {
			if circular(s, state) {
				return true
			}
		}
	}
	state[n] = 2
	return false
}

// ref returns the node of a reference within the file.
func (t *translator) ref(ref string) *node {
	if n, ok := t.refs[ref]; ok {
		return n
	}
	v := t.root
	if ref != "#" {
		rest, ok := strings.CutPrefix(ref, "#/")
		container, name, ok2 := strings.Cut(rest, "/")
		if !ok || !ok2 || container != "$defs" && container != "definitions" || strings.ContainsAny(name, "/~%") {
			t.ok = false
			return nil
		}
		m, _ := t.root.(map[string]any)
		m, _ = m[container].(map[string]any)
		if v, ok = m[name]; !ok {
			t.ok = false
			return nil
		}
	}
	n := &node{}
	t.refs[ref] = n
	t.fill(n, v, ref == "#")
	return n
}

func (t *translator) sub(v any) *node {
	if m, ok := v.(map[string]any); ok && len(m) == 1 {
		if r, ok := m["$ref"].(string); ok {
			return t.ref(r)
		}
	}
	n := &node{}
	t.fill(n, v, false)
	return n
}

func (t *translator) subs(v any) (out []*node) {
	list, ok := v.([]any)
	t.ok = t.ok && ok
	for _, s := range list {
		out = append(out, t.sub(s))
	}
	return out
}

func (t *translator) count(v any) int {
	num, ok := v.(json.Number)
	n, err := strconv.Atoi(string(num))
	if !ok || err != nil || n < 0 {
		t.ok = false
	}
	return n
}

func (t *translator) limit(v any, open bool) *bound {
	num, ok := v.(json.Number)
	f, err := strconv.ParseFloat(string(num), 64)
	if !ok || err != nil {
		t.ok = false
	}
	return &bound{v: f, open: open, text: string(num)}
}

// fill reads a schema into n.
func (t *translator) fill(n *node, v any, root bool) {
	n.types, n.maxLen, n.maxItems, n.maxProps = isAny, -1, -1, -1
	if t.n++; t.n > maxNodes {
		t.ok = false
	}
	if b, ok := v.(bool); ok {
		n.never = !b
		return
	}
	m, ok := v.(map[string]any)
	if !ok || !t.ok {
		t.ok = false
		return
	}
	for key, v := range m {
		switch key {
		case "$schema":
			t.ok = t.ok && root && v == "https://json-schema.org/draft/2020-12/schema"
		case "$id":
			t.ok = t.ok && root
		case "title", "description", "$comment", "examples", "default", "deprecated", "readOnly", "writeOnly", "$defs", "definitions":
		case "$ref":
			r, _ := v.(string)
			n.all = append(n.all, t.ref(r))
		case "type":
			t.types(n, v)
		case "enum":
			list, ok := v.([]any)
			t.ok = t.ok && ok
			n.enum = newEnum(n.enum, list)
		case "const":
			t.ok = t.ok && m["enum"] == nil
			n.enum = newEnum(nil, []any{v})
		case "minimum", "exclusiveMinimum":
			t.ok = t.ok && n.min == nil
			n.min = t.limit(v, key[0] == 'e')
		case "maximum", "exclusiveMaximum":
			t.ok = t.ok && n.max == nil
			n.max = t.limit(v, key[0] == 'e')
		case "minLength":
			n.minLen = t.count(v)
		case "maxLength":
			n.maxLen = t.count(v)
		case "minItems":
			n.minItems = t.count(v)
		case "maxItems":
			n.maxItems = t.count(v)
		case "minProperties":
			n.minProps = t.count(v)
		case "maxProperties":
			n.maxProps = t.count(v)
		case "pattern":
			s, _ := v.(string)
			re, err := regexp.Compile(s)
			t.ok = t.ok && err == nil
			n.pattern = re
		case "format":
			s, _ := v.(string)
			n.format = formats[s]
			t.ok = t.ok && n.format != nil
		case "items":
			n.items = t.sub(v)
		case "properties", "required":
		case "additionalProperties":
			n.others = t.sub(v)
		case "allOf":
			n.all = append(n.all, t.subs(v)...)
		case "anyOf":
			n.any = t.subs(v)
		case "oneOf":
			n.one = t.subs(v)
		case "not":
			n.not = t.sub(v)
		default:
			t.ok = false
		}
	}
	t.members(n, m)
}

// members reads properties and required.
func (t *translator) members(n *node, m map[string]any) {
	n.props = map[string]prop{}
	bit := func() uint64 {
		if len(n.props) >= 64 {
			t.ok = false
			return 0
		}
		return 1 << len(n.props)
	}
	if v, has := m["properties"]; has {
		props, ok := v.(map[string]any)
		t.ok = t.ok && ok
		for name, v := range props {
			n.props[name] = prop{node: t.sub(v), bit: bit(), named: true}
		}
	}
	if v, has := m["required"]; has {
		list, ok := v.([]any)
		t.ok = t.ok && ok
		for _, v := range list {
			name, ok := v.(string)
			t.ok = t.ok && ok
			p, known := n.props[name]
			if !known {
				p = prop{bit: bit()}
				n.props[name] = p
			}
			n.required |= p.bit
		}
	}
}

func (t *translator) types(n *node, v any) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	n.types = 0
	number, integer := false, false
	for _, v := range list {
		switch v {
		case "null":
			n.types |= isNull
		case "boolean":
			n.types |= isBool
		case "number":
			number = true
		case "integer":
			integer = true
		case "string":
			n.types |= isText
		case "array":
			n.types |= isArray
		case "object":
			n.types |= isObject
		default:
			t.ok = false
		}
	}
	if number || integer {
		n.types |= isNumber
		n.integer = !number
	}
}

func newEnum(e *enum, list []any) *enum {
	if e == nil {
		e = &enum{texts: map[string]bool{}, numbers: map[string]bool{}}
	}
	for _, v := range list {
		switch v := v.(type) {
		case nil:
			e.simple |= isNull
		case bool:
			e.yes, e.no = e.yes || v, e.no || !v
		case string:
			e.texts[v] = true
		case json.Number:
			e.numbers[string(v)] = true
		default:
			e.complex = true
		}
	}
	return e
}

// formats are those the program can be sure of.
var formats = map[string]func([]byte) bool{"date-time": dateTime, "date": date, "uuid": uuid}

func digits(b []byte, n int) (v int, ok bool) {
	if len(b) < n {
		return 0, false
	}
	for _, c := range b[:n] {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int(c-'0')
	}
	return v, true
}

// date accepts YYYY-MM-DD, except for the last days of months, of which it is
// not sure.
func date(b []byte) bool {
	if len(b) != 10 || b[4] != '-' || b[7] != '-' {
		return false
	}
	_, ok1 := digits(b, 4)
	month, ok2 := digits(b[5:], 2)
	day, ok3 := digits(b[8:], 2)
	if !ok1 || !ok2 || !ok3 || month < 1 || month > 12 || day < 1 {
		return false
	}
	switch month {
	case 2:
		return day <= 28
	case 4, 6, 9, 11:
		return day <= 30
	}
	return day <= 31
}

// dateTime accepts the usual spellings of RFC 3339, without leap seconds.
func dateTime(b []byte) bool {
	if len(b) < 20 || !date(b[:10]) || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return false
	}
	h, ok1 := digits(b[11:], 2)
	m, ok2 := digits(b[14:], 2)
	s, ok3 := digits(b[17:], 2)
	if !ok1 || !ok2 || !ok3 || h > 23 || m > 59 || s > 59 {
		return false
	}
	b = b[19:]
	if b[0] == '.' {
		n := 1
		for n < len(b) && b[n] >= '0' && b[n] <= '9' {
			n++
		}
		if n == 1 || n > 10 || n == len(b) {
			return false
		}
		b = b[n:]
	}
	if len(b) == 1 {
		return b[0] == 'Z'
	}
	if len(b) != 6 || b[0] != '+' && b[0] != '-' || b[3] != ':' {
		return false
	}
	h, ok1 = digits(b[1:], 2)
	m, ok2 = digits(b[4:], 2)
	return ok1 && ok2 && h <= 23 && m <= 59
}

func uuid(b []byte) bool {
	if len(b) != 36 {
		return false
	}
	for i, c := range b {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}
