package trust

import (
	"context"

	"github.com/digital-spine/spine/envelope"
)

// Bounds on what the store keeps about those it has no reason to trust.
const (
	MaxStrangers = 10_000 // instances; the ones seen longest ago go
	MaxLists     = 10_000 // status lists; the ones seen longest ago go
)

// Known is what this gateway remembers of another's instance, for ever unless
// it is a stranger's. Floor and Gen only rise.
type Known struct {
	Floor       uint64          // highest floor seen in a certificate that held
	Gen         uint64          // highest generation seen in a package that held
	Certificate []byte          // of the package of that generation, raw
	Package     []byte          // of that generation, raw; nil when none was seen
	Named       envelope.Digest // package that a receipt of the instance named; zero when none did
	Kept        bool            // not a stranger
}

// Store is what the book must not forget. Implementations make every method
// atomic and durable when it returns; values never go back.
type Store interface {
	// Instance returns what is known, the zero Known when nothing is.
	Instance(ctx context.Context, did string, inst uint64) (Known, error)
	// RaiseFloor notes a floor and reports whether it was higher than the one
	// known. now orders strangers by when they were seen.
	RaiseFloor(ctx context.Context, did string, inst uint64, floor uint64, now int64) (raised bool, err error)
	// RaisePackage notes a package with its certificate; nothing happens unless
	// gen is higher than the one known.
	RaisePackage(ctx context.Context, did string, inst uint64, gen uint64, certificate, pkg []byte, now int64) error
	// Name notes that a receipt named a package; the zero digest forgets it.
	Name(ctx context.Context, did string, inst uint64, pkg envelope.Digest, now int64) error
	// Keep marks an instance as no stranger.
	Keep(ctx context.Context, did string, inst uint64, now int64) error

	// Records returns the records known of a version of a topic, highest
	// revision first.
	Records(ctx context.Context, name, version string) ([]Record, error)
	// PutRecord keeps a record; one of the same name, version and revision
	// stays.
	PutRecord(ctx context.Context, name, version string, r Record) error

	// RaiseRevision notes a revision of a status list and the digest of its
	// bytes. It returns the highest one known before, 0 and zero when none was.
	RaiseRevision(ctx context.Context, list string, revision uint64, digest [32]byte, now int64) (known uint64, bytes [32]byte, seen bool, err error)
}

// Record is a topic record that held.
type Record struct {
	Revision uint64
	Digest   envelope.Digest
	Raw      []byte
}
