package form

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Decode returns the document that a posted form stands for. Inputs are named
// by their JSON pointers; blank ones are left out, and what does not have the
// form of its kind stays the text that was entered, so that the gateway can say
// what is wrong with it. It is nil when nothing was entered.
func (s *Schema) Decode(in url.Values) any {
	d := &decoder{schema: s, in: in, below: map[string][]string{}}
	for name := range in {
		for p := name; p != ""; {
			i := strings.LastIndexByte(p, '/')
			if i < 0 {
				break
			}
			up := p[:i]
			d.below[up] = append(d.below[up], Split(p[i:])[0])
			p = up
		}
	}
	v, ok := d.value("", s.root, true, 0)
	if !ok {
		return nil
	}
	return v
}

type decoder struct {
	schema *Schema
	in     url.Values
	below  map[string][]string // by pointer: the parts that stand below it
	n      int                 // values looked for
}

// maxDecoded bounds the values that are looked for in a posted form.
const maxDecoded = 20 * maxFields

// value decodes the value at a pointer; false when there is none.
func (d *decoder) value(pointer string, o *Object, required bool, depth int) (any, bool) {
	entered, posted := d.in[pointer]
	if d.n++; d.n > maxDecoded {
		return raw(entered)
	}
	o = d.schema.resolve(o)
	kind := kindOf(o)
	if kind == KindJSON || depth > maxDepth || posted && (kind == KindObject || kind == KindArray) {
		return raw(entered)
	}
	switch kind {
	case KindObject:
		return d.object(pointer, o, required, depth)
	case KindArray:
		return d.list(pointer, o, required, depth)
	case KindFixed:
		return o.Get("const"), required || len(entered) > 0
	case KindChoice:
		return raw(entered)
	}
	if len(entered) == 0 || entered[0] == "" {
		return nil, false
	}
	text := entered[0]
	switch kind {
	case KindNumber, KindInteger:
		var n json.Number
		if t := strings.TrimSpace(text); json.Unmarshal([]byte(t), &n) == nil && n.String() == t {
			return n, true
		}
	case KindBool:
		if b, err := strconv.ParseBool(text); err == nil {
			return b, true
		}
	case KindLong:
		text = strings.ReplaceAll(text, "\r\n", "\n")
	}
	return text, true
}

func (d *decoder) object(pointer string, o *Object, required bool, depth int) (any, bool) {
	out := &Object{Members: map[string]any{}}
	entered := false
	props, _ := o.Get("properties").(*Object)
	needs, _ := o.Get("required").([]any)
	for _, k := range props.Keys {
		p, ok := props.Members[k].(*Object)
		if !ok {
			p = &Object{}
		}
		must := slices.Contains(needs, any(k))
		if v, ok := d.value(Join(pointer, k), p, must, depth+1); ok {
			out.Set(k, v)
			entered = entered || !d.hollow(p, v)
		}
	}
	more := slices.Clone(d.below[pointer])
	slices.Sort(more)
	for _, k := range slices.Compact(more) {
		if _, named := props.Members[k]; named {
			continue
		}
		if v, ok := raw(d.in[Join(pointer, k)]); ok {
			out.Set(k, v)
			entered = true
		}
	}
	return out, entered || required
}

// hollow reports whether a value says nothing that a person entered.
func (d *decoder) hollow(o *Object, v any) bool {
	if kindOf(d.schema.resolve(o)) == KindFixed {
		return true
	}
	if l, ok := v.([]any); ok {
		return len(l) == 0
	}
	if m, ok := v.(*Object); ok {
		return len(m.Keys) == 0
	}
	return false
}

func (d *decoder) list(pointer string, o *Object, required bool, depth int) (any, bool) {
	var at []int
	for _, k := range d.below[pointer] {
		if i, err := strconv.Atoi(k); err == nil && i >= 0 && i < 10*maxItems && !slices.Contains(at, i) {
			at = append(at, i)
		}
	}
	slices.Sort(at)
	items, _ := o.Get("items").(*Object)
	out := []any{}
	for _, i := range at[:min(len(at), maxItems)] {
		if v, ok := d.value(Join(pointer, strconv.Itoa(i)), items, true, depth+1); ok {
			out = append(out, v)
		} else {
			out = append(out, "")
		}
	}
	return out, required || len(out) > 0
}

// raw reads JSON text; what is no JSON stays text.
func raw(entered []string) (any, bool) {
	if len(entered) == 0 || strings.TrimSpace(entered[0]) == "" {
		return nil, false
	}
	v, err := ParseJSON([]byte(entered[0]))
	if err != nil {
		return entered[0], true
	}
	return v, true
}

// Grow adds an item to the list at a pointer and returns the document.
func (s *Schema) Grow(doc any, pointer string, sample Sampler) any {
	return s.edit(doc, s.root, Split(pointer), 0, func(list []any, o *Object) []any {
		items, _ := o.Get("items").(*Object)
		if items == nil || len(list) >= maxItems {
			return list
		}
		return append(list, sample.of(s, items, "", len(list), 0))
	})
}

// Shrink takes the item at a pointer out of its list and returns the document.
func (s *Schema) Shrink(doc any, pointer string) any {
	parts := Split(pointer)
	if len(parts) == 0 {
		return doc
	}
	i, err := strconv.Atoi(parts[len(parts)-1])
	if err != nil {
		return doc
	}
	return s.edit(doc, s.root, parts[:len(parts)-1], 0, func(list []any, _ *Object) []any {
		if i < 0 || i >= len(list) {
			return list
		}
		return slices.Delete(slices.Clone(list), i, i+1)
	})
}

// edit replaces the list at a path, making objects and lists on the way.
func (s *Schema) edit(doc any, o *Object, path []string, depth int, f func([]any, *Object) []any) any {
	if depth > maxDepth {
		return doc
	}
	o = s.resolve(o)
	if len(path) == 0 {
		list, _ := doc.([]any)
		return f(list, o)
	}
	switch kindOf(o) {
	case KindObject:
		m, _ := doc.(*Object)
		if m == nil {
			m = &Object{Members: map[string]any{}}
		}
		props, _ := o.Get("properties").(*Object)
		if p, ok := props.Get(path[0]).(*Object); ok {
			m.Set(path[0], s.edit(m.Get(path[0]), p, path[1:], depth+1, f))
		}
		return m
	case KindArray:
		list, _ := doc.([]any)
		i, err := strconv.Atoi(path[0])
		items, _ := o.Get("items").(*Object)
		if err == nil && i >= 0 && i < len(list) && items != nil {
			list[i] = s.edit(list[i], items, path[1:], depth+1, f)
		}
		return list
	}
	return doc
}
