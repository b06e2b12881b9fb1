package evm_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/google/go-cmp/cmp"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/evm"
)

// paper is a chain on paper: blocks with one log each, which a test may
// exchange, and an endpoint that it may switch off.
type paper struct {
	evm.Client
	mu     sync.Mutex
	blocks []string // what the log of each block says
	away   bool
	ranges []uint64
}

func (p *paper) set(blocks ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blocks = blocks
}

func (p *paper) off(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
}

func (p *paper) header(n int) *types.Header {
	// The hash of a block depends on all before it.
	return &types.Header{Number: big.NewInt(int64(n)), Extra: []byte(fmt.Sprint(p.blocks[:n+1])), Difficulty: new(big.Int)}
}

func (p *paper) HeaderByNumber(context.Context, *big.Int) (*types.Header, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away {
		return nil, errors.New("away")
	}
	return p.header(len(p.blocks) - 1), nil
}

func (p *paper) FilterLogs(_ context.Context, q ethereum.FilterQuery) ([]types.Log, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	low, high := q.FromBlock.Uint64(), q.ToBlock.Uint64()
	p.ranges = append(p.ranges, high-low+1)
	var out []types.Log
	for n := low; n <= high && n < uint64(len(p.blocks)); n++ {
		if p.blocks[n] == "" {
			continue
		}
		out = append(out, types.Log{BlockNumber: n, BlockHash: p.header(int(n)).Hash(), Data: []byte(p.blocks[n])})
	}
	slices.Reverse(out) // an endpoint need not sort
	return out, nil
}

func follow(p *paper, o evm.FollowerOptions) (f *evm.Follower, told func() []string) {
	f = evm.NewFollower(p, o)
	var mu sync.Mutex
	var all []string
	f.Subscribe(func(l evm.Log) {
		mu.Lock()
		defer mu.Unlock()
		word := string(l.Data)
		if l.Removed {
			word = "-" + word
		}
		all = append(all, word)
	})
	return f, func() []string {
		mu.Lock()
		defer mu.Unlock()
		out := all
		all = nil
		return out
	}
}

func TestFollowerDeliversInOrderAndOnce(t *testing.T) {
	p := &paper{blocks: []string{"", "a", "b"}}
	f, told := follow(p, evm.FollowerOptions{Range: 1, Reread: 4})
	steps := []struct {
		blocks []string
		want   []string
	}{
		{p.blocks, []string{"a", "b"}},
		{p.blocks, nil},
		{[]string{"", "a", "b", "", "c"}, []string{"c"}},
		{[]string{"", "a", "x", "", "y", "z"}, []string{"-c", "-b", "x", "y", "z"}},
		{[]string{"", "a", "x", "", "y"}, []string{"-z"}}, // shorter, same logs
		{[]string{"", "a", "x", "", "y", "z"}, []string{"z"}},
	}
	for i, s := range steps {
		p.set(s.blocks...)
		if err := f.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(s.want, told()); d != "" {
			t.Errorf("step %d: %s", i, d)
		}
	}
	for _, n := range p.ranges {
		if n > 4 {
			t.Errorf("a query spans %d blocks", n)
		}
	}
}

func TestFollowerFromHeadAndFrom(t *testing.T) {
	p := &paper{blocks: []string{"", "a", "b", "c"}}
	head, toldHead := follow(p, evm.FollowerOptions{FromHead: true})
	from, toldFrom := follow(p, evm.FollowerOptions{From: 2})
	for _, f := range []*evm.Follower{head, from} {
		if err := f.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]string(nil), toldHead()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"b", "c"}, toldFrom()); d != "" {
		t.Error(d)
	}
	p.set("", "a", "b", "c", "d")
	if err := head.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"d"}, toldHead()); d != "" {
		t.Error(d)
	}
}

func TestFollowerOnAnotherChain(t *testing.T) {
	blocks := make([]string, 100)
	blocks[99] = "old"
	p := &paper{blocks: blocks}
	f, told := follow(p, evm.FollowerOptions{Reread: 4})
	if err := f.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	told()
	p.set("", "new")
	if err := f.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"new"}, told()); d != "" {
		t.Error(d)
	}
}

func TestFollowerSurvivesItsEndpoint(t *testing.T) {
	p := &paper{blocks: []string{"", "a"}}
	clock := clockwork.NewFakeClock()
	f, told := follow(p, evm.FollowerOptions{Clock: clock, Interval: time.Second})
	heads := make(chan evm.Head, 16)
	f.OnHead(func(h evm.Head) { heads <- h })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	wait := func(n uint64) {
		t.Helper()
		select {
		case h := <-heads:
			if h.Number != n {
				t.Fatalf("head %d, want %d", h.Number, n)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("no head")
		}
	}
	tick := func(d time.Duration) {
		t.Helper()
		if err := clock.BlockUntilContext(ctx, 1); err != nil {
			t.Fatal(err)
		}
		clock.Advance(d)
	}
	wait(1)
	p.off(true)
	tick(time.Second)
	tick(2 * time.Second)
	p.set("", "a", "b", "c")
	p.off(false)
	tick(5 * time.Second)
	wait(3)
	if d := cmp.Diff([]string{"a", "b", "c"}, told()); d != "" {
		t.Error(d)
	}
	if h, ok := f.Head(); !ok || h.Number != 3 {
		t.Errorf("%+v, %v", h, ok)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestFollowerAgainstRandomChains: whatever is built and taken back, what was
// delivered and not taken back is what the chain holds.
func TestFollowerAgainstRandomChains(t *testing.T) {
	p := &paper{blocks: []string{""}}
	f := evm.NewFollower(p, evm.FollowerOptions{Reread: 6, Range: 3})
	held := map[common.Hash]string{}
	f.Subscribe(func(l evm.Log) {
		if _, ok := held[l.BlockHash]; ok != l.Removed {
			t.Fatalf("log %s twice, or taken back without having been there", l.Data)
		}
		if l.Removed {
			delete(held, l.BlockHash)
		} else {
			held[l.BlockHash] = string(l.Data)
		}
	})
	seed := uint64(1)
	next := func(n uint64) uint64 {
		seed = seed*6364136223846793005 + 1442695040888963407
		return (seed >> 33) % n
	}
	blocks := []string{""}
	for i := range 500 {
		back := int(next(5))
		blocks = slices.Clone(blocks[:max(1, len(blocks)-back)])
		for range back + int(next(4)) {
			word := ""
			if next(3) > 0 {
				word = fmt.Sprint(i, next(1000))
			}
			blocks = append(blocks, word)
		}
		p.set(blocks...)
		if err := f.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for i, word := range blocks {
		if word == "" {
			continue
		}
		n++
		if held[p.header(i).Hash()] != word {
			t.Errorf("block %d is missing", i)
		}
	}
	if len(held) != n {
		t.Errorf("%d logs are held, the chain has %d", len(held), n)
	}
}
