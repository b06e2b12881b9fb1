package events_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/events"
	"github.com/digital-spine/spine/internal/testkit"
)

var errDisk = errors.New("the disk of the store")

// breaking is a store in memory of which one call breaks off.
type breaking struct {
	mu    sync.Mutex
	rows  []gateway.Event
	left  int  // calls until the one that breaks off
	after bool // it is made all the same
}

func (b *breaking) Append(_ context.Context, list []gateway.Event, _ int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left--
	if b.left == 0 && !b.after {
		return errDisk
	}
	for i := range list {
		list[i].N = int64(len(b.rows) + 1)
		b.rows = append(b.rows, list[i])
	}
	if b.left == 0 {
		return errDisk
	}
	return nil
}

func (b *breaking) List(_ context.Context, after int64, _, _ string, max int) ([]gateway.Event, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left--; b.left == 0 {
		return nil, errDisk
	}
	rows := b.rows[min(after, int64(len(b.rows))):]
	return slices.Clone(rows[:min(max, len(rows))]), nil
}

func (b *breaking) Newest(context.Context, int64, string, string, int) ([]gateway.Event, error) {
	return nil, nil
}

func (b *breaking) Summary(context.Context, int64) ([]events.Count, error) { return nil, nil }

// TestEventsThatWereNotStoredAreStoredLater has each write break off in turn:
// every event is stored once, in order, whether the process goes on or stops.
func TestEventsThatWereNotStoredAreStoredLater(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, stops := range []bool{false, true} {
			for n := 1; n <= 3; n++ {
				t.Run(fmt.Sprintf("call %d, made %v, stops %v", n, after, stops), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						store := &breaking{left: n, after: after}
						r := events.New(store, clockwork.NewRealClock(), testkit.Logger(t))
						ctx, cancel := context.WithCancel(t.Context())
						ended := make(chan struct{})
						go func() {
							defer close(ended)
							_ = r.Run(ctx)
						}()
						var want []string
						for i := range 6 {
							code := fmt.Sprint(i)
							want = append(want, code)
							r.Emit(ctx, gateway.Event{Kind: "state", Code: code})
							if i%2 == 1 {
								synctest.Wait() // one write for two
							}
						}
						if !stops {
							<-time.After(time.Hour) // of the bubble's clock
							synctest.Wait()
						}
						cancel()
						<-ended
						var got []string
						for _, e := range store.rows {
							got = append(got, e.Code)
						}
						if !slices.Equal(got, want) {
							t.Errorf("stored are %v, expected %v", got, want)
						}
						if r.Dropped() > 0 {
							t.Errorf("%d were dropped", r.Dropped())
						}
					})
				})
			}
		}
	}
}
