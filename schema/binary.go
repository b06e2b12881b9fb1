package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// anyFile validates files by media type and length.
type anyFile struct {
	types []string // "image/png", "image/*"; none: any
	max   int64    // bytes; 0: no bound of its own
}

// maxMediaTypes bounds a binary schema's list.
const maxMediaTypes = 100

func compileBinary(root string, files []File) (Validator, error) {
	doc, err := only(root, files)
	if err != nil {
		return nil, err
	}
	var s struct {
		Title, Description, Comment string
		MediaTypes                  []string `json:"mediaTypes"`
		MaxBytes                    *int64   `json:"maxBytes"`
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil || bytes.TrimSpace(doc)[0] != '{' {
		return nil, invalid("a schema of kind binary is an object with mediaTypes, maxBytes, title, description and comment", err)
	}
	b := &anyFile{}
	if s.MaxBytes != nil {
		if b.max = *s.MaxBytes; b.max < 1 {
			return nil, invalid("maxBytes is at least 1", nil)
		}
	}
	if len(s.MediaTypes) > maxMediaTypes {
		return nil, invalid(fmt.Sprintf("mediaTypes are at most %d", maxMediaTypes), nil)
	}
	for _, t := range s.MediaTypes {
		main, sub, ok := strings.Cut(t, "/")
		if t != bare(t) || !ok || !mediaToken(main) || !mediaToken(sub) || main == "*" && sub != "*" {
			return nil, invalid("a media type is written type/subtype or type/*, in lower case", nil)
		}
		b.types = append(b.types, t)
	}
	return b, nil
}

// mediaToken reports whether s is one half of a media type, or the wildcard.
func mediaToken(s string) bool {
	if s == "*" {
		return true
	}
	for i := range len(s) {
		if c := s[i]; !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("!#$&-^_.+", c) >= 0) {
			return false
		}
	}
	return s != "" && len(s) <= 127
}

// bare returns a media type without parameters, in lower case.
func bare(mediaType string) string {
	m, _, _ := strings.Cut(mediaType, ";")
	return strings.ToLower(strings.TrimSpace(m))
}

// Validate implements Validator; the media type is not known.
func (b *anyFile) Validate(doc []byte) error { return b.length(int64(len(doc))) }

// ValidateSize implements Sized.
func (b *anyFile) ValidateSize(mediaType string, size int64) error {
	if !b.admits(bare(mediaType)) {
		return &Error{Code: CodeSchema, Keyword: "mediaTypes", Message: "must have one of the media types " + clip(strings.Join(b.types, ", "))}
	}
	return b.length(size)
}

func (b *anyFile) length(n int64) error {
	switch {
	case n == 0:
		return &Error{Code: CodeEmpty, Message: "there is no content"}
	case b.max > 0 && n > b.max:
		return &Error{Code: CodeSchema, Keyword: "maxBytes", Message: fmt.Sprintf("must be at most %d bytes long", b.max)}
	}
	return nil
}

// ValidateReader implements Streamer.
func (b *anyFile) ValidateReader(r io.Reader, mediaType string) error {
	if err := b.ValidateSize(mediaType, 1); err != nil {
		return err // whatever comes
	}
	if b.max > 0 {
		r = io.LimitReader(r, b.max+1)
	}
	n, err := io.Copy(io.Discard, r)
	if err != nil {
		return err
	}
	return b.length(n)
}

// admits reports whether a media type is on the list. A type that is not known
// is on it only where everything is.
func (b *anyFile) admits(m string) bool {
	if len(b.types) == 0 {
		return true
	}
	main, _, ok := strings.Cut(m, "/")
	for _, t := range b.types {
		if t == m || t == "*/*" || ok && t == main+"/*" {
			return true
		}
	}
	return false
}
