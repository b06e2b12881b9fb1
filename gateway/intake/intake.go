package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/fetch"
	"github.com/digital-spine/spine/gateway/inbox"
	"github.com/digital-spine/spine/gateway/trust"
)

// Intake is the reader of one mailbox. Its state belongs to Run's goroutine.
type Intake struct {
	d    Deps
	log  *slog.Logger
	now  func() int64 // ms
	work int          // goroutines for the dear part of a round

	r       *Round // what the round in hand changes
	after   []func(context.Context)
	told    []func(context.Context) // what is told of it, also when it is only known later that it was committed
	asked   bool                    // the store was asked to commit it
	last    Last
	byID    map[int64]*session
	bySID   map[envelope.Digest]*session
	lanes   map[int64]*lane
	dirty   []*session
	lru     []int64 // session ids in the order they were loaded, for eviction
	ids     *windows
	roundID map[int64][]byte // ids of entries of the round in hand
	roundD  map[int64]envelope.Digest
	peers   *peers
	active  map[int64]*session     // with holes, stalls or waiting grants: kept in memory
	strange map[strangerKey]*named // sids seen without a session
	fullTo  int64                  // no old one is among them until then, ms
	parked  map[string]int64       // bytes by sender address
	parkedN int64                  // bytes in all
	shares  map[string]int64       // inbox bytes by sender address
	due     map[peerKey]*dueReceipt
	lastAt  int64 // at of the last receipt
	streams map[string]*StreamRow
	rewound time.Time
	room    room
	awaits  map[string]int // entries whose content is on its way, by sender address
	awaitsN int
	files   map[string]int // objects that these wait for, by sender address
	filesN  int
	taken   map[string]share // objects that Objects is at, by sender address
	takenN  int
	taking  int  // descriptions on their way to Objects
	begun   int  // of these, the round in hand's: on their way once it is committed
	crowded bool // something waits for room
	freed   bool // some room was made since
	watched map[int64]*watch

	next                           int64 // when the clock has something to do, ms; 0 never
	parkedAt, expiredAt, watchedAt int64

	outgoing  chan receiptOut
	sent      chan receiptOut
	verdicts  chan verdict
	standings chan standingOf
	changes   chan trust.Change
	changed   atomic.Bool // more than changes had room for
	pool      *fetch.Pool // nil without Bodies
	fetched   <-chan fetch.Result
	fetching  map[int64]bool // entries whose bodies the pool was asked for
	news      newsbox
	receipts  receiptBox
	judging   int
	queue     []*session // waiting for a judge
}

// peerKey names a sender instance.
type peerKey struct {
	did  string
	inst uint64
}

// Bounds of memory.
const (
	maxLoaded   = 4096   // sessions in memory beside the active ones
	maxStrange  = 10_000 // unknown session ids remembered
	maxWaiting  = 10_000 // sessions that wait; above, strangers' grants are dropped
	maxRoundMsg = 2000
)

// New makes an intake. It starts nothing; Run does.
func New(d Deps) *Intake {
	if d.Config.Judges <= 0 {
		d.Config.Judges = DefaultJudges
	}
	if d.Config.StrictWait <= 0 {
		d.Config.StrictWait = DefaultStrictWait
	}
	if d.Config.ShareBytes <= 0 {
		d.Config.ShareBytes = DefaultShareBytes
	}
	if d.Network.Retention <= 0 {
		d.Network.Retention = time.Duration(envelope.RetentionDefault) * time.Millisecond
	}
	if d.Network.Wire <= 0 {
		d.Network.Wire = envelope.WireDefault
	}
	if d.Network.Cap <= 0 {
		d.Network.Cap = 1_000_000
	}
	x := &Intake{d: d, log: d.Log, now: func() int64 { return d.Clock.Now().UnixMilli() }, work: max(1, runtime.GOMAXPROCS(0)),
		outgoing: make(chan receiptOut, 1024), sent: make(chan receiptOut, 1024), verdicts: make(chan verdict, d.Config.Judges), standings: make(chan standingOf, 64), changes: make(chan trust.Change, 256)}
	x.room = room{maxAwaitsPerSender, maxAwaitsInAll, maxFilesPerSender, maxFilesInAll}
	if d.Network.FileMax <= 0 {
		x.d.Network.FileMax = envelope.FileMax
	}
	if d.Bodies != nil {
		x.pool = fetch.New(d.Bodies, d.Clock)
		x.fetched = x.pool.Results()
		x.fetching = make(map[int64]bool)
	}
	x.news.ready, x.receipts.ready = make(chan struct{}, 1), make(chan struct{}, 1)
	if d.Objects != nil {
		d.Objects.OnDone(func(key string, err error) {
			if row, frame, ok := parseKey(key); ok {
				x.news.put(news{row: row, frame: frame, err: err})
			}
		})
	}
	d.Trust.OnChange(func(c trust.Change) {
		select {
		case x.changes <- c:
		default: // so many at once: judge everything again
			x.changed.Store(true)
		}
	})
	return x
}

// Run reads the mailbox until ctx ends.
func (x *Intake) Run(ctx context.Context) error {
	if err := x.start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches := make(chan []Delivery)
	go x.fetch(ctx, batches)
	go x.passReceipts(ctx)
	go x.sendReceipts(ctx)
	if x.pool != nil {
		go x.pool.Run(ctx)
	}
	timer := x.d.Clock.NewTimer(0)
	defer timer.Stop()
	channels := x.d.Channels.Changed()
	for {
		var in input
		select {
		case <-ctx.Done():
			return nil
		case in.batch = <-batches:
		case v := <-x.verdicts:
			in.judged = append(in.judged, v)
		case r := <-x.fetched:
			in.bodies = x.moreBodies(r)
		case <-x.news.ready:
			in.news = x.moreNews()
		case a := <-x.standings:
			if x.byID[a.s.row.ID] == a.s {
				x.stands(a.s, a.err)
			}
		case out := <-x.sent:
			if !x.moreSent(out) {
				continue // the next round writes it: a receipt costs none of its own
			}
		case c := <-x.changes:
			in.changed = append(in.changed, c)
		case <-channels:
			channels = x.d.Channels.Changed()
			in.changed = append(in.changed, trust.Change{})
		case <-timer.Chan():
		}
		x.moreChanges(&in)
		x.turn(ctx, &in)
		if ctx.Err() != nil {
			return nil // what a round that was cut off left in memory is not to be used
		}
		stopTimer(timer)
		timer.Reset(x.untilNext())
	}
}

func stopTimer(t clockwork.Timer) {
	if !t.Stop() {
		select {
		case <-t.Chan():
		default:
		}
	}
}

// start reads what the loop needs from the store.
func (x *Intake) start(ctx context.Context) error {
	last, err := x.d.Store.Last(ctx)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	x.last = last
	x.r = &Round{}
	x.after = nil
	x.byID, x.bySID, x.lanes = make(map[int64]*session), make(map[envelope.Digest]*session), make(map[int64]*lane)
	x.lru, x.queue, x.dirty = nil, nil, nil
	x.roundID, x.roundD = make(map[int64][]byte), make(map[int64]envelope.Digest)
	if x.ids == nil {
		x.ids = newWindows()
		x.peers = newPeers(float64(x.d.Network.Cap) / (4 * x.d.Network.Retention.Seconds()))
	}
	clear(x.ids.lanes)
	x.ids.total = 0
	x.active, x.strange = make(map[int64]*session), make(map[strangerKey]*named)
	x.fullTo = 0
	x.due, x.streams = make(map[peerKey]*dueReceipt), make(map[string]*StreamRow)
	x.awaits, x.awaitsN = make(map[string]int), 0
	x.files, x.filesN = make(map[string]int), 0
	x.taken, x.takenN = make(map[string]share), 0
	if err := x.watchAgain(ctx); err != nil {
		return err
	}
	if x.parked, err = x.d.Store.ParkedBytes(ctx); err != nil {
		return fmt.Errorf("read parked messages: %w", err)
	}
	x.parkedN = 0
	for _, n := range x.parked {
		x.parkedN += n
	}
	if x.shares, err = x.d.Store.SenderBytes(ctx); err != nil {
		return fmt.Errorf("read shares: %w", err)
	}
	for after := int64(0); ; {
		rows, err := x.d.Store.Unsettled(ctx, after, 500)
		if err != nil {
			return fmt.Errorf("read sessions: %w", err)
		}
		for i := range rows {
			after = rows[i].ID
			s, err := x.adopt(ctx, &rows[i])
			if err != nil {
				return err
			}
			x.resume(s)
		}
		if len(rows) < 500 {
			return nil
		}
	}
}

// round decides about one batch, commits it and only then lets the world know.
func (x *Intake) round(ctx context.Context, in *input) error {
	x.r, x.after, x.told, x.begun, x.asked = &Round{}, x.after[:0], x.told[:0], 0, false
	clear(x.roundID)
	clear(x.roundD)
	for _, c := range in.changed {
		x.reconsider(c)
	}
	var again []*session
	for _, v := range in.judged {
		s, err := x.judged(ctx, v)
		if err != nil {
			return err
		}
		if s != nil {
			again = append(again, s)
		}
	}
	x.heardOf(in.news)
	items := make([]*item, 0, len(in.batch))
	for i := range in.batch {
		items = append(items, &item{Delivery: in.batch[i]})
	}
	for _, s := range again {
		more, err := x.unpark(ctx, s)
		if err != nil {
			return err
		}
		items = append(items, more...)
	}
	if err := x.take(ctx, items, x.bodies(in.bodies)); err != nil {
		return err
	}
	if err := x.tick(ctx); err != nil {
		return err
	}
	x.collectDirty()
	x.asked = true
	if err := x.d.Store.Commit(ctx, x.r); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	for _, it := range items {
		x.acknowledge(it.Ack)
	}
	topics := make(map[string]bool)
	for _, rows := range [2][]inbox.Row{x.r.Entries, x.r.Fill} {
		for i := range rows {
			if rows[i].Pos > 0 {
				topics[rows[i].Topic] = true
			}
		}
	}
	for _, list := range [2][]func(context.Context){x.told, x.after} {
		for _, f := range list {
			f(ctx)
		}
	}
	for t := range topics {
		x.d.Inbox.Released(t)
	}
	x.dispatch(ctx)
	return nil
}

// later runs f after the commit.
func (x *Intake) later(f func(context.Context)) { x.after = append(x.after, f) }

// waits reports whether an error heals by itself: what was judged is kept and
// judged again.
func waits(err error) bool {
	if errors.Is(err, trust.ErrAbsent) || errors.Is(err, envelope.ErrAhead) {
		return true
	}
	switch envelope.CodeOf(err) {
	case envelope.DIDStale, envelope.StatusStale, envelope.NoChannel, envelope.Throttled, "":
		return true
	}
	return false
}
