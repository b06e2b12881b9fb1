package fleet

import (
	"errors"
	"math"
	"time"
)

// maxPlan bounds the envelopes kept for one connection point.
const maxPlan = 64

// Limit takes an operating envelope for a connection point, 0 to Sites-1. Of
// several for the same time the one received last holds.
func (f *Fleet) Limit(n int, l Limit) error {
	switch {
	case n < 0 || n >= len(f.sites):
		return errors.New("there is no such connection point")
	case !l.Until.After(l.From):
		return errors.New("the envelope ends before it begins")
	case math.IsNaN(l.Min) || math.IsNaN(l.Max) || l.Min > l.Max:
		return errors.New("the envelope's minimum is above its maximum")
	}
	s := &f.sites[n]
	s.bound = true
	keep := s.plan[:0]
	for _, p := range s.plan {
		if p.Until.After(f.now) && !(p.From.Equal(l.From) && p.Until.Equal(l.Until)) {
			keep = append(keep, p)
		}
	}
	if len(keep) == maxPlan {
		keep = append(keep[:0], keep[1:]...)
	}
	s.plan = append(keep, l)
	return nil
}

// limit returns what holds at a time.
func (s *site) limit(now time.Time) Limit {
	for i := len(s.plan) - 1; i >= 0; i-- {
		if p := &s.plan[i]; !p.From.After(now) && p.Until.After(now) {
			return *p
		}
	}
	if s.bound {
		return Fallback
	}
	return Agreement
}
