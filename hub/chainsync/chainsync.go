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
	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/evm/contract"
	"github.com/digital-spine/spine/hub"
	"github.com/digital-spine/spine/internal/problem"
)

const (
	// cursor is the name of the position in the store.
	cursor = "chain"
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

	mu      sync.Mutex
	pending map[touched]struct{}
	order   []touched
	head    uint64 // every log up to it has been delivered
	reached bool   // a head was reached since the start
	synced  bool   // and everything up to one was read
	quiet   bool   // the first reading of a chain announces nothing
	restart context.CancelFunc

	work chan struct{} // there is something to read, or a new head
	room chan struct{} // closed when pending shrank
}

// touched is a node or an identity that an event was about.
type touched struct {
	node     [32]byte
	identity common.Address // set for DIDs; node is zero then
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
	return &Sync{d: d, reader: NewReader(d.Registry, d.ChainID), pending: make(map[touched]struct{}),
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
	read, err := s.d.Store.Cursor(ctx, cursor)
	if err != nil {
		return err
	}
	if from > read {
		return errAhead.With("block", read)
	}
	if err := s.d.Store.SetCursor(ctx, cursor, from); err != nil {
		return err
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
	from, err := s.d.Store.Cursor(ctx, cursor)
	if err != nil {
		return err
	}
	s.mu.Lock()
	clear(s.pending)
	s.order, s.head, s.reached, s.quiet = nil, 0, false, from == 0
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
		s.head, s.reached = h.Number, true
		s.mu.Unlock()
		s.signal()
	})()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return f.Run(ctx) })
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
	for {
		s.mu.Lock()
		_, known := s.pending[t]
		if known || len(s.pending) < maxPending {
			if !known {
				s.pending[t] = struct{}{}
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
			t, quiet, ok := s.take()
			if !ok {
				break
			}
			if err := s.update(ctx, t, quiet); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				s.putBack(t)
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
func (s *Sync) take() (t touched, quiet, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.order) == 0 {
		return t, s.quiet, false
	}
	t = s.order[0]
	s.order = s.order[1:]
	delete(s.pending, t)
	close(s.room)
	s.room = make(chan struct{})
	return t, s.quiet, true
}

// putBack makes an entry the next one to be read.
func (s *Sync) putBack(t touched) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.pending[t]; !ok {
		s.pending[t] = struct{}{}
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
	if err := s.d.Store.SetCursor(ctx, cursor, head); err != nil {
		return err
	}
	s.mu.Lock()
	s.synced, s.quiet = true, false
	s.mu.Unlock()
	return nil
}

// update brings the index up to date with one node or identity.
func (s *Sync) update(ctx context.Context, t touched, quiet bool) error {
	now := s.d.Clock.Now().UnixMilli()
	if t.identity != (common.Address{}) {
		if quiet {
			return nil
		}
		return s.announced(s.d.Store.Append(ctx, []hub.Event{{Type: hub.EventDID, Subject: s.reader.did(t.identity), At: now}}))
	}
	name, err := s.d.Registry.NameOf(ctx, t.node)
	if errors.Is(err, ens.ErrNotFound) || errors.Is(err, ens.ErrName) {
		return nil // a node without a name record is none of ours yet
	}
	if err != nil {
		return err
	}
	n, err := s.reader.Name(ctx, name)
	if errors.Is(err, hub.ErrNameUnknown) {
		return s.drop(ctx, name, now, quiet)
	}
	if err != nil {
		return err
	}
	return s.put(ctx, n, now, quiet)
}

// put writes a name and, for a role, its definition, announcing what changed.
func (s *Sync) put(ctx context.Context, n *hub.Name, now int64, quiet bool) error {
	old, err := s.d.Store.Name(ctx, n.Name)
	if err != nil && !errors.Is(err, hub.ErrNameUnknown) {
		return err
	}
	if err != nil || old.Kind != n.Kind || old.Owner != n.Owner || string(old.Metadata) != string(n.Metadata) {
		var events []hub.Event
		if !quiet {
			events = []hub.Event{{Type: hub.EventName, Subject: n.Name, At: now}}
		}
		if err := s.announced(s.d.Store.PutName(ctx, n, events)); err != nil {
			return err
		}
	}
	if n.Kind != string(ens.KindRole) {
		return nil
	}
	r, err := s.reader.Role(ctx, n.Name)
	if errors.Is(err, hub.ErrRoleUnknown) || errors.Is(err, ens.ErrName) {
		return nil
	}
	if err != nil {
		return err
	}
	var events []hub.Event
	if !quiet {
		events = []hub.Event{{Type: hub.EventRole, Role: r.Name, At: now}}
	}
	return s.announced(s.d.Store.PutRole(ctx, r, events))
}

// drop forgets a name that nobody owns any more.
func (s *Sync) drop(ctx context.Context, name string, now int64, quiet bool) error {
	if _, err := s.d.Store.Name(ctx, name); errors.Is(err, hub.ErrNameUnknown) {
		return nil
	}
	var events []hub.Event
	if !quiet {
		events = []hub.Event{{Type: hub.EventName, Subject: name, At: now}, {Type: hub.EventRole, Role: name, At: now}}
	}
	return s.announced(s.d.Store.DropName(ctx, name, events))
}

func (s *Sync) announced(err error) error {
	if err == nil {
		s.d.Wake()
	}
	return err
}
