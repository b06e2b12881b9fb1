package inbox

import (
	"context"

	"github.com/fxamacker/cbor/v2"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// Objects reads received files; files.Box is one. Without it, an object is
// always handed over as a file.
type Objects interface {
	// Body returns the whole content of a file of at most max bytes; codes
	// file_unknown, file_incomplete, too_large.
	Body(ctx context.Context, file string, max int64) ([]byte, error)
}

// IsBody reports whether an object is handed over as the body that it was.
func IsBody(o *envelope.Object) bool { return fileFrom(o, "").IsBody() }

// FileRef names the file that a frame's object is here.
type FileRef struct {
	_     struct{} `cbor:",toarray"`
	Frame int
	File  string
}

// EncodeFiles returns the stored form of references, nil for none.
func EncodeFiles(f []FileRef) []byte {
	if len(f) == 0 {
		return nil
	}
	b, err := cbor.Marshal(f)
	if err != nil { // a slice of plain fields: cannot fail
		panic(err)
	}
	return b
}

// fileOf returns the id of a frame's file, "" when there is none yet.
func fileOf(stored []byte, frame int) string {
	var refs []FileRef
	if len(stored) == 0 || cbor.Unmarshal(stored, &refs) != nil {
		return ""
	}
	for _, r := range refs {
		if r.Frame == frame {
			return r.File
		}
	}
	return ""
}

// fileFrom describes the file of a frame.
func fileFrom(o *envelope.Object, id string) *gateway.File {
	return &gateway.File{ID: id, Name: o.Name, Type: o.Type, Size: o.Size, SHA256: o.SHA256.String()}
}

// attach puts the file of a frame into a message, or its content, where it is a
// body that was too long for an envelope.
func (x *Inbox) attach(ctx context.Context, m *gateway.Message, row *Row, frame int, f *envelope.Frame) {
	if f.Kind != envelope.KindObject {
		return
	}
	o, err := envelope.ParseObject(f.Body)
	if err != nil { // it was parsed when it was taken in
		x.log.Error("a stored object cannot be read", "message", m.ID, "error", err)
		m.Body = nil
		return
	}
	id := fileOf(row.Files, frame)
	m.Body, m.File = nil, fileFrom(o, id)
	if !m.File.IsBody() || x.objects == nil || id == "" {
		return
	}
	body, err := x.objects.Body(ctx, id, gateway.MaxBody)
	if err != nil {
		x.log.Warn("a body that travelled apart cannot be read; it is handed over as a file", "message", m.ID, "error", err)
		return
	}
	m.Body, m.File = body, nil
}
