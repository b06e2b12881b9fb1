package intake_test

import (
	"context"
	"testing"
	"time"

	"github.com/digital-spine/spine/gateway/intake"
)

// counting counts the transactions of a store.
type counting struct {
	intake.Store
	n *int
}

func (c counting) Commit(ctx context.Context, r *intake.Round) error {
	if !r.Empty() {
		*c.n++
	}
	return c.Store.Commit(ctx, r)
}

// A message of a session in which all is well costs one transaction; that its
// receipt was sent costs none of its own.
func TestWhatAMessageCosts(t *testing.T) {
	alone(t, func(t *testing.T, w *world) {
		w.halt()
		commits := 0
		w.wrap = func(s intake.Store) intake.Store { return counting{s, &commits} }
		w.start()
		f := opened(w)
		w.pass(20 * time.Second)
		before := commits
		const n = 20
		for range n {
			f.s.send(f.seal().Bytes())
			w.pass(3 * time.Second)
		}
		w.upto(f, n)
		w.receive(n)
		if got := commits - before; got < n || got > n+n/10 {
			t.Fatalf("%d messages cost %d transactions", n, got)
		}
	})
}
