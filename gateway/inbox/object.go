package inbox

import (
	"context"
	"strings"

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

// MaxInline is the longest object that is handed over as the body it was: a
// JSON document that was too long for an envelope.
const MaxInline = 1 << 20

// IsBody reports whether an object is a body that was too long for an envelope,
// not a file: JSON without a name. Whoever sent it and whoever receives it
// need not know that it travelled apart.
func IsBody(o *envelope.Object) bool {
	return o.Name == "" && o.Size <= MaxInline && isJSON(o.Type)
}

func isJSON(mediaType string) bool {
	t, _, _ := strings.Cut(mediaType, ";")
	t = strings.TrimSpace(t)
	return t == gateway.TypeJSON || strings.HasSuffix(t, "+json")
}

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
	if !IsBody(o) || x.objects == nil || id == "" {
		return
	}
	body, err := x.objects.Body(ctx, id, MaxInline)
	if err != nil {
		x.log.Warn("a body that travelled apart cannot be read; it is handed over as a file", "message", m.ID, "error", err)
		return
	}
	m.Body, m.File = body, nil
}
