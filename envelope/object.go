package envelope

import (
	"encoding/binary"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/digital-spine/spine/envelope/cobblestone"
)

// Object describes a payload of any size that travels in sealed parts beside
// its message (section 21); it is the body of a frame of kind [KindObject].
// Whoever has it can fetch and read the payload: it holds the key.
type Object struct {
	// OID is random and names the object.
	OID ID `cbor:"2,keyasint"`
	// Name is a file name, never a path; empty for a body without one.
	Name string `cbor:"3,keyasint,omitempty"`
	// Type is the media type of the content.
	Type string `cbor:"4,keyasint"`
	// Size is the length of the content, PartSize that of every part of it but
	// the last; [PartSizeFor] gives it.
	Size     int64 `cbor:"5,keyasint"`
	PartSize int64 `cbor:"6,keyasint"`
	// Key seals all parts of this object and nothing else.
	Key Secret `cbor:"7,keyasint"`
	// Parts are the hashes of the sealed parts, by which the blob store has
	// them. An object of 0 bytes has one part.
	Parts []Digest `cbor:"8,keyasint"`
	// SHA256 is H(content).
	SHA256 Digest `cbor:"9,keyasint"`
}

type objectMap struct {
	V uint64 `cbor:"1,keyasint"`
	Object
}

// Bytes returns the encoded description. It holds the key.
func (o *Object) Bytes() []byte { return encode(objectMap{1, *o}) }

// ParseObject reads a description and checks every field. Errors: object.
func ParseObject(b []byte) (*Object, error) {
	var m objectMap
	if err := decode(b, MaxDescription, &m); err != nil {
		return nil, BadObject.Errorf("description: %w", err)
	}
	if m.V != 1 {
		return nil, BadObject.Errorf("version %d", m.V)
	}
	if err := m.Check(); err != nil {
		return nil, err
	}
	return &m.Object, nil
}

// Check demands all rules of a description; senders call it before they seal.
// Errors: object.
func (o *Object) Check() error {
	switch {
	case o.OID.IsZero():
		return fail(BadObject, "object without an id")
	case o.Name != "" && !ValidName(o.Name):
		return fail(BadObject, "name is a path, too long, or holds control characters")
	case o.Type == "" || len(o.Type) > MaxFrameType || !plainText(o.Type):
		return fail(BadObject, "media type is empty, too long, or holds control characters")
	case o.Size < 0 || o.Size > MaxObject:
		return BadObject.Errorf("size %d, at most %d", o.Size, int64(MaxObject))
	case o.PartSize != PartSizeFor(o.Size):
		return BadObject.Errorf("part size %d, %d for this size", o.PartSize, PartSizeFor(o.Size))
	case len(o.Parts) != PartsOf(o.Size):
		return BadObject.Errorf("%d parts, %d for this size", len(o.Parts), PartsOf(o.Size))
	}
	return nil
}

// ValidName reports whether a text may be the name of a file: 1 to 255 bytes
// of UTF-8 that name no other place ("/", "\", ".", "..") and play no tricks on
// a terminal (control characters, line and paragraph separators, changes of
// the writing direction). Names that only some system minds, such as CON or
// a:b, are left to whoever writes the file.
func ValidName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= MaxObjectName &&
		plainText(name) && !strings.ContainsAny(name, `/\`)
}

// plainText reports whether a text is UTF-8 without characters that control
// its display.
func plainText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return false
		}
	}
	return true
}

// PartSizeFor returns the part size of an object: the smallest power of two
// from 8 MiB to 1 GiB that gives at most MaxParts parts. It is 1 GiB for sizes
// above MaxObject, which no object has.
func PartSizeFor(size int64) int64 {
	part := int64(MinPartSize)
	for part < MaxPartSize && size > part*MaxParts {
		part *= 2
	}
	return part
}

// PartsOf returns the number of parts of an object of 0 to MaxObject bytes; it
// is at least 1.
func PartsOf(size int64) int {
	part := PartSizeFor(size)
	return int(max(1, (size+part-1)/part))
}

// PlainPart returns where part i begins in the content, and its length there.
// The last part may be full; only that of an empty object is empty. i must be in range.
func (o *Object) PlainPart(i int) (start, length int64) {
	start = int64(i) * o.PartSize
	return start, min(o.PartSize, o.Size-start)
}

// SealedPart returns the length of part i when sealed; i must be in range.
func (o *Object) SealedPart(i int) int64 {
	_, length := o.PlainPart(i)
	return cobblestone.SealedSize(length)
}

// SealedSize returns the length of all parts when sealed: what the object
// takes in a blob store.
func (o *Object) SealedSize() (total int64) {
	for i := range o.Parts {
		total += o.SealedPart(i)
	}
	return total
}

// PartContext returns the context under which a part is sealed: "spine/1 part"
// || oid || u32 i || u8 last. A part opens in its own place only.
func PartContext(oid [16]byte, i uint32, last bool) []byte {
	b := make([]byte, 0, len(labelPart)+16+5)
	b = append(b, labelPart...)
	b = append(b, oid[:]...)
	b = binary.BigEndian.AppendUint32(b, i)
	if last {
		return append(b, 1)
	}
	return append(b, 0)
}

// SealPart returns a writer that seals part i of an object into dst, with a
// fresh salt. The caller writes exactly the bytes of the part, closes the
// writer, and hashes what arrived in dst. Whether a part is the last has to be
// known beforehand.
func SealPart(dst io.Writer, key Secret, oid [16]byte, i uint32, last bool) (*cobblestone.Writer, error) {
	return cobblestone.NewWriter(dst, key[:], PartContext(oid, i, last))
}

// ResumePart goes on with a part of which header and the first full chunks are
// in place; see [cobblestone.Resume] for what must not have changed. Errors:
// part.
func ResumePart(dst io.Writer, key Secret, oid [16]byte, i uint32, last bool, header [cobblestone.HeaderSize]byte, chunks uint64) (*cobblestone.Writer, error) {
	return cobblestone.Resume(dst, key[:], PartContext(oid, i, last), header, chunks)
}

// OpenPartAt opens part i for random access. It does not compare the part with
// the hash list: what was taken with [Object.OpenPart] was. Errors: truncated,
// part, those of src.
func (o *Object) OpenPartAt(src io.ReaderAt, sealed int64, i int) (*cobblestone.ReaderAt, error) {
	if sealed != o.SealedPart(i) {
		return nil, Truncated.Errorf("part %d of %d bytes, %d expected", i, sealed, o.SealedPart(i))
	}
	return cobblestone.OpenReaderAt(src, sealed, o.Key[:], o.context(i))
}

func (o *Object) context(i int) []byte {
	return PartContext(o.OID, uint32(i), i == len(o.Parts)-1)
}

// CheckContent demands that a hash made of all plain parts in order is that of
// the description. Else object.
func (o *Object) CheckContent(sum Digest) error {
	if sum != o.SHA256 {
		return fail(BadObject, "content is not that of the description")
	}
	return nil
}

// Frame returns the frame that carries the description.
func (o *Object) Frame(id ID, at int64) Frame {
	return Frame{ID: id, Type: o.Type, Body: o.Bytes(), At: at, Kind: KindObject}
}
