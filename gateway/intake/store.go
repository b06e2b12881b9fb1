package intake

import (
	"context"

	"github.com/digital-spine/spine/gateway/inbox"
)

// State of a session id.
type State int

// The states. A session is Unknown when another session or an envelope named
// it before its grant came, Waiting while its grant cannot be judged.
const (
	Unknown State = iota
	Waiting
	Open
	Refused
)

// SenderRow is what is remembered of a sender instance for ever.
type SenderRow struct {
	DID       string
	Inst      uint64
	Forgotten int64 // latest naf + R the ledger dropped, ms
}

// LaneRow names a lane group.
type LaneRow struct {
	ID    int64
	DID   string
	Inst  uint64
	Chan  []byte
	Topic string
}

// SessionRow is a session as stored.
type SessionRow struct {
	ID      int64
	SID     [32]byte
	Lane    int64 // 0 while unknown
	State   State
	Code    string // of the refusal, or why it waits
	Sender  string // address of the sender's mailbox
	Core    []byte
	Grant   []byte // wire bytes, while waiting
	Secret  []byte // S sealed under a local key; nil once destroyed
	Ledger  []byte
	Info    []byte // inbox.SessionInfo, once open
	Due     bool   // a receipt is owed, or something else is unsettled
	Since   int64  // first seen, ms
	Expires int64  // naf + R, ms
	Stable  bool   // only Ledger and Due changed since it was written
}

// ParkedRow is a wire message that came before its session was open.
type ParkedRow struct {
	ID      int64
	SID     [32]byte
	Sender  string
	Subject string
	At      int64
	Wire    []byte
	Size    int // of Wire, where Wire was not asked for
}

// StreamRow says how far a stream of the broker was read.
type StreamRow struct {
	Stream  string
	Created int64
	Seq     uint64
}

// Round is everything one round changes. It is committed whole or not at all.
type Round struct {
	Senders  []SenderRow
	Lanes    []LaneRow
	Sessions []SessionRow // inserted, or replaced by ID
	Entries  []inbox.Row  // inserted
	Fill     []inbox.Row  // the content of entries that were stored without it
	Settle   []Settle     // what became of the objects of entries
	Release  []Release    // given a place in the order of handing over
	Refuse   []Refuse     // entries refused after they were stored
	Park     []ParkedRow
	Unpark   []int64 // ids of ParkedRow
	Streams  []StreamRow
	Proofs   []ProofRow
	Forget   []int64 // sessions whose rows and entries go
	Watch    []WatchRow
	Finds    []inbox.Find // of what has no place, or ids that are not of its messages
	Unwatch  []int64      // lanes
}

// Empty reports whether the round changes nothing.
func (r *Round) Empty() bool {
	return len(r.Senders)+len(r.Lanes)+len(r.Sessions)+len(r.Entries)+len(r.Release)+len(r.Refuse)+
		len(r.Finds)+len(r.Fill)+len(r.Settle)+len(r.Watch)+len(r.Unwatch)+len(r.Park)+len(r.Unpark)+len(r.Streams)+len(r.Proofs)+len(r.Forget) == 0
}

// ProofRow is a second signed header for a number that is held: together with
// the first it proves that the sender forked.
type ProofRow struct {
	Session int64
	Seq     uint64
	D       [32]byte
	At      int64
	Signed  []byte
}

// Release places a stored entry in the order of handing over.
type Release struct {
	ID   int64
	Pos  int64
	Late bool
}

// Settle says what became of the objects of a stored entry.
type Settle struct {
	ID      int64
	Files   []byte // inbox.EncodeFiles
	Verdict []byte
	Fetched int64 // when the last of them was here, ms; 0: not yet
}

// WatchRow is a lane group that is watched, with its newest session.
type WatchRow struct {
	Lane int64
	SID  [32]byte
}

// Refuse takes a stored entry that was not handed over out of the inbox.
type Refuse struct {
	ID      int64
	Verdict []byte
}

// Held is what the loop needs of a stored entry.
type Held struct {
	ID      int64
	D       [32]byte
	T       int64
	Frames  int
	Content bool // false when refused whole or pruned
}

// Last are the highest ids given so far.
type Last struct {
	Lane, Session, Parked, Pos, Key int64
}

// Store is what the intake needs from the database. Commit is durable when it
// returns nil; reads see everything committed before. Sizes are bounded by the
// limit arguments.
type Store interface {
	Last(ctx context.Context) (Last, error)
	Commit(ctx context.Context, r *Round) error

	Session(ctx context.Context, sid [32]byte) (*SessionRow, error) // nil when there is none
	SessionByID(ctx context.Context, id int64) (*SessionRow, error)
	// SessionsOf returns a lane's sessions in the order of their ids, newest limit.
	SessionsOf(ctx context.Context, lane int64, limit int) ([]SessionRow, error)
	// Unsettled returns sessions that are Unknown, Waiting or Due, after id.
	Unsettled(ctx context.Context, after int64, limit int) ([]SessionRow, error)
	// Expired returns sessions whose Expires is below now.
	Expired(ctx context.Context, now int64, limit int) ([]SessionRow, error)
	// Secrets returns sessions with a secret whose Expires is below before, oldest first.
	Secrets(ctx context.Context, before int64, limit int) ([]SessionRow, error)
	Lane(ctx context.Context, id int64) (*LaneRow, error)
	FindLane(ctx context.Context, did string, inst uint64, chanID []byte, topic string) (*LaneRow, error)
	Sender(ctx context.Context, did string, inst uint64) (*SenderRow, error)

	// Entry returns one stored entry, nil when there is none.
	Entry(ctx context.Context, id int64) (*Held, error)
	// Proof returns the Sign1 bytes kept of an entry, nil when there are none.
	Proof(ctx context.Context, id int64) ([]byte, error)
	// Content returns the sealed content of an entry and its data key.
	Content(ctx context.Context, id int64) (key int64, body []byte, err error)
	// Watched returns up to limit watched lane groups.
	Watched(ctx context.Context, limit int) ([]WatchRow, error)
	// Pending returns entries from..to that have content and no place yet.
	Pending(ctx context.Context, from, to int64, limit int) ([]Held, error)
	// FrameIDs calls fn with the ids column of the entries from..to stored since.
	FrameIDs(ctx context.Context, from, to, since int64, fn func(id int64, ids []byte)) error
	// EntryIDs returns the ids column of one entry.
	EntryIDs(ctx context.Context, id int64) ([]byte, error)

	// Parked returns the wire messages parked for sid, oldest first.
	Parked(ctx context.Context, sid [32]byte, limit int) ([]ParkedRow, error)
	// ParkedBefore returns messages parked before at, without their bytes.
	ParkedBefore(ctx context.Context, at int64, limit int) ([]ParkedRow, error)
	// ParkedBytes returns the parked bytes by sender address.
	ParkedBytes(ctx context.Context) (map[string]int64, error)

	Stream(ctx context.Context, stream string) (*StreamRow, error)
	// SenderBytes returns the inbox bytes held of each sender address.
	SenderBytes(ctx context.Context) (map[string]int64, error)
}
