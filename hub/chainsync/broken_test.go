package chainsync_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/evm/contract"
	"github.com/digital-spine/spine/hub"
	"github.com/digital-spine/spine/hub/chainsync"
	"github.com/digital-spine/spine/internal/testkit"
)

// breaking makes one call break off.
type breaking struct {
	mu    sync.Mutex
	left  int  // calls until the one that breaks off
	after bool // it is made before
}

func call[T any](b *breaking, made func() (T, error)) (none T, err error) {
	b.mu.Lock()
	b.left--
	mine := b.left == 0
	b.mu.Unlock()
	if !mine {
		return made()
	}
	if b.after {
		if _, err := made(); err != nil {
			return none, err
		}
	}
	return none, context.Canceled
}

func (b *breaking) broke() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left <= 0
}

// paper is a chain on paper, and the registry that its blocks amount to. A word
// of a block is a name that is written, or the number of a DID that changed.
type paper struct {
	evm.Client
	b      *breaking
	mu     sync.Mutex
	blocks []string
}

func (p *paper) set(blocks ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blocks = blocks
}

func (p *paper) header(n int) *types.Header {
	return &types.Header{Number: big.NewInt(int64(n)), Extra: []byte(fmt.Sprintf("%q", p.blocks[:n+1])), Difficulty: new(big.Int)}
}

func (p *paper) HeaderByNumber(_ context.Context, n *big.Int) (*types.Header, error) {
	return call(p.b, func() (*types.Header, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if n == nil {
			return p.header(len(p.blocks) - 1), nil
		}
		if !n.IsInt64() || n.Int64() >= int64(len(p.blocks)) {
			return nil, ethereum.NotFound
		}
		return p.header(int(n.Int64())), nil
	})
}

var registry = common.Address{9}

func (p *paper) FilterLogs(_ context.Context, q ethereum.FilterQuery) ([]types.Log, error) {
	return call(p.b, func() (out []types.Log, err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for n := q.FromBlock.Uint64(); n <= q.ToBlock.Uint64() && n < uint64(len(p.blocks)); n++ {
			for i, word := range strings.Fields(p.blocks[n]) {
				l := types.Log{BlockNumber: n, BlockHash: p.header(int(n)).Hash(), Index: uint(i), Topics: []common.Hash{{1}, ens.Namehash(word)}}
				if len(word) == 1 {
					l.Address, l.Topics[1] = registry, common.BytesToHash([]byte(word))
				}
				out = append(out, l)
			}
		}
		return out, nil
	})
}

// written counts how often the chain wrote a name.
func (p *paper) written() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[string]int{}
	for _, b := range p.blocks {
		for _, word := range strings.Fields(b) {
			if len(word) > 1 {
				all[word]++
			}
		}
	}
	return all
}

func (p *paper) NameOf(_ context.Context, node [32]byte) (string, error) {
	return call(p.b, func() (string, error) {
		for name := range p.written() {
			if ens.Namehash(name) == node {
				return name, nil
			}
		}
		return "", ens.ErrNotFound
	})
}

func (p *paper) Name(_ context.Context, name string) (*ens.Record, error) {
	return call(p.b, func() (*ens.Record, error) {
		if p.written()[name] == 0 {
			return nil, ens.ErrNotFound
		}
		return &ens.Record{Name: name, Kind: ens.KindRole}, nil
	})
}

func (p *paper) Role(_ context.Context, name string) (*ens.RoleDefinition, error) {
	return call(p.b, func() (*ens.RoleDefinition, error) {
		n := p.written()[name]
		if n == 0 {
			return nil, ens.ErrNotFound
		}
		return &ens.RoleDefinition{Name: name, Version: uint64(n)}, nil
	})
}

// memory is a hub's store as far as it is used here.
type memory struct {
	hub.Store
	b      *breaking
	mu     sync.Mutex
	names  map[string]hub.Name
	roles  map[string]hub.Role
	at     map[string]uint64
	events []hub.Event
}

func (m *memory) write(f func(), events []hub.Event) error {
	_, err := call(m.b, func() (struct{}, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		f()
		m.events = append(m.events, events...)
		return struct{}{}, nil
	})
	return err
}

func (m *memory) PutName(_ context.Context, n *hub.Name, e []hub.Event) error {
	return m.write(func() { m.names[n.Name] = *n }, e)
}

func (m *memory) PutRole(_ context.Context, r *hub.Role, e []hub.Event) error {
	return m.write(func() { m.roles[r.Name] = *r }, e)
}

func (m *memory) DropName(_ context.Context, name string, e []hub.Event) error {
	return m.write(func() { delete(m.names, name); delete(m.roles, name) }, e)
}

func (m *memory) Append(_ context.Context, e []hub.Event) error { return m.write(func() {}, e) }

func (m *memory) SetCursor(ctx context.Context, name string, at uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.write(func() { m.at[name] = at }, nil)
}

func (m *memory) Cursor(_ context.Context, name string) (uint64, error) {
	return call(m.b, func() (uint64, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.at[name], nil
	})
}

func (m *memory) Name(_ context.Context, name string) (*hub.Name, error) {
	return call(m.b, func() (*hub.Name, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if n, ok := m.names[name]; ok {
			return &n, nil
		}
		return nil, hub.ErrNameUnknown
	})
}

func (m *memory) Role(_ context.Context, name string) (*hub.Role, error) {
	return call(m.b, func() (*hub.Role, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if r, ok := m.roles[name]; ok {
			return &r, nil
		}
		return nil, hub.ErrRoleUnknown
	})
}

func (m *memory) Names(_ context.Context, _, after string, _ int) ([]hub.Name, error) {
	return call(m.b, func() (out []hub.Name, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, name := range slices.Sorted(maps.Keys(m.names)) {
			if name > after && len(out) < 2 { // pages are short
				out = append(out, m.names[name])
			}
		}
		return out, nil
	})
}

// TestTheIndexFollowsWhateverBreaksOff has each call to chain and store break
// off in turn while a chain grows and is reorganised, also while the hub is
// down: in the end the index says what the chain says, and every change that
// came after the first reading was announced.
func TestTheIndexFollowsWhateverBreaksOff(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, restart := range []bool{false, true} {
			for n := 1; ; n++ {
				broke := false
				t.Run(fmt.Sprintf("call %d, made %v, restarted %v", n, after, restart), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { broke = breakOff(t, &breaking{left: n, after: after}, restart) })
				})
				if !broke {
					break
				}
			}
		}
	}
}

const (
	nameA, nameB = "a.roles.edge.iam.ewc", "b.roles.edge.iam.ewc"
	nameC, nameD = "c.roles.edge.iam.ewc", "d.roles.edge.iam.ewc"
)

func breakOff(t *testing.T, off *breaking, restart bool) bool {
	p := &paper{b: off, blocks: []string{"", nameA + " 0"}}
	m := &memory{b: off, names: map[string]hub.Name{}, roles: map[string]hub.Role{}, at: map[string]uint64{}}
	var sync *chainsync.Sync
	start := func() (stop func()) {
		var err error
		sync, err = chainsync.New(chainsync.Deps{Client: p, Contracts: contract.Addresses{DIDRegistry: registry}, Registry: p, Store: m,
			Interval: 5 * time.Second, Log: testkit.Logger(t)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- sync.Run(ctx) }()
		return func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	stop := start()
	pass := func(blocks ...string) {
		if len(blocks) > 0 {
			p.set(blocks...)
		}
		time.Sleep(7 * time.Second) // on the bubble's clock: one look at the head, two after a failure
		if restart && off.broke() {
			restart = false
			stop()
			stop = start()
		}
		time.Sleep(7 * time.Second)
	}
	resync := func(from uint64) {
		err := sync.Resync(t.Context(), from)
		if errors.Is(err, context.Canceled) {
			err = sync.Resync(t.Context(), from)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	pass()
	m.mu.Lock()
	if !off.broke() && len(m.events) > 0 {
		t.Errorf("what was there before is announced: %v", m.events)
	}
	m.mu.Unlock()
	pass("", nameA+" 0", nameB+" 1", nameA)
	pass("", nameA+" 0", nameC+" 2", nameA) // B was never made
	stop()
	p.set("", nameA+" 0", nameD+" 3", nameA, nameA+" 4") // nor was C
	stop = start()
	pass()
	resync(0)
	pass("", nameA+" 0", nameD+" 3", nameA, nameA+" 4", nameA+" 5")
	stop()

	for name, n := range p.written() {
		if r, ok := m.roles[name]; !ok || r.Version != uint64(n) {
			t.Errorf("%s is %d times on the chain, the index says %+v", name, n, r)
		}
		if _, ok := m.names[name]; !ok {
			t.Errorf("%s is not in the index", name)
		}
	}
	if len(m.names) != len(p.written()) || len(m.roles) != len(p.written()) {
		t.Errorf("the index has %v and %v, the chain %v", slices.Sorted(maps.Keys(m.names)), slices.Sorted(maps.Keys(m.roles)), p.written())
	}
	if at := m.at["chain"]; at != uint64(len(p.blocks)-1) {
		t.Errorf("the position is %d", at)
	}
	told := map[string]int{}
	for _, e := range m.events {
		told[e.Type+" "+e.Role+e.Subject[max(0, len(e.Subject)-2):]]++
	}
	for what, least := range map[string]int{"did 31": 1, "did 32": 1, "did 33": 1, "did 34": 1, "did 35": 1, "role " + nameA: 3, "role " + nameD: 1} {
		if told[what] < least {
			t.Errorf("%s was announced %d times: %v", what, told[what], told)
		}
	}
	if !off.broke() && told["did 35"] != 1 {
		t.Errorf("the feed repeats itself: %v", told)
	}
	return off.broke()
}
