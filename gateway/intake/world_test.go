package intake_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/evm/eip712"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/inbox"
	"github.com/digital-spine/spine/gateway/intake"
	"github.com/digital-spine/spine/gateway/sqlstore"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/internal/sqlkit"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/schema"
	"github.com/digital-spine/spine/vc"
)

const (
	topicName = "telemetry.market.apps.edge.iam.ewc"
	roleName  = "aggregator.roles.market.apps.edge.iam.ewc"
	retention = 7 * 24 * time.Hour
)

var (
	background = context.Background()
	domain     = eip712.Domain{ChainID: 1337, Registry: common.HexToAddress("0x1111111111111111111111111111111111111111")}
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// world is one recipient with its intake over a real store, and what it meets.
type world struct {
	t        testing.TB
	ctx      context.Context
	clock    *clockwork.FakeClock
	path     string
	self     *party
	book     *book
	channels *channelList
	mail     *mailbox
	replies  *replies
	sink     *sink
	events   *events
	config   intake.Config
	bodies   *blobs
	objects  *objects
	fileMax  int64
	activity *activity
	shrink   int // what the room for what is awaited is divided by; 0: all of it

	wrap  func(intake.Store) intake.Store // nil: the store as it is
	in    *intake.Intake
	store *sqlstore.Store
	flaky *flaky
	inbox *inbox.Inbox
	stop  func()

	record  *envelope.Topic
	prompt  *envelope.Topic
	ownerOf *party
}

// held gives a test a world in a bubble of its own, beside the other tests. In
// it nothing waits for real time: the clock goes on when everybody waits for it.
func held(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	alone(t, f)
}

// alone is held without the other tests beside it.
func alone(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newWorld(t)) })
}

// empty is a new store, as bytes: its tables are made once for all worlds.
var empty = sync.OnceValue(func() []byte {
	dir := must(os.MkdirTemp("", ""))
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "gateway.db")
	if err := must(sqlstore.Open(background, "sqlite:"+path, sqlkit.Options{})).Close(); err != nil {
		panic(err)
	}
	return must(os.ReadFile(path))
})

func newWorld(t testing.TB) *world {
	start := time.UnixMilli(1767225600000)
	now := start.UnixMilli()
	w := &world{t: t, ctx: background, clock: clockwork.NewFakeClockAt(start.Add(10 * time.Minute)), path: filepath.Join(t.TempDir(), "gateway.db"),
		self: newParty(now), mail: &mailbox{unack: map[uint64]intake.Delivery{}, wake: make(chan struct{})}, replies: &replies{}, sink: &sink{}, events: &events{},
		channels: &channelList{changed: make(chan struct{})}, bodies: &blobs{has: map[[32]byte][]byte{}}, objects: &objects{at: map[string]*object{}}, activity: &activity{}}
	w.book = &book{clock: w.clock, certs: map[envelope.Digest]*envelope.Certificate{}, owners: map[string]common.Address{}, floors: map[string]uint64{},
		topics: map[envelope.Digest]*trust.Topic{}, roles: map[envelope.Digest]*vc.Verified{}}
	w.channels.set(w.channel())
	w.ownerOf = newParty(now)
	w.record, w.prompt = w.topic(topicName, 0), w.topic("price.market.apps.edge.iam.ewc", 1)
	if err := os.WriteFile(w.path, empty(), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	t.Cleanup(func() { w.halt() })
	return w
}

func (w *world) channel() gateway.Channel {
	return gateway.Channel{Name: "telemetry", Topic: topicName, Receive: &gateway.Admission{Roles: []string{roleName}}}
}

const schemaText = `{"type":"object","required":["n"],"properties":{"n":{"type":"integer"}}}`

func (w *world) topic(name string, order uint64) *envelope.Topic {
	now := w.clock.Now().UnixMilli() - 1000*3600
	rec := must(envelope.NewTopic(background, domain, didSigner{w.ownerOf.owner}, envelope.TopicBody{DID: w.ownerOf.did, Name: name, Version: "1.0.0", Revision: 1,
		Kind: "json", Schema: envelope.Sum([]byte(schemaText)), Order: order, NotBefore: now, NotAfter: now + 300*24*3600*1000}))
	val := must(schema.Compile("json", "root.json", []schema.File{{Name: "root.json", Data: []byte(schemaText)}}))
	w.book.topics[rec.Digest()] = &trust.Topic{Record: rec, Digest: rec.Digest(), Schema: val}
	return rec
}

// start opens the store and runs the intake; halt stops both, as a kill would.
func (w *world) start() {
	w.t.Helper()
	w.store = must(sqlstore.Open(w.ctx, "sqlite:"+w.path, sqlkit.Options{}))
	w.flaky = &flaky{Store: w.store.Intake()}
	if w.wrap != nil {
		w.flaky.Store = w.wrap(w.store.Intake())
	}
	vault := must(inbox.OpenVault(w.ctx, ring{}, w.store.Inbox(), w.clock))
	log := testkit.Logger(w.t)
	w.inbox = inbox.New(inbox.Deps{Store: w.store.Inbox(), Vault: vault, Channels: w.channels, Clock: w.clock, Log: log, Objects: w.objects})
	in := intake.New(intake.Deps{Config: w.config, Network: intake.Network{Retention: retention, Wire: envelope.WireDefault, Cap: 1_000_000, FileMax: w.fileMax},
		Mailbox: w.mail, Store: w.flaky, Vault: vault, Inbox: w.inbox, Self: w.self, Trust: w.book, Channels: w.channels, Events: w.events,
		Replies: w.replies, Receipts: w.sink, Clock: w.clock, Log: log, Bodies: w.bodies, Objects: w.objects, Activity: w.live()})
	if w.shrink > 0 {
		in.Shrink(w.shrink)
	}
	w.in = in
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	w.stop = func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("intake: %v", err)
		}
		w.store.Close()
	}
}

// live is the activity, nil for benchmarks.
func (w *world) live() gateway.Activity {
	if _, bench := w.t.(*testing.B); bench {
		return nil
	}
	return w.activity
}

func (w *world) halt() {
	if w.stop != nil {
		w.stop()
		w.stop = nil
	}
}

// restart stops everything and delivers again what was not acknowledged.
func (w *world) restart() {
	w.halt()
	w.mail.mu.Lock()
	w.mail.queue = nil
	for seq := uint64(1); seq <= w.mail.seq; seq++ {
		if d, ok := w.mail.unack[seq]; ok {
			w.mail.add(seq, d.Subject, d.Data, true)
		}
	}
	w.mail.mu.Unlock()
	w.start()
}

// less starts again with an n-th of the room for what is awaited.
func (w *world) less(n int) {
	w.halt()
	w.shrink = n
	w.start()
}

// until waits for a condition while the clock runs in small steps: as long as
// anybody has something to do, it stands still.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for range 2000 {
		synctest.Wait()
		if ok() {
			return
		}
		w.clock.Advance(10 * time.Millisecond)
	}
	w.events.mu.Lock()
	defer w.events.mu.Unlock()
	w.t.Fatalf("waited in vain for %s; events: %+v", what, w.events.list)
}

// pass lets time go by in steps that give the intake its turns.
func (w *world) pass(d time.Duration) {
	for step := d / 20; d > 0; d -= step {
		synctest.Wait()
		w.clock.Advance(step)
	}
	synctest.Wait()
}

// event waits for an event and returns it.
func (w *world) event(code string) *gateway.Event {
	w.t.Helper()
	w.until("event "+code, func() bool { return w.events.find(code) != nil })
	return w.events.find(code)
}

// settled waits until everything pushed was acknowledged.
func (w *world) settled() {
	w.t.Helper()
	w.until("acknowledgements", func() bool {
		w.mail.mu.Lock()
		defer w.mail.mu.Unlock()
		return len(w.mail.unack) == 0
	})
}

// receive pulls until n messages came and acknowledges them.
func (w *world) receive(n int) []gateway.Message {
	w.t.Helper()
	var out []gateway.Message
	w.until(fmt.Sprintf("%d messages", n), func() bool {
		got, err := w.inbox.Pull(w.ctx, gateway.Consumer{Name: "app", Channel: "telemetry"}, 1000, 0)
		if err != nil {
			w.t.Fatalf("pull: %v", err)
		}
		tokens := make([]string, len(got))
		for i := range got {
			tokens[i] = got[i].Ack
		}
		if err := w.inbox.Ack(w.ctx, tokens); err != nil {
			w.t.Fatalf("ack: %v", err)
		}
		out = append(out, got...)
		return len(out) >= n
	})
	if len(out) != n {
		w.t.Fatalf("%d messages were handed over, expected %d", len(out), n)
	}
	return out
}
