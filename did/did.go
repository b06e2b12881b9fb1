// Package did holds what all decentralised identifiers share: the W3C DID
// Core document as JSON and the one interface through which a document is
// found.
//
// It is not a method: did/ethr knows how documents of did:ethr come about and
// which keys may sign. It does no network I/O and checks no signature.
package did

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// MaxLength is the greatest length in bytes of a DID accepted anywhere.
const MaxLength = 256

// ErrSyntax marks a string that is not a DID, or not one of the method that
// was asked for.
var ErrSyntax = errors.New("not a DID")

// ErrNotFound says that a DID has no document.
var ErrNotFound = errors.New("no such DID")

// Resolver finds the document of a DID.
type Resolver interface {
	// Resolve returns the document of a DID in normal form. Errors are
	// ErrSyntax, ErrNotFound or one with a code, such as did_stale.
	Resolve(ctx context.Context, did string) (*Document, error)
}

// Method returns the method name of a DID, "ethr" of "did:ethr:ewc:0x…", and
// checks the outer syntax of DID Core section 3.1: no path, query or
// fragment.
func Method(did string) (string, error) {
	if len(did) > MaxLength {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrSyntax, MaxLength)
	}
	rest, ok := strings.CutPrefix(did, "did:")
	if !ok {
		return "", fmt.Errorf("%w: no did: in front", ErrSyntax)
	}
	method, id, ok := strings.Cut(rest, ":")
	if !ok || method == "" || id == "" {
		return "", fmt.Errorf("%w: method or identifier is missing", ErrSyntax)
	}
	for _, c := range []byte(method) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return "", fmt.Errorf("%w: method holds a character outside a-z and 0-9", ErrSyntax)
		}
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '.', c == '-', c == '_', c == ':', c == '%':
		default:
			return "", fmt.Errorf("%w: identifier holds a character that is not allowed", ErrSyntax)
		}
	}
	if id[len(id)-1] == ':' {
		return "", fmt.Errorf("%w: identifier ends in a colon", ErrSyntax)
	}
	return method, nil
}
