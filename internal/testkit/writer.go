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
	once sync.Once
	mu   sync.Mutex
	done bool
}

func (w *writer) Write(p []byte) (int, error) {
	w.once.Do(func() {
		w.t.Cleanup(func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.done = true
		})
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.done {
		w.t.Log(strings.TrimRight(string(p), "\n"))
	}
	return len(p), nil
}
