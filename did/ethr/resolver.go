package ethr

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/did"
	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/internal/problem"
)

// Defaults and bounds of a Resolver.
const (
	DefaultTTL     = 5 * time.Minute
	DefaultEntries = 10_000

	// maxEvents and maxValues bound what is read about one DID: its changes,
	// and the bytes of all attribute values. maxWeight bounds the bytes of
	// values that are kept of all. Writing to a registry is open to everybody.
	maxEvents = 2_000
	maxValues = 256 << 10
	maxWeight = 64 << 20
	// namedPeriod is the time between blocks of the chains with a name.
	namedPeriod = 5 * time.Second
	// headSlack is what a head may be old beyond two block periods.
	headSlack = 60 * time.Second
)

// Errors by code.
var (
	// ErrStale: the state cannot be read at a fresh head, or the events that
	// make it up do not link. It passes; ask again.
	ErrStale = problem.New(503, "did_stale", "no fresh state of the DID")
	// ErrNotEntitled: the address may not sign for the DID.
	ErrNotEntitled = problem.New(403, "cert", "not a key that may sign for the DID")
	// ErrNetwork: the DID lives on another chain than the one configured.
	ErrNetwork = problem.New(422, "did_network", "the DID belongs to another chain")
)

// Options of a Resolver. The zero value gives the defaults.
type Options struct {
	TTL     time.Duration // how long a state is used again (DefaultTTL)
	Entries int           // most states kept (DefaultEntries)
	// BlockPeriod is the chain's time between blocks; a head older than two of
	// them and 60 s is refused. Zero takes that of a chain with a name (EWC and
	// Volta: 5 s). For other chains it means none: blocks come with
	// transactions, and a head may be of any age.
	BlockPeriod time.Duration
}

// Resolver reads the states of DIDs of one chain from its ERC-1056 registry.
// It is safe for concurrent use; readers of one DID share a look-up.
type Resolver struct {
	client   evm.Client
	registry common.Address
	chainID  uint64
	clock    clockwork.Clock
	o        Options

	mu      sync.Mutex
	entries map[common.Address]*entry
	flights map[common.Address]*flight
	weight  int // bytes of the values in entries
}

type entry struct {
	state *State
	until time.Time
}

type flight struct {
	done  chan struct{}
	state *State
	err   error
	void  bool // an event came while it was under way
}

// NewResolver makes a resolver for the DIDs of one chain.
func NewResolver(c evm.Client, registry common.Address, chainID uint64, clock clockwork.Clock, o Options) *Resolver {
	if o.TTL <= 0 {
		o.TTL = DefaultTTL
	}
	if o.Entries <= 0 {
		o.Entries = DefaultEntries
	}
	if o.BlockPeriod == 0 && (chainID == ChainEWC || chainID == ChainVolta) {
		o.BlockPeriod = namedPeriod
	}
	if clock == nil {
		clock = clockwork.NewRealClock()
	}
	return &Resolver{
		client: c, registry: registry, chainID: chainID, clock: clock, o: o,
		entries: map[common.Address]*entry{}, flights: map[common.Address]*flight{},
	}
}

// State returns the state of a DID in normal form, at most TTL old. Errors
// are did.ErrSyntax, ErrNetwork or ErrStale. The state is shared: read it only.
func (r *Resolver) State(ctx context.Context, d string) (*State, error) {
	id, err := Parse(d)
	if err != nil {
		return nil, err
	}
	if id.ChainID != r.chainID {
		return nil, ErrNetwork
	}
	for {
		s, f, mine := r.begin(id.Address)
		if s != nil {
			return s, nil
		}
		if mine {
			// The look-up outlives the caller who began it, since others may wait
			// for it; the client bounds its calls.
			go r.fly(context.WithoutCancel(ctx), id, f)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.done:
		}
		if f.void {
			continue
		}
		return f.state, f.err
	}
}

// Entitled says whether an address may sign for a DID: nil, ErrNotEntitled
// (code cert) or an error of State.
func (r *Resolver) Entitled(ctx context.Context, d string, signer common.Address) error {
	s, err := r.State(ctx, d)
	if err != nil {
		return err
	}
	if !s.MaySign(signer) {
		return ErrNotEntitled
	}
	return nil
}

// Document returns the DID document that the state amounts to.
func (r *Resolver) Document(ctx context.Context, d string) (*did.Document, error) {
	s, err := r.State(ctx, d)
	if err != nil {
		return nil, err
	}
	return s.Document(), nil
}

// Resolve implements did.Resolver.
func (r *Resolver) Resolve(ctx context.Context, d string) (*did.Document, error) {
	return r.Document(ctx, d)
}

// Drop forgets what is known of an address; a look-up under way is repeated.
func (r *Resolver) Drop(a common.Address) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.evict(a)
	if f := r.flights[a]; f != nil {
		f.void = true
		delete(r.flights, a)
	}
}

// Watch drops states at the events that a follower of the registry delivers.
// stop ends it.
func (r *Resolver) Watch(f *evm.Follower) (stop func()) {
	return f.Subscribe(func(l evm.Log) {
		if a, ok := r.Identity(l); ok {
			r.Drop(a)
		}
	})
}

// Identity returns the DID's address that a log of the registry is about.
func (r *Resolver) Identity(l evm.Log) (common.Address, bool) {
	if l.Address != r.registry || len(l.Topics) < 2 {
		return common.Address{}, false
	}
	return common.BytesToAddress(l.Topics[1][12:]), true
}

// begin finds a state in the cache, or the look-up to wait for; mine says that
// the caller has to make it.
func (r *Resolver) begin(a common.Address) (s *State, f *flight, mine bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[a]; e != nil {
		if r.clock.Now().Before(e.until) && r.fresh(e.state.Head) == nil {
			return e.state, nil, false
		}
		r.evict(a)
	}
	if f := r.flights[a]; f != nil {
		return nil, f, false
	}
	f = &flight{done: make(chan struct{})}
	r.flights[a] = f
	return nil, f, true
}

func (r *Resolver) fly(ctx context.Context, id ID, f *flight) {
	s, err := r.read(ctx, id)
	if err != nil {
		err = ErrStale.Wrap(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	defer close(f.done)
	f.state, f.err = s, err
	if f.void {
		return
	}
	delete(r.flights, id.Address)
	if err != nil {
		return
	}
	size := s.size()
	for a := range r.entries { // in any order: that of a map is as good as random
		if len(r.entries) < r.o.Entries && r.weight+size <= maxWeight {
			break
		}
		r.evict(a)
	}
	r.weight += size
	// A delegate that runs out earlier ends the state with it.
	until := r.clock.Now().Add(r.o.TTL)
	r.entries[id.Address] = &entry{state: s, until: earlier(until, s.expiry())}
}

func (r *Resolver) evict(a common.Address) {
	if e := r.entries[a]; e != nil {
		r.weight -= e.state.size()
		delete(r.entries, a)
	}
}

// fresh says why a head is too old to judge by, or nil.
func (r *Resolver) fresh(h Head) error {
	if r.o.BlockPeriod <= 0 {
		return nil
	}
	if age := r.clock.Since(h.Time); age > 2*r.o.BlockPeriod+headSlack {
		return fmt.Errorf("the chain head is %s old", age.Truncate(time.Second))
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
