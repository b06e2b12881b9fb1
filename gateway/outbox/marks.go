package outbox

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/envelope"
)

// Times of section 22, in ms.
const (
	markFirst = int64(60 * time.Second / time.Millisecond) // after an envelope that somebody has not receipted
	markEvery = int64(15 * time.Minute / time.Millisecond) // then, as long as nothing else is sent
	markUntil = int64(24 * time.Hour / time.Millisecond)   // after the last envelope the session is closed
	marksTick = 5 * time.Second                            // how exact the times above are kept
	marksPage = 10_000                                     // members told an end in one round
)

// watches says when which lane needs a mark. It lives in memory and is read
// from the store at a start; what a mark says always comes from the store.
type watches struct {
	mu      sync.Mutex
	of      map[laneKey]*watch
	loaded  bool          // what the store knows is here
	closing bool          // somebody may have to be told the end of a session
	news    chan struct{} // look at once
}

// watch is the newest session of a lane. Times are in ms.
type watch struct {
	sid    [32]byte
	naf    int64
	last   int64 // newest envelope
	marked int64 // newest mark, to anybody
	full   int64 // newest mark to all members
	due    int64 // when to look
}

// note says that an envelope was committed. It is all that marks cost a
// message.
func (w *watches) note(key laneKey, c *Commit, naf int64) {
	at := c.Envelope.At
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.of[key]
	if s == nil || s.sid != c.Envelope.SID {
		s = &watch{sid: c.Envelope.SID, naf: naf, due: at + markFirst}
		w.of[key] = s
		w.lookLocked()
	}
	s.last = at
	s.due = min(s.due, at+markFirst)
}

// lookLocked has the ends of sessions looked at.
func (w *watches) lookLocked() {
	w.closing = true
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// due lists the lanes to look at now.
func (w *watches) due(now int64) map[laneKey]watch {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make(map[laneKey]watch)
	for key, s := range w.of {
		if s.due <= now {
			out[key] = *s
		}
	}
	return out
}

// looked puts back what was found out about a lane, unless it has another
// session by now. An envelope that came meanwhile keeps its own time.
func (w *watches) looked(key laneKey, old, now watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.of[key]
	if s == nil || s.sid != old.sid {
		return
	}
	if now.due == math.MaxInt64 && s.last == old.last {
		delete(w.of, key)
		return
	}
	if s.last != old.last {
		now.due = min(now.due, s.last+markFirst)
	}
	now.last = s.last
	*s = now
}

// keepMarks sends marks until ctx ends. After a start they go on for the
// sessions of the run before.
func (o *Outbox) keepMarks(ctx context.Context) {
	tick := o.clock.NewTicker(marksTick)
	defer tick.Stop()
	for {
		err := o.loadMarks(ctx)
		if err == nil && o.self.Err() == nil {
			err = o.markRound(ctx)
		}
		if err != nil && ctx.Err() == nil {
			o.log.Error("marks not sent", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.Chan():
		case <-o.marks.news:
		}
	}
}

// reload has the store read again: there may be a session that was not noted.
func (w *watches) reload() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loaded = false
	w.lookLocked()
}

// loadMarks reads what the store knows, where that is not here. However long
// the outbox was away, whoever was not told the end of a session is.
func (o *Outbox) loadMarks(ctx context.Context) error {
	o.marks.mu.Lock()
	loaded := o.marks.loaded
	o.marks.loaded = true
	o.marks.mu.Unlock()
	if loaded {
		return nil
	}
	now := o.now()
	list, err := o.store.Newest(ctx, now-o.net.RetentionMS-envelope.SessionLife-envelope.SessionGrace)
	o.marks.mu.Lock()
	defer o.marks.mu.Unlock()
	if err != nil {
		o.marks.loaded = false
		return err
	}
	for i := range list {
		s := &list[i]
		key := laneKey{s.Chan, s.Topic}
		if old := o.marks.of[key]; old == nil || old.sid != s.SID && old.last < s.Last { // else it has a newer one
			o.marks.of[key] = &watch{sid: s.SID, naf: s.NAF, last: s.Last, marked: s.Marked, due: min(now, s.Last+markFirst)}
		}
	}
	o.marks.closing = true
	return nil
}

// markRound sends what is due now.
func (o *Outbox) markRound(ctx context.Context) error {
	now := o.now()
	for key, w := range o.marks.due(now) {
		next, err := o.markLane(ctx, w, now)
		if err != nil {
			return err
		}
		o.marks.looked(key, w, next)
	}
	o.marks.mu.Lock()
	closing := o.marks.closing
	o.marks.closing = false
	o.marks.mu.Unlock()
	if !closing {
		return nil
	}
	left, err := o.markClosed(ctx, now)
	if left || err != nil {
		o.marks.mu.Lock()
		o.marks.closing = true
		o.marks.mu.Unlock()
	}
	return err
}

// markOver is when a session needs no marks any more.
func (o *Outbox) markOver(s *Session) int64 { return min(s.Last+markUntil, s.NAF+o.net.RetentionMS) }

// markLane looks at the newest session of a lane: a mark is due to those who
// have not receipted an envelope 60 s old, and to all every 15 minutes.
func (o *Outbox) markLane(ctx context.Context, w watch, now int64) (watch, error) {
	never := w
	never.due = math.MaxInt64
	s, err := o.store.Session(ctx, w.sid)
	if errors.Is(err, ErrNoRow) || err == nil && s.Core == nil {
		return never, nil
	}
	if err != nil {
		return w, err
	}
	if over := o.markOver(s); now >= over {
		if err := o.store.Close(ctx, s.SID); err != nil {
			return w, err
		}
		o.marks.mu.Lock()
		o.marks.lookLocked()
		o.marks.mu.Unlock()
		return never, nil
	}
	all, stuck, due, next, err := o.lacking(ctx, s, w.marked, now)
	if err != nil {
		return w, err
	}
	full := max(w.full, s.Last) + markEvery
	switch {
	case now >= full:
		_, err = o.sendMark(ctx, s, all, envelope.MarkAlive, &w, now)
		w.full, full = now, now+markEvery
	case due:
		_, err = o.sendMark(ctx, s, stuck, envelope.MarkAlive, &w, now)
	}
	w.due = min(next, full, o.markOver(s))
	return w, err
}

// lacking finds the members that a mark may go to, those of them who have not
// receipted an envelope that is 60 s old, whether one of these had no mark since
// that time, and when the next of the others gets there. A mark does not
// overtake envelopes: who has not all of them at the broker gets none.
func (o *Outbox) lacking(ctx context.Context, s *Session, marked, now int64) (all, stuck []Member, due bool, next int64, err error) {
	next = math.MaxInt64
	members, err := o.store.Standing(ctx, s.SID)
	if err != nil {
		return nil, nil, false, next, err
	}
	at := make(map[int64]int64, 1)
	for i := range members {
		m := &members[i]
		if m.gone() {
			continue
		}
		here := o.pub.at(m, s.Next-1)
		if here {
			all = append(all, *m)
		}
		needs := m.needs()
		if needs >= s.Next {
			continue
		}
		t, ok := at[needs]
		if !ok {
			list, err := o.store.Between(ctx, s.SID, needs, needs, 1)
			if err != nil {
				return nil, nil, false, next, err
			}
			if len(list) > 0 {
				t = list[0].At
			}
			at[needs] = t
		}
		switch {
		case t+markFirst > now:
			next = min(next, t+markFirst)
		case !here:
			next = min(next, now+marksTick.Milliseconds())
		default:
			stuck = append(stuck, *m)
			due = due || marked < t+markFirst
		}
	}
	return all, stuck, due, next, nil
}

// markClosed tells members that nothing follows in a session. It reports
// whether some could not be told yet.
func (o *Outbox) markClosed(ctx context.Context, now int64) (left bool, err error) {
	list, err := o.store.Closing(ctx, marksPage)
	if err != nil {
		return true, err
	}
	left = len(list) == marksPage
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].SID == list[0].SID {
			n++
		}
		later, err := o.closeSession(ctx, list[:n], now)
		if err != nil {
			return true, err
		}
		left = left || later
		list = list[n:]
	}
	return left, nil
}

// closeSession tells members of one session its end.
func (o *Outbox) closeSession(ctx context.Context, members []Member, now int64) (left bool, err error) {
	sid := members[0].SID
	s, err := o.store.Session(ctx, sid)
	if err != nil && !errors.Is(err, ErrNoRow) {
		return true, err
	}
	dead := err != nil || s.Core == nil || now > s.NAF+o.net.RetentionMS
	var tell []Member
	var done []string
	for i := range members {
		m := &members[i]
		switch {
		case dead || m.gone():
			done = append(done, m.Addr)
		case o.pub.at(m, s.Next-1):
			tell = append(tell, *m)
		default:
			left = true
		}
	}
	if len(tell) > 0 {
		w := watch{sid: sid}
		told, err := o.sendMark(ctx, s, tell, envelope.MarkClosed, &w, now)
		if err != nil {
			return true, err
		}
		left = left || len(told) < len(tell)
		done = append(done, told...)
	}
	if len(done) == 0 {
		return left, nil
	}
	return left, o.store.Closed(ctx, sid, done)
}

// sendMark signs one mark for a session and sends it to members. It returns the
// addresses where the broker took it.
func (o *Outbox) sendMark(ctx context.Context, s *Session, members []Member, state uint64, w *watch, now int64) ([]string, error) {
	if len(members) == 0 {
		return nil, nil
	}
	at := max(now, s.Marked+1) // recipients want them to rise
	s, err := o.store.Mark(ctx, s.SID, at)
	if err != nil {
		return nil, err
	}
	core, err := envelope.ParseCore(s.Core)
	if err != nil {
		return nil, err
	}
	w.marked = at
	k, err := envelope.NewMark(ctx, o.signer(core.Cert), envelope.MarkBody{Session: s.SID, Seq: uint64(s.Next), Prev: s.Head, Time: at, State: state})
	if err != nil {
		return nil, err
	}
	var told []string
	for len(members) > 0 {
		n := min(len(members), bus.MaxBatch)
		msgs := make([]bus.Msg, 0, n)
		addrs := make([]string, 0, n)
		for i := range members[:n] {
			m := &members[i]
			if o.budget.mark(m.Addr) {
				msgs = append(msgs, bus.Msg{Subject: bus.Subject(o.pub.place(m), m.Addr, o.self.Addr()), Data: k.Bytes()})
				addrs = append(addrs, m.Addr)
			}
		}
		within, cancel := within(ctx, o.clock, publishTimeout)
		for i, err := range o.pub.bus.Publish(within, msgs) {
			if err == nil {
				told = append(told, addrs[i])
			}
		}
		cancel()
		members = members[n:]
	}
	return told, nil
}
