package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// model is table metadata with a bit of everything.
const model = `{"@context":"http://www.w3.org/ns/csvw","dc:title":"Network","url":"model.csv","tableSchema":{"primaryKey":"node","columns":[
{"name":"feeder","datatype":{"base":"string","maxLength":8},"required":true},
{"name":"node","titles":["node","Knoten"],"datatype":{"format":"N[0-9]+"},"required":true},
{"name":"kva","titles":{"en":"rated (kVA)"},"datatype":{"base":"decimal","minimum":0,"maximum":500.5}},
{"name":"phases","datatype":{"base":"integer","minimum":1,"maximum":3},"null":["","-"]},
{"name":"since","datatype":"date"},
{"name":"ok","datatype":"boolean"}]}}`

const head = "feeder,node,rated (kVA),phases,since,ok\n"

func tableOf(t testing.TB, text string) Streamer {
	t.Helper()
	v, err := Compile(KindCSV, "root.json", []File{{"root.json", []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return v.(Streamer)
}

// columns makes table metadata of datatypes, for columns c1, c2 and so on.
func columns(more string, types ...string) string {
	var cols []string
	for i, d := range types {
		cols = append(cols, fmt.Sprintf(`{"name":"c%d","datatype":%s}`, i+1, d))
	}
	return `{"dialect":{"header":false},"tableSchema":{"columns":[` + strings.Join(cols, ",") + `]` + more + `}}`
}

func TestTable(t *testing.T) {
	v := tableOf(t, model)
	for _, tc := range []struct{ doc, want string }{
		{head + "F1,N1,10.5,3,2020-02-29,true\n", ""},
		{head + "F1,N1,10.5,3,2020-02-29,true", ""}, // the last line break may be absent
		{strings.ReplaceAll(head, "\n", "\r\n") + "F1,N1,10,3,,\r\nF1,N2,,-,,1\r\n", ""},
		{"\xef\xbb\xbf" + head + "F1,N1,10,3,,\n", ""}, // a byte order mark
		{"\"feeder\",\"Knoten\",\"rated (kVA)\",phases,since,ok\n\"F\"\"1\",\"N1\",\"10\", 3 ,\" 2020-01-01\",\"0\"\n", ""},
		{head, ""},
		{head + "\"a\nb\",N1,1,1,,\n\"c,\r\nd\",N2,1,1,,\n", ""},
		{head + "été,N1,1,1,,\n", ""},
		{"", "body_empty: there is no content"},
		{"\xef\xbb\xbf", "body_empty: there is no content"},
		{"feeder,node,kva,phases,since,ok\n", "schema: row 1, column kva: must be headed rated (kVA)"},
		{"feeder;node;rated (kVA);phases;since;ok\n", "schema: row 1, column node: is missing: the row has only 1 of the 6 columns of the schema"},
		{head + "F1,N1,10,3,2020-01-01\n", "schema: row 2, column ok: is missing: the row has only 5 of the 6 columns of the schema"},
		{head + "F1,N1,10,3,2020-01-01,1,2\n", "schema: row 2: has more cells than the 6 columns of the schema"},
		{head + "F1,N1,10,3,,\n\n", "schema: row 3, column node: is missing: the row has only 1 of the 6 columns of the schema"},
		{head + "F1,N1,ten,3,,\n", "schema: row 2, column kva: must be a decimal number"},
		{head + "F1,N1,1e3,3,,\n", "schema: row 2, column kva: must be a decimal number"},
		{head + "F1,N1,500.50001,3,,\n", "schema: row 2, column kva: must be at most 500.5"},
		{head + "F1,N1,500.500,3,,\n", ""},
		{head + "F1,N1,-0.0,3,,\n", ""},
		{head + "F1,N1,-0.000000000000000000000000001,3,,\n", "schema: row 2, column kva: must be at least 0"},
		{head + "F1,N1,1,0,,\n", "schema: row 2, column phases: must be at least 1"},
		{head + "F1,N1,1,2.0,,\n", "schema: row 2, column phases: must be a whole number"},
		{head + ",N1,1,2,,\n", "schema: row 2, column feeder: must not be empty"},
		{head + "F12345678,N1,1,2,,\n", "schema: row 2, column feeder: must have at most 8 characters"},
		{head + "éééééééé,N1,1,2,,\n", ""},
		{head + "F1,X1,1,2,,\n", "schema: row 2, column node: must match the pattern N[0-9]+"},
		{head + "F1,N1x,1,2,,\n", "schema: row 2, column node: must match the pattern N[0-9]+"},
		{head + "F1,N1,1,2,2021-02-29,\n", "schema: row 2, column since: must be a date such as yyyy-MM-dd"},
		{head + "F1,N1,1,2,,yes\n", "schema: row 2, column ok: must be true, false, 1 or 0"},
		{head + "F1,N1,1,2,,\nF1,N2,1,2,,\nF2,N1,1,2,,\n", "schema: row 4, column node: has a primary key that an earlier row has"},
		{head + "\"F1,N1,1,2,,\n", "schema: row 2, column feeder: begins with a quote that is not closed"},
		{head + "\"F1\"x,N1,1,2,,\n", "schema: row 2, column feeder: goes on behind its closing quote"},
		{head + "F\"1,N1,1,2,,\n", "schema: row 2, column feeder: holds a quote although it does not begin with one"},
		{head + "F1,N\x001,1,2,,\n", "schema: row 2, column node: holds a control character"},
		{head + "F1,\"N\x1b1\",1,2,,\n", "schema: row 2, column node: holds a control character"},
		{head + "F\xff,N1,1,2,,\n", "schema: row 2, column feeder: is not UTF-8"},
		{head + "\"F\xed\xa0\x80\",N1,1,2,,\n", "schema: row 2, column feeder: is not UTF-8"},
		{head + "F1\r,N1,1,2,,\n", "schema: row 2, column feeder: holds a carriage return that ends no line"},
		{head + "F1,N1,1,2,,\r", "schema: row 2, column ok: holds a carriage return that ends no line"},
		// Rows are counted as people do, lines as editors do.
		{head + "\"a\nb\",N1,1,1,,\nF1,N2,1,9,,\n", "schema: row 3 (line 4), column phases: must be at most 3"},
		{"\xff\xfef\x00e\x00", "schema: row 1, column feeder: is not UTF-8"}, // UTF-16
	} {
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(tc.doc), "bytes": iotest.OneByteReader(strings.NewReader(tc.doc)),
			"with the end": iotest.DataErrReader(strings.NewReader(tc.doc))} {
			err := v.ValidateReader(r, "text/csv; charset=utf-8")
			if got := fmt.Sprint(err); got != tc.want && !(err == nil && tc.want == "") {
				t.Errorf("%.70q, %s: %s, want %s", tc.doc, name, got, tc.want)
			}
		}
	}
	var e *Error
	if err := v.Validate([]byte(head + "F1,N1,1,7,,\n")); !errors.As(err, &e) || e.Row != 2 || e.Column != "phases" || e.ErrorDetails()["row"] != int64(2) || e.ErrorDetails()["column"] != "phases" || e.ErrorStatus() != 422 {
		t.Errorf("%v", err)
	}
}

func TestTableTwentyThousandRows(t *testing.T) {
	v := tableOf(t, model)
	var b bytes.Buffer
	b.WriteString(head)
	for i := 2; i <= 20_001; i++ {
		kva := fmt.Sprint(i % 500)
		if i == 13_457 {
			kva = "12O"
		}
		fmt.Fprintf(&b, "F%d,N%d,%s,%d,2019-06-%02d,true\r\n", i%90, i, kva, 1+i%3, 1+i%30)
	}
	err := v.ValidateReader(&b, "text/csv")
	if want := "schema: row 13457, column kva: must be a decimal number"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestTableTypes(t *testing.T) {
	for _, tc := range []struct{ datatype, good, bad string }{
		{`"integer"`, "0|-0|+7|00012|-99999999999999999999999999", "|1.0|1e1|--1|0x1|1 2|٣"},
		{`"byte"`, "-128|127", "128|-129"}, {`"unsignedLong"`, "18446744073709551615|0|-0", "18446744073709551616|-1"},
		{`"negativeInteger"`, "-1", "0|-0|1"},
		{`"decimal"`, "1|1.|.5|-.5|+1.50|  7 ", ".|1e5|INF|NaN|1,5|1.2.3|-"},
		{`"double"`, "1e5|-1.5E-300|INF|-INF|NaN|1", "inf|nan|0x1p3|1_0|1e|e5|Infinity|1e999|."},
		{`{"base":"number","minimum":-1.5,"maxExclusive":1e3}`, "-1.5|999.999|9.99e2|-0", "-1.6|1000|1e3|NaN|INF|-INF"},
		{`{"base":"decimal","format":{"decimalChar":",","groupChar":"."},"maximum":1234567.5}`, "1.234.567,5|0,5|12", "1.234.567,6|1..2|.5|5.|1,2,3"},
		{`{"base":"boolean","format":"Y|N"}`, "Y|N", "y|true|1|YN"},
		{`"date"`, "2024-02-29|0001-01-01|2024-12-31Z|2024-01-01+14:00", "2023-02-29|2024-13-01|2024-1-1|24-01-01|2024-01-01T00:00:00|0000-01-01|2024-00-10|2024-01-00|2024-01-01+15:00"},
		{`{"base":"date","format":"d.M.yyyy","minimum":"2020-01-01","maximum":"2020-12-31"}`, "1.1.2020|31.12.2020|01.06.2020", "31.12.2019|1.1.2021|2020-01-01|1.1.20|1.1"},
		{`"dateTime"`, "2024-02-29T23:59:59|2024-02-29T23:59:59.123456789Z|2024-01-01T00:00:00-05:00", "2024-02-29 23:59:59|2024-02-29T24:00:00|2024-02-29T23:59:60|2024-01-01T00:00|2024-01-01T00:00:00.|2024-01-01T00:00:00.1234567890|2024-01-01T00:00:00-0500"},
		{`"dateTimeStamp"`, "2024-02-29T23:59:59Z|2024-02-29T23:59:59.5+01:00", "2024-02-29T23:59:59"},
		{`{"base":"dateTime","format":"dd/MM/yyyy HH:mm","minInclusive":"2024-01-01T12:00:00"}`, "01/01/2024 12:00|31/12/2024 00:00", "01/01/2024 11:59|1/1/2024 12:00|01/01/2024 12:00:00"},
		{`"time"`, "00:00:00|23:59:59.5Z", "24:00:00|1:00:00|00:60:00"},
		{`{"base":"time","format":"HH:mm:ss.SSS"}`, "10:00:00|10:00:00.123", "10:00:00.1234|10:00:00."},
		{`{"length":2}`, "ab|éü", "a|abc"}, {`{"minLength":2,"maxLength":3,"format":"[a-z]*|Z.*"}`, "ab|abc|Zz", "a|abcd|aB"},
		{`"anyURI"`, "https://a.example/b?c=d|urn:x:y", "a b|http://[::1|%zz"},
		{`"string"`, " a |x", ""},
	} {
		v := tableOf(t, columns("", tc.datatype, `"string"`))
		for _, s := range strings.Split(tc.good, "|") {
			if err := v.Validate([]byte(`"` + s + "\",x\n")); err != nil {
				t.Errorf("%s refuses %q: %v", tc.datatype, s, err)
			}
		}
		for _, s := range strings.Split(tc.bad, "|") {
			if s == "" {
				continue // no value
			}
			if err := v.Validate([]byte(`"` + s + "\",x\n")); code(err) != CodeSchema {
				t.Errorf("%s takes %q: %v", tc.datatype, s, err)
			}
		}
	}
}

func TestTableDialect(t *testing.T) {
	v := tableOf(t, `{"dialect":{"delimiter":"\t","quoteChar":null,"header":false},"tableSchema":{"columns":[{"name":"a"},{"name":"b","datatype":"integer"}]}}`)
	for doc, want := range map[string]string{"x\t1\n": "", "say \"x\"\t1\n": "", "x,1\n": CodeSchema, "a\tb\n": CodeSchema} {
		if got := code(v.ValidateReader(strings.NewReader(doc), "text/tab-separated-values")); got != want {
			t.Errorf("%q: %q, want %q", doc, got, want)
		}
	}
	v = tableOf(t, `{"dialect":{"delimiter":";","quoteChar":"'"},"tableSchema":{"columns":[{"name":"a"},{"name":"b"}]}}`)
	if err := v.Validate([]byte("a;b\n'x;''y';\"z\n")); err != nil {
		t.Error(err)
	}
	if got := code(v.ValidateReader(strings.NewReader("a;b\n"), "application/pdf")); got != CodeSchema {
		t.Errorf("a PDF is taken for a table: %q", got)
	}
}

func TestTableMetadataRefused(t *testing.T) {
	for _, text := range []string{
		`[]`, `{}`, `{"tableSchema":{}}`, `{"tableSchema":{"columns":[]}}`, `{"tableSchema":{"columns":[{}]}}`, `{"tableSchema":null}`, `{"tableSchema":{"columns":[1]}}`,
		`{"tables":[],"tableSchema":{"columns":[{"name":"a"}]}}`, `{"tableSchema":{"columns":[{"name":"a"},{"name":"a"}]}}`,
		`{"tableSchema":{"columns":[{"name":"a"}],"primaryKey":"b"}}`, `{"tableSchema":{"columns":[{"name":"a"}],"primaryKey":["a","a"]}}`,
		`{"tableSchema":{"columns":[{"name":"a"}],"foreignKeys":[]}}`, `{"tableSchema":{"columns":[{"name":"a","separator":";"}]}}`,
		`{"tableSchema":{"columns":[{"name":"a","datatype":"duration"}]}}`, `{"tableSchema":{"columns":[{"name":"a","datatype":{"base":"string","format":"("}}]}}`,
		`{"tableSchema":{"columns":[{"name":"a","datatype":{"base":"integer","minimum":"x"}}]}}`,
		`{"tableSchema":{"columns":[{"name":"a","datatype":{"base":"integer","maxLength":5}}]}}`, `{"tableSchema":{"columns":[{"name":"a","datatype":{"base":"string","minimum":5}}]}}`,
		`{"tableSchema":{"columns":[{"name":"a","datatype":{"maxLength":-5}}]}}`, `{"tableSchema":{"columns":[{"name":"a","datatype":{"base":"date","format":"yy-MM-dd"}}]}}`,
		`{"tableSchema":{"columns":[{"name":"a","datatype":{"base":"date","format":"dMyyyy"}}]}}`, `{"tableSchema":{"columns":[{"name":"a","datatype":{"base":"date","format":"yyyy-yyyy"}}]}}`,
		`{"tableSchema":{"columns":[{"name":"a","datatype":{"base":"boolean","format":"Y"}}]}}`, `{"tableSchema":{"columns":[{"name":"a","datatype":{"base":"decimal","format":"#,##0"}}]}}`,
		`{"tableSchema":{"columns":[{"name":"a","datatype":{"base":"decimal","format":{"decimalChar":",","groupChar":","}}}]}}`,
		`{"tableSchema":{"columns":[{"name":"a","required":"yes"}]}}`, `{"tableSchema":{"columns":[{"name":"a","titles":5}]}}`,
		`{"dialect":{"delimiter":",,"},"tableSchema":{"columns":[{"name":"a"}]}}`, `{"dialect":{"delimiter":"\""},"tableSchema":{"columns":[{"name":"a"}]}}`,
		`{"dialect":{"delimiter":"\n"},"tableSchema":{"columns":[{"name":"a"}]}}`, `{"dialect":{"quoteChar":5},"tableSchema":{"columns":[{"name":"a"}]}}`,
		`{"dialect":{"encoding":"utf-16"},"tableSchema":{"columns":[{"name":"a"}]}}`, `{"dialect":{"doubleQuote":false},"tableSchema":{"columns":[{"name":"a"}]}}`,
		`{"dialect":{"trim":true},"tableSchema":{"columns":[{"name":"a"}]}}`, `{"dialect":[],"tableSchema":{"columns":[{"name":"a"}]}}`,
		`{"tableSchema":{"columns":[{"name":"a","datatype":{"format":"(.{100}){11}"}}]}}`, `{"tableSchema":{"columns":[{"name":"a","datatype":{"format":"` + strings.Repeat("a", 1001) + `"}}]}}`,
		`{"tableSchema":{"columns":[{"name":"a","null":["` + strings.Repeat(`","`, 100) + `"]}]}}`,
		`{"tableSchema":{"columns":[` + strings.TrimSuffix(strings.Repeat(`{"name":"a"},`, 1001), ",") + `]}}`, `{"tableSchema":`,
	} {
		if v, err := Compile(KindCSV, "root.json", []File{{"root.json", []byte(text)}}); code(err) != CodeInvalid {
			t.Errorf("%.90s: %v, %v", text, v, err)
		}
	}
	if _, err := Compile(KindCSV, "root.json", []File{{"root.json", []byte(model)}, {"b", []byte(`{}`)}}); code(err) != CodeInvalid {
		t.Error("a second file is taken")
	}
}

// endless gives the same bytes over and over.
type endless struct {
	text string
	left int
	at   int
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), e.left)], e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	e.left -= n
	e.read += n
	return n, nil
}

func TestTableBounds(t *testing.T) {
	v := tableOf(t, columns("", `"string"`, `"string"`))
	for name, tc := range map[string]struct{ text, want string }{
		"cell":        {"aaaaaaaaaaaaaaaa", "schema: row 1, column c1: must be at most 65536 bytes long"},
		"quoted cell": {"\"aaaaaaaaaaaaaaa", "schema: row 1, column c1: goes on behind its closing quote"},
		"quotes":      {"\"\"", "schema: row 1, column c1: must be at most 65536 bytes long"},
	} {
		r := &endless{text: tc.text, left: 100 << 20}
		if err := v.ValidateReader(r, ""); err == nil || err.Error() != tc.want {
			t.Errorf("%s: %v", name, err)
		}
		if r.read > 2<<20 {
			t.Errorf("%s: %d bytes were read before the end", name, r.read)
		}
	}
	// A record that is too long, of cells that are not.
	wide := make([]string, MaxColumns)
	for i := range wide {
		wide[i] = `"string"`
	}
	v = tableOf(t, columns("", wide...))
	r := &endless{text: strings.Repeat("a", 2000) + ",", left: 100 << 20}
	if err := v.ValidateReader(r, ""); err == nil || err.Error() != "schema: row 1: a record must be at most 1048576 bytes long" {
		t.Errorf("%v", err)
	}
	if err := v.ValidateReader(iotest.ErrReader(io.ErrClosedPipe), ""); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the reader's error became %v", err)
	}
	if err := v.ValidateReader(idle{}, ""); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader without progress gave %v", err)
	}
	keys := tableOf(t, columns(`,"primaryKey":"c1"`, `"integer"`))
	pr, pw := io.Pipe()
	go func() {
		var b []byte
		for i := range MaxKeys + 1 {
			if b = fmt.Appendf(b, "%d\n", i); len(b) > 60_000 {
				pw.Write(b)
				b = b[:0]
			}
		}
		pw.Write(b)
		pw.Close()
	}()
	if err := keys.ValidateReader(pr, ""); err == nil || !strings.Contains(err.Error(), "row 1000001") || !strings.Contains(err.Error(), "at most 1000000 rows") {
		t.Errorf("%v", err)
	}
	pr.Close()
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestBinary(t *testing.T) {
	v, err := Compile(KindBinary, "r", []File{{"r", []byte(`{"mediaTypes":["application/pdf","image/*"],"maxBytes":10}`)}})
	if err != nil {
		t.Fatal(err)
	}
	s := v.(Streamer)
	for _, tc := range []struct{ doc, typ, want string }{
		{"x", "image/png", ""}, {"0123456789", "Application/PDF; x=y", ""}, {"0123456789a", "image/png", CodeSchema}, {"", "image/png", CodeEmpty},
		{"x", "", CodeSchema}, {"x", "text/plain", CodeSchema}, {"x", "application/pdfx", CodeSchema}, {"x", "image", CodeSchema},
	} {
		if got := code(s.ValidateReader(strings.NewReader(tc.doc), tc.typ)); got != tc.want {
			t.Errorf("%q of %q: %q, want %q", tc.doc, tc.typ, got, tc.want)
		}
		if got := code(v.(Sized).ValidateSize(tc.typ, int64(len(tc.doc)))); got != tc.want {
			t.Errorf("%d bytes of %q: %q, want %q", len(tc.doc), tc.typ, got, tc.want)
		}
	}
	for _, text := range []string{`[]`, `null`, `1`, `{"maxBytes":0}`, `{"maxBytes":"x"}`, `{"mediaTypes":["x"]}`, `{"mediaTypes":["IMAGE/png"]}`, `{"mediaTypes":["*/png"]}`, `{"mediaTypes":[""]}`, `{"other":1}`, `{`} {
		if _, err := Compile(KindBinary, "r", []File{{"r", []byte(text)}}); code(err) != CodeInvalid {
			t.Errorf("%s: %v", text, err)
		}
	}
	any, err := Compile(KindBinary, "r", []File{{"r", []byte(`{}`)}})
	if err != nil || any.Validate([]byte{0}) != nil || any.(Streamer).ValidateReader(strings.NewReader("x"), "") != nil {
		t.Errorf("a schema without rules refuses: %v", err)
	}
}

func TestStreamJSON(t *testing.T) {
	for _, text := range []string{telemetry, `{"type":"object","dependentRequired":{"a":["b"]}}`} { // by program, by library
		v, err := Compile(KindJSON, "r", []File{{"r", []byte(text)}})
		if err != nil {
			t.Fatal(err)
		}
		s := v.(Streamer)
		for typ, want := range map[string]string{"application/json": "", "application/geo+json; charset=utf-8": "", "": "", "text/csv": CodeSchema} {
			if got := code(s.ValidateReader(strings.NewReader(`{"device":"AB1","readings":[{"unit":"V","value":1}]}`), typ)); got != want {
				t.Errorf("%q: %q, want %q", typ, got, want)
			}
		}
		r := &endless{text: strings.Repeat(" ", 4096), left: 1 << 30}
		if got := code(s.ValidateReader(r, "")); got != CodeSchema || r.read > 2*MaxJSON {
			t.Errorf("a document without end: %q after %d bytes", got, r.read)
		}
	}
}

// TestPattern compares the short way of matching with package regexp.
func TestPattern(t *testing.T) {
	for pattern, short := range map[string]bool{
		"[A-Z]{3}-[0-9]{3}": true, "N[0-9]{8}": true, "transformer|line|service": true, "A|B|C|ABC": true, "[A-Z0-9]{3,5}": true, "a*b+c?": true, "x": true, "": true,
		"ab|ac|": true, "[ab]c": true, "a?a": false, "[0-9]+1": false, "a*b*a": false, "(?i)abc": false, ".*": false, "é+": false, "[^a]b": false, "a{2}b|c": false, "(ab)+": false, "[ab]+[bc]?": false,
		"\\d{2}\\w": true, "^a$": false, "a{0,2}b": true,
	} {
		m, err := compileMatcher(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.words != nil || m.runs != nil; got != short {
			t.Errorf("%q is matched byte by byte: %v", pattern, got)
		}
		r := rand.New(rand.NewPCG(1, 2))
		letters := []rune("abcABCNxéi0159-")
		for range 3_000 {
			s := make([]rune, r.IntN(8))
			for i := range s {
				s[i] = letters[r.IntN(len(letters))]
			}
			if got, want := m.match([]byte(string(s))), m.re.MatchString(string(s)); got != want {
				t.Errorf("%q matches %q: %v", pattern, string(s), got)
				break
			}
		}
		for _, s := range []string{"ABC-123", "ABC-12", "ABC-1234", "N12345678", "N1234567", "line", "lines", "ABC", "ab", "ac", "12a", "123"} {
			if got, want := m.match([]byte(s)), m.re.MatchString(s); got != want {
				t.Errorf("%q matches %q: %v", pattern, s, got)
			}
		}
	}
}

// FuzzTable reads tables as a hostile sender could write them: whatever the
// sizes of the reads, the verdict is the same, and nothing panics.
func FuzzTable(f *testing.F) {
	for _, s := range []string{head + "F1,N1,10.5,3,2020-02-29,true\r\n\"a\"\"\nb\",N2,,-,,\n", "\xef\xbb\xbf\"", "a\r\r\n", head + "\xc3,N1,1,1,,\n"} {
		f.Add([]byte(s), uint16(1))
	}
	v, w := tableOf(f, model), tableOf(f, columns(`,"primaryKey":["c1","c2"]`, `"number"`, `"dateTime"`))
	f.Fuzz(func(t *testing.T, doc []byte, size uint16) {
		for _, v := range []Streamer{v, w} {
			a := v.Validate(doc)
			b := v.ValidateReader(&pieces{doc, int(size%300) + 1}, "")
			if fmt.Sprint(a) != fmt.Sprint(b) {
				t.Fatalf("whole: %v, in pieces: %v", a, b)
			}
			if c := code(a); a != nil && c != CodeSchema && c != CodeEmpty {
				t.Fatalf("code %q", c)
			}
		}
	})
}

type pieces struct {
	doc  []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.doc) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.doc[:min(p.size, len(p.doc))])
	p.doc = p.doc[n:]
	return n, nil
}

// FuzzTableMetadata compiles what a hostile owner of a topic could publish.
func FuzzTableMetadata(f *testing.F) {
	f.Add([]byte(model))
	f.Add([]byte(columns(`,"primaryKey":["c1"]`, `{"base":"date","format":"d.M.yyyy"}`, `{"base":"decimal","format":{"groupChar":" "},"maxExclusive":5}`)))
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := Compile(KindCSV, "r", []File{{"r", text}})
		if err != nil {
			if code(err) != CodeInvalid {
				t.Fatalf("code %q", code(err))
			}
			return
		}
		_ = v.Validate([]byte("1,2\n\"3\",4\n"))
	})
}

// TestTableMemory reads 100 MB and looks at what that allocates.
func TestTableMemory(t *testing.T) {
	v := tableOf(t, columns("", `"string"`, `"string"`, `"decimal"`, `"integer"`, `"date"`))
	text := strings.Repeat(strings.Repeat("description ", 12)+",node-0000001,12.5,3,2026-01-31\n", 1000)
	r := &endless{text: text, left: (100 << 20) / len(text) * len(text)}
	size := r.left
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	if err := v.ValidateReader(r, "text/csv"); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	runtime.ReadMemStats(&after)
	if a := after.TotalAlloc - before.TotalAlloc; a > 4<<20 {
		t.Errorf("reading %d bytes allocated %d", size, a)
	}
	t.Logf("%.0f MB/s", float64(size)/1e6/took.Seconds())
}

func BenchmarkTable(b *testing.B) {
	v := tableOf(b, columns("", `"string"`, `{"format":"N[0-9]+"}`, `{"base":"decimal","minimum":0,"maximum":5000}`, `"decimal"`, `"integer"`, `"date"`))
	text := strings.Repeat("FDR-001,N0000001,12.5,216.25,3,2026-01-31\n", 10_000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if err := v.ValidateReader(strings.NewReader(text), "text/csv"); err != nil {
			b.Fatal(err)
		}
	}
}
