package files

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/blob"
	blobfile "github.com/digital-spine/spine/blob/file"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/schema"
)

// Blobs is the gateway's own blob store; *file.Store of package blob/file is
// one.
type Blobs interface {
	blob.Store
	Create(ctx context.Context) (*blobfile.Draft, error)
	Drafts(ctx context.Context) ([]blobfile.DraftInfo, error)
	DiscardDraft(name string) error
}

// Remote is the broker's blob store; *brokerclient.Client is one.
type Remote interface {
	PutBlob(ctx context.Context, hash [32]byte, size int64, until int64, body func() (io.ReadCloser, error)) error
	HaveBlobs(ctx context.Context, hashes [][32]byte, until int64) (missing [][32]byte, err error)
	GetBlob(ctx context.Context, hash [32]byte, offset, length int64) (io.ReadCloser, error)
}

// Wrapper is the part of the keyring that protects the key of the rows.
type Wrapper interface {
	Wrap(ctx context.Context, label string, plain []byte) ([]byte, error)
	Unwrap(ctx context.Context, label string, wrapped []byte) ([]byte, error)
}

// Topics finds the schema of a channel's topic, so that content can be checked
// while it arrives.
type Topics interface {
	ForChannel(ctx context.Context, channel string) (digest envelope.Digest, v schema.Validator, err error)
}

// Deps are what a Box stands on.
type Deps struct {
	Store    Store
	Blobs    Blobs
	Remote   Remote // nil: files can be stored, not sent or received
	Keyring  Wrapper
	Topics   Topics           // nil: content is checked when it is complete
	Activity gateway.Activity // nil: nobody is told of progress
	// RetentionMS is the network's R: how long the broker keeps messages, in ms.
	RetentionMS int64
	FileMax     int64         // bytes of one file; 0: envelope.FileMax
	Quota       int64         // bytes of all files here; 0: no limit but the disk's
	Keep        time.Duration // how long files stay; 0: 30 days
	Clock       clockwork.Clock
	Log         *slog.Logger
}

// Box keeps files. Its methods may be called from many goroutines.
type Box struct {
	Deps
	mu sync.Mutex
}

// Open makes a Box: it unwraps the key of its rows and drops what a crash left
// half done. Nothing runs before Run.
func Open(ctx context.Context, d Deps) (*Box, error) { return nil, errLater }

// Run pushes, pulls, sends what was to be sent on completion, and sweeps what
// is over, until ctx ends.
func (b *Box) Run(ctx context.Context) error { return errLater }

// SetSender says who sends a file that was uploaded with New.Send; before Run.
func (b *Box) SetSender(s gateway.Sender) {}

// Begin begins an upload. Codes name_invalid, type_invalid, body_empty,
// too_large, storage_full, and those of the channel's look-up.
func (b *Box) Begin(ctx context.Context, n New) (*Upload, error) { return nil, errLater }

// Append takes content from offset on until r ends or the file is complete;
// what it reports as Offset is durable, also when it returns an error beside
// it. A file whose last byte it takes is completed, and sent if it was to be:
// an error then (such as schema) means that nothing of it is kept. Codes
// upload_unknown, upload_offset, upload_busy, throttled, too_large,
// upload_length, storage_full, schema and those of sending.
func (b *Box) Append(ctx context.Context, id string, offset int64, r io.Reader) (*Upload, error) {
	return nil, errLater
}

// Finish completes an upload whose size was not known: what is there is all.
// Otherwise as Append.
func (b *Box) Finish(ctx context.Context, id string) (*Upload, error) { return nil, errLater }

// Upload tells where an upload stands; code upload_unknown.
func (b *Box) Upload(ctx context.Context, id string) (*Upload, error) { return nil, errLater }

// Remove deletes a file or ends an upload; code file_unknown. A file that
// messages under way still need is file_needed.
func (b *Box) Remove(ctx context.Context, id string) error { return errLater }

// List returns files, newest first.
func (b *Box) List(ctx context.Context, f Filter) ([]Entry, error) { return nil, errLater }

// Entry returns one file as lists show it; code file_unknown.
func (b *Box) Entry(ctx context.Context, id string) (*Entry, error) { return nil, errLater }

// Open returns the content of a file that is complete; codes file_unknown,
// file_incomplete. Whoever reads it closes it.
func (b *Box) Open(ctx context.Context, id string) (*Content, error) { return nil, errLater }

// Content is the plain content of a file, opened while it is read. What does
// not open is never handed out: code file_damaged.
type Content struct {
	File gateway.File
	At   time.Time
}

// Read implements io.Reader.
func (c *Content) Read(p []byte) (int, error) { return 0, errLater }

// Seek implements io.Seeker.
func (c *Content) Seek(offset int64, whence int) (int64, error) { return 0, errLater }

// Close ends reading.
func (c *Content) Close() error { return nil }

// Verify reads a whole file again and makes every check of section 21 on it;
// a check that failed is in the list with its code. Codes file_unknown,
// file_incomplete.
func (b *Box) Verify(ctx context.Context, id string) ([]gateway.Check, error) { return nil, errLater }

// Sent notes that a message carries a file.
func (b *Box) Sent(ctx context.Context, file, message, channel string) error { return errLater }

// Info describes a complete file; codes file_unknown, file_incomplete.
func (b *Box) Info(ctx context.Context, file string) (*gateway.File, error) { return nil, errLater }

// Store keeps a message's large body as a file that is not listed.
func (b *Box) Store(ctx context.Context, typ string, body []byte) (file string, err error) {
	return "", errLater
}

// Body returns the content of a file of at most max bytes, for messages whose
// body travelled as an object; codes file_unknown, file_incomplete, too_large.
func (b *Box) Body(ctx context.Context, file string, max int64) ([]byte, error) { return nil, errLater }

// Check has a file's content pass a topic's schema; at once when it already
// passed it. Code schema, with row and column or pointer.
func (b *Box) Check(ctx context.Context, file string, schemaDigest envelope.Digest, v schema.Validator) error {
	return errLater
}

// Frame returns the description of a file, the body of a frame of kind object,
// and whether every part lies in the broker's store at least until a time (ms).
// When not, it starts bringing them there, and OnPushed tells.
func (b *Box) Frame(ctx context.Context, file string, until int64) (desc []byte, pushed bool, err error) {
	return nil, false, errLater
}

// OnPushed has fn called when a push that Frame or Repush started has ended;
// err nil: every part is there. Errors that pass (broker away, its quota) are
// tried again and not told. Several may listen; before Run.
func (b *Box) OnPushed(fn func(file string, err error)) {}

// Repush brings the parts that the broker lacks again (a recipient did not
// find one, why 4).
func (b *Box) Repush(ctx context.Context, file string) error { return errLater }

// Release says that no message needs the file's parts any more.
func (b *Box) Release(ctx context.Context, file string) error { return errLater }

// OnDone has fn called when what Take began has ended; err nil: in custody.
// Codes content_hash (parts absent at the broker, or other bytes there: tried
// again), part, truncated, object, schema, too_large, and storage_full (tried
// again). Before Run.
func (b *Box) OnDone(fn func(key string, err error)) {}
