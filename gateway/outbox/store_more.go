package outbox

import "context"

// FileStore is the part of the Store about messages with files.
type FileStore interface {
	// Held lists the files for which waiting messages are held back, in an order of
	// its own, behind one of them.
	Held(ctx context.Context, after string, max int) ([]string, error)
	// Pushed notes that a file is at the broker, lets the messages go on that
	// were held back for it, and returns their lanes.
	Pushed(ctx context.Context, file string, at int64) ([]Lane, error)
	// Hold holds a waiting message back for its file again.
	Hold(ctx context.Context, id [16]byte, code string) error
	// Drop gives a waiting message up: its frame goes, the code says why.
	Drop(ctx context.Context, id [16]byte, code string) error
	// BlameFile sets the code that says why messages are held back for a file.
	BlameFile(ctx context.Context, file, code string) error
	// File returns the file of a message, or ErrNoRow.
	File(ctx context.Context, id [16]byte) (*FileRow, error)
	// Spent lists files that were not released and that no message needs any
	// more: none waits with one, and every envelope with one is receipted.
	Spent(ctx context.Context, max int) ([]string, error)
	// Released notes that a file was released, unless a message needs it again.
	Released(ctx context.Context, file string) error
}

// FileRow is the file of a message.
type FileRow struct {
	File   string
	Info   []byte // sealed under the local key
	Pushed int64  // when every part was at the broker, 0 before
}

// LogStore is the part of the Store that the log of sent messages reads.
type LogStore interface {
	// Latest lists sessions from the one that began last, after (older than) the
	// one that began at nbf as number n. Core, Secret and Creds are left out.
	Latest(ctx context.Context, f LogFilter, nbf, n int64, max int) ([]SessionHead, error)
	// Placed reads the newest envelopes of a session that were sealed at or
	// before at and are numbered at most seq, newest first, without bytes.
	Placed(ctx context.Context, sid [32]byte, at, seq int64, max int) ([]Envelope, error)
	// Between reads the envelopes a..b of a session, at most max, without bytes.
	Between(ctx context.Context, sid [32]byte, a, b int64, max int) ([]Envelope, error)
	// Unsealed reads the newest waiting messages accepted at or before at, newest
	// first, among equals the higher id first; below is an id that only lower ones
	// are wanted of among those of at, nil for all. Frame is left out.
	Unsealed(ctx context.Context, f LogFilter, at int64, below []byte, max int) ([]Unsealed, error)
	// Frame reads the sealed frame of a waiting message, or ErrNoRow.
	Frame(ctx context.Context, id [16]byte) ([]byte, error)
	// Standing lists the members of a session without their grants.
	Standing(ctx context.Context, sid [32]byte) ([]Member, error)
	// Steps lists what happened to an envelope: the first row of each kind and
	// member at or above it, and those whose range has it.
	Steps(ctx context.Context, sid [32]byte, seq int64) ([]StepRow, error)
	// Resent notes that envelopes were sent to a member once more.
	Resent(ctx context.Context, sid [32]byte, addr string, a, b, at int64) error
}

// LogFilter selects; empty members do not filter.
type LogFilter struct {
	Channel string
	DID     string // of a member, or of a recipient named by the client
}

// SessionHead is a session in the order of its beginning.
type SessionHead struct {
	Session
	N int64
}

// Unsealed is a message that waits, for the log.
type Unsealed struct {
	Waiting
	Lane
	Code string
	Over bool // it waits no more, and was not sealed
}

// Kinds of steps.
const (
	StepPublished   = 1
	StepCustody     = 2
	StepResent      = 3
	StepRefused     = 4
	StepUnconfirmed = 5
	StepUndelivered = 6
)

// StepRow is one thing that happened to envelopes A to B.
type StepRow struct {
	Addr string // empty: for all members
	Kind int
	A, B int64
	At   int64
}

// MarkStore is the part of the Store that marks need.
type MarkStore interface {
	// Newest lists the newest session of each lane whose last envelope was at or
	// after since, but none of which every member has to be, or was, told the end.
	// Only Lane, SID, NAF, Next, Last and Marked are set.
	Newest(ctx context.Context, since int64) ([]Session, error)
	// Mark notes that a mark is signed at a time, and reads the session in the
	// same transaction, so that no mark names what is not committed.
	Mark(ctx context.Context, sid [32]byte, at int64) (*Session, error)
	// Close says that every member of a session has to be told its end.
	Close(ctx context.Context, sid [32]byte) error
	// Closing lists members that have to be told the end of their session.
	Closing(ctx context.Context, max int) ([]Member, error)
	// Closed notes that members were told, or need not be.
	Closed(ctx context.Context, sid [32]byte, addrs []string) error
}
