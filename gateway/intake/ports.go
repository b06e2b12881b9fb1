package intake

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/inbox"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/schema"
	"github.com/digital-spine/spine/vc"
)

// Delivery is one message of the mailbox.
type Delivery struct {
	Subject     string
	Data        []byte
	Stream      string
	Created     int64  // the stream's creation or epoch, ms; 0 where not known
	Seq         uint64 // stream sequence
	Redelivered bool
	Ack         func() error
}

// Mailbox is the one reader of this instance's mailbox. Next blocks until there
// is something, and bounds what it returns in number and bytes.
type Mailbox interface {
	Next(ctx context.Context) ([]Delivery, error)
}

// Rewinder makes the mailbox be read again from a stream sequence. A Mailbox
// that also is one is asked when the broker's store was rolled back.
type Rewinder interface {
	Rewind(ctx context.Context, seq uint64) error
}

// Self is this gateway instance; *identity.Self is one.
type Self interface {
	DID() string
	Inst() uint64
	Addr() string
	Certificate() *envelope.Certificate
	Package() *envelope.Package
	// InstanceSigner signs with the Ed25519 key of a certificate, the newest for zero.
	InstanceSigner(cert envelope.Digest) envelope.InstanceSigner
	// Mine returns nil when pkg is one of this instance's packages whose key is
	// still there; codes not_for_me, package_gone.
	Mine(pkg envelope.Digest) error
	// OpenBox opens a box made for one of this instance's packages; codes
	// not_for_me, package_gone, box.
	OpenBox(ctx context.Context, pkg envelope.Digest, info, box []byte) ([]byte, error)
	// Drained says that the mailbox was found empty.
	Drained(at int64)
	// Err returns why nothing may be taken in now, such as a clock that is off.
	Err() error
}

// Trust is what is believed about senders; *trust.Book is one. Its errors
// carry codes; those that errors.Is trust.ErrAbsent wait.
type Trust interface {
	Certificate(ctx context.Context, digest envelope.Digest) (*envelope.Certificate, error)
	Topic(ctx context.Context, rec envelope.Digest, name string, nbf int64) (*trust.Topic, error)
	Roles(ctx context.Context, did string, credentials []envelope.Digest) ([]*vc.Verified, error)
	Standing(ctx context.Context, did string, inst uint64, cert envelope.Digest, credentials []envelope.Digest, now int64) error
	OnChange(func(trust.Change))
}

// Replies sends a receipt to another instance's mailbox. It must not block on
// the network for long; a lost receipt is healed by the next.
type Replies interface {
	Reply(ctx context.Context, did string, inst uint64, wire []byte) error
	// ReplyAddr is for senders of which only the mailbox address is known.
	ReplyAddr(ctx context.Context, addr string, wire []byte) error
}

// ReceiptSink takes receipts that came in (checks R2 to R4 need the sender's
// outbox). sender is the address in the subject. A nil error or a coded one
// means it was dealt with; it is then acknowledged. After others, and those that
// errors.Is trust.ErrAbsent, it comes again, before newer ones of its sender; not
// when too many of these wait, and not for ever.
type ReceiptSink interface {
	Receipt(ctx context.Context, sender string, wire []byte) error
}

// Inbox is told what was stored; *inbox.Inbox is one.
type Inbox interface {
	Offer(id int64, frames []envelope.Frame)
	Released(topics ...string)
}

// Bodies are the bodies of notices, by the hash of their ciphertext, in the
// broker's blob store; *brokerclient.Client is one. What it returns is not
// believed. An error that is envelope's content_hash, or that a store answers
// with status 404, means that the body is not there; others are tried again.
type Bodies interface {
	GetBlob(ctx context.Context, hash [32]byte, offset, length int64) (io.ReadCloser, error)
}

// Objects takes received objects (files and large bodies) into custody;
// files.Box is one.
type Objects interface {
	// Take brings an object's parts here. It is idempotent by (from, oid),
	// durable when it returns nil, and does not wait for the parts: OnDone tells
	// about them with the same key, also when they were here before. key names
	// the message within this gateway. v may be nil: the content then passes no
	// schema. The parts are looked for until until (ms).
	Take(ctx context.Context, key, from, channel, messageID string, o *envelope.Object, schemaDigest envelope.Digest, v schema.Validator, until int64) (*gateway.File, error)
	// OnDone sets whom to tell: nil, when all of the object is here and was
	// checked; else an error with one of the codes content_hash (a part is not
	// to be had as it was described: Take it again later), part, truncated,
	// object, schema, too_large (final), storage_full (it goes on by itself once
	// there is room). done does not block.
	OnDone(done func(key string, err error))
}

// Network are the constants of the network that the intake needs.
type Network struct {
	Retention time.Duration // R
	Wire      int           // W, bytes of a wire message
	Cap       int           // messages per subject within R
	FileMax   int64         // bytes of the longest file; 0: the protocol's default
}

// Config tunes the intake.
type Config struct {
	Judges     int           `yaml:"judges" doc:"grants judged at the same time"`
	StrictWait time.Duration `yaml:"strictWait" doc:"how long later messages of a strict topic wait for a missing one"`
	ShareBytes int64         `yaml:"shareBytes" doc:"bytes of the store that one sender may fill"`
}

// Defaults of Config.
const (
	DefaultJudges     = 8
	DefaultStrictWait = 10 * time.Second
	DefaultShareBytes = 1 << 30
)

// Deps are what an intake works with.
type Deps struct {
	Config   Config
	Network  Network
	Mailbox  Mailbox
	Store    Store
	Vault    *inbox.Vault
	Inbox    Inbox
	Self     Self
	Trust    Trust
	Channels gateway.Channels
	Events   gateway.Events
	Replies  Replies
	Receipts ReceiptSink
	Clock    clockwork.Clock
	Log      *slog.Logger

	// Each of these may be nil: the part is not there. Without Bodies and
	// Objects, messages that need them wait.
	Bodies   Bodies
	Objects  Objects
	Activity gateway.Activity
}
