package form_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/digital-spine/spine/console/form"
	"github.com/digital-spine/spine/schema"
)

var now = time.Date(2026, 1, 31, 12, 3, 4, 0, time.UTC)

// post returns what a browser would post for a form.
func post(f *form.Field, in url.Values) url.Values {
	if f.Kind == form.KindObject || f.Kind == form.KindArray {
		for _, c := range f.Fields {
			post(c, in)
		}
		return in
	}
	if f.Kind == form.KindFixed && !f.Required {
		return in
	}
	in.Set(f.Pointer, f.Value)
	return in
}

func TestSamplesOfTheMarketFitAndSurviveTheForm(t *testing.T) {
	files, err := filepath.Glob("../../participant/market/schemas/*.json")
	if err != nil || len(files) < 4 {
		t.Fatalf("schemas: %v %v", files, err)
	}
	for _, file := range files {
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(doc), `"tableSchema"`) {
			continue // a table, not a document
		}
		v, err := schema.Compile(schema.KindJSON, "root.json", []schema.File{{Name: "root.json", Data: doc}})
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		s, err := form.Parse(doc)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		sample := s.Sample(form.Sampler{Now: now})
		if err := v.Validate([]byte(form.Text(sample))); err != nil {
			t.Errorf("%s: the sample does not fit: %v\n%s", file, err, form.Indent(sample))
		}
		again := s.Decode(post(s.Fields(sample), url.Values{}))
		if got, want := form.Text(again), form.Text(sample); got != want {
			t.Errorf("%s: through the form\n%s\nbecame\n%s", file, want, got)
		}
	}
}

const bid = `{"title":"Bid","type":"object","required":["id","steps"],"properties":{
 "id":{"type":"string","pattern":"^b-[0-9]{3}$"},
 "note":{"type":"string","maxLength":1000},
 "fast":{"type":"boolean"},
 "side":{"enum":["up","down"]},
 "unit":{"const":"kW"},
 "owner":{"$ref":"#/$defs/party"},
 "steps":{"type":"array","minItems":1,"maxItems":3,"items":{"type":"object","required":["q"],"properties":{"q":{"type":"number","exclusiveMinimum":0}}}},
 "free":{}},
 "$defs":{"party":{"type":"object","required":["did"],"properties":{"did":{"type":"string"}}}}}`

func parse(t *testing.T, doc string) *form.Schema {
	t.Helper()
	s, err := form.Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBlankFieldsAreLeftOutAndWrongOnesKept(t *testing.T) {
	s := parse(t, bid)
	for _, tc := range []struct {
		name, want string
		in         url.Values
	}{
		{"nothing", `{"steps":[]}`, url.Values{}},
		{"blank", `{"id":"b-001","steps":[{"q":1}]}`, url.Values{"/id": {"b-001"}, "/note": {""}, "/fast": {""}, "/side": {""}, "/owner/did": {""}, "/steps/0/q": {"1"}, "/free": {" "}}},
		{"kept", `{"id":"x","steps":[{"q":"one"},{"q":2.50}]}`, url.Values{"/id": {"x"}, "/steps/0/q": {"one"}, "/steps/4/q": {"2.50"}}},
		{"typed", `{"id":"x","fast":false,"side":"up","unit":"kW","steps":[],"free":[1,2]}`, url.Values{"/id": {"x"}, "/fast": {"false"}, "/side": {`"up"`}, "/unit": {`"kW"`}, "/free": {"[1,2]"}}},
		{"unknown", `{"id":"x","steps":[],"extra":{"a":1}}`, url.Values{"/id": {"x"}, "/extra": {`{"a":1}`}}},
	} {
		if got := form.Text(s.Decode(tc.in)); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestListsGrowAndShrinkWithinTheirBounds(t *testing.T) {
	s := parse(t, bid)
	doc := s.Grow(nil, "/steps", form.Sampler{Now: now})
	doc = s.Grow(doc, "/steps", form.Sampler{Now: now})
	if got := form.Text(doc); got != `{"steps":[{"q":1},{"q":1}]}` {
		t.Errorf("grown: %s", got)
	}
	if doc = s.Shrink(doc, "/steps/0"); form.Text(doc) != `{"steps":[{"q":1}]}` {
		t.Errorf("shrunk: %s", form.Text(doc))
	}
	f := s.Fields(doc).Fields[6]
	if f.Name != "steps" || !f.CanAdd || f.Fields[0].Removes {
		t.Errorf("one item of 1 to 3 may be joined, not removed: %+v", f)
	}
	for _, p := range []string{"", "/", "/none/0", "/steps/9", "/steps/-1", "/steps/x"} {
		if got := form.Text(s.Shrink(doc, p)); got != `{"steps":[{"q":1}]}` {
			t.Errorf("Shrink(%q) gave %s", p, got)
		}
	}
}

func TestFieldsSayWhatTheyTake(t *testing.T) {
	s := parse(t, `{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer","minimum":1,"maximum":9},"c":{"type":"number","minimum":1},"d":{"type":"number"}}}`)
	want := []string{"whole number", "whole number, 1 to 9", "at least 1", ""}
	for i, f := range s.Fields(nil).Fields {
		if f.Unit != want[i] {
			t.Errorf("%s: %q, want %q", f.Name, f.Unit, want[i])
		}
	}
}

func TestProblemsGoToTheirField(t *testing.T) {
	s := parse(t, bid)
	f := s.Fields(s.Decode(url.Values{"/id": {"x"}, "/steps/0/q": {"-1"}}))
	if at := f.Blame("/steps/0/q", "must be above 0"); at.Pointer != "/steps/0/q" || at.Problem == "" {
		t.Errorf("blamed %q", at.Pointer)
	}
	if at := f.Blame("/steps/0/other", "no"); at.Pointer != "/steps/0" {
		t.Errorf("blamed %q", at.Pointer)
	}
	if at := f.Blame("/nowhere", "no"); at != f {
		t.Errorf("blamed %q", at.Pointer)
	}
}

func TestHostileSchemasEnd(t *testing.T) {
	var forest string // each of 50 members is the whole again
	for i := range 50 {
		forest += fmt.Sprintf(`"p%d":{"$ref":"#"},`, i)
	}
	for name, doc := range map[string]string{
		"circle":    `{"$ref":"#"}`,
		"tree":      `{"type":"object","properties":{"a":{"$ref":"#"},"b":{"$ref":"#"},"c":{"$ref":"#"}},"required":["a","b"]}`,
		"forest":    `{"type":"object","properties":{` + forest + `"z":{"$ref":"#"}}}`,
		"rows":      `{"type":"array","minItems":5,"items":{"type":"array","minItems":5,"items":{"$ref":"#"}}}`,
		"wide":      `{"type":"object","$defs":{"x":{"default":"` + strings.Repeat("x", 100_000) + `"}},"properties":{` + strings.ReplaceAll(forest, `"#"`, `"#/$defs/x"`) + `"z":{}}}`,
		"nowhere":   `{"$ref":"#/$defs/none"}`,
		"elsewhere": `{"$ref":"https://example.org/x"}`,
		"odd":       `{"type":5,"properties":7,"required":"x","enum":{},"allOf":[1],"items":[]}`,
		"all":       `{"allOf":[{"$ref":"#"},{"type":"object","properties":{"a":{"type":"string"}}}]}`,
		"pattern":   `{"type":"string","pattern":"((((a{1,1000}){1,1000}){1,1000}))"}`,
		"numbers":   `{"type":"number","minimum":1e999999999,"multipleOf":0}`,
	} {
		s := parse(t, doc)
		sample := s.Sample(form.Sampler{Now: now})
		if b, err := json.Marshal(sample); err != nil || len(b) > 1<<20 {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
		s.Decode(post(s.Fields(sample), url.Values{}))
		s.Fields(nil)
	}
	if _, err := form.Parse([]byte(strings.Repeat("[", 10_000))); err == nil {
		t.Error("a document without end was read")
	}
}

func FuzzForm(f *testing.F) {
	f.Add([]byte(bid), []byte(`{"steps":[{}]}`))
	f.Fuzz(func(_ *testing.T, doc, body []byte) {
		s, err := form.Parse(doc)
		if err != nil {
			return
		}
		v, _ := form.ParseJSON(body)
		s.Decode(post(s.Fields(v), url.Values{}))
		s.Sample(form.Sampler{Now: now})
	})
}
