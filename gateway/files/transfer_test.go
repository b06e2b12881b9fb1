package files_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/files"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/schema"
)

const until = start + 9*24*3600*1000

// next waits for what a house tells.
func next[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-testkit.Context(t).Done():
		t.Fatal("nothing was told")
	}
	panic("unreachable")
}

// sent makes a house with a file that the broker has.
func sent(t *testing.T, want []byte) (*house, string, *envelope.Object) {
	t.Helper()
	h := newHouse(t)
	h.open()
	id := h.put("report.csv", want)
	o := h.object(id, until)
	if err := next(t, h.pushed); err != nil {
		t.Fatal(err)
	}
	return h, id, o
}

// receiver is another gateway at the same broker.
func receiver(t *testing.T, from *house) *house {
	h := newHouse(t)
	h.broker = from.broker
	h.open()
	return h
}

func (h *house) take(key string, o *envelope.Object, v schema.Validator) string {
	h.t.Helper()
	f, err := h.box.Take(testkit.Context(h.t), key, "did:a", "ch", "0b000000-0000-4000-8000-000000000001", o, envelope.Digest{9}, v, until)
	if err != nil {
		h.t.Fatal(err)
	}
	return f.ID
}

func (h *house) told(key, code string) {
	h.t.Helper()
	got := next(h.t, h.done)
	if got.key != key || problem.CodeOf(got.err) != code {
		h.t.Fatalf("%q, %v; want %q, %q", got.key, got.err, key, code)
	}
}

func TestPushAndPull(t *testing.T) {
	want := content(1, 5*envelope.MinPartSize+12345)
	a, id, o := sent(t, want)
	if _, pushed, err := a.box.Frame(testkit.Context(t), id, until); err != nil || !pushed {
		t.Fatal(pushed, err)
	}
	e, err := a.box.Entry(testkit.Context(t), id)
	if err != nil || e.Direction != files.Out || e.State != files.StateReady {
		t.Fatalf("%+v, %v", e, err)
	}
	for h, u := range a.broker.until {
		if u < until {
			t.Fatalf("%x lives until %d", h, u)
		}
	}
	// The broker sees none of the content.
	for _, b := range a.broker.blobs {
		if bytes.Contains(b, want[:64]) {
			t.Fatal("content in clear")
		}
	}
	b := receiver(t, a)
	got := b.take("k1", o, nil)
	if again := b.take("k2", o, nil); again != got {
		t.Fatalf("%s, then %s", got, again)
	}
	b.told("k1", "")
	b.told("k2", "")
	b.is(got, want)
	// Another message with it is told at once, also after a restart.
	b.open()
	if again := b.take("k3", o, nil); again != got {
		t.Fatal(again)
	}
	b.told("k3", "")
	e, err = b.box.Entry(testkit.Context(t), got)
	if err != nil || e.Direction != files.In || e.From != "did:a" || e.Channel != "ch" || len(e.Messages) != 1 || e.Name != "report.csv" {
		t.Fatalf("%+v, %v", e, err)
	}
	if a.meter.seen["upload"] != int64(len(want)) || a.meter.seen["push"] != int64(len(want)) || b.meter.seen["pull"] != int64(len(want)) || b.meter.seen["done"] != int64(len(want)) {
		t.Fatal(a.meter.seen, b.meter.seen)
	}
}

// TestTransfersResume has both gateways die while parts are under way.
// TestAskedAgain: whoever asks again for a file that is on its way costs the
// store nothing, however long the broker is away.
func TestAskedAgain(t *testing.T) {
	ctx := testkit.Context(t)
	rows := &failing{}
	rows.good.Store(1 << 40)
	h := newHouse(t)
	h.rows = func(s files.Store) files.Store { rows.Store = s; return rows }
	box := h.open()
	h.broker.hold = make(chan struct{})
	id := h.put("x", []byte("hello"))
	if pushed, err := box.Pushed(ctx, id, until); err != nil || pushed {
		t.Fatal(pushed, err)
	}
	rows.good.Store(0)
	for range 3 {
		if pushed, err := box.Pushed(ctx, id, until); err != nil || pushed {
			t.Fatal(pushed, err)
		}
	}
	if _, err := box.Pushed(ctx, id, until+1); !errors.Is(err, errDisk) {
		t.Fatal("a longer time was not noted", err)
	}
	rows.good.Store(1 << 40)
	close(h.broker.hold)
	if err := next(t, h.pushed); err != nil {
		t.Fatal(err)
	}
}

func TestTransfersResume(t *testing.T) {
	want := content(1, 6*envelope.MinPartSize)
	a := newHouse(t)
	a.open()
	id := a.put("x", want)
	n, away := 0, problem.New(502, "unreachable", "away")
	limit := func(op string, most int) {
		n = 0
		a.broker.mu.Lock()
		defer a.broker.mu.Unlock()
		a.broker.fail = func(o string, _ [32]byte) error {
			a.broker.mu.Lock()
			defer a.broker.mu.Unlock()
			if n++; o == op && n > most {
				return away
			}
			return nil
		}
	}
	limit("put", 4) // one of the four is the question what is there
	o := a.object(id, until)
	if err := next(t, a.pushed); problem.CodeOf(err) != "unreachable" {
		t.Fatal(err)
	}
	limit("none", 0)
	puts := a.broker.puts
	a.open() // goes on by itself
	if err := next(t, a.pushed); err != nil {
		t.Fatal(err)
	}
	if puts == 0 || a.broker.puts != 6 {
		t.Fatalf("%d parts were put, then %d in all", puts, a.broker.puts)
	}
	b := receiver(t, a)
	limit("get", 3)
	got := b.take("k", o, nil)
	for {
		e, err := b.box.Entry(testkit.Context(t), got)
		if err != nil {
			t.Fatal(err)
		}
		if e.Code == "unreachable" {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := b.box.Body(testkit.Context(t), got, 1<<40); problem.CodeOf(err) != files.CodeFileIncomplete {
		t.Fatal(err)
	}
	b.open()
	limit("none", 0)
	gets := a.broker.gets
	b.take("k", o, nil)
	b.told("k", "")
	if gets == 0 || a.broker.gets != 6 {
		t.Fatalf("%d parts were taken, then %d in all", gets, a.broker.gets)
	}
	b.is(got, want)
}

// TestPullTriesAgain needs no restart: the broker is away for a while.
func TestPullTriesAgain(t *testing.T) {
	want := content(1, 2*envelope.MinPartSize)
	a, _, o := sent(t, want)
	away := problem.New(502, "unreachable", "away")
	a.broker.fail = func(string, [32]byte) error { return away }
	b := receiver(t, a)
	id := b.take("k", o, nil)
	if err := b.clock.BlockUntilContext(testkit.Context(t), 2); err != nil { // the sweep, and the pull's wait
		t.Fatal(err)
	}
	a.broker.mu.Lock()
	a.broker.fail = nil
	a.broker.mu.Unlock()
	b.clock.Advance(time.Second)
	b.told("k", "")
	b.is(id, want)
}

// TestPullGivesUp ends when the parts' time is over.
func TestPullGivesUp(t *testing.T) {
	a, _, o := sent(t, content(1, 10))
	a.broker.fail = func(string, [32]byte) error { return problem.New(502, "unreachable", "away") }
	b := receiver(t, a)
	b.clock.Advance((until - start + 1) * time.Millisecond)
	b.take("k", o, nil)
	b.told("k", "content_hash")
}

// TestDescribedTwice: an object that its sender describes in two ways is the
// first one; a message with the other is refused, and never gets its content.
func TestDescribedTwice(t *testing.T) {
	want := content(1, 100)
	a, _, o := sent(t, want)
	b := receiver(t, a)
	id := b.take("k1", o, nil)
	b.told("k1", "")
	for _, change := range []func(o *envelope.Object){
		func(o *envelope.Object) { o.SHA256[0] ^= 1 },
		func(o *envelope.Object) { o.Key[0] ^= 1 },
		func(o *envelope.Object) { o.Name = "other.csv" },
		func(o *envelope.Object) { o.Size++ },
		func(o *envelope.Object) { o.Parts = []envelope.Digest{{7}} },
	} {
		other := *o
		change(&other)
		_, err := b.box.Take(testkit.Context(t), "k2", "did:a", "ch", "0b000000-0000-4000-8000-000000000002", &other, envelope.Digest{9}, nil, until)
		b.code(err, "object")
	}
	if again := b.take("k3", o, nil); again != id {
		t.Fatal(again)
	}
	b.told("k3", "")
	b.is(id, want)
	if e, err := b.box.Entry(testkit.Context(t), id); err != nil || len(e.Messages) != 1 {
		t.Fatalf("%+v, %v", e, err)
	}
}

// TestNeverCame: a file whose parts nobody ever brings takes no room any more
// once its time is over.
func TestNeverCame(t *testing.T) {
	_, _, o := sent(t, content(1, 50_000))
	b := newHouse(t)
	b.quota = 400_000
	box := b.open()
	id := b.take("k", o, nil)
	b.told("k", "content_hash")
	_, err := box.Begin(testkit.Context(t), files.New{Size: 370_000})
	b.code(err, files.CodeStorageFull)
	b.clock.Advance((until - start) * time.Millisecond)
	if _, err := box.Entry(testkit.Context(t), id); err != nil {
		t.Fatal(err) // the sender may still bring them
	}
	b.clock.Advance(time.Hour)
	for {
		if _, err := box.Entry(testkit.Context(t), id); problem.CodeOf(err) == files.CodeFileUnknown {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := box.Begin(testkit.Context(t), files.New{Size: 370_000}); err != nil {
		t.Fatal(err)
	}
}

// TestEarlyPush brings parts to the broker while the rest is being uploaded.
func TestEarlyPush(t *testing.T) {
	a := newHouse(t)
	box := a.open()
	ctx := testkit.Context(t)
	want := content(1, 4*envelope.MinPartSize)
	u, err := box.Begin(ctx, files.New{Name: "x", Size: int64(len(want)), Channel: "ch", To: []string{"did:b"}, Send: true})
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	type answer struct {
		u   *files.Upload
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		u, err := box.Append(ctx, u.ID, 0, r)
		answers <- answer{u, err}
	}()
	if _, err := w.Write(want[:3*envelope.MinPartSize+1]); err != nil {
		t.Fatal(err)
	}
	for { // the broker has the first parts although the last is not there
		a.broker.mu.Lock()
		n := a.broker.puts
		a.broker.mu.Unlock()
		if n == 3 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := w.Write(want[3*envelope.MinPartSize+1:]); err != nil {
		t.Fatal(err)
	}
	w.Close()
	got := next(t, answers)
	if got.err != nil || !got.u.Done || got.u.Sent == nil {
		t.Fatalf("%+v, %v", got.u, got.err)
	}
	d := a.outbox.drafts
	if len(d) != 1 || d[0].File != u.ID || d[0].Channel != "ch" || d[0].To[0] != "did:b" || d[0].IdempotencyKey == "" {
		t.Fatalf("%+v", d)
	}
	a.object(u.ID, until)
	if err := next(t, a.pushed); err != nil {
		t.Fatal(err)
	}
	if a.broker.puts != 4 {
		t.Fatalf("%d puts of 4 parts", a.broker.puts)
	}
}

func TestLargeBody(t *testing.T) {
	a := newHouse(t)
	box := a.open()
	ctx := testkit.Context(t)
	body := []byte(`{"a":"` + strings.Repeat("x", 900_000) + `"}`)
	id, err := box.Store(ctx, "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := box.List(ctx, files.Filter{}); err != nil || len(list) != 0 {
		t.Fatalf("%+v, %v", list, err)
	}
	o := a.object(id, until)
	if err := next(t, a.pushed); err != nil {
		t.Fatal(err)
	}
	b := receiver(t, a)
	got := b.take("k", o, nil)
	b.told("k", "")
	out, err := b.box.Body(ctx, got, 1<<20)
	if err != nil || !bytes.Equal(out, body) {
		t.Fatal(err)
	}
	_, err = b.box.Body(ctx, got, 1000)
	b.code(err, files.CodeTooLarge)
	if err := box.Release(ctx, id); err != nil {
		t.Fatal(err)
	}
	if a.left() != 0 {
		t.Fatalf("%d blobs are left", a.left())
	}
}
