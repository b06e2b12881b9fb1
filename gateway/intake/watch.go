package intake

import (
	"context"
	"fmt"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// Bounds of the watch on lane groups.
const (
	maxWatched = 20_000
	watchEvery = 30_000                                                 // ms
	watchFor   = envelope.MarkFor + 2*envelope.MarkSilence              // ms; a sender that is well closes before
	tooQuiet   = "neither a message nor a mark of this lane for %d min" // of lane_silent
)

// watch is a lane group of which something should be heard: its sender marks
// it every quarter of an hour.
type watch struct {
	sid   [32]byte
	row   int64 // of that session; 0 where it is not known
	heard int64 // ms
	told  bool
}

// hear notes that something new and signed of a session came.
func (x *Intake) hear(s *session) {
	lane := s.row.Lane
	if lane == 0 || s.led.MarkEnd > 0 {
		return
	}
	w := x.watched[lane]
	if w == nil {
		if len(x.watched) >= maxWatched {
			return
		}
		w = &watch{}
		x.watched[lane] = w
	}
	if w.sid != s.row.SID && s.row.ID > w.row {
		w.sid, w.row = s.row.SID, s.row.ID
		x.r.Watch = append(x.r.Watch, WatchRow{Lane: lane, SID: w.sid})
	}
	w.heard, w.told = x.now(), false
}

// unwatch ends the watch on a lane group.
func (x *Intake) unwatch(lane int64) {
	if x.watched[lane] != nil {
		delete(x.watched, lane)
		x.r.Unwatch = append(x.r.Unwatch, lane)
	}
}

// listen reports the lane groups of which nothing was heard for too long.
func (x *Intake) listen(ctx context.Context, now int64) error {
	for lane, w := range x.watched {
		quiet := now - w.heard
		if quiet > watchFor {
			x.unwatch(lane)
			continue
		}
		if quiet < envelope.MarkSilence || w.told {
			continue
		}
		l, err := x.d.Store.Lane(ctx, lane)
		if err != nil {
			return fmt.Errorf("read lane: %w", err)
		}
		e := gateway.Event{Kind: gateway.KindDetected, Code: eventLaneSilent, Session: envelope.Digest(w.sid).String(), Detail: fmt.Sprintf(tooQuiet, quiet/60_000)}
		if l != nil {
			e.DID, e.Topic = l.DID, l.Topic
		}
		x.report(e)
		x.later(func(context.Context) { w.told = true })
	}
	return nil
}

// watchAgain takes up the watches of an earlier process, or of this one. What
// came while there was none is still in the mailbox, so the time counts from now.
func (x *Intake) watchAgain(ctx context.Context) error {
	rows, err := x.d.Store.Watched(ctx, maxWatched)
	if err != nil {
		return fmt.Errorf("read watched lanes: %w", err)
	}
	before := x.watched
	x.watched = make(map[int64]*watch, len(rows))
	for _, r := range rows {
		w := &watch{sid: r.SID, heard: x.now()}
		if was := before[r.Lane]; was != nil && was.sid == w.sid {
			w.row, w.heard, w.told = was.row, was.heard, was.told
		}
		x.watched[r.Lane] = w
	}
	return nil
}
