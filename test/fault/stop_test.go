package fault

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/internal/system"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/participant/market"
	"github.com/digital-spine/spine/test/processes"
)

// TestStopUnderLoad stops a whole spine in this process while its market
// trades. Nothing of that is an error, and nothing is left behind.
func TestStopUnderLoad(t *testing.T) {
	ctx, cancel := context.WithTimeout(testkit.Context(t), 2*time.Minute)
	defer cancel()
	var logged lines
	s, err := system.StartSpine(ctx, t.TempDir(), market.Parties, system.Base{Log: slog.New(slog.NewTextHandler(&logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	gateways := make(map[string]*client.Client)
	for _, g := range s.Gateways {
		gateways[g.Name()] = client.New(g.URL(), g.APIKey())
	}
	chain := market.Chain{RPC: s.Chain.URL(), Contracts: s.Network.Contracts, Root: s.Chain.Faucet()}
	if err := market.Setup(ctx, chain, gateways); err != nil {
		t.Fatal(err)
	}
	run, stop := context.WithCancel(ctx)
	defer stop()
	var parties sync.WaitGroup
	var ledgers []*market.Ledger
	for _, name := range market.Parties {
		ledger, err := market.OpenLedger(filepath.Join(t.TempDir(), "ledger.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		ledgers = append(ledgers, ledger)
		p := &market.Participant{Party: name, Gateway: gateways[name], Ledger: ledger, Log: slog.New(slog.DiscardHandler), Fleet: market.Fleet{Size: 200, Seed: 1}}
		parties.Go(func() { _ = p.Run(run) })
		parties.Go(func() {
			for n := 1; run.Err() == nil; n++ {
				_ = p.Round(run, "stop", n, market.RoundStart(n)) // what it does after the spine stopped fails
			}
		})
	}
	for _, l := range ledgers {
		testkit.Eventually(t, ctx, "the market to trade", func() bool { return l.Counts().Sent > 0 && l.Counts().Received > 0 })
	}
	logged.reset() // what starts may find the others not there yet
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	stop()
	parties.Wait()
	for _, l := range ledgers {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if got := logged.String(); strings.Contains(got, "level=ERROR") {
		t.Errorf("an orderly stop was logged as errors:\n%s", got)
	}
	nothingRuns(ctx, t)
}

// TestStopWhatHalfStarted: what was started before something failed is stopped.
func TestStopWhatHalfStarted(t *testing.T) {
	ctx, cancel := context.WithTimeout(testkit.Context(t), time.Minute)
	defer cancel()
	s, err := system.StartSpine(ctx, t.TempDir(), []string{"gateway", "gateway"}, system.Base{Log: testkit.Logger(t)})
	if err == nil {
		s.Close()
		t.Fatal("two gateways run on the same data")
	}
	nothingRuns(ctx, t)
}

// nothingRuns waits until no goroutine is left but the test's.
func nothingRuns(ctx context.Context, t *testing.T) {
	t.Helper()
	wait, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		left := leftovers()
		if len(left) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-wait.Done():
			t.Fatalf("%d goroutines are left behind:\n\n%s", len(left), strings.Join(left, "\n\n"))
		}
	}
}

// leftovers returns the stacks of goroutines that run neither the tests nor what
// a library starts once for the whole process.
func leftovers() (left []string) {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	for _, stack := range strings.Split(string(buf), "\n\n") {
		mine := false
		for _, known := range []string{"testing.tRunner(", "testing.(*M).", "testing.runTests(", "os/signal.loop(", "core.(*txSenderCacher).cache("} {
			mine = mine || strings.Contains(stack, known)
		}
		if !mine {
			left = append(left, stack)
		}
	}
	return left
}

// lines gathers what is logged.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lines) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

// TestStopTheDemo asks the demo to stop as supervisors do, now while it trades
// and now while it rests: once, or twice at once.
func TestStopTheDemo(t *testing.T) {
	ctx, cancel := context.WithTimeout(testkit.Context(t), 3*time.Minute)
	defer cancel()
	rng := seeded(t)
	dir := t.TempDir()
	data, log, file := filepath.Join(dir, "data"), filepath.Join(dir, "demo.log"), filepath.Join(dir, "endpoints.json")
	demo := processes.NewProcess(t, "demo", data, log, "demo", "--verbose", "--data", data, "--endpoints", file, "--devices", "300")
	for n := range kills(4, 2) {
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
		if err := demo.Start(); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, ctx, "the demo to be ready", func() bool {
			if err := demo.Failed(); err != nil {
				t.Fatal(err)
			}
			_, err := os.Stat(file)
			return err == nil
		})
		moment(rng, 2*time.Second)
		for range 1 + n%2 {
			if err := demo.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
		}
		demo.Wait(ctx)
		if err := demo.Ended(); err != nil {
			t.Errorf("did not stop in order: %v", err)
		}
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("level=ERROR")) || bytes.Contains(b, []byte("panic")) {
		t.Errorf("an orderly stop was logged as errors:\n%s", b)
	}
}

// TestStopTheDemoEarly stops a demo in a temporary folder at any moment: the
// folder goes, and the status says that it was not done.
func TestStopTheDemoEarly(t *testing.T) {
	ctx, cancel := context.WithTimeout(testkit.Context(t), 3*time.Minute)
	defer cancel()
	rng := seeded(t)
	dir := t.TempDir()
	tmp := filepath.Join(dir, "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", tmp)
	demo := processes.NewProcess(t, "demo", "", filepath.Join(dir, "demo.log"), "demo", "--once", "--verbose", "--file-mb", "5")
	for range kills(8, 3) {
		if err := demo.Start(); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, ctx, "the demo's folder", func() bool {
			left, err := os.ReadDir(tmp)
			return err == nil && len(left) > 0
		})
		moment(rng, 3*time.Second)
		if err := demo.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		demo.Wait(ctx)
		var exit *exec.ExitError
		if err := demo.Ended(); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 130) {
			t.Errorf("ended with %v", err)
		}
		left, err := os.ReadDir(tmp)
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	}
	b, err := os.ReadFile(demo.Log)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("level=ERROR")) || bytes.Contains(b, []byte("panic")) {
		t.Errorf("an orderly stop was logged as errors:\n%s", b)
	}
}
