// Package inbox hands verified messages over to applications: it implements
// gateway.Receiver over the rows the intake stored. Consumers are cursors by
// name over a channel; each has its own position, what it holds in flight, and
// explicit acknowledgements that are durable before they are answered.
//
// A message is handed over again when its deadline passes without an
// acknowledgement, or whoever got it is seen to be gone, also after a restart;
// it keeps its id and is marked. One
// whose acknowledgement was answered never comes again. Pulls wait on
// notifications, never by polling.
//
// It also is the log of received messages: what came, what became of it, and
// every check of one with its evidence, read from what the intake kept.
//
// It checks nothing of the protocol: what has no place in the order of handing
// over (a hole in front, a status that is stale) is not seen here at all.
package inbox

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// Config tunes the inbox.
type Config struct {
	AckWait    time.Duration `yaml:"ackWait" doc:"time an application has to acknowledge a message before it is handed over again"`
	Keep       time.Duration `yaml:"keep" doc:"how long acknowledged content is kept"`
	CacheBytes int           `yaml:"cacheBytes" doc:"memory for content that was just taken in, in bytes"`
}

// Defaults of Config.
const (
	DefaultAckWait    = 30 * time.Second
	DefaultKeep       = 7 * 24 * time.Hour
	DefaultCacheBytes = 32 << 20
)

// Bounds of one call.
const (
	maxPull     = 1000
	maxWait     = 60 * time.Second
	maxTokens   = 10_000
	maxBatch    = 4 << 20 // bytes of bodies in one answer, unless one message is larger; clients read 8 MiB at most
	maxName     = 128
	maxSessions = 10_000 // session facts in memory
	readAhead   = 256    // rows read at once
)

// Deps are what an inbox works with.
type Deps struct {
	Config   Config
	Store    Store
	Vault    *Vault
	Channels gateway.Channels
	Clock    clockwork.Clock
	Log      *slog.Logger
	Objects  Objects // may be nil: objects are always handed over as files
}

// Inbox is the receiving side of the gateway's API. It implements
// gateway.Receiver.
type Inbox struct {
	cfg      Config
	store    Store
	vault    *Vault
	channels gateway.Channels
	clock    clockwork.Clock
	log      *slog.Logger
	contents *contents
	objects  Objects

	indexing sync.Mutex // one index at a time
	indexed  int64      // place up to which the look-up is written, -1 unknown
	swept    Find       // Run's

	// loading is held from reading a consumer to having it in memory: one that
	// is loaded, used and dropped meanwhile would leave what was read outdated.
	// It comes before a consumer's lock.
	loading sync.Mutex

	mu        sync.Mutex
	consumers map[consumerKey]*consumer
	byID      map[int64]*consumer
	sessions  map[int64]*SessionInfo
	wakes     map[string]chan struct{} // by topic, "" for any; closed when it has more
}

type consumerKey struct{ channel, name string }

// consumer is a cursor with its lock.
type consumer struct {
	mu      sync.Mutex
	key     consumerKey
	cur     *cursor
	ahead   []Row // read, not yet in the window
	handing *place
	handRow *Row
	dead    bool          // dropped from memory: look it up again
	freed   chan struct{} // closed when acknowledgements made room, or something came back
	noted   int64         // since when its positions are noted for the log, ms
	notes   int           // how many since then
	unnoted TimeRow       // its newest position since then
}

var _ gateway.Receiver = (*Inbox)(nil)

// New makes an inbox. It starts nothing.
func New(d Deps) *Inbox {
	c := d.Config
	if c.AckWait <= 0 {
		c.AckWait = DefaultAckWait
	}
	if c.Keep <= 0 {
		c.Keep = DefaultKeep
	}
	if c.CacheBytes <= 0 {
		c.CacheBytes = DefaultCacheBytes
	}
	return &Inbox{cfg: c, store: d.Store, vault: d.Vault, channels: d.Channels, clock: d.Clock, log: d.Log, objects: d.Objects, indexed: -1,
		contents: newContents(c.CacheBytes), consumers: make(map[consumerKey]*consumer), byID: make(map[int64]*consumer),
		sessions: make(map[int64]*SessionInfo), wakes: make(map[string]chan struct{})}
}

// Offer gives the frames of an entry that was just taken in, so that handing
// it over needs neither a read nor a decryption. They are not changed any more.
func (x *Inbox) Offer(id int64, frames []envelope.Frame) { x.contents.put(id, frames) }

// Released says that entries of the topics got places: waiting pulls wake up.
func (x *Inbox) Released(topics ...string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, t := range append(topics, "") {
		if ch := x.wakes[t]; ch != nil {
			close(ch)
			delete(x.wakes, t)
		}
	}
}

// wake returns a channel that is closed at the next release on the topic.
func (x *Inbox) wake(topic string) <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	ch := x.wakes[topic]
	if ch == nil {
		ch = make(chan struct{})
		x.wakes[topic] = ch
	}
	return ch
}

// consumer returns a consumer, loading it where it is not in memory.
func (x *Inbox) consumer(ctx context.Context, k consumerKey) (*consumer, error) {
	if c := x.held(k); c != nil {
		return c, nil
	}
	x.loading.Lock()
	defer x.loading.Unlock()
	if c := x.held(k); c != nil {
		return c, nil
	}
	row, err := x.store.Consumer(ctx, k.channel, k.name)
	if err != nil {
		return nil, fmt.Errorf("read consumer: %w", err)
	}
	return x.load(ctx, *row)
}

// held returns a consumer that is in memory, else nil.
func (x *Inbox) held(k consumerKey) *consumer {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.consumers[k]
}

// load takes a consumer that is not in memory there. x.loading is held.
func (x *Inbox) load(ctx context.Context, row ConsumerRow) (*consumer, error) {
	acks, err := x.store.Acks(ctx, row.ID)
	if err != nil {
		return nil, fmt.Errorf("read acknowledgements: %w", err)
	}
	k := consumerKey{row.Channel, row.Name}
	c := &consumer{key: k, cur: newCursor(row, acks), freed: make(chan struct{})}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.consumers[k], x.byID[row.ID] = c, c
	return c, nil
}

// drop forgets a consumer whose memory may differ from the store.
func (x *Inbox) drop(c *consumer) {
	c.dead = true
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.consumers[c.key] == c {
		delete(x.consumers, c.key)
		delete(x.byID, c.cur.row.ID)
	}
}
