package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const telemetry = `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","additionalProperties":false,
"required":["device","readings"],"properties":{
 "device":{"type":"string","pattern":"^[A-Z]{2}[0-9]+$","maxLength":20},
 "at":{"type":"string","format":"date-time"},
 "mode":{"$ref":"#/$defs/mode"},
 "readings":{"type":"array","minItems":1,"maxItems":100,"items":{"type":"object","required":["unit","value"],"additionalProperties":false,
   "properties":{"unit":{"enum":["kW","V","Hz"]},"value":{"type":"number","minimum":-1e6,"maximum":1e6}}}}},
"$defs":{"mode":{"type":["string","null"],"minLength":1}}}`

func code(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	if err != nil {
		return "?"
	}
	return ""
}

func TestCheckJSON(t *testing.T) {
	many := func(n int, last string) string {
		var b strings.Builder
		b.WriteByte('{')
		for i := range n {
			fmt.Fprintf(&b, `"k%d":{"a":1,"b":2},`, i)
		}
		return b.String() + last + "}"
	}
	for _, tc := range []struct{ doc, code string }{
		{`{}`, ""}, {` [1, -0.5e+10, "x", true, false, null, {"a":{"a":1}}] `, ""}, {`"\ud83d\ude00 \u00e9 \n"`, ""},
		{``, CodeEmpty}, {" \n\t", CodeEmpty},
		{`{`, CodeJSON}, {`{"a"}`, CodeJSON}, {`{"a":1,}`, CodeJSON}, {`[1,]`, CodeJSON}, {`[1 2]`, CodeJSON}, {`01`, CodeJSON},
		{`1.`, CodeJSON}, {`-`, CodeJSON}, {`1e`, CodeJSON}, {`+1`, CodeJSON}, {`.5`, CodeJSON}, {`nul`, CodeJSON}, {`{} {}`, CodeJSON},
		{`{a:1}`, CodeJSON}, {`"abc`, CodeJSON}, {"\"a\nb\"", CodeJSON}, {`"\x"`, CodeJSON}, {`"\u12g4"`, CodeJSON}, {`"\ud800"`, CodeJSON},
		{`"\udc00"`, CodeJSON}, {`"\ud800\u0041"`, CodeJSON}, {"\"\xff\"", CodeJSON}, {"\"\xc0\xaf\"", CodeJSON}, {"\"\xed\xa0\x80\"", CodeJSON},
		{"\xef\xbb\xbf{}", CodeJSON}, {`1e99999999999`, CodeJSON}, {`1e0000000001`, ""}, {`[` + strings.Repeat("1", 500) + `]`, CodeJSON},
		{strings.Repeat("[", 64) + strings.Repeat("]", 64), ""}, {strings.Repeat("[", 65) + strings.Repeat("]", 65), CodeDepth},
		{strings.Repeat(`{"a":`, 100000), CodeDepth},
		{`{"a":1,"a":1}`, CodeDuplicate}, {`{"a":1,"\u0061":1}`, CodeDuplicate}, {`{"a":{"b":1},"b":{"b":1}}`, ""}, {`[{"a":1},{"a":1}]`, ""},
		{many(500, `"z":1`), ""}, {many(500, `"k3":1`), CodeDuplicate}, {many(33, `"k32":1`), CodeDuplicate}, {many(32, `"k0":1`), CodeDuplicate},
	} {
		if got := code(CheckJSON([]byte(tc.doc), Limits{})); got != tc.code {
			t.Errorf("CheckJSON(%.60q) = %q, want %q", tc.doc, got, tc.code)
		}
	}
}

func TestValidate(t *testing.T) {
	v, err := Compile(KindJSON, "root.json", []File{{"root.json", []byte(telemetry)}})
	if err != nil {
		t.Fatal(err)
	}
	const good = `{"device":"AB12","at":"2026-01-01T00:00:00Z","mode":null,"readings":[{"unit":"kW","value":1.5}]}`
	for _, tc := range []struct{ doc, code, pointer, keyword string }{
		{good, "", "", ""},
		{`{"device":"AB12","readings":[{"unit":"kW","value":1},{"unit":"furlongSECRET","value":1}]}`, CodeSchema, "/readings/1/unit", "enum"},
		{`{"device":"AB12"}`, CodeSchema, "", "required"},
		{`{"device":"SECRETx","readings":[{"unit":"kW","value":1}]}`, CodeSchema, "/device", "pattern"},
		{`{"device":"AB12","at":"SECRET","readings":[{"unit":"kW","value":1}]}`, CodeSchema, "/at", "format"},
		{`{"device":"AB12","readings":[{"unit":"kW","value":"SECRET"}]}`, CodeSchema, "/readings/0/value", "type"},
		{`{"device":"AB12","readings":[{"unit":"kW","value":1e7}]}`, CodeSchema, "/readings/0/value", "maximum"},
		{`{"device":"AB12","readings":[]}`, CodeSchema, "/readings", "minItems"},
		{`{"device":"AB12","mode":"","readings":[{"unit":"kW","value":1}]}`, CodeSchema, "/mode", "minLength"},
		{`{"device":"AB12","SECRET":1,"readings":[{"unit":"kW","value":1}]}`, CodeSchema, "", "additionalProperties"},
		{`{"device":"AB12","device":"AB12","readings":[]}`, CodeDuplicate, "", ""},
		{`[`, CodeJSON, "", ""},
		{``, CodeEmpty, "", ""},
	} {
		err := v.Validate([]byte(tc.doc))
		if got := code(err); got != tc.code {
			t.Errorf("Validate(%s): code %q, want %q (%v)", tc.doc, got, tc.code, err)
			continue
		}
		var e *Error
		if errors.As(err, &e) && (e.Pointer != tc.pointer || e.Keyword != tc.keyword) {
			t.Errorf("Validate(%s): at %q by %q, want %q by %q", tc.doc, e.Pointer, e.Keyword, tc.pointer, tc.keyword)
		}
		if err != nil && strings.Contains(err.Error(), "SECRET") {
			t.Errorf("error repeats content: %v", err)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	f := func(name, data string) File { return File{name, []byte(data)} }
	for name, tc := range map[string]struct {
		kind, root string
		files      []File
	}{
		"kind":         {"xsd", "a", []File{f("a", "{}")}},
		"no files":     {KindJSON, "a", nil},
		"no root":      {KindJSON, "b", []File{f("a", "{}")}},
		"twice":        {KindJSON, "a", []File{f("a", "{}"), f("a", "{}")}},
		"not json":     {KindJSON, "a", []File{f("a", "{")}},
		"duplicate":    {KindJSON, "a", []File{f("a", `{"type":"string","type":"number"}`)}},
		"not a schema": {KindJSON, "a", []File{f("a", `{"type":7}`)}},
		"remote":       {KindJSON, "a", []File{f("a", `{"$ref":"https://example.org/x.json"}`)}},
		"file":         {KindJSON, "a", []File{f("a", `{"$ref":"file:///etc/passwd"}`)}},
		"absent":       {KindJSON, "a", []File{f("a", `{"$ref":"b.json"}`)}},
		"path":         {KindJSON, "../a", []File{f("../a", "{}")}},
		"pattern":      {KindJSON, "a", []File{f("a", `{"pattern":"("}`)}},
	} {
		if _, err := Compile(tc.kind, tc.root, tc.files); code(err) != CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Compile(KindJSON, "a.json", []File{f("a.json", `{"$ref":"defs/b.json"}`), f("defs/b.json", `{"type":"string"}`)}); err != nil {
		t.Errorf("two files: %v", err)
	}
}

func FuzzCheckJSON(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1,"a":2}`, `"\ud800\udc00"`, "\"\xff\"", `[1e5,{"b":[null]}]`, `1e400`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		err := CheckJSON(doc, Limits{})
		if err == nil && !json.Valid(doc) {
			t.Fatalf("accepted what is not JSON: %q", doc)
		}
		if err != nil && code(err) == CodeEmpty && len(bytes.TrimSpace(doc)) > 0 {
			t.Fatalf("called empty: %q", doc)
		}
	})
}

func BenchmarkCheckJSON(b *testing.B) {
	doc := sample()
	b.ReportAllocs()
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if err := CheckJSON(doc, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	v, err := Compile(KindJSON, "r", []File{{"r", []byte(telemetry)}})
	if err != nil {
		b.Fatal(err)
	}
	doc := sample()
	b.ReportAllocs()
	for b.Loop() {
		if err := v.Validate(doc); err != nil {
			b.Fatal(err)
		}
	}
}

func sample() []byte {
	var b strings.Builder
	b.WriteString(`{"device":"AB12","at":"2026-01-01T00:00:00Z","readings":[`)
	for i := range 28 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"unit":"kW","value":%d.25}`, i)
	}
	b.WriteString("]}")
	return []byte(b.String())
}

// TestCheckedWalksAlike walks documents with the checks, then again without.
func TestCheckedWalksAlike(t *testing.T) {
	for _, doc := range []string{
		`[]`, `[1]`, `[1,2 , 3]`, `[true,null,-1.5e3]`, `["a","b\"]","\\",""]`, `[{"a":[1,{"b":"]}"}]} , [[],[{}]]]`,
		"[ \"twelve bytes\\u0041 or more \xc3\xa9\" ,\t{\"x\" : { } }\n]",
	} {
		var strict, loose []string
		if err := Array([]byte(doc), Limits{}, func(v []byte) error { strict = append(strict, string(v)); return nil }); err != nil {
			t.Fatal(doc, err)
		}
		if err := Array([]byte(doc), Limits{Checked: true}, func(v []byte) error { loose = append(loose, string(v)); return nil }); err != nil {
			t.Fatal(doc, err)
		}
		if !slices.Equal(strict, loose) {
			t.Errorf("%s: %q, checked before %q", doc, strict, loose)
		}
	}
}

// TestTextStopsAtEveryOddByte puts each byte at each place of a string.
func TestTextStopsAtEveryOddByte(t *testing.T) {
	for at := range 20 {
		for v := range 256 {
			b := []byte("abcdefghijklmnopqrstuvwx")
			b[at] = byte(v)
			want := len(b)
			if !plain[byte(v)] {
				want = at
			}
			if got := skipPlain(b, 0); got != want {
				t.Fatalf("byte %#x at %d: stopped at %d", v, at, got)
			}
		}
	}
}
