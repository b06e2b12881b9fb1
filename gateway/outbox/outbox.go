package outbox

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/brokerclient"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/vc"
)

// Trust is what the outbox asks about others; *trust.Book is one.
type Trust interface {
	Current(ctx context.Context, name, version string) (*trust.Topic, error)
	Holders(ctx context.Context, role string) ([]trust.Holder, error)
	Own(ctx context.Context) ([]*vc.Verified, error)
	Instances(ctx context.Context, did string) ([]trust.Member, error)
	Certificate(ctx context.Context, digest envelope.Digest) (*envelope.Certificate, error)
	Named(did string, inst uint64, pkg envelope.Digest, gen uint64)
	Keep(ctx context.Context, did string, inst uint64) error
	OnChange(func(trust.Change))
}

// Self is the gateway instance that sends; *identity.Self is one.
type Self interface {
	DID() string
	Inst() uint64
	Addr() string
	// Certificate is the newest in its window, nil before there is one.
	Certificate() *envelope.Certificate
	// SignWith signs with the key of a certificate of this instance.
	SignWith(ctx context.Context, cert envelope.Digest, message []byte) ([]byte, error)
	// Err tells why nothing may be sealed now, nil when it may.
	Err() error
}

// Directory says in which partition a mailbox is; *brokerclient.Client is one.
// It is not trusted: a wrong answer costs delivery, nothing else.
type Directory interface {
	InstanceAt(ctx context.Context, addr string) ([]brokerclient.Instance, error)
}

// Network is what the network file fixes.
type Network struct {
	RetentionMS int64 // R
	Wire        int   // W, bytes of a wire message
	Cap         int64 // messages per subject within R
}

// Config is what an operator may choose.
type Config struct {
	MaxBytes   int64         `yaml:"max_bytes" doc:"bytes of messages that are not receipted yet; above it sending is refused as outbox_full (default 1 GiB)"`
	MaxWaiting int64         `yaml:"max_waiting" doc:"messages that may wait for a recipient or a key package (default 100000)"`
	Session    time.Duration `yaml:"session" doc:"length of a session, after which a new secret is made (default 1h, at most 24h)"`
}

// Deps are what an Outbox stands on; all are required but Log and those of the
// last group.
type Deps struct {
	Config    Config
	Network   Network
	Store     Store
	Ring      Ring
	Trust     Trust
	Self      Self
	Bus       Bus
	Directory Directory
	Channels  gateway.Channels
	Events    gateway.Events
	Clock     clockwork.Clock
	Log       *slog.Logger

	Bodies   Bodies           // nil: a body travels in every recipient's message
	Objects  Objects          // nil: no files, and no bodies above half the wire limit
	Activity gateway.Activity // nil: nobody watches
}

// answerWithin is how long Send waits for the broker before it answers that a
// message is durable but not yet there.
const answerWithin = 2 * time.Second

// maxLanes bounds the lanes in memory; the one unused longest is dropped, which
// costs its next message a new session.
const maxLanes = 240

// Outbox implements gateway.Sender. Its methods may be called from many
// goroutines.
type Outbox struct {
	cfg      Config
	net      Network
	store    Store
	local    *local
	trust    Trust
	self     Self
	dir      Directory
	channels gateway.Channels
	events   gateway.Events
	clock    clockwork.Clock
	log      *slog.Logger
	pub      *publisher
	budget   *budget
	usage    usage
	unsure   atomic.Bool // the store may hold what nobody knows of: the sweep looks
	parts    partitions
	asks     chan ask
	news     chan uploaded // of files that messages wait for
	marks    watches
	objects  Objects
	activity gateway.Activity
	views    chan view

	mu    sync.Mutex
	lanes map[laneKey]*lane
	keys  map[[16]byte]chan struct{} // messages with an idempotency key being accepted

	run sync.Mutex      // taken last, so that a lane may start its worker under its lock
	ctx context.Context // of Run; nil before and after
	wg  sync.WaitGroup
}

type laneKey struct {
	chanID [16]byte
	topic  string
}

var _ gateway.Sender = (*Outbox)(nil)

// New prepares an outbox over its store. It starts nothing: Run does.
func New(ctx context.Context, d Deps) (*Outbox, error) {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Config.MaxBytes <= 0 {
		d.Config.MaxBytes = 1 << 30
	}
	if d.Config.MaxWaiting <= 0 {
		d.Config.MaxWaiting = 100_000
	}
	if d.Config.Session <= 0 {
		d.Config.Session = time.Duration(envelope.SessionDefault) * time.Millisecond
	}
	d.Config.Session = min(d.Config.Session, time.Duration(envelope.SessionLife)*time.Millisecond)
	if d.Network.Wire < envelope.WireMin || d.Network.Wire > envelope.WireMax || d.Network.RetentionMS <= 0 || d.Network.Cap <= 0 {
		return nil, errors.New("outbox: the network's wire limit, retention or cap is out of range")
	}
	loc, err := openLocal(ctx, d.Ring, d.Store)
	if err != nil {
		return nil, err
	}
	o := &Outbox{
		cfg: d.Config, net: d.Network, store: d.Store, local: loc, trust: d.Trust, self: d.Self, dir: d.Directory,
		channels: d.Channels, events: d.Events, clock: d.Clock, log: d.Log,
		pub:     newPublisher(d.Bus, d.Store, d.Self.Addr(), d.Clock, d.Log),
		budget:  newBudget(d.Clock, d.Network),
		objects: d.Objects, activity: d.Activity, news: make(chan uploaded, maxNews), views: make(chan view, maxViews),
		marks: watches{of: make(map[laneKey]*watch), news: make(chan struct{}, 1)},
		asks:  make(chan ask, maxAsks), lanes: make(map[laneKey]*lane), keys: make(map[[16]byte]chan struct{}),
	}
	o.pub.where = func(ctx context.Context, addr string) (int, error) {
		o.parts.forget(addr)
		return o.partition(ctx, addr)
	}
	o.pub.retain = d.Network.RetentionMS
	o.pub.depot = &depot{store: d.Bodies, clock: d.Clock, log: d.Log, spawn: o.spawn, poke: o.pub.poke, parcels: make(map[bodyKey]*parcel)}
	if err := o.count(ctx); err != nil {
		return nil, err
	}
	if o.objects != nil {
		o.objects.OnPushed(o.onPushed)
	}
	d.Trust.OnChange(o.changed)
	return o, nil
}

// Run publishes what an earlier run committed, sends what waits, and keeps the
// outbox's times until ctx ends. Messages accepted before Run wait for it.
func (o *Outbox) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	o.run.Lock()
	if o.ctx != nil {
		o.run.Unlock()
		cancel()
		return errors.New("outbox: runs already")
	}
	o.ctx = ctx
	o.run.Unlock()
	o.mu.Lock()
	lanes := make([]*lane, 0, len(o.lanes))
	for _, l := range o.lanes {
		lanes = append(lanes, l)
	}
	o.mu.Unlock()
	defer func() {
		cancel()
		o.run.Lock()
		o.ctx = nil
		o.run.Unlock()
		o.wg.Wait()
	}()
	for _, l := range lanes {
		l.kick()
	}
	if err := o.resume(ctx); err != nil {
		return err
	}
	o.spawn(o.follow)
	o.spawn(o.sweeps)
	o.spawn(o.resend)
	o.spawn(o.uploads)
	o.spawn(o.keepMarks)
	if o.activity != nil {
		o.spawn(o.watchReceipts)
	}
	return o.pub.run(ctx)
}

// spawn runs fn until Run ends; false when the outbox does not run.
func (o *Outbox) spawn(fn func(ctx context.Context)) bool {
	o.run.Lock()
	ctx := o.ctx
	if ctx == nil {
		o.run.Unlock()
		return false
	}
	o.wg.Add(1)
	o.run.Unlock()
	go func() {
		defer o.wg.Done()
		fn(ctx)
	}()
	return true
}

// resume wakes the lanes whose messages wait in the store.
func (o *Outbox) resume(ctx context.Context) error {
	lanes, err := o.store.WaitingLanes(ctx)
	if err != nil {
		return err
	}
	for _, row := range lanes {
		l := o.lane(row)
		l.mu.Lock()
		l.parked = true
		l.start()
		l.mu.Unlock()
		l.pins.Add(-1)
	}
	return nil
}

// follow tells lanes when channels change.
func (o *Outbox) follow(ctx context.Context) {
	for {
		ch := o.channels.Changed()
		select {
		case <-ctx.Done():
			return
		case <-ch:
			o.changed(trust.Change{})
		}
	}
}

// changed makes every lane look at its recipients again. Looking is cheap: the
// book answers from memory what did not change.
func (o *Outbox) changed(trust.Change) {
	o.mu.Lock()
	lanes := make([]*lane, 0, len(o.lanes))
	for _, l := range o.lanes {
		lanes = append(lanes, l)
	}
	o.mu.Unlock()
	for _, l := range lanes {
		l.disturb()
	}
}

// lane returns the lane of a row, making it when it is not in memory. It stays
// in memory until the caller takes its pin away: two workers for one lane group
// would be two writers.
func (o *Outbox) lane(row Lane) *lane {
	key := laneKey{row.Chan, row.Topic}
	o.mu.Lock()
	defer o.mu.Unlock()
	if l, ok := o.lanes[key]; ok {
		l.pins.Add(1)
		return l
	}
	if len(o.lanes) >= maxLanes {
		o.dropIdleLocked()
	}
	l := &lane{Lane: row, o: o, to: selection(row.Selection), flight: make(chan struct{}, maxFlights), used: o.clock.Now()}
	l.pins.Add(1)
	o.lanes[key] = l
	return l
}

// dropIdleLocked forgets the idle lane that was unused longest.
func (o *Outbox) dropIdleLocked() {
	var oldest *lane
	var at time.Time
	for _, l := range o.lanes {
		l.mu.Lock()
		idle, used := l.pins.Load() == 0 && !l.running && !l.retry && !l.parked && len(l.queue) == 0 && len(l.flight) == 0, l.used
		l.mu.Unlock()
		if idle && (oldest == nil || used.Before(at)) {
			oldest, at = l, used
		}
	}
	if oldest != nil {
		delete(o.lanes, laneKey{oldest.Chan, oldest.Topic})
		if oldest.sess != nil {
			o.pub.release(oldest.sess.deliveries)
		}
	}
}

func (o *Outbox) now() int64 { return o.clock.Now().UnixMilli() }

// usage is what the quota counts.
type usage struct{ bytes, waiting atomic.Int64 }

// count reads the quota's counters and the rows per mailbox from the store.
func (o *Outbox) count(ctx context.Context) error {
	u, err := o.store.Usage(ctx)
	if err != nil {
		return err
	}
	o.usage.bytes.Store(u.Bytes)
	o.usage.waiting.Store(u.Messages)
	rows, err := o.store.Rows(ctx)
	if err != nil {
		return err
	}
	o.budget.setRows(rows)
	return nil
}
