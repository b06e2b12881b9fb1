// Package schema checks documents against a topic's schema, behind one narrow
// interface: Compile once, Validate many times. It also holds CheckJSON, the
// one-pass check of JSON text (syntax, UTF-8, nesting, names given twice) that
// runs before any schema.
//
// It fetches nothing: a schema is the files it is given and nothing else. Its
// errors name where and which keyword, never what the document holds.
package schema

import (
	"fmt"
)

// Limits of a schema.
const (
	MaxFiles      = 64
	MaxFileBytes  = 1 << 20
	MaxTotalBytes = 4 << 20
)

// KindJSON is JSON Schema 2020-12 with formats asserted.
const KindJSON = "json"

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

// Compile compiles the files of a schema of the given kind, starting at root.
// Errors have the code schema_invalid: an unknown kind, a file that is missing,
// given twice, too large or not JSON, a reference outside the files, or
// something that is not a schema.
func Compile(kind, root string, files []File) (Validator, error) {
	if kind != KindJSON {
		return nil, invalid(fmt.Sprintf("schema kind %q is not known here", clip(kind)), nil)
	}
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
	return compileJSON(root, files)
}

func clip(s string) string {
	if len(s) > 200 {
		return s[:200]
	}
	return s
}
