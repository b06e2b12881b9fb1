package inbox

import "context"

// MaxSeq is the number of envelopes a session may have; a row's id is
// session * MaxSeq + seq.
const MaxSeq = 1 << 20

// Row is an envelope of an open session: ledger entry and inbox row in one.
// Rows are written by the intake and read here.
type Row struct {
	ID      int64 // session * MaxSeq + seq
	D       [32]byte
	T       int64 // the sender's time, ms
	At      int64 // when it was taken in, ms
	Topic   string
	Pos     int64 // place in the order of handing over, 0 while it waits
	Late    bool
	Key     int64 // data key that seals Body
	Size    int   // frames in it
	Verdict []byte
	IDs     []byte // 16-byte frame id and 16-byte content hash, per frame
	Proof   []byte // Sign1 of the header, then H(ct)
	Body    []byte // sealed L || F; nil when refused whole, pruned, or not here yet
	Content bool   // of a row that was read: Body is in the store
	Files   []byte // EncodeFiles: what the objects of its frames are here
	Fetched int64  // when a body or objects that came apart were here, ms; 0: they were not apart, or are not here
}

// Session returns the session's id.
func (r *Row) Session() int64 { return r.ID / MaxSeq }

// Seq returns the envelope's number in its session.
func (r *Row) Seq() uint64 { return uint64(r.ID % MaxSeq) }

// KeyRow is a data key, wrapped by the keyring.
type KeyRow struct {
	ID      int64
	At      int64 // made, ms
	Wrapped []byte
}

// ConsumerRow is a consumer's durable position. Everything at or below Floor is
// acknowledged; everything up to (Handed, HandedFrame) may have been handed over.
type ConsumerRow struct {
	ID          int64
	Channel     string
	Name        string
	Floor       int64
	Handed      int64
	HandedFrame int
}

// AckRow holds the acknowledged frames of one envelope above a floor.
type AckRow struct {
	Consumer int64
	Pos      int64
	Bits     []byte
}

// TimeRow says how far a consumer was at a time: up to Handed it was handed
// over, up to Floor all was acknowledged.
type TimeRow struct {
	Consumer, At, Handed, Floor int64
}

// Change is what one commit of the cursors writes.
type Change struct {
	Consumers []ConsumerRow
	Acks      []AckRow
	Floors    []ConsumerRow // AckRow at or below Floor go
	Times     []TimeRow
}

// Store is what the inbox needs from the database.
type Store interface {
	// Consumer returns the consumer, making it at the beginning of what is kept.
	Consumer(ctx context.Context, channel, name string) (*ConsumerRow, error)
	Consumers(ctx context.Context) ([]ConsumerRow, error)
	RemoveConsumer(ctx context.Context, channel, name string) error
	// Acks returns the acknowledged frames above the floor.
	Acks(ctx context.Context, consumer int64) ([]AckRow, error)
	CommitCursors(ctx context.Context, c *Change) error

	// Ready returns up to limit rows with a place above after, in order, without
	// their ids, proof and body.
	Ready(ctx context.Context, after int64, limit int) ([]Row, error)
	// Body returns the sealed content of a row, nil when pruned.
	Body(ctx context.Context, id int64) ([]byte, error)
	// At returns the row at a place as Ready does, and with Fetched and Content;
	// nil when there is none.
	At(ctx context.Context, pos int64) (*Row, error)
	SessionInfo(ctx context.Context, id int64) (*SessionInfo, error)

	// The log of messages. Placed returns up to limit rows with a place below
	// before, highest first; Apart rows without one that are older than (at, id),
	// newest first. Both are as At's rows.
	Placed(ctx context.Context, before int64, limit int) ([]Row, error)
	Apart(ctx context.Context, at, id int64, limit int) ([]Row, error)
	// Row returns a row with its ids and proof, without its body; nil when there
	// is none.
	Row(ctx context.Context, id int64) (*Row, error)
	// Core returns the session's core and when it was first seen, ms.
	Core(ctx context.Context, session int64) (core []byte, since int64, err error)

	// Found returns values of a key below before, highest first; AddFinds stores
	// what was found up to a place, and FoundUpTo says which.
	Found(ctx context.Context, key []byte, before int64, limit int) ([]int64, error)
	FoundUpTo(ctx context.Context) (int64, error)
	// Kept reports whether the content of a row is here that the look-up has under
	// the key of an id.
	Kept(ctx context.Context, key []byte) (bool, error)
	AddFinds(ctx context.Context, finds []Find, upto int64) error
	// Unfound returns rows with a place above upto, lowest first, with their ids.
	Unfound(ctx context.Context, upto int64, limit int) ([]Row, error)
	// SweepFinds removes what points nowhere any more among up to limit finds
	// behind one, and returns the last looked at, with no key at the end.
	SweepFinds(ctx context.Context, after Find, limit int) (Find, error)
	// Times returns the first time noted at which a consumer was handed a place,
	// and the first at which it had acknowledged all up to it; 0 when none is.
	Times(ctx context.Context, consumer, pos int64) (handed, acked int64, err error)
	// Acked returns the acknowledged frames of a place above the floor.
	Acked(ctx context.Context, consumer, pos int64) ([]byte, error)

	Keys(ctx context.Context) ([]KeyRow, error)
	AddKey(ctx context.Context, k KeyRow) error
	RemoveKeys(ctx context.Context, before int64) error
	// Prune empties up to limit rows whose place is at most upto and that were
	// taken in before. It forgets the times of consumers before, too.
	Prune(ctx context.Context, upto, before int64, limit int) (int, error)
}
