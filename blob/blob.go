// Package blob is the store of large payloads by content: bytes under their
// SHA-256. The message broker keeps the sealed parts of files in one, and a
// gateway keeps its own.
//
// A store knows nothing of what the bytes are, who may have them or how long
// they live; that is its user's business. Implementations are adapters below
// this package (blob/file), and pass the suite of blob/conformance.
package blob

import (
	"context"
	"encoding/hex"
	"io"
	"time"

	"github.com/digital-spine/spine/internal/problem"
)

// Hash is the SHA-256 of a blob's bytes, and its name.
type Hash = [32]byte

// Info describes a stored blob.
type Info struct {
	Hash Hash
	Size int64 // bytes
	// Modified is when it was stored, by the store's own clock.
	Modified time.Time
}

// Store keeps blobs. Its methods may be called from many goroutines.
type Store interface {
	// Put stores the size bytes of r under h, durably when it returns nil. Code
	// blob_hash when content or length differ, storage_full when there is no
	// room; whatever the error, nothing is left behind. When h is there already,
	// what is stored is read and checked: r need not be read then, but damaged
	// bytes are replaced by r's. An error of r is in the chain of what is
	// returned.
	Put(ctx context.Context, h Hash, size int64, r io.Reader) error
	// Stat returns the size of a blob in bytes, or ErrNotFound.
	Stat(ctx context.Context, h Hash) (size int64, err error)
	// Open reads length bytes from offset on, or to the end when length < 0; less
	// when the blob is shorter. ErrNotFound when it is absent. What is read is not
	// checked: whoever trusts it hashes it.
	Open(ctx context.Context, h Hash, offset, length int64) (io.ReadCloser, error)
	// Delete removes a blob; an absent one is fine. Readers that have it open
	// read on.
	Delete(ctx context.Context, h Hash) error
	// List returns up to max blobs with hashes above after, in their order. It is
	// for sweeping what nobody claims.
	List(ctx context.Context, after Hash, max int) ([]Info, error)
}

// Cooler is a Store that keeps bytes in memory which it can let go of.
type Cooler interface {
	// Cool says that whoever read a blob to its end does not expect to again
	// soon: what passes through then takes the memory of a few blobs, and not of
	// all. It is a hint; reading goes on as before.
	Cool(h Hash)
}

// CoolFrom is how many bytes a blob has for which Cool is worth a call.
const CoolFrom = 1 << 20

// Errors with stable codes; compare with errors.Is.
var (
	ErrNotFound = problem.New(404, "not_found", "there is no such blob here")
	ErrHash     = problem.New(422, "blob_hash", "the bytes are not those of the hash and length given").WithHint("hash what is sent, and send all of it")
	ErrFull     = problem.New(507, "storage_full", "there is no room left to store this").WithHint("free some space; nothing was kept of this upload")
	ErrHashForm = problem.New(400, "hash_form", "not a hash").WithHint("64 lower-case hexadecimal digits: the SHA-256 of the bytes")
)

// ParseHash reads 64 lower-case hexadecimal digits; code hash_form.
func ParseHash(s string) (h Hash, err error) {
	if len(s) != 2*len(h) {
		return Hash{}, ErrHashForm
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return Hash{}, ErrHashForm
		}
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return Hash{}, ErrHashForm
	}
	return h, nil
}

// FormatHash writes a hash as ParseHash reads it.
func FormatHash(h Hash) string { return hex.EncodeToString(h[:]) }
