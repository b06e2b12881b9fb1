package form

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// Object is a JSON object that keeps the order of its members: forms follow the
// order in which a schema's author wrote them.
type Object struct {
	Keys    []string
	Members map[string]any
}

// Get returns a member, nil when it is absent or o is nil.
func (o *Object) Get(name string) any {
	if o == nil {
		return nil
	}
	return o.Members[name]
}

// Set puts a member, behind those that are there.
func (o *Object) Set(name string, v any) {
	if o.Members == nil {
		o.Members = make(map[string]any)
	}
	if _, had := o.Members[name]; !had {
		o.Keys = append(o.Keys, name)
	}
	o.Members[name] = v
}

// MarshalJSON writes the members in their order.
func (o *Object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, k := range o.Keys {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := marshal(k)
		if err != nil {
			return nil, err
		}
		v, err := marshal(o.Members[k])
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, name...), ':'), v...)
	}
	return append(b, '}'), nil
}

// marshal writes JSON that is not escaped for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}

// errDepth says that a document is nested too deeply to be shown.
var errDepth = errors.New("the document is nested too deeply")

// maxNesting bounds the depth of documents that are read.
const maxNesting = 64

// ParseJSON reads one JSON value: *Object, []any, string, json.Number, bool or
// nil.
func ParseJSON(doc []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	v, err := value(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something behind the JSON value")
	}
	return v, nil
}

func value(d *json.Decoder, depth int) (any, error) {
	if depth > maxNesting {
		return nil, errDepth
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if delim == '[' {
		list := []any{}
		for d.More() {
			v, err := value(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	o := &Object{Members: make(map[string]any)}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := value(d, depth+1)
		if err != nil {
			return nil, err
		}
		o.Set(name.(string), v)
	}
	_, err = d.Token()
	return o, err
}

// Text returns v as compact JSON.
func Text(v any) string {
	b, err := marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// Indent returns v as JSON for people.
func Indent(v any) string {
	b, err := marshal(v)
	if err != nil {
		return ""
	}
	var out bytes.Buffer
	if json.Indent(&out, b, "", "  ") != nil {
		return string(b)
	}
	return out.String()
}
