package schema

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
)

// oracles are schemas that both the program and the library can judge.
var oracles = []string{
	telemetry,
	`{"type":"object","required":["n"],"additionalProperties":false,"properties":{"n":{"type":"integer"}}}`,
	`{"type":["integer","null"],"minimum":0.1,"exclusiveMaximum":5}`,
	`{"enum":["a",1,true,null,[1],{"a":1}]}`,
	`{"const":1.0}`,
	`{"oneOf":[{"type":"integer"},{"type":"number","minimum":1},{"enum":["a",1]}]}`,
	`{"not":{"anyOf":[{"enum":[1,"a"]},{"type":"array","minItems":2},{"type":"integer"}]}}`,
	`{"$ref":"#/$defs/tree","$defs":{"tree":{"type":"object","properties":{"a":{"$ref":"#/$defs/tree"},"b":{"type":"array","items":{"$ref":"#/$defs/tree"},"maxItems":2}},"maxProperties":2,"required":["a"]}}}`,
	`{"allOf":[{"required":["a"]},{"properties":{"a":{"maximum":1,"exclusiveMinimum":-1}}},{"minProperties":1}],"additionalProperties":{"type":"string","format":"date"}}`,
	`{"items":{"type":"string","format":"date-time"}}`,
	`{"items":{"format":"uuid","minLength":1,"maxLength":36,"pattern":"^[0-9a-f-]*$"}}`,
	`{"type":"object","additionalProperties":{"anyOf":[{"type":"boolean"},{"$ref":"#"}]}}`,
	`{"properties":{"a":false,"b":true},"required":["z"]}`,
	`true`, `false`, `{}`,
}

func pair(t testing.TB, text string) (*node, *library) {
	t.Helper()
	v, err := Compile(KindJSON, "r", []File{{"r", []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	c, ok := v.(*compiled)
	if !ok {
		t.Fatalf("not compiled to a program: %s", text)
	}
	return c.prog, c.lib
}

var atoms = []string{
	`null`, `true`, `false`, `0`, `-0`, `1`, `1.0`, `1e0`, `10e-1`, `0.1`, `0.10000000000000000000001`, `0.1000`, `4.9999999999999999999`, `5`, `5.0`, `1e6`, `-1e6`, `1000000.0000000000000001`,
	`-1`, `""`, `"a"`, `"\u0061"`, `"AB12"`, `"kW"`, `"2026-01-31"`, `"2026-02-30"`, `"2024-02-29"`, `"2026-01-01T00:00:00Z"`, `"2026-01-01t00:00:00z"`, `"2026-01-01T23:59:60Z"`,
	`"2026-01-01T00:00:00.123456789+10:00"`, `"2026-01-01T00:00:00+24:00"`, `"2026-01-01T24:00:00Z"`, `"00000000-0000-7000-8000-00000000000a"`, `"00000000-0000-7000-8000-00000000000G"`, `"é😀"`, `"\ud83d\ude00"`,
}

var names = []string{`"a"`, `"\u0061"`, `"b"`, `"n"`, `"z"`, `"device"`, `"readings"`, `"unit"`, `"value"`, `"at"`, `"mode"`, `"é"`}

// random writes a document, sometimes with a fault.
func random(r *rand.Rand, b []byte, depth int) []byte {
	pad := func() {
		if r.IntN(8) == 0 {
			b = append(b, " \n"[r.IntN(2)])
		}
	}
	switch k := r.IntN(10); {
	case k < 5 || depth > 4:
		return append(b, atoms[r.IntN(len(atoms))]...)
	case k < 7:
		b = append(b, '[')
		for i := range r.IntN(4) {
			if i > 0 {
				b = append(b, ',')
			}
			pad()
			b = random(r, b, depth+1)
		}
		return append(b, ']')
	default:
		b = append(b, '{')
		for i := range r.IntN(4) {
			if i > 0 {
				b = append(b, ',')
			}
			pad()
			b = append(b, names[r.IntN(len(names))]...)
			b = append(b, ':')
			b = random(r, b, depth+1)
		}
		return append(b, '}')
	}
}

// TestProgramAgainstOracle hunts for documents that the program accepts and the
// library does not, and makes sure that the program does accept much.
func TestProgramAgainstOracle(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	for _, text := range oracles {
		prog, lib := pair(t, text)
		good, taken := 0, 0
		for range rounds {
			doc := random(r, nil, 0)
			if r.IntN(20) == 0 {
				doc[r.IntN(len(doc))] ^= 1 << r.IntN(8)
			}
			fast, err := accepts(prog, doc), lib.Validate(doc)
			if fast && err != nil {
				t.Fatalf("program accepts %s under %s, library: %v", doc, text, err)
			}
			if err == nil {
				good++
				if fast {
					taken++
				}
			}
		}
		if good > 50 && taken == 0 {
			t.Errorf("of %d good documents the program accepts none: %s", good, text)
		}
	}
}

func TestProgramTakesTheUsual(t *testing.T) {
	prog, _ := pair(t, telemetry)
	for _, doc := range []string{string(sample()), `{"readings":[{"value":-12.5,"unit":"V"}],"device":"ZZ1","mode":null}`} {
		if !accepts(prog, []byte(doc)) {
			t.Errorf("left to the library: %.100s", doc)
		}
	}
	for _, text := range []string{`{"uniqueItems":true}`, `{"$ref":"#/properties/a","properties":{"a":{}}}`, `{"allOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"multipleOf":2}}}`, `{"$schema":"http://json-schema.org/draft-07/schema#"}`, `{"format":"email"}`} {
		v, err := Compile(KindJSON, "r", []File{{"r", []byte(text)}})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := v.(*library); !ok {
			t.Errorf("made into a program: %s", text)
		}
	}
}

func FuzzProgram(f *testing.F) {
	for i := range oracles {
		f.Add(uint8(i), []byte(`{"a":1,"device":"AB1","readings":[{"unit":"kW","value":1}]}`))
	}
	progs, libs := make([]*node, len(oracles)), make([]*library, len(oracles))
	for i, text := range oracles {
		progs[i], libs[i] = pair(f, text)
	}
	f.Fuzz(func(t *testing.T, which uint8, doc []byte) {
		i := int(which) % len(oracles)
		if accepts(progs[i], doc) {
			if err := libs[i].Validate(doc); err != nil {
				t.Fatalf("program accepts %q under %s, library: %v", doc, oracles[i], err)
			}
			if !json.Valid(doc) {
				t.Fatalf("accepted %q", doc)
			}
		}
	})
}

func ExampleCompile() {
	v, _ := Compile(KindJSON, "root.json", []File{{"root.json", []byte(`{"required":["n"]}`)}})
	fmt.Println(v.Validate([]byte(`{"m":1}`)))
	// Output: schema: lacks: n
}
