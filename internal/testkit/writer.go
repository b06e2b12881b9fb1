package testkit

import (
	"strings"
	"sync"
	"testing"
)

// writer sends log lines to t.Log until the test is over: a goroutine that
// logs later would otherwise panic.
type writer struct {
	t    testing.TB
	mu   sync.Mutex
	done bool
}

func newWriter(t testing.TB) *writer {
	w := &writer{t: t}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.done = true
	})
	return w
}

func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.done {
		w.t.Log(strings.TrimRight(string(p), "\n"))
	}
	return len(p), nil
}
