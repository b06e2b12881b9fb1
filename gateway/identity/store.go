package identity

import (
	"context"

	"github.com/digital-spine/spine/envelope"
)

// Certificate is a row of an own certificate. Its private key is in the
// keyring under Key.
type Certificate struct {
	Digest    envelope.Digest
	Raw       []byte
	Key       string
	NotBefore int64 // ms
	NotAfter  int64 // ms
	Floor     uint64
	Published bool // in the directory
	Destroyed bool // the key is gone
}

// Package is a row of an own key package. Its private key is in the keyring
// under Key. The row outlives the key, so that a grant for it is answered with
// package_gone.
type Package struct {
	Digest      envelope.Digest
	Raw         []byte
	Certificate envelope.Digest
	Key         string
	Gen         uint64
	NotBefore   int64 // ms
	NotAfter    int64 // ms
	Published   bool  // in the directory
	Superseded  int64 // ms of the own clock when a newer one was in the directory; 0: not yet
	Destroyed   bool  // the key is gone
}

// Store keeps an instance's own papers. Every method is atomic and durable when
// it returns.
type Store interface {
	Certificates(ctx context.Context) ([]Certificate, error) // by NotBefore, oldest first
	PutCertificate(ctx context.Context, c Certificate) error // inserts, or changes Published and Destroyed
	DropCertificate(ctx context.Context, digest envelope.Digest) error
	Packages(ctx context.Context) ([]Package, error) // by Gen, oldest first
	PutPackage(ctx context.Context, p Package) error // inserts, or changes Published, Superseded and Destroyed
	DropPackage(ctx context.Context, digest envelope.Digest) error
}
