// Package form makes forms for people from JSON Schemas: a tree of fields to
// show, a sample to start from, and the document that a filled form stands for.
//
// It is not a validator: what a form gives is judged by the gateway, whose
// problems are put to the fields they concern (Field.Blame). Keywords that a
// form cannot show become a field for raw JSON, so that every document can be
// written. Schemas come from other participants: depth, number of fields and
// references are bounded.
package form

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// Kind says how a field is entered.
type Kind string

// The kinds of fields.
const (
	KindObject  Kind = "object"
	KindArray   Kind = "array"
	KindText    Kind = "text"
	KindLong    Kind = "long" // text of several lines
	KindNumber  Kind = "number"
	KindInteger Kind = "integer"
	KindBool    Kind = "boolean"
	KindChoice  Kind = "choice" // one of Options
	KindFixed   Kind = "fixed"  // always Value
	KindJSON    Kind = "json"   // entered as JSON text
)

// Bounds of a form.
const (
	maxDepth  = 10  // levels of fields; deeper ones are raw JSON
	maxFields = 500 // fields of one form
	maxItems  = 100 // items of one list
	maxRefs   = 32  // references followed for one field
)

// Field is one field of a form.
type Field struct {
	Pointer  string // JSON pointer of the value (RFC 6901); also the input's name
	Name     string // name of the member, or number of the item
	Title    string // what the schema calls it; may be empty
	Help     string // what the schema says about it
	Kind     Kind
	Required bool
	Unit     string   // short note on what is expected, such as "0 to 100"
	Format   string   // of text, such as date-time
	Options  []string // of a choice: JSON texts
	Value    string   // as entered; of a choice or fixed value: JSON text
	Present  bool     // the document has a value here
	Fields   []*Field // members of an object, items of a list
	CanAdd   bool     // a list that may grow
	Removes  bool     // an item that may be taken out
	Problem  string   // what the gateway said about it
}

// Schema is a JSON Schema to make forms from.
type Schema struct{ root *Object }

// Parse reads a schema, which must be a JSON object.
func Parse(doc []byte) (*Schema, error) {
	v, err := ParseJSON(doc)
	if err != nil {
		return nil, err
	}
	o, ok := v.(*Object)
	if !ok {
		return nil, errors.New("the schema is not a JSON object")
	}
	return &Schema{root: o}, nil
}

// Title returns what the schema calls the document.
func (s *Schema) Title() string { return text(s.root.Get("title")) }

// Description returns what the schema says about the document.
func (s *Schema) Description() string { return text(s.root.Get("description")) }

// Examples returns the documents that the schema gives as examples, at most 8.
func (s *Schema) Examples() []any {
	list, _ := s.root.Get("examples").([]any)
	return list[:min(len(list), 8)]
}

// Fields returns the form for a document, which may be nil.
func (s *Schema) Fields(doc any) *Field {
	b := &builder{schema: s}
	return b.field("", "", s.root, doc, doc != nil, true, 0)
}

// resolve follows references within the schema and merges allOf of plain
// objects.
func (s *Schema) resolve(o *Object) *Object {
	for range maxRefs {
		ref := text(o.Get("$ref"))
		if ref == "" {
			return s.merged(o)
		}
		next, ok := s.at(ref)
		if !ok {
			return &Object{}
		}
		o = next
	}
	return &Object{}
}

// merged returns o with the members of its allOf put in.
func (s *Schema) merged(o *Object) *Object {
	all, _ := o.Get("allOf").([]any)
	if len(all) == 0 || len(all) > maxRefs {
		return o
	}
	m := &Object{}
	props, required := &Object{}, []any{}
	add := func(part *Object) {
		for _, k := range part.Keys {
			switch v := part.Members[k].(type) {
			case *Object:
				if k == "properties" {
					for _, p := range v.Keys {
						props.Set(p, v.Members[p])
					}
					continue
				}
				m.Set(k, v)
			case []any:
				if k == "required" {
					required = append(required, v...)
					continue
				}
				m.Set(k, v)
			default:
				m.Set(k, v)
			}
		}
	}
	for _, p := range all {
		part, ok := p.(*Object)
		if ref := text(part.Get("$ref")); ok && ref != "" {
			part, ok = s.at(ref)
		}
		if !ok {
			return o
		}
		add(part)
	}
	add(o)
	if len(props.Keys) > 0 {
		m.Set("properties", props)
	}
	m.Set("required", required)
	return m
}

// at returns the schema at a local reference.
func (s *Schema) at(ref string) (*Object, bool) {
	path, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil, false
	}
	var v any = s.root
	for _, part := range Split(path) {
		switch x := v.(type) {
		case *Object:
			v = x.Get(part)
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(x) {
				return nil, false
			}
			v = x[i]
		default:
			return nil, false
		}
	}
	o, ok := v.(*Object)
	return o, ok
}

// Split returns the parts of a JSON pointer.
func Split(pointer string) []string {
	if pointer == "" || pointer[0] != '/' {
		return nil
	}
	parts := strings.Split(pointer[1:], "/")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(p, "~1", "/"), "~0", "~")
	}
	return parts
}

// Join adds a part to a JSON pointer.
func Join(pointer, part string) string {
	return pointer + "/" + strings.ReplaceAll(strings.ReplaceAll(part, "~", "~0"), "/", "~1")
}

// Blame puts a problem to the field at a pointer, or to the nearest one above
// it. It tells which field took it.
func (f *Field) Blame(pointer, problem string) *Field {
	if f.Pointer == pointer {
		f.Problem = problem
		return f
	}
	for _, c := range f.Fields {
		if c.Pointer == pointer || strings.HasPrefix(pointer, c.Pointer+"/") {
			return c.Blame(pointer, problem)
		}
	}
	f.Problem = problem
	return f
}

// text returns a string, "" for anything else.
func text(v any) string {
	s, _ := v.(string)
	return s
}

// number returns a number as text, "" for anything else.
func number(v any) string {
	n, _ := v.(json.Number)
	return n.String()
}
