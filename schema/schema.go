// Package schema checks documents against a topic's schema, behind one narrow
// interface: Compile once, Validate many times. Kinds are JSON Schema, tables
// (RFC 4180, typed by W3C table metadata) and files of given media types. It
// also holds CheckJSON, the one-pass check of JSON text (syntax, UTF-8, nesting,
// names given twice) that runs before any schema.
//
// It fetches nothing: a schema is the files it is given and nothing else. Its
// errors name where and which keyword, never what the document holds.
package schema

import (
	"fmt"
	"io"
)

// Limits of a schema.
const (
	MaxFiles      = 64
	MaxFileBytes  = 1 << 20
	MaxTotalBytes = 4 << 20
)

// Kinds of schema.
const (
	// KindJSON is JSON Schema 2020-12 with formats asserted.
	KindJSON = "json"
	// KindCSV is a table as RFC 4180 writes it; the schema is table metadata of
	// CSV on the Web (https://www.w3.org/TR/tabular-metadata/) in a subset that
	// CSVMetadata lists.
	KindCSV = "csv"
	// KindBinary is any file; the schema says which media types and how many
	// bytes: {"mediaTypes":["application/pdf","image/*"],"maxBytes":1000000}.
	KindBinary = "binary"
)

// File is one file of a schema, as it is, under the name by which the other
// files refer to it.
type File struct {
	Name string
	Data []byte
}

// Validator checks documents against one compiled schema. It may be used by
// many goroutines.
type Validator interface {
	// Validate returns nil or an *Error: code schema, or a code of CheckJSON.
	Validate(doc []byte) error
}

// Streamer is a Validator for content of any size, which is read once from its
// beginning to its end. Every Validator that Compile returns is one.
type Streamer interface {
	Validator
	// ValidateReader checks all that r gives, of a media type ("" when it is not
	// known). Tables and files take memory that does not depend on their size;
	// JSON documents may have MaxJSON bytes. It stops at the first fault and
	// returns an *Error as Validate does, or the error of r as it is.
	ValidateReader(r io.Reader, mediaType string) error
}

// Sized is a Validator that looks at nothing of content but its media type and
// its length, so it can tell before the first byte.
type Sized interface {
	Validator
	// ValidateSize checks content of size bytes; errors as Validate.
	ValidateSize(mediaType string, size int64) error
}

// MaxJSON is how long a JSON document may be that is read by ValidateReader,
// in bytes: it is held whole.
const MaxJSON = 16 << 20

// Compile compiles the files of a schema of the given kind, starting at root.
// Errors have the code schema_invalid: an unknown kind, a file that is missing,
// given twice, too large or not JSON, a reference outside the files, or
// something that is not a schema.
func Compile(kind, root string, files []File) (Validator, error) {
	if len(files) == 0 || len(files) > MaxFiles {
		return nil, invalid(fmt.Sprintf("a schema has 1 to %d files", MaxFiles), nil)
	}
	total := 0
	for _, f := range files {
		total += len(f.Data)
		if len(f.Data) > MaxFileBytes || total > MaxTotalBytes {
			return nil, invalid("the schema's files are too large", nil)
		}
	}
	switch kind {
	case KindJSON:
		return compileJSON(root, files)
	case KindCSV:
		return compileCSV(root, files)
	case KindBinary:
		return compileBinary(root, files)
	}
	return nil, invalid(fmt.Sprintf("schema kind %q is not known here", clip(kind)), nil)
}

// only returns the one file that schemas of some kinds are made of.
func only(root string, files []File) ([]byte, error) {
	if len(files) != 1 || files[0].Name != root {
		return nil, invalid("a schema of this kind is one file, the root file", nil)
	}
	if err := CheckJSON(files[0].Data, Limits{}); err != nil {
		return nil, invalid(fmt.Sprintf("the schema is not JSON: %v", err), err)
	}
	return files[0].Data, nil
}

func clip(s string) string {
	if len(s) > 200 {
		return s[:200]
	}
	return s
}
