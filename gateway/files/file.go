package files

import (
	"context"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// Directions of a file: which way it came or went.
const (
	Stored = "stored" // uploaded, and not sent yet
	In     = gateway.In
	Out    = gateway.Out
)

// States of a file.
const (
	StateUploading = "uploading" // its participant is still sending it
	StatePushing   = "pushing"   // all here; its parts are on their way to the broker
	StatePulling   = "pulling"   // its parts are on their way from the broker
	StateReady     = "ready"     // all here, and with the broker if it was sent
)

// Entry is a file as lists show it.
type Entry = gateway.StoredFile

// Filter selects files, newest first; empty members do not filter.
type Filter struct {
	Direction string
	Before    string // an Entry's Cursor: only older ones
	Max       int    // 1 to 200; 0 means 50
}

// MaxList bounds Filter.Max.
const MaxList = 200

// New is what is said about a file before its content comes.
type New struct {
	Name    string   // never a path; may be empty
	Type    string   // media type; empty: application/octet-stream
	Size    int64    // bytes; below 0: not known yet, told by Finish
	Channel string   // where it shall be sent, empty: nowhere yet
	To      []string // DIDs; empty: everybody whom the channel admits
	Send    bool     // send it as soon as it is complete
}

// Upload is an upload under way, or just completed.
type Upload struct {
	ID      string // of the upload, and of the file
	Size    int64  // bytes; below 0: not known yet
	Offset  int64  // bytes that are here durably: go on from there
	Expires int64  // ms since 1970; it ends then unless it goes on
	Done    bool   // complete: the file can be read and sent
	New     New
	// Sent is the message that carries it, when it was to be sent on
	// completion.
	Sent *gateway.Accepted
}

// Row is a file as the store keeps it.
type Row struct {
	ID        string
	Direction string
	State     string
	Code      string
	Size      int64  // plain bytes; below 0: not known yet
	Bytes     int64  // plain bytes in parts that are kept, and in the tail
	At        int64  // ms
	Touched   int64  // ms; an upload's last progress
	Keep      int64  // ms; kept at least until then, for messages that need it
	Pushed    int64  // ms; all parts lie with the broker until then, 0: not, below 0: other bytes lie there
	Channel   string // where it came, went or shall go
	From      string // sender of a received one
	OID       [16]byte
	Inline    bool             // a message's large body, shown as a body and not listed
	Send      bool             // to be sent on completion, not done yet
	Passed    []byte           // digests of the schemas that it passed, 32 bytes each
	Meta      []byte           // sealed: name, type, key, digest of the content, recipients
	Mark      []byte           // sealed: where the hash of an upload's content stands
	Tail      *envelope.Digest // blob with an upload's bytes beyond its last whole part
	Charged   int64            // bytes that it counts for in the local quota
}

// Store keeps what must survive a restart; gateway/sqlstore has the SQL. What
// it keeps of content, keys and names is sealed before it gets there.
type Store interface {
	// Key returns the wrapped key of the rows' sealed members, nil when none was
	// set; SetKey sets it once.
	Key(ctx context.Context) ([]byte, error)
	SetKey(ctx context.Context, wrapped []byte) error
	// Add stores a new file with its parts and the messages that carry it; nil
	// when done. Another file of the same sender and object id, if it is a received
	// one, is left as it is and returned.
	Add(ctx context.Context, r *Row, parts []envelope.Digest, messages ...string) (existing *Row, err error)
	// Row returns a file, nil when there is none.
	Row(ctx context.Context, id string) (*Row, error)
	// Received returns the file of a sender's object, nil when there is none.
	Received(ctx context.Context, from string, oid [16]byte) (*Row, error)
	// Parts returns the hashes of a file's parts in order.
	Parts(ctx context.Context, id string) ([]envelope.Digest, error)
	// Change reads a file, has fn alter it, and stores it with parts that follow
	// those it has, in one transaction; it returns what is stored now, nil when
	// there is no such file. fn may be called more than once.
	Change(ctx context.Context, id string, fn func(*Row) error, parts ...envelope.Digest) (*Row, error)
	// List returns files that are listed, newest first, each with its cursor and
	// the ids of its messages in the order they were noted.
	List(ctx context.Context, f Filter) ([]Listed, error)
	// Note stores that a message carries a file, once; the file counts as touched
	// at that time.
	Note(ctx context.Context, id, message string, at int64) error
	// Sent stores that a message went out with a file, once: what was Stored is Out
	// then, on that message's channel, and no longer to be sent.
	Sent(ctx context.Context, id, message, channel string) error
	// Messages returns the first 100 messages that carry a file.
	Messages(ctx context.Context, id string) ([]string, error)
	// MessagesBefore returns up to max messages that carry a file, the last noted
	// first, and where to go on; below 0 begins with the last.
	MessagesBefore(ctx context.Context, id string, before int64, max int) (messages []string, next int64, err error)
	// Release takes away until when a file has to stay, and returns it; nil when it
	// is not here, or a message that is under way carries it.
	Release(ctx context.Context, id string) (*Row, error)
	// Remove forgets a file, and returns the blobs that no other file claims; a
	// file that is not there has none.
	Remove(ctx context.Context, id string) ([]envelope.Digest, error)
	// RemoveIf is Remove if may says so of the file as it is, and no message that
	// is under way carries it. Both are decided in the transaction that forgets it;
	// may may be called more than once.
	RemoveIf(ctx context.Context, id string, may func(*Row) bool) (gone bool, blobs []envelope.Digest, err error)
	// Used returns how many bytes all files are charged for.
	Used(ctx context.Context) (int64, error)
	// UsedFrom returns how many of them the files received from a sender are.
	UsedFrom(ctx context.Context, from string) (int64, error)
	// Due returns up to max files that were last touched before a time and need not
	// be kept beyond it, oldest first.
	Due(ctx context.Context, d Due, before int64, max int) ([]Row, error)
	// Pending returns files to bring to the broker, and complete ones still to be
	// sent.
	Pending(ctx context.Context) ([]Row, error)
	// Claimed returns which of the blobs belong to a file.
	Claimed(ctx context.Context, hashes []envelope.Digest) (map[envelope.Digest]bool, error)
}

// Due selects files; empty members do not select.
type Due struct {
	State     string
	Direction string
	Inline    bool // only large bodies of messages
}

// Listed is a row of a list.
type Listed struct {
	Row
	Cursor   string
	Messages []string
}
