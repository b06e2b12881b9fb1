package inbox

import (
	"container/list"
	"encoding/binary"
	"errors"
	"sync"

	"github.com/fxamacker/cbor/v2"

	"github.com/digital-spine/spine/envelope"
)

// Fault is a verdict on one frame of a stored envelope; Frame -1 is the whole.
type Fault struct {
	_     struct{} `cbor:",toarray"`
	Frame int
	Code  string
}

// EncodeFaults returns the stored form of a verdict, nil for none.
func EncodeFaults(f []Fault) []byte {
	if len(f) == 0 {
		return nil
	}
	b, err := cbor.Marshal(f)
	if err != nil { // a slice of plain fields: cannot fail
		panic(err)
	}
	return b
}

// DecodeFaults reads the stored form of a verdict.
func DecodeFaults(b []byte) ([]Fault, error) {
	if len(b) == 0 {
		return nil, nil
	}
	var f []Fault
	return f, cbor.Unmarshal(b, &f)
}

// Pack returns what a row's body seals: L, the key of the frame salts, and the
// frames as they were signed.
func Pack(l [32]byte, frames [][]byte) []byte {
	n := 32
	for _, f := range frames {
		n += 4 + len(f)
	}
	b := append(make([]byte, 0, n), l[:]...)
	for _, f := range frames {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(f))), f...)
	}
	return b
}

// Unpack reads what Pack made; the frames alias b.
func Unpack(b []byte) (l [32]byte, frames [][]byte, err error) {
	if len(b) < 32 {
		return l, nil, errors.New("stored content is too short")
	}
	copy(l[:], b)
	for b = b[32:]; len(b) > 0; {
		if len(b) < 4 || uint64(len(b)-4) < uint64(binary.BigEndian.Uint32(b)) {
			return l, nil, errors.New("stored content is cut")
		}
		n := binary.BigEndian.Uint32(b)
		frames = append(frames, b[4:4+n])
		b = b[4+n:]
	}
	return l, frames, nil
}

// contents is a bounded memory of opened envelopes, so that what was just
// verified need not be read and opened again.
type contents struct {
	mu    sync.Mutex
	limit int
	size  int
	byID  map[int64]*list.Element
	order *list.List
}

type content struct {
	id     int64
	frames []envelope.Frame
	size   int
}

func newContents(limit int) *contents {
	return &contents{limit: limit, byID: make(map[int64]*list.Element), order: list.New()}
}

func (c *contents) get(id int64) []envelope.Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byID[id]; ok {
		return e.Value.(*content).frames
	}
	return nil
}

func (c *contents) put(id int64, frames []envelope.Frame) {
	size := 256 * len(frames)
	for _, f := range frames {
		size += len(f.Body)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byID[id]; ok || size > c.limit {
		return
	}
	c.byID[id] = c.order.PushBack(&content{id: id, frames: frames, size: size})
	c.size += size
	for c.size > c.limit {
		e := c.order.Front()
		x := c.order.Remove(e).(*content)
		delete(c.byID, x.id)
		c.size -= x.size
	}
}
