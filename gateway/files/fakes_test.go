package files_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/blob"
	blobfile "github.com/digital-spine/spine/blob/file"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/files"
	"github.com/digital-spine/spine/gateway/sqlstore"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/sqlkit"
	"github.com/digital-spine/spine/internal/testkit"
	keyringfile "github.com/digital-spine/spine/keyring/file"
)

const start = 1_800_000_000_000 // ms

// broker is a broker's blob store in memory, which may lie.
type broker struct {
	mu    sync.Mutex
	blobs map[[32]byte][]byte
	until map[[32]byte]int64
	puts  int
	gets  int
	fail  func(op string, h [32]byte) error
	hold  chan struct{} // when not nil, transfers wait for it
}

func newBroker() *broker {
	return &broker{blobs: make(map[[32]byte][]byte), until: make(map[[32]byte]int64)}
}

func (b *broker) enter(ctx context.Context, op string, h [32]byte) error {
	b.mu.Lock()
	hold, fail := b.hold, b.fail
	b.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if fail != nil {
		return fail(op, h)
	}
	return nil
}

func (b *broker) PutBlob(ctx context.Context, h [32]byte, size, until int64, body func() (io.ReadCloser, error)) error {
	if err := b.enter(ctx, "put", h); err != nil {
		return err
	}
	r, err := body()
	if err != nil {
		return err
	}
	defer r.Close()
	all, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if int64(len(all)) != size || sha256.Sum256(all) != h {
		return blob.ErrHash
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.puts++
	b.blobs[h], b.until[h] = all, max(b.until[h], until)
	return nil
}

func (b *broker) HaveBlobs(ctx context.Context, hashes [][32]byte, until int64) (missing [][32]byte, err error) {
	if err := b.enter(ctx, "have", [32]byte{}); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range hashes {
		if _, ok := b.blobs[h]; !ok {
			missing = append(missing, h)
		} else {
			b.until[h] = max(b.until[h], until)
		}
	}
	return missing, nil
}

func (b *broker) GetBlob(ctx context.Context, h [32]byte, offset, length int64) (io.ReadCloser, error) {
	if err := b.enter(ctx, "get", h); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	all, ok := b.blobs[h]
	if !ok {
		return nil, blob.ErrNotFound
	}
	b.gets++
	all = all[min(offset, int64(len(all))):]
	if length >= 0 {
		all = all[:min(length, int64(len(all)))]
	}
	return io.NopCloser(bytes.NewReader(all)), nil
}

// outbox takes drafts and remembers them.
type outbox struct {
	mu     sync.Mutex
	drafts []gateway.Draft
	err    error
	check  func(gateway.Draft) error
}

func (o *outbox) Send(_ context.Context, drafts []gateway.Draft) ([]gateway.Accepted, []error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return make([]gateway.Accepted, 1), []error{o.err}
	}
	if o.check != nil {
		if err := o.check(drafts[0]); err != nil {
			return make([]gateway.Accepted, 1), []error{err}
		}
	}
	o.drafts = append(o.drafts, drafts...)
	return []gateway.Accepted{{ID: "0a000000-0000-4000-8000-000000000001", State: gateway.StateWaiting}}, []error{nil}
}

func (o *outbox) Status(context.Context, string) (*gateway.MessageStatus, error) { return nil, nil }

// meter counts what is told of transfers.
type meter struct {
	mu   sync.Mutex
	seen map[string]int64 // phase: most bytes
}

func (m *meter) Message(gateway.Entry) {}
func (m *meter) Latency(string, int64) {}
func (m *meter) Transfer(t gateway.Transfer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen == nil {
		m.seen = make(map[string]int64)
	}
	m.seen[t.Phase] = max(m.seen[t.Phase], t.Bytes)
}

// watched is a store that sees sweeps.
type watched struct {
	files.Store
	swept atomic.Int64 // time of the last one that began
}

// Due is what a sweep begins with.
func (w *watched) Due(ctx context.Context, d files.Due, before int64, max int) ([]files.Row, error) {
	if d.State == files.StateUploading {
		w.swept.Store(before + 24*3600*1000)
	}
	return w.Store.Due(ctx, d, before, max)
}

// house is the disk of a gateway, and a Box that stands on it.
type house struct {
	t      testing.TB
	dir    string
	clock  *clockwork.FakeClock
	broker *broker
	outbox *outbox
	meter  *meter
	topics files.Topics
	quota  int64
	share  int64
	max    int64
	wrap   func(files.Blobs) files.Blobs
	rows   func(files.Store) files.Store
	far    func(files.Remote) files.Remote
	sweeps *watched
	held   files.Held

	box    *files.Box
	blobs  *blobfile.Store
	store  *sqlstore.Store
	pushed chan error
	done   chan taken
	stop   func()
}

type taken struct {
	key string
	err error
}

func newHouse(t testing.TB) *house {
	h := &house{t: t, dir: t.TempDir(), clock: clockwork.NewFakeClockAt(time.UnixMilli(start)), broker: newBroker(), outbox: &outbox{}, meter: &meter{}}
	t.Cleanup(h.close)
	return h
}

// open starts the gateway's files, or starts them again as after a kill.
func (h *house) open() *files.Box {
	h.t.Helper()
	h.close()
	ctx := testkit.Context(h.t)
	var err error
	must := func(err error) {
		h.t.Helper()
		if err != nil {
			h.t.Fatal(err)
		}
	}
	h.store, err = sqlstore.Open(ctx, "sqlite:"+filepath.Join(h.dir, "g.db"), sqlkit.Options{})
	must(err)
	h.blobs, err = blobfile.Open(filepath.Join(h.dir, "blobs"), blobfile.Options{})
	must(err)
	ring, _, err := keyringfile.Open(filepath.Join(h.dir, "keys"), nil)
	must(err)
	blobs := files.Blobs(h.blobs)
	if h.wrap != nil {
		blobs = h.wrap(blobs)
	}
	h.sweeps = &watched{Store: h.store.Files()}
	rows := files.Store(h.sweeps)
	if h.rows != nil {
		rows = h.rows(rows)
	}
	remote := files.Remote(h.broker)
	if h.far != nil {
		remote = h.far(remote)
	}
	h.box, err = files.Open(ctx, files.Deps{Store: rows, Blobs: blobs, Remote: remote, Keyring: ring, Topics: h.topics, Activity: h.meter,
		RetentionMS: 7 * 24 * 3600 * 1000, FileMax: h.max, Quota: h.quota, Share: h.share, Clock: h.clock, Log: testkit.Logger(h.t)})
	must(err)
	h.pushed, h.done = make(chan error, 100), make(chan taken, 100)
	h.box.OnPushed(func(_ string, err error) { h.pushed <- err })
	h.box.OnDone(func(key string, err error) { h.done <- taken{key, err} })
	h.box.SetSender(h.outbox)
	h.box.SetHeld(h.held)
	run, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := h.box.Run(run); err != nil {
			h.t.Error(err)
		}
	}()
	h.stop = func() { cancel(); <-ended }
	return h.box
}

func (h *house) close() {
	if h.box == nil {
		return
	}
	h.stop()
	if err := h.store.Close(); err != nil {
		h.t.Error(err)
	}
	if err := h.blobs.Close(); err != nil {
		h.t.Error(err)
	}
	h.box = nil
}

// later lets time pass, and returns when a sweep has ended that began then.
func (h *house) later(d time.Duration) {
	h.t.Helper()
	for _, d := range []time.Duration{d, 10 * time.Minute} { // the second begins after the first has ended
		h.clock.Advance(d)
		h.await("a sweep", func() bool { return h.sweeps.swept.Load() >= h.clock.Now().UnixMilli() })
	}
}

// await waits until ok holds.
func (h *house) await(what string, ok func() bool) {
	h.t.Helper()
	ctx := testkit.Context(h.t)
	for !ok() {
		select {
		case <-ctx.Done():
			h.t.Fatalf("waited in vain for %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

// left returns how many blobs and drafts lie on disk.
func (h *house) left() int {
	h.t.Helper()
	list, err := h.blobs.List(context.Background(), blob.Hash{}, 1000)
	if err != nil {
		h.t.Fatal(err)
	}
	drafts, err := h.blobs.Drafts(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	return len(list) + len(drafts)
}

// content is n bytes that depend on seed.
func content(seed byte, n int64) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{seed})
	_, _ = r.Read(b)
	return b
}

// put uploads a file in one go.
func (h *house) put(name string, b []byte) string {
	h.t.Helper()
	ctx := testkit.Context(h.t)
	u, err := h.box.Begin(ctx, files.New{Name: name, Type: "text/csv", Size: int64(len(b))})
	if err == nil {
		u, err = h.box.Append(ctx, u.ID, 0, bytes.NewReader(b))
	}
	if err != nil || !u.Done {
		h.t.Fatalf("%+v, %v", u, err)
	}
	return u.ID
}

// is demands that a file is here with this content.
func (h *house) is(id string, want []byte) {
	h.t.Helper()
	ctx := testkit.Context(h.t)
	c, err := h.box.Open(ctx, id)
	if err != nil {
		h.t.Fatal(err)
	}
	defer c.Close()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, want) {
		h.t.Fatalf("%d bytes, %v; want %d", len(got), err, len(want))
	}
	if sum := envelope.Digest(sha256.Sum256(want)); c.File.SHA256 != sum.String() {
		h.t.Fatalf("sha256 %s, want %s", c.File.SHA256, sum)
	}
}

// object parses the description of a file.
func (h *house) object(id string, until int64) *envelope.Object {
	h.t.Helper()
	desc, _, err := h.box.Frame(testkit.Context(h.t), id, until)
	if err != nil {
		h.t.Fatal(err)
	}
	o, err := envelope.ParseObject(desc)
	if err != nil {
		h.t.Fatal(err)
	}
	return o
}

func (h *house) code(err error, want string) {
	h.t.Helper()
	if got := problem.CodeOf(err); got != want {
		h.t.Fatalf("code %q (%v), want %q", got, err, want)
	}
}

// copy returns a copy of the gateway's disk as it is now.
func (h *house) copy() string {
	h.t.Helper()
	to := h.t.TempDir()
	if err := os.CopyFS(filepath.Join(to, "d"), os.DirFS(h.dir)); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(to, "d", "keys.key"), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return filepath.Join(to, "d")
}
