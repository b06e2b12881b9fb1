package outbox

import (
	"context"
	"io"
	"net/http"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/schema"
)

// Bodies is where the ciphertext of a message for many recipients lies, under
// its SHA-256; *brokerclient.Client is one. Having it already is fine. Content
// is read from body, which may be called more than once; until is in ms.
type Bodies interface {
	PutBlob(ctx context.Context, hash [32]byte, size, until int64, body func() (io.ReadCloser, error)) error
}

// Objects are the files stored at this gateway, sealed in parts; files.Box is
// one. A message with a file waits, with the code uploading, until the broker
// holds every part for as long as the message may be asked for.
type Objects interface {
	// Info describes a stored file; code file_unknown.
	Info(ctx context.Context, file string) (*gateway.File, error)
	// Check has a file's content pass the schema of a topic, at once when it
	// passed it before; code schema.
	Check(ctx context.Context, file string, schemaDigest envelope.Digest, v schema.Validator) error
	// Store makes a file without a name of a body that is too long for a
	// message, which was checked by the schema already.
	Store(ctx context.Context, typ string, body []byte) (file string, err error)
	// Pushed reports whether the broker holds every part of a file at least until
	// this time (ms). When it does not, the parts are brought there, and OnPushed
	// tells. It returns at once.
	Pushed(ctx context.Context, file string, until int64) (bool, error)
	// Frame returns the description of a file, which is the body of a frame of
	// kind object, and what Pushed does.
	Frame(ctx context.Context, file string, until int64) (desc []byte, pushed bool, err error)
	// Repush brings a file's parts to the broker once more, because a recipient
	// did not find one there. It returns at once.
	Repush(ctx context.Context, file string) error
	// Release says that no message needs a file's parts any more: they may go
	// when the participant does not want them either.
	Release(ctx context.Context, file string) error
	// OnPushed sets who is told that every part of a file is at the broker, or
	// why it cannot be brought there at present (it is still tried again).
	OnPushed(func(file string, err error))
}

// errNoFiles says that this gateway was set up without files.
var errNoFiles = problem.New(http.StatusNotImplemented, "files_unavailable", "this gateway has no store for files")
