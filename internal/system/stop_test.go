package system

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/internal/testkit"
)

// made is a system whose life the test decides.
type made struct {
	name string
	run  func(ctx context.Context) error
}

func (m made) Name() string                  { return m.name }
func (m made) URL() string                   { return "http://" + m.name }
func (m made) Run(ctx context.Context) error { return m.run(ctx) }
func (m made) Close() error                  { return nil }

// Each system stops before those it uses, and they run until it has.
func TestSpineStopsInOrder(t *testing.T) {
	var mu sync.Mutex
	var order []string
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, what)
	}
	s := &Spine{clock: clockwork.NewFakeClock(), failed: make(chan struct{})}
	system := func(name string) System {
		return made{name, func(ctx context.Context) error {
			<-ctx.Done()
			note(name + " stops")
			note(name + " stopped")
			return nil
		}}
	}
	for _, name := range []string{"chain", "hub", "broker", "gateway"} {
		s.start(t.Context(), system(name))
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	want := []string{"gateway stops", "gateway stopped", "broker stops", "broker stopped", "hub stops", "hub stopped", "chain stops", "chain stopped"}
	if !reflect.DeepEqual(order, want) {
		t.Errorf("order %q", order)
	}
	if err := s.Close(); err != nil {
		t.Errorf("a second time: %v", err)
	}
	select {
	case <-s.Failed():
		t.Error("an orderly stop is told as a failure")
	default:
	}
}

// A system that fails, or ends without being asked, is told while the others
// run on; what goes wrong while one stops is told by Close.
func TestSpineTellsWhoFailed(t *testing.T) {
	broken := errors.New("the disk is gone")
	for name, run := range map[string]func(context.Context) error{
		"fails": func(context.Context) error { return broken },
		"ends":  func(context.Context) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := &Spine{clock: clockwork.NewFakeClock(), failed: make(chan struct{})}
			lives := make(chan struct{})
			s.start(t.Context(), made{"hub", func(ctx context.Context) error { <-ctx.Done(); close(lives); return errors.New("not flushed") }})
			s.start(t.Context(), made{"broker", run})
			select {
			case <-s.Failed():
			case <-testkit.Context(t).Done():
				t.Fatal("not told")
			}
			select {
			case <-lives:
				t.Error("the others were stopped too")
			default:
			}
			err := s.Close()
			if err == nil || !strings.Contains(err.Error(), "broker: ") || !strings.Contains(err.Error(), "hub: not flushed") {
				t.Errorf("close: %v", err)
			}
			if name == "fails" && !errors.Is(err, broken) {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// A system that hangs while it stops keeps neither the process nor the systems
// that it uses from stopping.
func TestStopIsBounded(t *testing.T) {
	clock := clockwork.NewFakeClock()
	s := &Spine{clock: clock, failed: make(chan struct{})}
	hang := make(chan struct{})
	defer close(hang)
	below := make(chan struct{})
	s.start(t.Context(), made{"broker", func(ctx context.Context) error { <-ctx.Done(); close(below); return nil }})
	s.start(t.Context(), made{"gateway", func(context.Context) error { <-hang; return nil }})
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	if err := clock.BlockUntilContext(testkit.Context(t), 1); err != nil {
		t.Fatal(err)
	}
	select {
	case <-below:
		t.Error("the broker was stopped before the gateway")
	default:
	}
	clock.Advance(StopTimeout)
	if err := <-closed; err == nil || !strings.Contains(err.Error(), "gateway: did not stop within") {
		t.Errorf("close: %v", err)
	}
	<-below
}

// A spine that cannot start says why.
func TestSpineThatCannotStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := StartSpine(testkit.Context(t), filepath.Join(file, "data"), nil, Base{Log: testkit.Logger(t)}); err == nil {
		t.Error("started below a file")
	}
}
