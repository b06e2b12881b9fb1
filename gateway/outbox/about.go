package outbox

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// about is what the log keeps of a frame when its content is gone.
type about struct {
	typ    string
	size   int64 // bytes of the body or file
	at     int64 // handed over, ms
	object bool
	re     envelope.ID // the message it answers
}

// errAbout says that a row holds something else.
var errAbout = errors.New("outbox: what is noted about an envelope's frames cannot be read")

// encodeAbout notes the frames of an envelope that is sealed at t: the media
// types once, then per frame which of them, size, and how long before t it was
// handed over. It is some five bytes a frame. Behind them stand those that are
// answers: which frame, and the id of what it answers.
func encodeAbout(items []*item, t int64) []byte {
	types := make([]string, 0, 4)
	b := make([]byte, 0, 32+6*len(items))
	place := func(typ string) int {
		if i := slices.Index(types, typ); i >= 0 {
			return i
		}
		types = append(types, typ)
		return len(types) - 1
	}
	for _, it := range items {
		kind := uint64(place(it.frame.Type)) << 1
		if it.frame.Kind == envelope.KindObject {
			kind |= 1
		}
		b = binary.AppendUvarint(b, kind)
		b = binary.AppendUvarint(b, uint64(it.size))
		b = binary.AppendVarint(b, t-it.frame.At)
	}
	for i, it := range items {
		if !it.frame.Re.IsZero() {
			b = append(binary.AppendUvarint(b, uint64(i)), it.frame.Re[:]...)
		}
	}
	head := binary.AppendUvarint(make([]byte, 0, 32+len(b)), uint64(len(types)))
	for _, typ := range types {
		head = append(binary.AppendUvarint(head, uint64(len(typ))), typ...)
	}
	return append(head, b...)
}

// decodeAbout reads what was noted about n frames of an envelope sealed at t.
// An envelope of an earlier version has nothing noted.
func decodeAbout(b []byte, n int, t int64) ([]about, error) {
	out := make([]about, n)
	if b == nil {
		for i := range out {
			out[i].at = t
		}
		return out, nil
	}
	bad := false
	number := func() uint64 {
		v, k := binary.Uvarint(b)
		if k <= 0 {
			bad = true
			return 0
		}
		b = b[k:]
		return v
	}
	count := number()
	if bad || count > envelope.MaxFrames {
		return nil, errAbout
	}
	types := make([]string, count)
	for i := range types {
		k := number()
		if bad || k > uint64(len(b)) {
			return nil, errAbout
		}
		types[i], b = string(b[:k]), b[k:]
	}
	for i := range out {
		kind := number()
		out[i].size = int64(number())
		ago, k := binary.Varint(b)
		if bad || k <= 0 || kind>>1 >= count {
			return nil, errAbout
		}
		b = b[k:]
		out[i].typ, out[i].object, out[i].at = types[kind>>1], kind&1 == 1, t-ago
	}
	for len(b) > 0 {
		i := number()
		if bad || i >= uint64(n) || len(b) < 16 {
			return nil, errAbout
		}
		out[i].re, b = envelope.ID(b[:16]), b[16:]
	}
	return out, nil
}

// sealInfo is how a message's file is described in the store.
func (o *Outbox) sealInfo(id [16]byte, f *gateway.File) ([]byte, error) {
	b, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	return o.local.seal(id[:], b), nil
}

func (o *Outbox) openInfo(id [16]byte, f *FileRow) (*gateway.File, error) {
	b, err := o.local.open(id[:], f.Info)
	if err != nil {
		return nil, err
	}
	info := new(gateway.File)
	return info, json.Unmarshal(b, info)
}
