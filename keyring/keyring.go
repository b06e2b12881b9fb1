// Package keyring says where a participant's private keys live: an interface
// that never gives a key away. Backends are below it (keyring/file) and pass
// the suite of keyring/conformance.
//
// It is not a store of other people's keys, and it knows no protocol: callers
// bring the bytes to sign, open or wrap.
package keyring

import (
	"context"
	"errors"
)

// Kind names a key's algorithm.
type Kind string

// The kinds of keys.
const (
	Secp256k1 Kind = "secp256k1" // the DID's key; public: 65 bytes, uncompressed (SEC 1)
	Ed25519   Kind = "ed25519"   // an instance's key; public: 32 bytes (RFC 8032)
	XWing     Kind = "x-wing"    // a package's key, ML-KEM-768 + X25519; public: 1216 bytes
)

// Errors that every backend returns, wrapped or not.
var (
	ErrNotFound = errors.New("key not found")
	ErrKind     = errors.New("key is of another kind")
	ErrOpen     = errors.New("does not open under this key") // a box or a wrapped value
	ErrLocked   = errors.New("keyring does not open: wrong key")
)

// Keyring holds named keys. Its methods may be called from many goroutines;
// what they change is durable when they return.
type Keyring interface {
	// Create makes a key and returns its public part; a key of that name and
	// kind is kept and returned, another kind is ErrKind.
	Create(ctx context.Context, name string, kind Kind) (public []byte, err error)
	// Public returns a key's kind and public part; ErrNotFound.
	Public(ctx context.Context, name string) (Kind, []byte, error)
	// Sign signs. Ed25519: message is the message, 64-byte signature.
	// Secp256k1: message is a 32-byte digest, signature r || s || v, 65 bytes,
	// low s, v 27 or 28, nonce by RFC 6979.
	Sign(ctx context.Context, name string, message []byte) ([]byte, error)
	// Open opens an HPKE single-shot box (RFC 9180, base mode, empty aad):
	// enc (1120 bytes) || ciphertext. Only for XWing; ErrOpen.
	Open(ctx context.Context, name string, info, box []byte) ([]byte, error)
	// Wrap seals a local secret with AES-256-GCM under a key of the ring; label
	// is bound to it and must be given again to Unwrap.
	Wrap(ctx context.Context, label string, plain []byte) ([]byte, error)
	// Unwrap opens what Wrap made; ErrOpen.
	Unwrap(ctx context.Context, label string, wrapped []byte) ([]byte, error)
	// Destroy removes a key for good; removing none is no error.
	Destroy(ctx context.Context, name string) error
	// List returns the names that start with prefix, sorted.
	List(ctx context.Context, prefix string) ([]string, error)
}
