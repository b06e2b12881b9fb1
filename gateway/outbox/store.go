package outbox

import (
	"context"
	"errors"
)

// ErrNoRow says that the store holds no such thing.
var ErrNoRow = errors.New("not in the outbox")

// Store keeps what the outbox must not forget. Its writes are durable when they
// return and each is one transaction. gateway/sqlstore implements it.
type Store interface {
	FileStore
	LogStore
	MarkStore

	// Secret returns the wrapped local secret, storing fresh when there is none.
	Secret(ctx context.Context, fresh []byte) ([]byte, error)

	// Commit writes one sealed envelope with all that belongs to it, or nothing.
	// It must fail when the session's number is not the one the store expects.
	Commit(ctx context.Context, c *Commit) error
	// Wait writes messages that cannot be sealed yet, with their frames and
	// files. A message that is there already is left as it is.
	Wait(ctx context.Context, lane Lane, code string, rows []Waiting) error
	// Reopen makes messages of an ended session wait again, to be sealed in the
	// next one under the same ids. Those that moved on meanwhile are left alone.
	Reopen(ctx context.Context, lane Lane, code string, sid [32]byte, rows []Waiting) error
	// Waiting reads the oldest waiting frames of a lane that are not held back,
	// at most max of them.
	Waiting(ctx context.Context, lane Lane, max int) ([]Waiting, error)
	// WaitingLanes lists the lanes that have waiting frames not held back.
	WaitingLanes(ctx context.Context) ([]Lane, error)
	// Blame sets the code that says why the frames of a lane wait that are not
	// held back.
	Blame(ctx context.Context, lane Lane, code string) error

	// Message returns where a message is, or ErrNoRow.
	Message(ctx context.Context, id [16]byte) (*Message, error)
	// Session returns a session, or ErrNoRow.
	Session(ctx context.Context, sid [32]byte) (*Session, error)
	// Sessions lists the sessions whose naf is at most naf, oldest first.
	Sessions(ctx context.Context, naf int64, max int) ([]Session, error)
	// Members lists the members of a session.
	Members(ctx context.Context, sid [32]byte) ([]Member, error)
	// Member returns one member of a session, or ErrNoRow.
	Member(ctx context.Context, sid [32]byte, addr string) (*Member, error)
	// Envelopes reads the envelopes a..b of a session, at most max bytes of
	// content but at least one. Bytes is nil where they were dropped.
	Envelopes(ctx context.Context, sid [32]byte, a, b int64, max int) ([]Envelope, error)
	// Last returns the last entry of a lane that was addressed to each of addrs;
	// recipients that never were are absent.
	Last(ctx context.Context, lane Lane, addrs []string) (map[string]Entry, error)

	// Unpublished lists members with something the broker has not stored,
	// in the order of their sessions.
	Unpublished(ctx context.Context, max int) ([]Member, error)
	// Published moves the publish cursors of members forward, never back, and
	// notes when.
	Published(ctx context.Context, cursors []Cursor) error
	// Regrant replaces the grant bytes of a member.
	Regrant(ctx context.Context, sid [32]byte, addr string, pp int, grant []byte) error

	// PeerAt returns the time of the newest receipt of a peer, 0 for none.
	PeerAt(ctx context.Context, addr string) (int64, error)
	// Needs returns the first envelope that a member other than except may still
	// ask for; the highest number when nobody may.
	Needs(ctx context.Context, sid [32]byte, except string) (int64, error)
	// Receipt stores what a receipt changed, and drops the bytes of envelopes
	// below each Done. It returns the number of bytes dropped.
	Receipt(ctx context.Context, r *ReceiptChange) (freed int64, err error)
	// Told notes that unconfirmed (1) or undelivered (2) was reported, at a time
	// about envelopes from a.
	Told(ctx context.Context, sid [32]byte, addr string, told int, a, at int64) error
	// Silent lists members whose receipts lag behind an envelope committed
	// before at and that were not told this level yet.
	Silent(ctx context.Context, at int64, told int, max int) ([]Member, error)

	// Expire drops the frames of messages that wait since before at, and forgets
	// such messages, with their files, from before forget.
	Expire(ctx context.Context, at, forget int64) error
	// Retire drops core, secret and envelope bytes of a session.
	Retire(ctx context.Context, sid [32]byte) error
	// Forget removes a session and its messages, keeping its last entry.
	Forget(ctx context.Context, sid [32]byte) error
	// Usage counts what the quota covers.
	Usage(ctx context.Context) (Usage, error)
	// Rows counts the wire messages of each mailbox in the sessions kept.
	Rows(ctx context.Context) (map[string]int64, error)
}

// Lane names a lane group and where it came from.
type Lane struct {
	Chan      [16]byte // chan of the core
	Topic     string
	Channel   string // name of the local channel
	Selection string // recipients named by the client, sorted, separated by a space; empty: all
}

// Entry is one place in a lane: an envelope of a session.
type Entry struct {
	SID [32]byte
	Seq int64
	D   [32]byte
	NAF int64 // of the session
}

// Session is a row of the sessions.
type Session struct {
	Lane
	SID    [32]byte
	Core   []byte // nil once retired
	Secret []byte // S, sealed under the local key; nil once destroyed
	Creds  [][32]byte
	Left   []string // DIDs that were admitted but could not be sealed to
	NBF    int64
	NAF    int64
	Next   int64
	Head   [32]byte
	Done   int64 // envelopes below have no bytes any more
	Last   int64 // time of the newest envelope
	Size   int   // number of members
	Marked int64 // time of the last mark, 0 for none
}

// Member is one recipient instance of a session.
type Member struct {
	SID       [32]byte
	Addr      string
	DID       string
	Inst      uint64
	PP        int
	Grant     []byte // wire bytes of the newest grant
	Prev      *Entry // what the grant named
	Published int64  // 0 nothing, 1 the grant, 1+n also n envelopes
	Upto      int64  // last envelope receipted, -1 for none
	Refused   []Refusal
	Missing   []Range
	Told      int

	// Next is the next number of the session, Size the number of its members and
	// NAF its end; set by reads alone.
	Next int64
	Size int
	NAF  int64
}

// Range is a range of envelopes asked for again. Why: 1 hole, 2 no secret,
// 3 bad bytes, 4 body not found.
type Range struct{ A, B, Why int64 }

// Refusal is a range of envelopes refused, or one frame of them when Frame is
// not -1.
type Refusal struct {
	A, B  int64
	Code  string
	Frame int64
}

// Envelope is a sealed envelope.
type Envelope struct {
	SID   [32]byte
	Seq   int64
	D     [32]byte
	At    int64
	IDs   [][16]byte
	About []byte // type, size and time of the frames
	Bytes []byte
}

// Message says where a message is. Sealed is false while it waits.
type Message struct {
	ID      [16]byte
	Channel string
	Sum     []byte // digest of the content; nil without an idempotency key
	At      int64
	Sealed  bool
	SID     [32]byte
	Seq     int64
	Idx     int
	Code    string // why it waits, or waited
	Over    bool   // it waits no more, and was not sealed
}

// Waiting is a frame that cannot be sealed yet.
type Waiting struct {
	ID    [16]byte
	Sum   []byte
	Frame []byte // sealed under the local key; without body when there is a File
	At    int64
	Type  string // media type
	Size  int64  // bytes of the body or file

	// File is the file it carries, with Info sealed under the local key; Held
	// says that the file is not at the broker yet. Wait writes them.
	File string
	Info []byte
	Held bool
}

// Commit is one envelope with all that has to become durable with it.
type Commit struct {
	Lane     Lane
	Opened   *Session // set when the envelope is the first of a new session
	Members  []Member // of the new session
	Envelope Envelope
	Sums     [][]byte // content digests, beside Envelope.IDs; nil without idempotency key
	Moved    []bool   // beside Envelope.IDs: the message exists already and moves here
}

// Cursor is a publish cursor.
type Cursor struct {
	SID       [32]byte
	Addr      string // empty: all members of the session
	Published int64
	At        int64
}

// ReceiptChange is what a receipt changed.
type ReceiptChange struct {
	Addr  string
	At    int64 // by the receipt
	Now   int64
	Lanes []LaneChange
}

// LaneChange is what a receipt changed in one session.
type LaneChange struct {
	SID     [32]byte
	Upto    int64
	Refused []Refusal
	Fresh   []Refusal // those of Refused that were not there before
	Missing []Range
	Needs   int64 // first envelope this member may still ask for
	From    int64 // envelopes below had no bytes before
	Done    int64 // envelopes below are done: their bytes may go
}

// Usage is what the quota of the outbox counts.
type Usage struct {
	Messages int64 // waiting messages
	Bytes    int64 // waiting frames and kept envelope bytes
}
