package chainsync

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/jonboulle/clockwork"
	"golang.org/x/sync/errgroup"

	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/evm/contract"
	"github.com/digital-spine/spine/hub"
	"github.com/digital-spine/spine/internal/problem"
)

const (
	// cursor is the name of the position in the store, cursorHash that of what
	// the block there was, cursorTold that of the block up to which a Resync
	// finds everything announced.
	cursor     = "chain"
	cursorHash = "chain-hash"
	cursorTold = "chain-told"
	// maxPending bounds what was touched and is not read yet; the follower
	// waits above it.
	maxPending = 20_000
	// retryAfter is the pause after a failed read.
	retryAfter = 500 * time.Millisecond
)

// topicNewOwner is the one event whose first topic is the parent of the node
// that it is about.
var topicNewOwner = crypto.Keccak256Hash([]byte("NewOwner(bytes32,bytes32,address)"))

// Deps are what a Sync is made of.
type Deps struct {
	Client    evm.Client
	Contracts contract.Addresses
	ChainID   uint64
	Registry  Registry
	Store     hub.Store
	Wake      func()         // called after events were written
	DIDs      *ethr.Resolver // its states are dropped at events; may be nil
	Interval  time.Duration  // between looks at the head, evm.DefaultInterval when 0
	Clock     clockwork.Clock
	Log       *slog.Logger
}

// Sync follows the chain. Its methods may be called from many goroutines.
type Sync struct {
	d      Deps
	reader *Reader

	// placing is held while the position is written, and until a follower that
	// would write another is told to end. It comes before mu.
	placing sync.Mutex

	mu      sync.Mutex
	pending map[touched]why
	order   []touched
	head    evm.Head // every log up to it has been delivered
	reached bool     // a head was reached since the start
	synced  bool     // and everything up to one was read
	told    uint64   // block up to which everything was announced, or never will be
	restart context.CancelFunc

	work chan struct{} // there is something to read, or a new head
	room chan struct{} // closed when pending shrank
}

// touched is a node or an identity that an event was about.
type touched struct {
	node     [32]byte
	identity common.Address // set for DIDs; node is zero then
}

// why tells what is to be done about something that was touched.
type why struct {
	announce bool // also when the index says the same: the event was not told of yet
	removed  bool // the chain may have taken it back, and know nothing of it any more
}

// New makes a Sync; Run makes it follow.
func New(d Deps) (*Sync, error) {
	if d.Client == nil || d.Registry == nil || d.Store == nil {
		return nil, errors.New("chainsync: a dependency is missing")
	}
	if d.Wake == nil {
		d.Wake = func() {}
	}
	if d.Clock == nil {
		d.Clock = clockwork.NewRealClock()
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Sync{d: d, reader: NewReader(d.Registry, d.ChainID), pending: make(map[touched]why),
		work: make(chan struct{}, 1), room: make(chan struct{})}, nil
}

// Reader returns the reader that answers from the chain directly.
func (s *Sync) Reader() *Reader { return s.reader }

// Run follows the chain until ctx ends. After Resync it begins again.
func (s *Sync) Run(ctx context.Context) error {
	for {
		inner, cancel := context.WithCancel(ctx)
		s.mu.Lock()
		s.restart = cancel
		s.mu.Unlock()
		err := s.follow(inner)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			s.d.Log.Warn("chain index stopped; trying again", "err", err)
			select {
			case <-ctx.Done():
				return nil
			case <-s.d.Clock.After(retryAfter):
			}
		}
	}
}

// Ready returns an error until the index has reached the head of the chain
// once.
func (s *Sync) Ready(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.synced {
		return problem.New(503, "chain_behind", "the chain has not been read up to its head yet")
	}
	return nil
}

// errAhead refuses a place that was not read yet: what happens until the chain
// gets there would never be heard of.
var errAhead = problem.New(422, "block_ahead", "the chain has not been read up to this block yet").WithHint("name a block to read again from; 0 reads everything")

// Resync reads everything again from a block on.
func (s *Sync) Resync(ctx context.Context, from uint64) error {
	s.placing.Lock()
	defer s.placing.Unlock()
	read, err := s.d.Store.Cursor(ctx, cursor)
	if err != nil {
		return err
	}
	if from > read {
		return errAhead.With("block", read)
	}
	told, err := s.d.Store.Cursor(ctx, cursorTold)
	if err != nil {
		return err
	}
	// The hash is that of another block from here on.
	for _, c := range []struct {
		name string
		at   uint64
	}{{cursorTold, max(told, read)}, {cursorHash, 0}, {cursor, from}} {
		if err := s.d.Store.SetCursor(ctx, c.name, c.at); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.restart != nil {
		s.restart()
	}
	return nil
}

// follow runs one follower and the reading of what it delivers.
func (s *Sync) follow(ctx context.Context) error {
	from, told, changed, err := s.begin(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	clear(s.pending)
	s.order, s.head, s.reached, s.told = nil, evm.Head{}, false, told
	s.mu.Unlock()
	a := s.d.Contracts
	f := evm.NewFollower(s.d.Client, evm.FollowerOptions{
		Addresses: []common.Address{a.ENSRegistry, a.Resolver, a.DomainNotifier, a.DIDRegistry},
		From:      from, Interval: s.d.Interval, Clock: s.d.Clock, Log: s.d.Log,
	})
	if s.d.DIDs != nil {
		// Before the own subscription: who hears of a change from the feed must
		// not be answered with the state before it.
		defer s.d.DIDs.Watch(f)()
	}
	defer f.Subscribe(func(l evm.Log) { s.note(ctx, l) })()
	defer f.OnHead(func(h evm.Head) {
		s.mu.Lock()
		s.head, s.reached = h, true
		s.told = 0 // what comes from now on is news, in whatever block it is
		s.mu.Unlock()
		s.signal()
	})()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if changed {
			if err := s.recheck(ctx); err != nil {
				return err
			}
		}
		return f.Run(ctx)
	})
	g.Go(func() error { return s.read(ctx) })
	return g.Wait()
}

func (s *Sync) signal() {
	select {
	case s.work <- struct{}{}:
	default:
	}
}

// note remembers what a log is about.
func (s *Sync) note(ctx context.Context, l evm.Log) {
	t, ok := s.about(l)
	if !ok {
		return
	}
	s.mu.Lock()
	announce := l.Removed || l.BlockNumber > s.told
	s.mu.Unlock()
	s.enter(ctx, t, why{announce: announce, removed: l.Removed})
}

// enter has something read, waiting while there is too much to read.
func (s *Sync) enter(ctx context.Context, t touched, w why) {
	for {
		s.mu.Lock()
		old, known := s.pending[t]
		if known || len(s.pending) < maxPending {
			s.pending[t] = why{old.announce || w.announce, old.removed || w.removed}
			if !known {
				s.order = append(s.order, t)
			}
			s.mu.Unlock()
			return
		}
		room := s.room
		s.mu.Unlock()
		s.signal()
		select {
		case <-ctx.Done():
			return
		case <-room:
		}
	}
}

// about tells which node or identity a log concerns.
func (s *Sync) about(l evm.Log) (touched, bool) {
	if len(l.Topics) < 2 {
		return touched{}, false
	}
	switch l.Address {
	case s.d.Contracts.DIDRegistry:
		return touched{identity: common.BytesToAddress(l.Topics[1][12:])}, true
	case s.d.Contracts.ENSRegistry:
		if l.Topics[0] == topicNewOwner {
			if len(l.Topics) < 3 {
				return touched{}, false
			}
			return touched{node: crypto.Keccak256Hash(l.Topics[1][:], l.Topics[2][:])}, true
		}
	}
	return touched{node: l.Topics[1]}, true
}

// read works off what was touched, and notes the position when nothing is
// left up to a head.
func (s *Sync) read(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.work:
		}
		for {
			t, w, ok := s.take()
			if !ok {
				break
			}
			if err := s.update(ctx, t, w); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				s.putBack(t, w)
				s.d.Log.Warn("cannot read what an event is about; trying on", "err", err)
				select {
				case <-ctx.Done():
					return nil
				case <-s.d.Clock.After(retryAfter):
				}
			}
		}
		if err := s.settle(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// take removes the oldest entry before it is read, so that an event that comes
// meanwhile enters it again.
func (s *Sync) take() (t touched, w why, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.order) == 0 {
		return t, w, false
	}
	t = s.order[0]
	w = s.pending[t]
	s.order = s.order[1:]
	delete(s.pending, t)
	close(s.room)
	s.room = make(chan struct{})
	return t, w, true
}

// putBack makes an entry the next one to be read.
func (s *Sync) putBack(t touched, w why) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.pending[t]
	s.pending[t] = why{old.announce || w.announce, old.removed || w.removed}
	if !ok {
		s.order = append([]touched{t}, s.order...)
	}
}

// settle notes the position in the store once everything up to a head is read.
func (s *Sync) settle(ctx context.Context) error {
	s.mu.Lock()
	head, ok := s.head, s.reached && len(s.order) == 0
	s.mu.Unlock()
	if !ok {
		return nil
	}
	s.placing.Lock()
	defer s.placing.Unlock()
	if ctx.Err() != nil {
		return nil // a Resync has set another
	}
	// A stop between the two leaves a hash that does not fit: everything is
	// looked at again then.
	if err := s.d.Store.SetCursor(ctx, cursorHash, hashed(head.Hash)); err != nil {
		return err
	}
	if err := s.d.Store.SetCursor(ctx, cursor, head.Number); err != nil {
		return err
	}
	s.mu.Lock()
	s.synced = true
	s.mu.Unlock()
	return nil
}
