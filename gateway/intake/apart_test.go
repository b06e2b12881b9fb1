package intake_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"sync"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/schema"
)

// blobs is a fake of the broker's blob store.
type blobs struct {
	mu    sync.Mutex
	has   map[[32]byte][]byte
	down  bool          // answers nothing
	hold  chan struct{} // answers once it is closed
	asked int
	busy  int
	most  int // asked at the same time
}

func (b *blobs) GetBlob(ctx context.Context, hash [32]byte, _, _ int64) (io.ReadCloser, error) {
	b.mu.Lock()
	b.asked++
	b.busy++
	b.most = max(b.most, b.busy)
	body, ok, down, hold := b.has[hash], b.has[hash] != nil, b.down, b.hold
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.busy--
		b.mu.Unlock()
	}()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	switch {
	case down:
		return nil, problem.New(502, "unreachable", "the store does not answer")
	case !ok:
		return nil, problem.New(404, "not_found", "there is no such blob here")
	}
	return io.NopCloser(bytes.NewReader(body)), nil
}

func (b *blobs) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

func (b *blobs) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked
}

// put stores the body of an envelope.
func (b *blobs) put(e *envelope.Envelope) {
	b.set(func() { b.has[e.CiphertextHash()] = e.Ciphertext })
}

// objects is a fake of the files of this gateway.
type objects struct {
	mu     sync.Mutex
	at     map[string]*object
	byOID  map[envelope.ID]string // file ids
	takes  int
	most   int // in progress at the same time
	err    error
	tell   func(key string, err error)
	bodies map[string][]byte
}

type object struct {
	o       *envelope.Object
	channel string
	file    string
	ended   bool
	here    bool // all of it
}

func (x *objects) Take(_ context.Context, key, from, channel, message string, o *envelope.Object, _ envelope.Digest, v schema.Validator, until int64) (*gateway.File, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if a := x.at[key]; a != nil && a.here {
		go x.tell(key, nil)
	}
	x.takes++
	if x.err != nil {
		return nil, x.err
	}
	if x.byOID == nil {
		x.byOID = make(map[envelope.ID]string)
	}
	if x.byOID[o.OID] == "" {
		var id envelope.ID
		rand.Read(id[:])
		x.byOID[o.OID] = gateway.FormatID(id)
	}
	if x.at[key] == nil {
		x.at[key] = &object{o: o, channel: channel, file: x.byOID[o.OID]}
	}
	n := 0
	for _, a := range x.at {
		if !a.ended {
			n++
		}
	}
	x.most = max(x.most, n)
	return &gateway.File{ID: x.byOID[o.OID], Name: o.Name, Type: o.Type, Size: o.Size}, nil
}

func (x *objects) OnDone(f func(key string, err error)) { x.tell = f }

func (x *objects) Body(_ context.Context, file string, max int64) ([]byte, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if b, ok := x.bodies[file]; ok {
		return b, nil
	}
	return nil, problem.New(404, "file_unknown", "there is no such file here")
}

// count returns how many descriptions were taken.
func (x *objects) count() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.at)
}

// end tells how an object ended.
func (x *objects) end(oid envelope.ID, err error) {
	x.mu.Lock()
	var keys []string
	for key, o := range x.at {
		if o.o.OID == oid {
			keys, o.ended, o.here = append(keys, key), true, err == nil
		}
	}
	x.mu.Unlock()
	for _, k := range keys {
		x.tell(k, err)
	}
}

// file makes the description of a file.
func file(name, mediaType string, size int64) *envelope.Object {
	o := &envelope.Object{Name: name, Type: mediaType, Size: size, PartSize: envelope.PartSizeFor(size), Parts: make([]envelope.Digest, envelope.PartsOf(size))}
	rand.Read(o.OID[:])
	rand.Read(o.Key[:])
	for i := range o.Parts {
		rand.Read(o.Parts[i][:])
	}
	return o
}

// carries makes the frame that carries an object.
func carries(o *envelope.Object) envelope.Frame {
	var id envelope.ID
	rand.Read(id[:])
	return o.Frame(id, 1767225600000)
}

// large is a frame whose envelope is worth a notice.
func large() envelope.Frame {
	return frame(fmt.Sprintf(`{"n":%d,"pad":"%s"}`, frameNo.Add(1), bytes.Repeat([]byte("x"), 6000)))
}

// activity records what live views are told.
type activity struct {
	mu   sync.Mutex
	list []gateway.Entry
	late []int64
}

func (a *activity) Message(e gateway.Entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, e)
}

func (a *activity) Latency(_ string, ms int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.late = append(a.late, ms)
}

func (a *activity) Transfer(gateway.Transfer) {}

// of returns the newest entry of a message.
func (a *activity) of(id string) (e gateway.Entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, x := range a.list {
		if x.ID == id {
			e = x
		}
	}
	return e
}
