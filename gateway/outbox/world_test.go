package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/evm/eip712"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/outbox"
	"github.com/digital-spine/spine/gateway/sqlstore"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/internal/sqlkit"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/schema"
)

const (
	topicName = "telemetry.market.apps.edge.iam.ewc"
	roleName  = "networkoperator.roles.market.apps.edge.iam.ewc"
	retention = int64(7 * 24 * time.Hour / time.Millisecond)
)

var domain = eip712.Domain{ChainID: 1337, Registry: common.HexToAddress("0x1111111111111111111111111111111111111111")}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// flaky is a store whose commits can be made to fail, before or after they
// happened.
type flaky struct {
	outbox.Store
	mu            sync.Mutex
	before, after func(*outbox.Commit) error
	swept         int64 // time of the last sweep
}

// Expire is what every sweep does: it tells at what time.
func (f *flaky) Expire(ctx context.Context, at, forget int64) error {
	err := f.Store.Expire(ctx, at, forget)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.swept = at + retention
	return err
}

func (f *flaky) set(before, after func(*outbox.Commit) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.after = before, after
}

func (f *flaky) Commit(ctx context.Context, c *outbox.Commit) error {
	f.mu.Lock()
	before, after := f.before, f.after
	f.mu.Unlock()
	if before != nil {
		if err := before(c); err != nil {
			return err
		}
	}
	if err := f.Store.Commit(ctx, c); err != nil {
		return err
	}
	if after != nil {
		return after(c)
	}
	return nil
}

// world is one sender with its surroundings. It survives a restart of the
// outbox.
type world struct {
	t        testing.TB
	clock    *clockwork.FakeClock
	self     *party
	book     *book
	net      *net
	channels *channels
	events   *events
	dir      directory
	path     string
	config   outbox.Config
	network  outbox.Network
	bodies   *bodies  // nil: none
	files    *files   // nil: none
	activity *watcher // nil: none
	wrap     func(outbox.Store) outbox.Store

	db    *sqlstore.Store
	store *flaky
	box   *outbox.Outbox
	stop  func()
}

var began = time.UnixMilli(1_767_225_600_000)

func newWorld(t testing.TB) *world {
	now := began.UnixMilli()
	w := &world{t: t, clock: clockwork.NewFakeClockAt(began), self: newParty(now),
		book: &book{topics: map[string]*trust.Topic{}, holders: map[string][]trust.Holder{}, members: map[string][]trust.Member{},
			certs: map[envelope.Digest]*envelope.Certificate{}, named: map[string]envelope.Digest{}},
		net:      &net{news: make(chan struct{})},
		channels: &channels{m: map[string]*gateway.Channel{}, changed: make(chan struct{})},
		events:   &events{}, path: filepath.Join(t.TempDir(), "gateway.db"),
		network: outbox.Network{RetentionMS: retention, Wire: envelope.WireDefault, Cap: 1_000_000},
	}
	w.publishTopic(1)
	w.channels.put(&gateway.Channel{Name: "telemetry", Topic: topicName, Send: &gateway.Admission{Roles: []string{roleName}}})
	return w
}

// publishTopic puts a revision of the topic's record in force.
func (w *world) publishTopic(revision uint64) {
	files := []envelope.File{{Name: "root.json", Bytes: []byte(`{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}`)}}
	s := must(envelope.NewSchema("json", "root.json", files))
	rec := must(envelope.NewTopic(context.Background(), domain, didSigner{w.self.owner}, envelope.TopicBody{DID: w.self.did, Name: topicName,
		Version: "1.0.0", Revision: revision, Kind: "json", Schema: s.Digest(), NotBefore: began.UnixMilli(), NotAfter: began.UnixMilli() + envelope.TopicLife}))
	v := must(schema.Compile("json", "root.json", []schema.File{{Name: "root.json", Data: files[0].Bytes}}))
	w.book.set(func() { w.book.topics[topicName] = &trust.Topic{Record: rec, Digest: rec.Digest(), Schema: v} })
}

// start opens the store and runs an outbox over it.
func (w *world) start() *outbox.Outbox {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w.db = must(sqlstore.Open(ctx, "sqlite:"+w.path, sqlkit.Options{}))
	w.store = &flaky{Store: w.db.Outbox()}
	if w.wrap != nil {
		w.store.Store = w.wrap(w.store.Store)
	}
	w.box = w.make(w.store)
	done := make(chan error, 1)
	go func() { done <- w.box.Run(ctx) }()
	var once sync.Once
	w.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				w.t.Errorf("run ended with %v", err)
			}
			if err := w.db.Close(); err != nil {
				w.t.Errorf("close: %v", err)
			}
		})
	}
	w.t.Cleanup(w.stop)
	return w.box
}

func (w *world) make(st outbox.Store) *outbox.Outbox {
	return must(outbox.New(context.Background(), w.deps(st)))
}

func (w *world) deps(st outbox.Store) outbox.Deps {
	d := outbox.Deps{Config: w.config, Network: w.network, Store: st, Ring: ring{}, Trust: w.book, Self: w.self,
		Bus: w.net, Directory: w.dir, Channels: w.channels, Events: w.events, Clock: w.clock, Log: testkit.Logger(w.t)}
	if w.bodies != nil {
		d.Bodies = w.bodies
	}
	if w.files != nil {
		d.Objects = w.files
	}
	if w.activity != nil {
		d.Activity = w.activity
	}
	return d
}

// answer lets time pass until a message is answered, whenever its sender begins
// to wait.
func (w *world) answer(sent <-chan gateway.Accepted) gateway.Accepted {
	for {
		select {
		case a := <-sent:
			return a
		case <-time.After(2 * time.Millisecond):
			w.clock.Advance(500 * time.Millisecond)
		}
	}
}

// age lets time pass until ok holds, a step at a time, and gives every step a
// whole sweep: a machine may be so slow that a clock which only runs is past
// everything before the outbox has looked.
func (w *world) age(t *testing.T, what string, step time.Duration, ok func() bool) {
	t.Helper()
	for n := 0; !ok(); n++ {
		if n == 100 {
			t.Fatalf("waited in vain for %s", what)
		}
		for _, d := range []time.Duration{step, time.Minute} { // the second sweep begins after the first has ended
			w.clock.Advance(d)
			w.net.await(t, "a sweep", func() bool {
				w.store.mu.Lock()
				defer w.store.mu.Unlock()
				return w.store.swept >= w.now()
			})
		}
	}
}

func draft(n int) gateway.Draft {
	return gateway.Draft{Channel: "telemetry", Body: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))}
}

// send sends one draft and returns what was accepted.
func (w *world) send(d gateway.Draft) gateway.Accepted {
	w.t.Helper()
	out, errs := w.box.Send(context.Background(), []gateway.Draft{d})
	if errs[0] != nil {
		w.t.Fatalf("send: %v", errs[0])
	}
	return out[0]
}

func (w *world) status(id string) *gateway.MessageStatus {
	w.t.Helper()
	st, err := w.box.Status(context.Background(), id)
	if err != nil {
		w.t.Fatalf("status: %v", err)
	}
	return st
}
