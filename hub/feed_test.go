package hub

import (
	"context"
	"testing"

	"github.com/jonboulle/clockwork"
)

// shifting is a feed in which something happens between two of its reads.
type shifting struct {
	Store
	events []Event
	then   func(*shifting) // after the next read, once
}

func (s *shifting) done() {
	if then := s.then; then != nil {
		s.then = nil
		then(s)
	}
}

func (s *shifting) Events(_ context.Context, after int64, limit int) (out []Event, err error) {
	defer s.done()
	for _, e := range s.events {
		if e.N > after && len(out) < limit {
			out = append(out, e)
		}
	}
	return out, nil
}

func (s *shifting) EventRange(context.Context) (first, last int64, err error) {
	defer s.done()
	return s.events[0].N, s.events[len(s.events)-1].N, nil
}

// Whoever reads while events are forgotten is told when some passed it by; and
// what is written meanwhile is not slept through.
func TestTheFeedShiftsWhileItIsRead(t *testing.T) {
	forget := func(s *shifting) { s.events = s.events[2:] }
	write := func(s *shifting) { s.events = append(s.events, Event{N: s.events[len(s.events)-1].N + 1}) }
	for name, tc := range map[string]struct {
		after int64
		then  func(*shifting)
	}{
		"some are forgotten":              {1, forget},
		"those that were read are":        {3, forget},
		"some are written":                {1, write},
		"the first for a reader is":       {6, write},
		"a reader from the start, forget": {0, forget},
		"nothing":                         {2, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := &shifting{then: tc.then}
			for n := range int64(5) {
				s.events = append(s.events, Event{N: n + 2}) // 2 to 6
			}
			c := clockwork.NewFakeClock()
			h := &Hub{store: s, clock: c, feed: newFeed(s, c)}
			next, told := tc.after, false
			for next < s.events[len(s.events)-1].N || s.then != nil {
				events, to, reset, err := h.Events(t.Context(), next, 0)
				if err != nil {
					t.Fatal(err)
				}
				told = told || reset
				for _, e := range events {
					if next++; e.N != next && !told && tc.after != 0 {
						t.Fatalf("event %d comes after %d, and nothing is said", e.N, next-1)
					}
					next = e.N
				}
				if next = to; len(events) == 0 {
					break
				}
			}
			if last := s.events[len(s.events)-1].N; next != last {
				t.Errorf("read up to %d of %d", next, last)
			}
		})
	}
}
