package fault

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/digital-spine/spine/internal/system"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/participant/market"
	"github.com/digital-spine/spine/test/processes"
)

// endpoints is what the test needs of the file of spine demo --endpoints.
type endpoints struct {
	RPC      string `json:"rpc"`
	Gateways []struct {
		Name string `json:"name"`
		DID  string `json:"did"`
	} `json:"gateways"`
}

// TestKillTheDemo kills the process that holds a whole spine and a market, now
// while it starts, now in the middle of a round, and starts it again on the
// same data.
func TestKillTheDemo(t *testing.T) {
	const devices = 1000
	ctx, cancel := context.WithTimeout(testkit.Context(t), 8*time.Minute)
	defer cancel()
	rng := seeded(t)
	dir := t.TempDir()
	data, file := filepath.Join(dir, "data"), filepath.Join(dir, "endpoints.json")
	demo := processes.NewProcess(t, "demo", data, filepath.Join(dir, "demo.log"),
		"demo", "--verbose", "--data", data, "--endpoints", file, "--devices", strconv.Itoa(devices))

	var at endpoints
	ready := func() {
		t.Helper()
		testkit.Eventually(t, ctx, "the demo to be ready", func() bool {
			if err := demo.Failed(); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(file)
			return err == nil && json.Unmarshal(b, &at) == nil
		})
	}
	start := func() {
		t.Helper()
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
		if err := demo.Start(); err != nil {
			t.Fatal(err)
		}
	}
	var before *head
	for range kills(8, 2) {
		start()
		if rng.IntN(4) == 0 { // anywhere, most often while it starts
			moment(rng, 2*time.Second)
		} else {
			ready()
			if before == nil {
				h := headOf(ctx, t, at.RPC)
				before = &h
			}
			moment(rng, 700*time.Millisecond)
		}
		t.Logf("kill after round %d", demoRound(data))
		if !demo.Kill() {
			t.Fatal(demo.Failed())
		}
	}
	start()
	ready()
	if before == nil {
		h := headOf(ctx, t, at.RPC)
		before = &h
	}
	dids, ledgers := make(map[string]string), make(map[string]string)
	for _, g := range at.Gateways {
		dids[g.DID] = g.Name
		ledgers[g.Name] = filepath.Join(data, "participants", g.Name, "ledger.jsonl")
	}

	// The round that was broken off is repeated, and one more is traded: then
	// every message that was sent is known to have been.
	last := demoRound(data) + 2
	testkit.Eventually(t, ctx, fmt.Sprintf("round %d", last), func() bool {
		if err := demo.Failed(); err != nil {
			t.Fatal(err)
		}
		return demoRound(data) >= last
	})
	var b *processes.Books
	begin := time.Now()
	wait, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for done := false; !done; {
		var err error
		if b, err = processes.ReadBooks(ledgers, dids); err != nil {
			t.Fatal(err)
		}
		rounds := demoRound(data)
		done = len(b.Lost())+len(b.Stray()) == 0 && b.ByParty[market.MarketOperator] == rounds*market.BidsPerRound &&
			b.ByParty[market.Aggregator] == rounds*(devices+market.BidsPerRound) && b.ByParty[market.NetworkOperator] == rounds*market.EnvelopesPerRound+market.Models(rounds)
		select {
		case <-wait.Done():
			t.Errorf("not drained after round %d: %s; sent %v", rounds, b, b.ByParty)
			done = true
		case <-tick.C:
		}
	}
	t.Logf("drained in %v: %s", time.Since(begin).Round(time.Millisecond), b)
	judge(t, b)
	intact(ctx, t, at.RPC, filepath.Join(data, system.NetworkFile), *before, nil)
	if err := demo.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// demoRound returns how many rounds the demo has done.
func demoRound(data string) (n int) {
	if b, err := os.ReadFile(filepath.Join(data, "round")); err == nil {
		fmt.Sscan(string(b), &n)
	}
	return n
}
