package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Bounds of tables.
const (
	MaxColumns = 1_000
	MaxCell    = 64 << 10  // bytes between two delimiters
	MaxRecord  = 1 << 20   // bytes of a record with its line break
	MaxKeys    = 1_000_000 // records of a table that has a primary key
)

// maxTexts bounds a column's titles, and its texts for no value: each cell is
// compared with them.
const maxTexts = 100

// A csvTable validates CSV (RFC 4180) against table metadata of CSV on the Web,
// in this subset:
//
//	{"dialect":     {"delimiter": ",", "quoteChar": "\"" or null, "header": true},
//	 "tableSchema": {"columns": [{"name", "titles", "datatype", "required", "null"}], "primaryKey": name or list}}
//	 datatype:      a base, or {"base", "format", "length", "minLength", "maxLength",
//	                 "minimum", "maximum", "minInclusive", "maxInclusive", "minExclusive", "maxExclusive"}
//
// The columns must come in the schema's order. Members that say nothing about
// validity are passed over: @context, @id, @type, url, notes, lang and names
// with a colon, such as dc:title. Anything else is refused, not ignored.
//
// Records end with CRLF or LF, the last one may end with the file; a byte order
// mark is passed over; text is UTF-8 without control characters.
type csvTable struct {
	columns []column
	key     []int // columns of the primary key
	header  bool
	delim   byte
	quote   int // byte, -1: none
	class   [256]uint8
}

// column is one column with what its cells must be.
type column struct {
	name     string
	titles   []string // of which the header must hold one
	required bool
	nulls    []string // texts that stand for no value
	text     bool     // white space around the value is part of it
	judge    judge    // nil: any text
}

// judge returns what is wrong with a cell, nil when it fits.
type judge func(cell []byte) *fault

// fault is what a column asks for and a cell does not give.
type fault struct{ keyword, message string }

// metadata is table metadata as JSON.
type metadata struct {
	Dialect struct {
		Delimiter   *string         `json:"delimiter"`
		QuoteChar   json.RawMessage `json:"quoteChar"`
		Header      *bool           `json:"header"`
		DoubleQuote *bool           `json:"doubleQuote"`
		Encoding    *string         `json:"encoding"`
	} `json:"dialect"`
	TableSchema struct {
		Columns    []json.RawMessage `json:"columns"`
		PrimaryKey texts             `json:"primaryKey"`
	} `json:"tableSchema"`
}

// texts is a string or a list of them.
type texts []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *texts) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// members decodes an object that may have the names that v's fields have and
// those of passed; others are refused.
func members(doc []byte, what string, v any, names ...string) error {
	if doc = bytes.TrimSpace(doc); len(doc) == 0 || doc[0] != '{' {
		return invalid(what+" is an object", nil)
	}
	err := Object(doc, Limits{Checked: true}, func(name, _ []byte) error {
		n := string(name)
		if slices.Contains(names, n) || strings.ContainsRune(n, ':') || slices.Contains([]string{"@context", "@id", "@type", "url", "notes", "lang"}, n) {
			return nil
		}
		return invalid(fmt.Sprintf("%s has %q, which is not known here", what, clip(n)), nil)
	})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(doc, v); err != nil {
		return invalid(what+" is not as it should be", err)
	}
	return nil
}

func compileCSV(root string, files []File) (Validator, error) {
	doc, err := only(root, files)
	if err != nil {
		return nil, err
	}
	var m metadata
	if err := members(doc, "table metadata", &m, "dialect", "tableSchema"); err != nil {
		return nil, err
	}
	var part struct{ Dialect, TableSchema json.RawMessage }
	if err := json.Unmarshal(doc, &part); err != nil || part.TableSchema == nil {
		return nil, invalid("table metadata lacks a tableSchema", err)
	}
	if err := members(part.TableSchema, "tableSchema", new(any), "columns", "primaryKey"); err != nil {
		return nil, err
	}
	t := &csvTable{header: true, delim: ',', quote: '"'}
	if part.Dialect != nil {
		if err := members(part.Dialect, "dialect", new(any), "delimiter", "quoteChar", "header", "doubleQuote", "encoding"); err != nil {
			return nil, err
		}
		if err := t.dialect(&m); err != nil {
			return nil, err
		}
	}
	if n := len(m.TableSchema.Columns); n == 0 || n > MaxColumns {
		return nil, invalid(fmt.Sprintf("a table has 1 to %d columns", MaxColumns), nil)
	}
	index := make(map[string]int)
	for i, raw := range m.TableSchema.Columns {
		c, err := compileColumn(raw)
		if err != nil {
			return nil, err
		}
		if _, twice := index[c.name]; twice {
			return nil, invalid(fmt.Sprintf("column %q is given twice", c.name), nil)
		}
		index[c.name] = i
		t.columns = append(t.columns, *c)
	}
	for _, name := range m.TableSchema.PrimaryKey {
		i, ok := index[name]
		if !ok || slices.Contains(t.key, i) {
			return nil, invalid("the primary key names a column that is not there, or one twice", nil)
		}
		t.key = append(t.key, i)
	}
	t.classify()
	return t, nil
}

func (t *csvTable) dialect(m *metadata) error {
	d := &m.Dialect
	sign := func(s string) (byte, bool) {
		return (s + "\x00")[0], len(s) == 1 && s[0] < 0x7f && (s[0] >= ' ' || s[0] == '\t')
	}
	ok := true
	if d.Delimiter != nil {
		t.delim, ok = sign(*d.Delimiter)
	}
	if d.QuoteChar != nil {
		var q *string
		switch err := json.Unmarshal(d.QuoteChar, &q); {
		case err != nil:
			ok = false
		case q == nil:
			t.quote = -1
		default:
			b, one := sign(*q)
			t.quote, ok = int(b), ok && one
		}
	}
	if d.Header != nil {
		t.header = *d.Header
	}
	if !ok || int(t.delim) == t.quote {
		return invalid("delimiter and quoteChar are one ASCII character each, not the same", nil)
	}
	if d.DoubleQuote != nil && !*d.DoubleQuote {
		return invalid("a quote within quotes is doubled; escapes are not known here", nil)
	}
	if d.Encoding != nil && !strings.EqualFold(*d.Encoding, "utf-8") {
		return invalid("the encoding is utf-8", nil)
	}
	return nil
}

func compileColumn(raw json.RawMessage) (*column, error) {
	var s struct {
		Name     string          `json:"name"`
		Titles   json.RawMessage `json:"titles"`
		Datatype json.RawMessage `json:"datatype"`
		Required bool            `json:"required"`
		Null     *texts          `json:"null"`
	}
	if err := members(raw, "a column", &s, "name", "titles", "datatype", "required", "null", "propertyUrl", "valueUrl", "aboutUrl"); err != nil {
		return nil, err
	}
	c := &column{name: s.Name, required: s.Required, nulls: []string{""}}
	if s.Null != nil {
		c.nulls = *s.Null
	}
	if s.Titles != nil {
		var one texts
		var byLanguage map[string]texts
		if json.Unmarshal(s.Titles, &one) == nil {
			c.titles = one
		} else if err := json.Unmarshal(s.Titles, &byLanguage); err == nil {
			for _, list := range byLanguage {
				c.titles = append(c.titles, list...)
			}
		} else {
			return nil, invalid("titles are a string, a list of strings, or either by language", err)
		}
	}
	if c.name == "" && len(c.titles) > 0 {
		c.name = c.titles[0]
	}
	if c.name == "" || len(c.name) > 255 {
		return nil, invalid("a column has a name of 1 to 255 bytes", nil)
	}
	if len(c.titles) == 0 {
		c.titles = []string{c.name}
	}
	if len(c.titles) > maxTexts || len(c.nulls) > maxTexts {
		return nil, invalid(fmt.Sprintf("column %s has more than %d titles, or texts for no value", c.name, maxTexts), nil)
	}
	var err error
	c.judge, c.text, err = compileDatatype(s.Datatype)
	if err != nil {
		return nil, invalid("column "+c.name+": "+err.Error(), err)
	}
	return c, nil
}

// Validate implements Validator.
func (t *csvTable) Validate(doc []byte) error { return t.ValidateReader(bytes.NewReader(doc), "") }

// tableTypes are the media types by which tables come, in practice.
var tableTypes = []string{"", "text/csv", "text/tab-separated-values", "text/plain", "application/csv", "application/vnd.ms-excel", "application/octet-stream"}

// ValidateReader implements Streamer.
func (t *csvTable) ValidateReader(r io.Reader, mediaType string) error {
	if !slices.Contains(tableTypes, bare(mediaType)) {
		return &Error{Code: CodeSchema, Keyword: "mediaType", Message: "must be a table in text, by its media type text/csv"}
	}
	s := scanner{t: t, r: r}
	return s.run()
}
