// Package vc holds the spine's verifiable credentials: W3C VC 2.0 documents in
// JSON with an EIP-712 proof by the issuer's DID key, Bitstring status lists,
// and the verifier that walks from a credential up to the role definition.
//
// A credential is kept, hashed and sent as the bytes that were issued. There
// is one encoding of each (compact JSON, members in the order that Issue
// writes), so that nobody can make a second document of the same content under
// another digest. Every member outside the proof is part of the signed typed
// message or is a constant; anything else is refused.
//
// It is not a wallet and does no network I/O: definitions, DID states,
// credentials and status lists come through the small interfaces of Deps. It
// is no general JSON-LD processor either.
package vc

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/evm/eip712"
)

// Limits of the documents.
const (
	MaxSize    = 64 << 10 // bytes of a credential or status list document
	MaxDepth   = 8        // credentials between a holder and a role definition
	maxText    = 256      // bytes of an id, DID or list id
	maxRole    = 255      // bytes of a role name
	maxNesting = 6        // JSON nesting
)

// Skew is how far the clocks of issuer and verifier may differ.
const Skew = 120 * time.Second

// Codes of errors, as in docs/protocol.md. The verifier's verdicts are the
// first five; the rest say what is wrong with a document.
const (
	CodeRole         = "role"          // absent or not valid for this subject
	CodeRoleRevoked  = "role_revoked"  // its status bit, or one above it, is set
	CodeRoleExpired  = "role_expired"  // validUntil, or one above it, is past
	CodeStatusStale  = "status_stale"  // no fresh signed status list to judge by
	CodeDIDStale     = "did_stale"     // no fresh DID state to judge by
	CodeMalformed    = "malformed"     // not JSON, wrong shape, unknown or double member
	CodeNotCanonical = "not_canonical" // right content in other bytes than Issue writes
	CodeTooLarge     = "too_large"     // above a limit
	CodeSignature    = "signature"     // the proof is not a signature
	CodeStatusList   = "status_list"   // a bitstring that does not decode, or an index outside it
	CodeInvalidField = "field_invalid" // a field given to an Issue function
)

// ErrAbsent marks errors of the verifier that come from a look-up that was not
// answered: the caller waits and tries again. Sources may wrap it to say that
// what was asked for is not there yet.
var ErrAbsent = errors.New("not available yet")

// ErrNotFound is what RoleDefinitions returns when the chain says that there
// is no such role. It is final, unlike ErrAbsent.
var ErrNotFound = errors.New("no such role definition")

// Error is an error with a stable code.
type Error struct {
	Code string
	Text string
	Err  error
}

// Error implements error.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Code + ": " + e.Text + ": " + e.Err.Error()
	}
	return e.Code + ": " + e.Text
}

// ErrorCode returns the stable code.
func (e *Error) ErrorCode() string { return e.Code }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func fail(code, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

// codeOf returns the code that err carries, "" when it has none.
func codeOf(err error) string {
	var c interface{ ErrorCode() string }
	if errors.As(err, &c) {
		return c.ErrorCode()
	}
	return ""
}

// Domain is the EIP-712 domain of a DID's network: chain id and ERC-1056
// registry, from the verifier's own configuration.
type Domain = eip712.Domain

// Digest names a document: SHA-256 of its issued bytes.
func Digest(raw []byte) [32]byte { return sha256.Sum256(raw) }

// ListID returns the id of an issuer's status list: "<did>/status/<name>",
// name of 1..64 characters out of a-z, 0-9 and "-". Because the id begins with
// the issuer's DID, nobody can occupy a list of somebody else.
func ListID(issuer, name string) string { return issuer + "/status/" + name }

// ListIssuer returns the DID of a list id and whether the id is well formed.
func ListIssuer(id string) (issuer string, ok bool) {
	issuer, name, found := strings.Cut(id, "/status/")
	if !found || len(id) > maxText || len(name) == 0 || len(name) > 64 {
		return "", false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return "", false
		}
	}
	if _, err := ethr.Parse(issuer); err != nil {
		return "", false
	}
	return issuer, true
}
