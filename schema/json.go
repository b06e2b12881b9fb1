package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// base is the made-up location of a schema's files; nothing is fetched from it.
const base = "spine:///"

// loader refuses what is not among the given files.
type loader struct{}

func (loader) Load(string) (any, error) {
	return nil, errors.New("refers to something outside the schema's files")
}

// compileJSON compiles with the reference library.
func compileJSON(root string, files []File) (Validator, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(loader{})
	seen := make(map[string]bool, len(files))
	var doc []byte
	var parsed any
	for _, f := range files {
		if f.Name == "" || len(f.Name) > 255 || strings.ContainsAny(f.Name, "\x00#?\\ ") || strings.Contains(f.Name, "..") || strings.HasPrefix(f.Name, "/") || seen[f.Name] {
			return nil, invalid("a file's name is empty, given twice or not a plain relative path", nil)
		}
		seen[f.Name] = true
		if err := CheckJSON(f.Data, Limits{}); err != nil {
			return nil, invalid(fmt.Sprintf("file %s is not JSON: %v", f.Name, err), err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(f.Data))
		if err != nil {
			return nil, invalid("file "+f.Name+" is not JSON", err)
		}
		if err := c.AddResource(base+(&url.URL{Path: f.Name}).EscapedPath(), v); err != nil {
			return nil, invalid("file "+f.Name+" cannot be used", err)
		}
		if f.Name == root {
			doc, parsed = f.Data, v
		}
	}
	if doc == nil {
		return nil, invalid("the root file is not among the files", nil)
	}
	s, err := c.Compile(base + (&url.URL{Path: root}).EscapedPath())
	if err != nil {
		return nil, invalid("the schema does not compile: "+clip(err.Error()), err)
	}
	lib := &library{s}
	if len(files) == 1 {
		if prog := translate(parsed); prog != nil {
			return &compiled{prog, lib}, nil
		}
	}
	return lib, nil
}

// library validates with the reference library.
type library struct{ s *jsonschema.Schema }

// Validate implements Validator.
func (l *library) Validate(doc []byte) error {
	if err := CheckJSON(doc, Limits{}); err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		// Numbers beyond any use, such as 1e999999999, end here.
		return &Error{Code: CodeJSON, Message: "the document cannot be read", Err: err}
	}
	err = l.s.Validate(v)
	var ve *jsonschema.ValidationError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ve):
		return explain(ve)
	default:
		return &Error{Code: CodeSchema, Message: "the document does not fit the schema"}
	}
}

// ValidateReader implements Streamer.
func (l *library) ValidateReader(r io.Reader, mediaType string) error {
	return validateWhole(l, r, mediaType)
}

// ValidateReader implements Streamer.
func (c *compiled) ValidateReader(r io.Reader, mediaType string) error {
	return validateWhole(c, r, mediaType)
}

// validateWhole reads a JSON document and validates it.
func validateWhole(v Validator, r io.Reader, mediaType string) error {
	if m := bare(mediaType); m != "" && m != "application/json" && m != "text/json" && !strings.HasSuffix(m, "+json") && m != "application/octet-stream" {
		return &Error{Code: CodeSchema, Keyword: "mediaType", Message: "must be a JSON document, by its media type"}
	}
	doc, err := io.ReadAll(io.LimitReader(r, MaxJSON+1))
	switch {
	case err != nil:
		return err
	case len(doc) > MaxJSON:
		return &Error{Code: CodeSchema, Keyword: "maxBytes", Message: fmt.Sprintf("must be at most %d bytes long", MaxJSON)}
	}
	return v.Validate(doc)
}

// explain turns the library's tree of errors into one: the first leaf. The
// library's texts may hold values of the document, so none is used.
func explain(ve *jsonschema.ValidationError) *Error {
	for len(ve.Causes) > 0 {
		ve = ve.Causes[0]
	}
	e := &Error{Code: CodeSchema, Pointer: pointer(ve.InstanceLocation), Message: "the document does not fit the schema"}
	if ve.ErrorKind == nil {
		return e
	}
	if path := ve.ErrorKind.KeywordPath(); len(path) > 0 {
		e.Keyword = path[len(path)-1]
		e.Message = "does not satisfy the schema's " + e.Keyword
	}
	switch k := ve.ErrorKind.(type) {
	case *kind.Required:
		e.Keyword, e.Message = "required", "lacks: "+strings.Join(k.Missing, ", ")
	case *kind.Type:
		e.Keyword, e.Message = "type", "must be: "+strings.Join(k.Want, " or ")
	case *kind.Format:
		e.Keyword, e.Message = "format", "must have the format "+k.Want
	case *kind.Pattern:
		e.Keyword, e.Message = "pattern", "must match the pattern "+clip(k.Want)
	case *kind.AdditionalProperties:
		e.Keyword, e.Message = "additionalProperties", "has members that the schema does not name"
	case *kind.Enum:
		e.Keyword, e.Message = "enum", "must be one of the values that the schema lists"
	case *kind.Const:
		e.Keyword, e.Message = "const", "must be the value that the schema fixes"
	case *kind.FalseSchema:
		e.Keyword, e.Message = "false", "is not allowed here"
	}
	return e
}

// pointer makes a JSON pointer.
func pointer(path []string) string {
	var b strings.Builder
	r := strings.NewReplacer("~", "~0", "/", "~1")
	for _, p := range path {
		if b.Len() > 500 {
			break // a name may be as long as the document
		}
		b.WriteByte('/')
		r.WriteString(&b, clip(p))
	}
	return b.String()
}
