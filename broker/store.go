package broker

import (
	"context"

	"github.com/digital-spine/spine/envelope"
)

// Kind is the kind of a directory object.
type Kind string

// Kinds of directory objects.
const (
	KindCertificate Kind = "cert"
	KindPackage     Kind = "package"
	KindTopic       Kind = "topic"
	KindSchema      Kind = "schema"
)

// Mailbox is one gateway instance's mailbox.
type Mailbox struct {
	Addr    string
	DID     string
	Inst    uint64
	PP      int   // partition, assigned once
	Created int64 // ms
	Login   int64 // last login, ms
}

// Object is an entry of the directory. Bytes are kept as they came; an object is
// never replaced, because digests leave proofs out and a broken copy could
// otherwise stand in for the good one.
type Object struct {
	Digest envelope.Digest
	Kind   Kind
	DID    string // who made it; for a schema, who stored it
	Inst   uint64 // certificates and packages
	Bytes  []byte
	// Expires is when it may go, ms; later than anybody needs it.
	Expires int64
	Created int64

	Cert     envelope.Digest // packages: the certificate they are signed under
	Gen      uint64          // packages: generation; certificates: floor
	NBF, NAF int64           // ms
	Name     string          // topics
	Version  string          // topics
	Revision uint64          // topics
	Schema   envelope.Digest // topics
}

// Instance is what the directory knows of a gateway instance: its newest
// certificate and key package, zero when it has none that is still valid.
type Instance struct {
	Mailbox
	Cert envelope.Digest
	Pkg  envelope.Digest
}

// Ban is an operator's refusal of an address.
type Ban struct {
	Addr   string
	Until  int64 // ms
	Before int64 // tokens made before are void, ms
	Reason string
	Floor  uint64 // highest floor at which the sessions of older certificates were ended
}

// Store keeps mailboxes, directory, claims of blobs and bans. broker/conformance has the tests
// that every implementation passes.
type Store interface {
	// EnsureMailbox stores m unless its address has a mailbox, and returns what is
	// stored; with a limit reached it returns ErrFull.
	EnsureMailbox(ctx context.Context, m Mailbox, limit int) (stored Mailbox, created bool, err error)
	// Mailbox returns ErrNotFound for an unknown address.
	Mailbox(ctx context.Context, addr string) (Mailbox, error)
	// Mailboxes returns up to limit mailboxes with addresses above after, in order.
	Mailboxes(ctx context.Context, after string, limit int) ([]Mailbox, error)

	// Put stores o, unless its digest is known (stored is false then, and what is
	// there is kept as long as o would be), or the DID would hold more than quota
	// bytes (ErrQuota).
	Put(ctx context.Context, o Object, quota int64) (stored bool, err error)
	// Get returns ErrNotFound when there is no such object.
	Get(ctx context.Context, kind Kind, digest envelope.Digest) (Object, error)
	// Instances returns the instances of a DID, or of one address: newest
	// certificate by floor then start, newest package by generation, both within
	// their time at now and at or above the floor.
	Instances(ctx context.Context, did, addr string, now int64) ([]Instance, error)
	// Records returns the topic records of a name, newest revision first within a
	// version, at most limit.
	Records(ctx context.Context, name string, limit int) ([]Object, error)
	// RaiseFloor notes the highest floor ever seen of an instance and returns it;
	// it never falls and is never forgotten.
	RaiseFloor(ctx context.Context, did string, inst, floor uint64) (highest uint64, err error)
	// Expire removes objects whose time is over, at most limit at once.
	Expire(ctx context.Context, now int64, limit int) (removed int, err error)

	Claims

	Ban(ctx context.Context, ban Ban) error
	Bans(ctx context.Context) ([]Ban, error)
	Ping(ctx context.Context) error
	Close() error
}
