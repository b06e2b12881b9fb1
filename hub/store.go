package hub

import "context"

// Store keeps what the hub knows. Every method is one atomic step; what was
// written is durable when the method returns. Events given to a method are
// appended in the same step and get rising numbers. Implementations pass
// hub/conformance.
type Store interface {
	// Secret returns 32 random bytes that stay the same for the life of the
	// store; they authenticate challenges and tokens.
	Secret(ctx context.Context) ([32]byte, error)

	// PutName writes a name; with nil events nothing is announced.
	PutName(ctx context.Context, n *Name, events []Event) error
	// Name returns a name or ErrNameUnknown.
	Name(ctx context.Context, name string) (*Name, error)
	// Names lists names below (and including) under, after the name after, in
	// order, at most limit.
	Names(ctx context.Context, under, after string, limit int) ([]Name, error)
	// DropName forgets a name and its role definition, if there.
	DropName(ctx context.Context, name string, events []Event) error

	// PutRole writes a role definition.
	PutRole(ctx context.Context, r *Role, events []Event) error
	// AddRole writes a role definition unless there is one: what the chain
	// reader wrote is never overwritten by an older look at the chain.
	AddRole(ctx context.Context, r *Role) error
	// Role returns a role definition or ErrRoleUnknown.
	Role(ctx context.Context, name string) (*Role, error)

	// PutCredential stores a credential that is not there yet, marks the
	// subject's open enrolment for its role as issued, and appends events.
	// With a known digest it does nothing and returns false. ErrListChanged
	// when the stored status list is not the one whose bits were looked at
	// (Credential.ListDigest). ErrQuota when the issuer, or the pair of issuer
	// and subject, has too many.
	PutCredential(ctx context.Context, c *Credential, events []Event) (added bool, err error)
	// Credential returns the bytes of a credential or ErrCredentialUnknown.
	Credential(ctx context.Context, digest [32]byte) ([]byte, error)
	// Credentials lists what Selection selects, ordered by subject and digest.
	Credentials(ctx context.Context, s Selection) ([]Credential, error)
	// DropCredential forgets a credential (an operator's refusal to serve it).
	DropCredential(ctx context.Context, digest [32]byte) error

	// PutEnrolment stores a new enrolment. When the subject has an open one
	// for the role, that one is returned instead. ErrQuota.
	PutEnrolment(ctx context.Context, e *Enrolment) (*Enrolment, error)
	// Enrolment returns an enrolment or ErrEnrolmentUnknown.
	Enrolment(ctx context.Context, id string) (*Enrolment, error)
	// Enrolments lists enrolments, oldest first.
	Enrolments(ctx context.Context, f EnrolmentFilter) ([]Enrolment, error)
	// RejectEnrolment ends an open enrolment; ErrEnrolmentUnknown,
	// ErrEnrolmentClosed.
	RejectEnrolment(ctx context.Context, id, reason string, at int64) (*Enrolment, error)

	// StatusList returns a list or ErrListUnknown.
	StatusList(ctx context.Context, id string) (*StatusList, error)
	// PutStatusList replaces a list when was is still the digest and revision
	// stored (nil: none is stored), and marks the credentials whose bits are
	// newly set as revoked; for each of them a revocation event is appended,
	// and events after them. It returns false when another writer was first.
	// ErrQuota.
	PutStatusList(ctx context.Context, l *StatusList, was *StatusList, revoked Revoked, at int64, events []Event) (bool, error)

	// Append writes events to the feed.
	Append(ctx context.Context, events []Event) error
	// Events returns at most limit events after number after.
	Events(ctx context.Context, after int64, limit int) ([]Event, error)
	// EventRange returns the first and last number in the feed; 0, 0 when it
	// is empty and always was.
	EventRange(ctx context.Context) (first, last int64, err error)

	// RaiseFloor notes a certificate floor of an instance and returns the
	// highest one known (protocol section 6, C4).
	RaiseFloor(ctx context.Context, did string, inst, floor uint64) (uint64, error)
	// UseNonce notes that a challenge was used; false when it was before.
	UseNonce(ctx context.Context, nonce [32]byte, at int64) (bool, error)

	// Cursor returns the block up to which the chain was read, 0 at first.
	Cursor(ctx context.Context, name string) (uint64, error)
	// SetCursor writes it.
	SetCursor(ctx context.Context, name string, block uint64) error

	// Sweep forgets nonces used before a time (ms) and all but the newest
	// events.
	Sweep(ctx context.Context, before int64, events int) error
	// Stats counts rows.
	Stats(ctx context.Context) (*Stats, error)
	// Close closes the store.
	Close() error
}
