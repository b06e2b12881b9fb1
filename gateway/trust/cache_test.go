package trust

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/envelope"
)

func TestCacheSharesOneLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := clockwork.NewFakeClockAt(t0)
		c := newCache[string, int](clock, 10, time.Minute)
		release := make(chan struct{})
		var loads atomic.Int32
		load := func(context.Context) (int, time.Time, error) {
			n := loads.Add(1)
			<-release
			return int(n), clock.Now().Add(time.Hour), nil
		}
		first, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.get(first, "a", load); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		for range 50 {
			wg.Go(func() {
				if v, err := c.get(ctx, "a", load); err != nil || v != 1 {
					t.Error(v, err)
				}
			})
		}
		synctest.Wait()
		cancel() // the one that began goes away: the others still get theirs
		synctest.Wait()
		close(release)
		wg.Wait()
		if loads.Load() != 1 {
			t.Fatal(loads.Load(), "look-ups")
		}
	})
}

func TestCacheForgetsWhatChangedUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := clockwork.NewFakeClockAt(t0)
		for name, change := range map[string]func(*cache[string, int]){
			"drop":   func(c *cache[string, int]) { c.drop("a") },
			"dropIf": func(c *cache[string, int]) { c.dropIf(func(string, int) bool { return false }) },
			"expire": func(c *cache[string, int]) { c.expire("a", clock.Now()) },
		} {
			c := newCache[string, int](clock, 10, time.Minute)
			release := make(chan struct{})
			go func() {
				_, _ = c.get(ctx, "a", func(context.Context) (int, time.Time, error) {
					<-release
					return 1, clock.Now().Add(time.Hour), nil
				})
			}()
			synctest.Wait()
			change(c)
			after := func(context.Context) (int, time.Time, error) { return 2, clock.Now().Add(time.Hour), nil }
			if v, _ := c.get(ctx, "a", after); v != 2 {
				t.Errorf("%s: an answer older than the change", name)
			}
			close(release)
			synctest.Wait()
			if v, _, _ := c.peek("a"); v != 2 {
				t.Errorf("%s: the older answer was kept", name)
			}
		}
	})
}

func TestCacheIsBoundedAndTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := clockwork.NewFakeClockAt(t0)
		c := newCache[int, int](clock, 10, time.Minute)
		for i := range 1000 {
			_, _ = c.get(ctx, i, func(context.Context) (int, time.Time, error) { return i, clock.Now().Add(time.Hour), nil })
		}
		if len(c.entries) != 10 || c.order.Len() != 10 || len(c.flights) != 0 {
			t.Fatalf("%d entries, %d flights", len(c.entries), len(c.flights))
		}
		done := make(chan error)
		go func() {
			_, err := c.get(ctx, -1, func(ctx context.Context) (int, time.Time, error) {
				<-ctx.Done()
				return 0, time.Time{}, ctx.Err()
			})
			done <- err
		}()
		synctest.Wait()
		clock.Advance(time.Minute)
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	})
}

func TestPatience(t *testing.T) {
	clock := clockwork.NewFakeClockAt(t0)
	for name, tc := range map[string]struct {
		err  error
		most time.Duration
	}{
		"a verdict counts a minute":         {envelope.BadTopic.Errorf("no"), refusedFor},
		"absent":                            {absent(envelope.BadCert, "x", nil), absentMax},
		"no fresh state":                    {envelope.DIDStale.Errorf("x"), unreachableMax},
		"what has no code is not a verdict": {errors.New("x"), unreachableMax},
	} {
		c := newCache[string, int](clock, 10, time.Minute)
		loads := 0
		load := func(context.Context) (int, time.Time, error) { loads++; return 0, time.Time{}, tc.err }
		for range 600 { // ten minutes, asked each second
			_, _ = c.get(ctx, "a", load)
			clock.Advance(time.Second)
		}
		if least, most := int(10*time.Minute/tc.most), int(10*time.Minute/tc.most)+6; loads < least || loads > most {
			t.Errorf("%s: %d look-ups in ten minutes, want %d to %d", name, loads, least, most)
		}
	}
	// The last value that was found is still known after failures.
	c := newCache[string, int](clock, 10, time.Minute)
	_, _ = c.get(ctx, "a", func(context.Context) (int, time.Time, error) { return 7, clock.Now(), nil })
	_, err := c.get(ctx, "a", func(context.Context) (int, time.Time, error) { return 0, time.Time{}, errors.New("x") })
	if v, ok := c.last("a"); err == nil || !ok || v != 7 {
		t.Fatal(v, ok, err)
	}
}

// TestManyAtOnce is for the race detector: readers, changes and a revocation.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t)
	i := w.issuer(1)
	b := party(t, 2)
	c := w.certificate(b, t0, 0)
	w.list(b, c, w.pkg(b, c, t0))
	rec := w.record(w.owner(1), nil)
	cred := i.issue(b.did, 1, time.Time{})
	run, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.book.Run(run)
	}()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for n := range 200 {
				_ = w.book.Standing(ctx, b.did, 0, c.Digest(), []envelope.Digest{cred}, w.now())
				_, _ = w.book.Instances(ctx, b.did)
				_, _ = w.book.Holders(ctx, roleName)
				_, _ = w.book.Topic(ctx, rec.Digest(), topicName, w.now())
				_, _ = w.book.Current(ctx, topicName, "")
				_, _ = w.book.Own(ctx)
				if n%20 == 0 {
					w.chain.changed(b.Address(), [32]byte{})
					w.book.everythingChanged()
					w.book.Named(b.did, 0, envelope.Digest{byte(n)}, 1)
				}
			}
		})
	}
	wg.Wait()
	cancel()
	<-done
	if err := w.book.Standing(ctx, b.did, 0, c.Digest(), []envelope.Digest{cred}, w.now()); err != nil {
		t.Fatal(err)
	}
}
