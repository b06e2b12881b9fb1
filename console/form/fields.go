package form

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// builder makes the tree of fields and counts them.
type builder struct {
	schema *Schema
	n      int
}

// kindOf says how a value of a schema is entered.
func kindOf(o *Object) Kind {
	if _, ok := o.Members["const"]; ok {
		return KindFixed
	}
	if list, ok := o.Get("enum").([]any); ok && len(list) > 0 && len(list) <= 500 {
		return KindChoice
	}
	typ := text(o.Get("type"))
	if list, ok := o.Get("type").([]any); ok {
		for _, t := range list {
			if text(t) != "null" {
				typ = text(t)
				break
			}
		}
	}
	switch typ {
	case "object":
		if _, ok := o.Get("properties").(*Object); ok {
			return KindObject
		}
	case "array":
		if _, ok := o.Get("items").(*Object); ok {
			return KindArray
		}
	case "string":
		if n, err := strconv.Atoi(number(o.Get("maxLength"))); err == nil && n > 255 && text(o.Get("pattern")) == "" {
			return KindLong
		}
		return KindText
	case "number":
		return KindNumber
	case "integer":
		return KindInteger
	case "boolean":
		return KindBool
	case "":
		if _, ok := o.Get("properties").(*Object); ok {
			return KindObject
		}
	}
	return KindJSON
}

func (b *builder) field(pointer, name string, o *Object, v any, present, required bool, depth int) *Field {
	o = b.schema.resolve(o)
	b.n++
	f := &Field{
		Pointer: pointer, Name: name, Title: text(o.Get("title")), Help: text(o.Get("description")), Kind: kindOf(o),
		Required: required, Present: present, Format: text(o.Get("format")), Unit: expects(o),
	}
	if depth > maxDepth || b.n > maxFields {
		f.Kind = KindJSON
	}
	switch f.Kind {
	case KindObject:
		doc, ok := v.(*Object)
		if present && v != nil && !ok { // not what the schema says: shown as it is
			f.Kind, f.Value = KindJSON, Text(v)
			return f
		}
		b.members(f, o, doc, depth)
	case KindArray:
		list, ok := v.([]any)
		if present && v != nil && !ok || len(list) > maxItems {
			f.Kind, f.Value = KindJSON, Text(v)
			return f
		}
		items := o.Get("items").(*Object)
		least, _ := strconv.Atoi(number(o.Get("minItems")))
		most, err := strconv.Atoi(number(o.Get("maxItems")))
		f.CanAdd = len(list) < maxItems && (err != nil || len(list) < most)
		for i, item := range list {
			c := b.field(Join(pointer, strconv.Itoa(i)), strconv.Itoa(i+1), items, item, true, true, depth+1)
			c.Removes = len(list) > least
			f.Fields = append(f.Fields, c)
		}
	case KindFixed:
		f.Value = Text(o.Get("const"))
	case KindChoice:
		for _, e := range o.Get("enum").([]any) {
			f.Options = append(f.Options, Text(e))
		}
		if present {
			f.Value = Text(v)
			if !slices.Contains(f.Options, f.Value) {
				f.Options = append(f.Options, f.Value)
			}
		}
	case KindJSON:
		if present {
			f.Value = Indent(v)
		}
	default:
		if present {
			f.Value = scalar(v)
		}
	}
	return f
}

// members adds the fields of an object; members that the schema does not name
// are one field of JSON each, so that nothing of a document is lost.
func (b *builder) members(f *Field, o, doc *Object, depth int) {
	props, _ := o.Get("properties").(*Object)
	required, _ := o.Get("required").([]any)
	for _, k := range props.Keys {
		p, ok := props.Members[k].(*Object)
		if !ok {
			p = &Object{}
		}
		v, has := any(nil), false
		if doc != nil {
			v, has = doc.Members[k]
		}
		f.Fields = append(f.Fields, b.field(Join(f.Pointer, k), k, p, v, has, slices.Contains(required, any(k)), depth+1))
	}
	if doc == nil {
		return
	}
	for _, k := range doc.Keys {
		if _, named := props.Members[k]; !named && b.n < maxFields {
			b.n++
			f.Fields = append(f.Fields, &Field{Pointer: Join(f.Pointer, k), Name: k, Kind: KindJSON, Present: true, Value: Indent(doc.Members[k]),
				Help: "The schema does not name this member."})
		}
	}
}

// scalar returns what stands in an input for a value.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	case nil:
		return "null"
	}
	return Text(v)
}

// expects says in a few words what a schema allows.
func expects(o *Object) string {
	says := bounds(o)
	if kindOf(o) == KindInteger {
		return strings.TrimSuffix("whole number, "+says, ", ")
	}
	return says
}

func bounds(o *Object) string {
	low, high := number(o.Get("minimum")), number(o.Get("maximum"))
	above, below := number(o.Get("exclusiveMinimum")), number(o.Get("exclusiveMaximum"))
	switch {
	case low != "" && high != "":
		return low + " to " + high
	case above != "" && high != "":
		return "above " + above + ", at most " + high
	case low != "":
		return "at least " + low
	case above != "":
		return "above " + above
	case high != "":
		return "at most " + high
	case below != "":
		return "below " + below
	}
	switch f := text(o.Get("format")); f {
	case "date-time":
		return "such as 2026-01-31T12:00:00Z"
	case "date":
		return "such as 2026-01-31"
	case "time":
		return "such as 12:00:00Z"
	case "":
	default:
		return f
	}
	if p := text(o.Get("pattern")); p != "" && len(p) <= 80 {
		return "matches " + p
	}
	if n := number(o.Get("maxLength")); n != "" {
		return "up to " + n + " characters"
	}
	return ""
}
