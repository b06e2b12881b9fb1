package envelope

import (
	"slices"
	"strings"
)

// File is one file of a schema, as it is: nothing is re-formatted.
type File struct {
	_ struct{} `cbor:",toarray"`
	// Name is what $ref names it by.
	Name string
	// Bytes is its content.
	Bytes []byte
}

// Schema is a set of schema files as the directory keeps it (section 8):
// [kind, root file name, [[file name, bytes], ... sorted by name]].
type Schema struct {
	_ struct{} `cbor:",toarray"`
	// Kind is the kind of schema, such as "json".
	Kind string
	// Root is the name of the file to start from.
	Root string
	// Files has every file, sorted by name.
	Files []File
}

// NewSchema makes a schema of files in any order. Errors: malformed (no root,
// a name twice), too_large.
func NewSchema(kind, root string, files []File) (*Schema, error) {
	s := &Schema{Kind: kind, Root: root, Files: slices.Clone(files)}
	slices.SortFunc(s.Files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	if n := len(s.Bytes()); n > MaxSchema {
		return nil, TooLarge.Errorf("schema of %d bytes, at most %d", n, MaxSchema)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, nil
}

// ParseSchema reads a schema object of the directory. Errors: too_large,
// malformed, not_canonical.
func ParseSchema(b []byte) (*Schema, error) {
	s := new(Schema)
	if err := decode(b, MaxSchema, s); err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Schema) check() error {
	if len(s.Files) > MaxSchemaFiles {
		return TooLarge.Errorf("%d schema files, at most %d", len(s.Files), MaxSchemaFiles)
	}
	if len(s.Kind) > MaxKindText {
		return fail(Malformed, "kind too long")
	}
	root := false
	for i, f := range s.Files {
		if f.Name == "" || len(f.Name) > MaxFileName || i > 0 && f.Name <= s.Files[i-1].Name {
			return fail(Malformed, "file names empty, too long, repeated or out of order")
		}
		root = root || f.Name == s.Root
	}
	if !root {
		return fail(Malformed, "root file is missing")
	}
	return nil
}

// Bytes returns the encoded object with the files in it.
func (s *Schema) Bytes() []byte { return encode(s) }

// Digest returns what a record names the schema by: H("spine/1 schema" ||
// CBOR[kind, root, [[name, H(bytes)], ...]]).
func (s *Schema) Digest() Digest {
	b := []byte{0x83}
	b = appendText(b, s.Kind)
	b = appendText(b, s.Root)
	b = appendHead(b, majorArray, uint64(len(s.Files)))
	for _, f := range s.Files {
		sum := Sum(f.Bytes)
		b = appendBytes(appendText(append(b, 0x82), f.Name), sum[:])
	}
	return hash(labelSchema, b)
}
