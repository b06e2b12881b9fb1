package form

import (
	"encoding/json"
	"math/big"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sampler makes documents that should fit a schema: its defaults and examples
// where it has them, plain values of the right shape elsewhere. The same
// sampler gives the same document.
type Sampler struct {
	Now time.Time // for dates and times

	left *int // what the sample may still cost; nil: none was made yet
}

// What a sample may cost: schemas come from other participants, and a small one
// can ask for a document without end.
const (
	maxSample = 1 << 20
	perValue  = 256
)

// spend takes the cost of a value; false when the sample costs too much.
func (g Sampler) spend(v any) bool {
	if *g.left > 0 {
		*g.left -= perValue + weight(v)
	}
	return *g.left > 0
}

// weight is about how many bytes a value is long.
func weight(v any) (n int) {
	switch v := v.(type) {
	case string:
		return len(v)
	case json.Number:
		return len(v)
	case []any:
		for _, e := range v {
			n += 8 + weight(e)
		}
	case *Object:
		for k, e := range v.Members {
			n += 8 + len(k) + weight(e)
		}
	}
	return n
}

// Sample returns the schema's first example, or a document with the members
// that the schema requires (with all members, where it requires none).
func (s *Schema) Sample(sample Sampler) any {
	if list := s.Examples(); len(list) > 0 {
		return list[0]
	}
	return sample.of(s, s.root, "", 0, 0)
}

// of returns a value for a schema; name and i make values of one document
// differ.
func (g Sampler) of(s *Schema, o *Object, name string, i, depth int) any {
	if g.left == nil {
		left := maxSample
		g.left = &left
	}
	if !g.spend(nil) || depth > maxDepth {
		return nil
	}
	o = s.resolve(o)
	if v, ok := given(o, i); ok {
		if !g.spend(v) {
			return nil
		}
		return v
	}
	switch kindOf(o) {
	case KindObject:
		out := &Object{Members: map[string]any{}}
		props, _ := o.Get("properties").(*Object)
		needs, _ := o.Get("required").([]any)
		for n, k := range props.Keys {
			if p, ok := props.Members[k].(*Object); ok && (slices.Contains(needs, any(k)) || len(needs) == 0) {
				out.Set(k, g.of(s, p, k, n, depth+1))
			}
		}
		return out
	case KindArray:
		items, _ := o.Get("items").(*Object)
		least, _ := strconv.Atoi(number(o.Get("minItems")))
		out := []any{}
		for n := range min(max(least, 1), 5) {
			out = append(out, g.of(s, items, name, n, depth+1))
		}
		return out
	case KindNumber, KindInteger:
		return json.Number(g.number(o, i))
	case KindBool:
		return true
	case KindText, KindLong:
		return g.text(o, name)
	}
	for _, k := range []string{"oneOf", "anyOf"} {
		if list, ok := o.Get(k).([]any); ok && len(list) > 0 {
			if first, ok := list[0].(*Object); ok {
				return g.of(s, first, name, i, depth+1)
			}
		}
	}
	switch text(o.Get("type")) {
	case "object":
		return &Object{Members: map[string]any{}}
	case "array":
		return []any{}
	}
	return nil
}

// given returns a value that a schema names.
func given(o *Object, i int) (any, bool) {
	for _, k := range []string{"const", "default"} {
		if v, ok := o.Members[k]; ok {
			return v, true
		}
	}
	if list, ok := o.Get("examples").([]any); ok && len(list) > 0 {
		return list[i%len(list)], true
	}
	if list, ok := o.Get("enum").([]any); ok && len(list) > 0 {
		return list[0], true
	}
	return nil, false
}

// number returns a number within the schema's bounds: a small whole one where
// it may be.
func (g Sampler) number(o *Object, i int) string {
	parse := func(k string) *big.Rat {
		t := number(o.Get(k))
		if len(t) == 0 || len(t) > 40 || strings.ContainsAny(t, "eE") {
			return nil
		}
		r, ok := new(big.Rat).SetString(t)
		if !ok {
			return nil
		}
		return r
	}
	v := big.NewRat(int64(i%9)+1, 1)
	if low := parse("minimum"); low != nil && v.Cmp(low) < 0 {
		v = low
	}
	if low := parse("exclusiveMinimum"); low != nil && v.Cmp(low) <= 0 {
		v = new(big.Rat).Add(low, big.NewRat(1, 1))
	}
	if high := parse("maximum"); high != nil && v.Cmp(high) > 0 {
		v = high
	}
	if high := parse("exclusiveMaximum"); high != nil && v.Cmp(high) >= 0 {
		v = new(big.Rat).Sub(high, big.NewRat(1, 1))
	}
	if step := parse("multipleOf"); step != nil && step.Sign() > 0 {
		q := new(big.Rat).Quo(v, step)
		n := new(big.Int).Quo(q.Num(), q.Denom())
		if new(big.Rat).SetInt(n).Cmp(q) < 0 {
			n.Add(n, big.NewInt(1))
		}
		v = new(big.Rat).Mul(new(big.Rat).SetInt(n), step)
	}
	if v.IsInt() {
		return v.Num().String()
	}
	return strings.TrimRight(v.FloatString(6), "0")
}

// text returns text of the schema's format, pattern and length.
func (g Sampler) text(o *Object, name string) string {
	now := g.Now.UTC()
	switch text(o.Get("format")) {
	case "date-time":
		t := now.Truncate(5 * time.Minute)
		if strings.Contains(strings.ToLower(name), "end") {
			t = t.Add(5 * time.Minute)
		}
		return t.Format(time.RFC3339)
	case "date":
		return now.Format(time.DateOnly)
	case "time":
		return now.Format("15:04:05Z")
	case "uuid":
		return "01890a5d-ac96-774b-bcce-b302099a8057"
	case "email":
		return "someone@example.org"
	case "uri", "uri-reference", "iri":
		return "https://example.org/"
	}
	if p := text(o.Get("pattern")); p != "" && len(p) <= 1000 {
		if re, err := syntax.Parse(p, syntax.Perl); err == nil {
			w := patternWriter{}
			w.write(re, 0)
			return string(w.out)
		}
	}
	out := name
	if out == "" {
		out = "text"
	}
	least, _ := strconv.Atoi(number(o.Get("minLength")))
	for len(out) < min(least, 1000) {
		out += "-" + out
	}
	if most, err := strconv.Atoi(number(o.Get("maxLength"))); err == nil && most >= 0 && len(out) > most {
		out = out[:most]
	}
	return out
}

// patternWriter writes a short text that a regular expression matches.
type patternWriter struct {
	out []byte
	n   rune // makes neighbouring characters differ
}

func (w *patternWriter) write(re *syntax.Regexp, depth int) {
	if depth > 20 || len(w.out) > 200 {
		return
	}
	switch re.Op {
	case syntax.OpLiteral:
		w.out = append(w.out, string(re.Rune)...)
	case syntax.OpCharClass:
		if len(re.Rune) >= 2 {
			low, high := re.Rune[0], re.Rune[1]
			span := min(high-low, 9) + 1
			w.out = append(w.out, string(low+w.n%span)...)
			w.n++
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		w.out = append(w.out, 'x')
	case syntax.OpCapture, syntax.OpPlus:
		w.write(re.Sub[0], depth+1)
	case syntax.OpRepeat:
		for range min(max(re.Min, min(re.Max, 1)), 100) {
			w.write(re.Sub[0], depth+1)
		}
	case syntax.OpConcat:
		for _, s := range re.Sub {
			w.write(s, depth+1)
		}
	case syntax.OpAlternate:
		w.write(re.Sub[0], depth+1)
	}
}
