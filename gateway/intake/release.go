package intake

import (
	"context"
	"slices"
	"sort"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/inbox"
	"github.com/digital-spine/spine/gateway/trust"
)

// pendingBatch is how many stored entries get places in one round.
const pendingBatch = 1000

// place gives the next place in the order of handing over.
func (x *Intake) place() int64 {
	x.last.Pos++
	return x.last.Pos
}

// handOver gives a new entry its place, or leaves it without one when it has
// to wait: a hole in front (strict order), an earlier session of the lane group
// that is not done, a status that is stale, a time that is ahead.
func (x *Intake) handOver(s *session, row *inbox.Row, seq uint64, refused bool) {
	blocked := s.stalled != "" || s.stallT > 0
	strict := s.led.Strict
	switch {
	case refused:
		if seq == s.led.Released {
			s.led.Released = seq + 1
			s.advance = true
		}
	case blocked:
		s.led.Released = min(s.led.Released, seq) // a late one has its turn again
		x.active[s.row.ID] = s
	case seq < s.led.Released: // late
		row.Pos, row.Late = x.place(), true
	case strict && (seq != s.led.Released || !x.clear(s)):
		x.active[s.row.ID] = s
	default:
		row.Pos = x.place()
		s.led.Released = seq + 1
	}
	if s.advance {
		x.active[s.row.ID] = s
	}
}

// clear reports whether no earlier session of the lane group holds this one up.
func (x *Intake) clear(s *session) bool {
	for _, o := range s.lane.sessions {
		if o == s {
			return true
		}
		if o.holdsUp() {
			return false
		}
	}
	return true
}

// holdsUp reports whether later sessions wait for this one.
func (s *session) holdsUp() bool {
	switch s.row.State {
	case Refused:
		return false
	case Open:
		return s.led.Released < s.led.Next && (s.led.firstHole(s.led.Released) != nil || s.led.firstAwait(s.led.Released) != nil || s.stalled != "" || s.stallT > 0 || s.advance)
	}
	return s.led.firstHole(0) != nil
}

// stall makes handing over wait until the session's standing is known again.
func (x *Intake) stall(s *session, err error) {
	code := string(envelope.CodeOf(err))
	if code == "" {
		code = string(envelope.DIDStale)
	}
	if err == errChecking {
		code = checking // what it comes to is told when it is known
	}
	x.active[s.row.ID] = s
	if s.stalled == code {
		return
	}
	s.stalled = code
	if code == checking {
		return
	}
	x.report(about(s, gateway.KindDetected, code, s.led.Released, s.led.Released, "messages wait to be handed over: "+detail(err)))
}

func (x *Intake) stallTime(s *session, t int64) {
	if s.stallT == 0 || t < s.stallT {
		s.stallT = t
	}
	x.active[s.row.ID] = s
}

// advanceLane gives places to stored entries of a lane group that no longer
// wait. It reports when to look again, 0 for not by itself.
func (x *Intake) advanceLane(ctx context.Context, l *lane, now int64) (int64, error) {
	wait := x.d.Config.StrictWait.Milliseconds()
	for i := 0; i < len(l.sessions); i++ {
		s := l.sessions[i]
		if s.row.State != Open {
			if s.row.State == Refused {
				continue
			}
			for h := s.led.firstHole(0); h != nil; h = s.led.firstHole(0) {
				if now < h.Since+wait {
					return h.Since + wait, nil
				}
				x.pass(s, h)
			}
			continue
		}
		next, done, err := x.advanceSession(ctx, s, now)
		if err != nil || !done {
			return next, err
		}
		ended := s.led.Closed && s.led.Released > s.led.EndSeq || s.led.MarkEnd > 0 && s.led.Released+1 >= s.led.MarkEnd
		if ended && len(s.led.Holes) == 0 {
			l.remove(s) // settled: nothing of the lane waits for it any more
			i--
		}
	}
	return 0, nil
}

// pass goes on behind a hole.
func (x *Intake) pass(s *session, h *Hole) {
	h.Passed = true
	x.report(about(s, gateway.KindDetected, eventGap, h.From, h.To, "still missing; later messages go on"))
	x.touch(s, false)
}

// advanceSession releases what it can of one session; done when nothing in it
// holds up what follows.
func (x *Intake) advanceSession(ctx context.Context, s *session, now int64) (next int64, done bool, err error) {
	if s.led.Released >= s.led.Next && s.stalled == "" && s.stallT == 0 {
		s.advance = false
		return 0, true, nil
	}
	if s.stalled != "" {
		if err := x.standing(ctx, s); err != nil && waits(err) {
			if err != errChecking {
				x.stall(s, err)
			}
			if x.now() <= s.row.Expires {
				return now + standingTTL, false, nil
			}
			return 0, false, x.refusePending(ctx, s, err)
		} else if err != nil {
			return 0, false, x.refusePending(ctx, s, err)
		}
		s.stalled = ""
	}
	if s.stallT > 0 {
		if s.stallT > now+envelope.Skew {
			return s.stallT - envelope.Skew, false, nil
		}
		s.stallT = 0
	}
	for s.led.Released < s.led.Next {
		h, a := s.led.firstHole(s.led.Released), s.led.firstAwait(s.led.Released)
		if !s.led.Strict {
			a = nil // nothing waits for it
		}
		limit := s.led.Next
		if h != nil {
			limit = max(h.From, s.led.Released)
		}
		if a != nil && a.Seq < limit {
			limit, h = a.Seq, nil
		} else {
			a = nil
		}
		if s.led.Released < limit {
			more, ahead, err := x.releaseRange(ctx, s, s.led.Released, limit-1, now)
			if err != nil {
				return 0, false, err
			}
			x.touch(s, false)
			if ahead > 0 {
				x.stallTime(s, ahead)
				return ahead - envelope.Skew, false, nil
			}
			if more {
				s.advance = true
				return now, false, nil
			}
		}
		if a != nil {
			if next, wait := x.waitFor(s, a, now); wait {
				return next, false, nil
			}
			continue
		}
		if h == nil {
			break
		}
		if s.led.Strict {
			if wait := h.Since + x.d.Config.StrictWait.Milliseconds(); now < wait {
				return wait, false, nil
			}
			x.pass(s, h)
		} else {
			h.Passed = true
		}
		s.led.Released = h.To + 1
		x.touch(s, false)
	}
	s.advance = false
	return 0, true, nil
}

// waitFor reports whether a strict lane still waits for the content of an
// entry: as long as it takes to bring it here, but once the store was found not
// to have it, no longer than for a missing message.
func (x *Intake) waitFor(s *session, a *Await, now int64) (next int64, wait bool) {
	if a.Failed == 0 {
		return 0, true
	}
	if until := a.Failed + x.d.Config.StrictWait.Milliseconds(); now < until {
		return until, true
	}
	a.Passed = true
	x.report(about(s, gateway.KindDetected, eventGap, a.Seq, a.Seq, "its content is still missing; later messages go on"))
	s.led.Released = a.Seq + 1
	x.touch(s, false)
	return 0, false
}

// releaseRange gives places to entries from..to; more when a round's batch is
// full, ahead the time of an entry that is ahead of the clock.
func (x *Intake) releaseRange(ctx context.Context, s *session, from, to uint64, now int64) (more bool, ahead int64, err error) {
	held, err := x.d.Store.Pending(ctx, s.entryID(from), s.entryID(to), pendingBatch)
	if err != nil {
		return false, 0, err
	}
	full := len(held) == pendingBatch
	fresh := make(map[int64]*inbox.Row)
	for _, rows := range [2][]inbox.Row{x.r.Entries, x.r.Fill} { // of this very round: not in the store yet
		for i := range rows {
			if e := &rows[i]; e.Pos == 0 && e.Body != nil && e.ID >= s.entryID(from) && e.ID <= s.entryID(to) {
				fresh[e.ID] = e
				held = append(held, Held{ID: e.ID, T: e.T})
			}
		}
	}
	sort.Slice(held, func(i, j int) bool { return held[i].ID < held[j].ID })
	if len(held) > pendingBatch {
		held, full = held[:pendingBatch], true
	}
	if topic := s.core.Topic; len(held) > 0 {
		x.later(func(context.Context) { x.d.Inbox.Released(topic) })
	}
	for _, h := range held {
		if s.led.holdsBack(uint64(h.ID % inbox.MaxSeq)) {
			continue
		}
		if h.T > now+envelope.Skew {
			return false, h.T, nil
		}
		if e := fresh[h.ID]; e != nil {
			e.Pos = x.place()
		} else {
			x.r.Release = append(x.r.Release, Release{ID: h.ID, Pos: x.place()})
		}
		s.led.Released = uint64(h.ID%inbox.MaxSeq) + 1
	}
	if full {
		s.led.Released = uint64(held[len(held)-1].ID%inbox.MaxSeq) + 1
		return true, 0, nil
	}
	s.led.Released = to + 1
	return false, 0, nil
}

// refusePending refuses what was stored and waits, because the session's
// standing ended before it could be handed over.
func (x *Intake) refusePending(ctx context.Context, s *session, cause error) error {
	code := string(envelope.CodeOf(cause))
	held, err := x.d.Store.Pending(ctx, s.entryID(s.led.Released), s.entryID(envelope.MaxEnvelopes-1), pendingBatch)
	if err != nil {
		return err
	}
	verdict := inbox.EncodeFaults([]inbox.Fault{{Frame: -1, Code: code}})
	refuse := func(id int64) {
		seq := uint64(id % inbox.MaxSeq)
		if !s.led.refuse(seq, code, -1) {
			s.led.stopTelling(seq, s.sid())
		}
		e := about(s, gateway.KindRefused, code, seq, seq, detail(cause))
		x.report(e)
	}
	for _, h := range held {
		x.r.Refuse = append(x.r.Refuse, Refuse{ID: h.ID, Verdict: verdict})
		refuse(h.ID)
	}
	for _, a := range slices.Clone(s.led.Awaits) {
		if a.Seq < s.led.Released || a.Lazy {
			continue
		}
		if a.Len > 0 {
			x.r.Refuse = append(x.r.Refuse, Refuse{ID: s.entryID(a.Seq), Verdict: verdict})
			refuse(s.entryID(a.Seq))
		}
		x.arrived(s, a)
	}
	for i := range x.r.Entries {
		if e := &x.r.Entries[i]; e.Pos == 0 && e.Body != nil && e.ID/inbox.MaxSeq == s.row.ID {
			e.Verdict, e.Body, e.IDs, e.Size = verdict, nil, nil, 0
			refuse(e.ID)
		}
	}
	if len(held) < pendingBatch {
		s.stalled = ""
	}
	s.advance = true
	x.touch(s, false)
	x.owe(s, false)
	return nil
}

// reconsider forgets verdicts that a change may have overturned.
func (x *Intake) reconsider(c trust.Change) {
	for _, s := range x.byID {
		if s.row.State == Refused && s.row.Code == string(envelope.RoleNotAdmitted) && c == (trust.Change{}) {
			x.forget(s) // it may be granted again: who is admitted may be another answer now
			continue
		}
		if s.core == nil || (c.DID != "" && c.DID != s.core.From) || (c.Topic != "" && c.Topic != s.core.Topic) {
			continue
		}
		s.standingAt, s.outdated = 0, s.checking
		if s.row.State == Waiting || (s.row.State == Open && !s.ready) {
			s.tries, s.judgeAt = 0, 0
		}
	}
}
