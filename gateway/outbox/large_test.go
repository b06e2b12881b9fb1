package outbox_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/schema"
)

// bodies is a blob store that counts.
type bodies struct {
	mu    sync.Mutex
	m     map[[32]byte][]byte
	until map[[32]byte]int64
	puts  int
	fail  error
	hold  chan struct{} // puts wait for it
}

func newBodies() *bodies { return &bodies{m: map[[32]byte][]byte{}, until: map[[32]byte]int64{}} }

func (b *bodies) PutBlob(ctx context.Context, hash [32]byte, size, until int64, body func() (io.ReadCloser, error)) error {
	b.mu.Lock()
	hold := b.hold
	b.puts++
	b.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r, err := body()
	if err != nil {
		return err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil || int64(len(data)) != size || sha256.Sum256(data) != hash {
		return fmt.Errorf("%d bytes of another content: %w", len(data), err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return b.fail
	}
	b.m[hash], b.until[hash] = data, until
	return nil
}

func (b *bodies) get(hash [32]byte) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.m[hash]
}

func (b *bodies) set(fail error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = fail
}

func (b *bodies) count() (puts, stored int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.puts, len(b.m)
}

// files is a store of files whose pushing the test decides.
type files struct {
	mu       sync.Mutex
	m        map[string]*file
	pushed   func(string, error)
	stored   int
	released []string
	again    []string
	meeting  func(id string) // called once, by the next Release
}

type file struct {
	gateway.File
	at    int64 // the broker has it until; 0: it is not there
	asked int
	bad   error // of Check
	brief bool  // gone behind Check
	long  bool  // its description does not fit into a message
}

func newFiles() *files { return &files{m: map[string]*file{}} }

var errFileUnknown = problem.New(404, "file_unknown", "no such file")

func (f *files) put(name string, size int64) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := uuid.NewString()
	f.m[id] = &file{File: gateway.File{ID: id, Name: name, Type: "text/csv", Size: size}}
	return id
}

// arrive says that the broker has a file; news tells the outbox.
func (f *files) arrive(id string, until int64, news bool) {
	f.mu.Lock()
	f.m[id].at = until
	fn := f.pushed
	f.mu.Unlock()
	if news {
		fn(id, nil)
	}
}

func (f *files) of(id string) file {
	f.mu.Lock()
	defer f.mu.Unlock()
	return *f.m[id]
}

func (f *files) Info(_ context.Context, id string) (*gateway.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := f.m[id]
	if x == nil {
		return nil, errFileUnknown
	}
	info := x.File
	return &info, nil
}

func (f *files) Check(_ context.Context, id string, _ envelope.Digest, v schema.Validator) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if v == nil {
		return errors.New("no validator")
	}
	x := f.m[id]
	if x.brief {
		delete(f.m, id)
	}
	return x.bad
}

func (f *files) Store(_ context.Context, typ string, body []byte) (string, error) {
	id := f.put("", int64(len(body)))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stored++
	f.m[id].Type = typ
	return id, nil
}

func (f *files) Pushed(ctx context.Context, id string, until int64) (bool, error) {
	_, pushed, err := f.Frame(ctx, id, until)
	return pushed, err
}

func (f *files) Frame(_ context.Context, id string, until int64) ([]byte, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := f.m[id]
	if x == nil {
		return nil, false, errFileUnknown
	}
	x.asked++
	if x.long {
		return make([]byte, envelope.WireMax), x.at >= until, nil
	}
	return []byte("description of " + id), x.at >= until, nil
}

func (f *files) Repush(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.again = append(f.again, id)
	return nil
}

func (f *files) Release(_ context.Context, id string) error {
	f.mu.Lock()
	meeting := f.meeting
	f.meeting = nil
	f.mu.Unlock()
	if meeting != nil {
		meeting(id)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.released = append(f.released, id)
	return nil
}

func (f *files) OnPushed(fn func(string, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pushed = fn
}

func (f *files) isReleased(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.released, id)
}

func (f *files) releases() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.released)
}

// watcher is a live view.
type watcher struct {
	mu      sync.Mutex
	states  map[string][]gateway.State
	latency []int64
}

func newWatcher() *watcher { return &watcher{states: map[string][]gateway.State{}} }

func (w *watcher) Message(e gateway.Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states[e.ID] = append(w.states[e.ID], e.State)
}

func (w *watcher) Latency(direction string, ms int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.latency = append(w.latency, ms)
}

func (w *watcher) Transfer(gateway.Transfer) {}

func (w *watcher) of(id string) []gateway.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.states[id])
}
