package evm

import (
	"context"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/jonboulle/clockwork"
)

// Defaults of FollowerOptions.
const (
	DefaultInterval = 250 * time.Millisecond
	DefaultRange    = 2_000
	DefaultReread   = 16
)

// maxBackoff bounds the pause after failures of the endpoint.
const maxBackoff = 5 * time.Second

// Log is one event of a contract. Removed is set when a reorganisation took
// back a log that had been delivered.
type Log = types.Log

// Head is the newest block of a chain at some moment.
type Head struct {
	Number uint64      `json:"number"`
	Hash   common.Hash `json:"hash"`
	Time   time.Time   `json:"time"`
}

// HeadOf takes what matters from a block header.
func HeadOf(h *types.Header) Head {
	return Head{Number: h.Number.Uint64(), Hash: h.Hash(), Time: time.Unix(int64(h.Time), 0).UTC()}
}

// FollowerOptions says what is followed, and how closely.
type FollowerOptions struct {
	Addresses []common.Address // contracts whose logs are delivered
	From      uint64           // first block to read
	FromHead  bool             // read only blocks after the head at the start; From is ignored
	Interval  time.Duration    // between looks at the head (DefaultInterval)
	Range     uint64           // most blocks of one log query (DefaultRange)
	Reread    uint64           // blocks read again at each new head (DefaultReread)
	Clock     clockwork.Clock
	Log       *slog.Logger
}

// Follower delivers the logs of contracts in chain order, at once and without
// waiting for confirmations. At each new head it reads the last blocks again:
// what a reorganisation took back is delivered again with Removed set, newest
// first, before what took its place. While the endpoint is away it tries on,
// and misses nothing.
type Follower struct {
	client Client
	o      FollowerOptions

	mu    sync.Mutex
	logs  map[int]func(Log)
	heads map[int]func(Head)
	id    int
	head  Head
	known bool

	// Used by the one goroutine that polls.
	polling sync.Mutex
	from    uint64
	next    uint64 // first block never read
	begun   bool
	seen    map[logKey]Log // what was delivered of the last Reread blocks
}

type logKey struct {
	block common.Hash
	index uint
}

// NewFollower prepares a follower; Run or Poll makes it read.
func NewFollower(c Client, o FollowerOptions) *Follower {
	if o.Interval <= 0 {
		o.Interval = DefaultInterval
	}
	if o.Range == 0 {
		o.Range = DefaultRange
	}
	if o.Reread == 0 {
		o.Reread = DefaultReread
	}
	// What is read again comes with one query, so that all that was taken back
	// is known before anything new is delivered.
	o.Range = max(o.Range, o.Reread)
	if o.Clock == nil {
		o.Clock = clockwork.NewRealClock()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Follower{
		client: c, o: o, from: o.From,
		logs: map[int]func(Log){}, heads: map[int]func(Head){}, seen: map[logKey]Log{},
	}
}

// Subscribe has fn called with every log from now on, one at a time, on the
// follower's goroutine. cancel ends it.
func (f *Follower) Subscribe(fn func(Log)) (cancel func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.id++
	id := f.id
	f.logs[id] = fn
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.logs, id)
	}
}

// OnHead has fn called when every log up to a head has been delivered, so
// that a subscriber can note how far it is. cancel ends it.
func (f *Follower) OnHead(fn func(Head)) (cancel func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.id++
	id := f.id
	f.heads[id] = fn
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.heads, id)
	}
}

// Head returns the head up to which everything was delivered.
func (f *Follower) Head() (Head, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.head, f.known
}

// Run follows until ctx ends.
func (f *Follower) Run(ctx context.Context) error {
	pause, failing := f.o.Interval, false
	for {
		err := f.Poll(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			if !failing {
				f.o.Log.Warn("the chain does not answer; trying on", "err", err)
			}
			failing, pause = true, min(pause*2, max(maxBackoff, f.o.Interval))
		default:
			if failing {
				f.o.Log.Info("the chain answers again")
			}
			failing, pause = false, f.o.Interval
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.o.Clock.After(pause):
		}
	}
}

// Poll looks at the head once and delivers what is new.
func (f *Follower) Poll(ctx context.Context) error {
	f.polling.Lock()
	defer f.polling.Unlock()
	header, err := f.client.HeaderByNumber(ctx, nil)
	if err != nil {
		return fmt.Errorf("evm: reading the head: %w", err)
	}
	head := HeadOf(header)
	if last, ok := f.Head(); ok && last.Hash == head.Hash {
		return nil
	}
	f.begin(head)
	f.next = min(f.next, max(head.Number+1, f.from))
	f.takeBack(func(l *Log) bool { return l.BlockNumber > head.Number })
	for low := f.low(); low <= head.Number; {
		high := min(low+f.o.Range-1, head.Number)
		if err := f.read(ctx, low, high); err != nil {
			return err
		}
		f.next = high + 1
		low = high + 1
	}
	f.forget(head.Number)
	f.mu.Lock()
	f.head, f.known = head, true
	f.mu.Unlock()
	for _, fn := range f.headSubscribers() {
		fn(head)
	}
	return nil
}

// begin settles the first block, at the start and when the chain is shorter
// than any reorganisation makes it: then it is another chain.
func (f *Follower) begin(head Head) {
	switch {
	case !f.begun:
		if f.o.FromHead {
			f.from = head.Number + 1
		}
		f.next, f.begun = f.from, true
	case head.Number+f.o.Reread < f.next && (f.o.FromHead || f.next > f.from):
		f.o.Log.Warn("the chain is shorter than before; reading it from the start", "head", head.Number, "before", f.next-1)
		if f.o.FromHead {
			f.from = min(f.from, head.Number+1)
		}
		f.next = f.from
		clear(f.seen)
	}
}

// low is the first block to read now.
func (f *Follower) low() uint64 {
	if f.next < f.from+f.o.Reread {
		return f.from
	}
	return f.next - f.o.Reread
}

// read delivers what is new in a range of blocks, after taking back what is
// no longer there.
func (f *Follower) read(ctx context.Context, low, high uint64) error {
	logs, err := f.client.FilterLogs(ctx, ethereum.FilterQuery{
		FromBlock: new(big.Int).SetUint64(low),
		ToBlock:   new(big.Int).SetUint64(high),
		Addresses: f.o.Addresses,
	})
	if err != nil {
		return fmt.Errorf("evm: reading logs of blocks %d to %d: %w", low, high, err)
	}
	there := make(map[logKey]bool, len(logs))
	for i := range logs {
		there[logKey{logs[i].BlockHash, logs[i].Index}] = true
	}
	f.takeBack(func(l *Log) bool {
		return l.BlockNumber >= low && l.BlockNumber <= high && !there[logKey{l.BlockHash, l.Index}]
	})
	slices.SortFunc(logs, order)
	for _, l := range logs {
		key := logKey{l.BlockHash, l.Index}
		if _, ok := f.seen[key]; ok || l.Removed {
			continue
		}
		f.seen[key] = l
		f.deliver(l)
	}
	return nil
}

// takeBack delivers again, as removed, what is no longer on the chain.
func (f *Follower) takeBack(gone func(*Log) bool) {
	var logs []Log
	for key, l := range f.seen {
		if gone(&l) {
			delete(f.seen, key)
			l.Removed = true
			logs = append(logs, l)
		}
	}
	slices.SortFunc(logs, func(a, b Log) int { return -order(a, b) })
	for _, l := range logs {
		f.deliver(l)
	}
}

// forget drops what a later poll will not read again.
func (f *Follower) forget(head uint64) {
	for key, l := range f.seen {
		if l.BlockNumber+f.o.Reread < head {
			delete(f.seen, key)
		}
	}
}

func (f *Follower) deliver(l Log) {
	f.mu.Lock()
	ids := make([]int, 0, len(f.logs))
	for id := range f.logs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	fns := make([]func(Log), len(ids))
	for i, id := range ids {
		fns[i] = f.logs[id]
	}
	f.mu.Unlock()
	for _, fn := range fns {
		fn(l)
	}
}

func (f *Follower) headSubscribers() []func(Head) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fns := make([]func(Head), 0, len(f.heads))
	for _, fn := range f.heads {
		fns = append(fns, fn)
	}
	return fns
}

func order(a, b Log) int {
	if a.BlockNumber != b.BlockNumber {
		if a.BlockNumber < b.BlockNumber {
			return -1
		}
		return 1
	}
	return int(a.Index) - int(b.Index)
}
