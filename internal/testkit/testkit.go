// Package testkit holds what tests of every room need: a logger that writes to
// the test, a context that ends with it, and skips that CI turns into failures.
//
// It is not for production code, and it knows nothing of any room.
package testkit

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"
)

// NoSkip reports whether SPINE_TEST_NOSKIP=1 forbids skipping.
func NoSkip() bool { return os.Getenv("SPINE_TEST_NOSKIP") == "1" }

// Skip skips the test with a reason, or fails it when SPINE_TEST_NOSKIP=1.
func Skip(t testing.TB, reason string) {
	t.Helper()
	if NoSkip() {
		t.Fatalf("would skip, but SPINE_TEST_NOSKIP=1: %s", reason)
	}
	t.Skip(reason)
}

// Context returns a context that ends with the test, at the latest 10 s before
// its deadline, so that what waits on it can still say what it waited for.
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx := context.Background()
	if d, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if at, has := d.Deadline(); has {
			c, cancel := context.WithDeadline(ctx, at.Add(-10*time.Second))
			t.Cleanup(cancel)
			return c
		}
	}
	c, cancel := context.WithCancel(ctx)
	t.Cleanup(cancel)
	return c
}

// Logger returns a logger that writes to the test's log; it is quiet unless
// the test fails or runs with -v.
func Logger(t testing.TB) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(newWriter(t), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Eventually waits until ok returns true, trying again every few milliseconds,
// and fails the test with what when ctx ends first. It is for conditions in
// another process or behind a socket, where no event can be waited for.
func Eventually(t testing.TB, ctx context.Context, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s: %v", what, ctx.Err())
		case <-tick.C:
		}
	}
}
