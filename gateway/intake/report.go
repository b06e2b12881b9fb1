package intake

import (
	"context"
	"fmt"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// Events that are not errors, as the protocol names them.
const (
	eventHole           = "hole"
	eventRepaired       = "repaired"
	eventGap            = "gap"
	eventLate           = "late"
	eventLost           = "lost"
	eventOutOfRetention = "out_of_retention"
	eventLaneReset      = "lane_reset"
	eventPrevRegressed  = "prev_regressed"
	eventWriterConflict = "writer_conflict"
	eventLaneSilent     = "lane_silent"
)

// maxEventIDs bounds the message ids of one event.
const maxEventIDs = 1000

// detected are the codes that point at the way between two gateways rather
// than at the sender.
var detected = map[envelope.Code]bool{
	envelope.BadSignature: true, envelope.Rebound: true, envelope.Replayed: true, envelope.Forked: true,
	envelope.NotForMe: true, envelope.SessionUnknown: true, envelope.Malformed: true, envelope.NotCanonical: true,
	envelope.PackageGone: true, envelope.Duplicate: true,
}

// event describes what was refused or detected about a wire message.
func event(it *item, err error) gateway.Event {
	code := envelope.CodeOf(err)
	e := gateway.Event{Kind: gateway.KindRefused, Code: string(code), Detail: detail(err)}
	if detected[code] {
		e.Kind = gateway.KindDetected
	}
	switch {
	case it.head != nil:
		e.Session, e.Seq, e.Digest = it.head.Session.String(), gateway.Seq(it.head.Seq), it.entry.Digest().String()
	case it.mark != nil:
		e.Session, e.Seq, e.Digest = it.mark.Session.String(), gateway.Seq(it.mark.Seq), it.mark.Digest().String()
	case it.grant != nil:
		e.Session, e.Digest = it.grant.Core.Session().String(), it.grant.Digest().String()
		e.DID, e.Topic = it.grant.Core.From, it.grant.Core.Topic
	case it.receipt != nil:
		e.Digest = it.receipt.Digest().String()
	}
	if it.s != nil && it.s.core != nil {
		e.DID, e.Topic = it.s.core.From, it.s.core.Topic
	}
	if e.DID == "" && it.sender != "" {
		e.Detail += "; from mailbox " + it.sender
	}
	if it.opened != nil {
		e.Messages = messageIDs(it.opened.Frames)
	}
	return e
}

// detail is the text of an error, cut.
func detail(err error) string {
	if err == nil {
		return ""
	}
	s := err.Error()
	if len(s) > 500 {
		s = s[:500]
	}
	return s
}

func messageIDs(frames []envelope.Frame) []string {
	ids := make([]string, 0, min(len(frames), maxEventIDs))
	for i := range frames[:min(len(frames), maxEventIDs)] {
		ids = append(ids, frames[i].ID.String())
	}
	return ids
}

// about describes something about a session.
func about(s *session, kind, code string, from, to uint64, text string) gateway.Event {
	e := gateway.Event{Kind: kind, Code: code, Session: s.sid().String(), Seq: gateway.Seq(from),
		Detail: fmt.Sprintf("%d to %d: %s", from, to, text)}
	if from == to {
		e.Detail = text
	}
	if s.core != nil {
		e.DID, e.Topic = s.core.From, s.core.Topic
	}
	return e
}

// report emits an event once the round is committed.
func (x *Intake) report(e gateway.Event) {
	e.At = x.now()
	x.told = append(x.told, func(ctx context.Context) { x.d.Events.Emit(ctx, e) })
}

// throttle counts a message dropped for want of budget and reports it at most
// once a minute and sender.
func (x *Intake) throttle(p *peer, why string) {
	p.dropped++
	now := x.d.Clock.Now()
	if now.Sub(p.told) < time.Minute && !p.told.IsZero() {
		return
	}
	x.report(gateway.Event{Kind: gateway.KindRefused, Code: string(envelope.Throttled),
		Detail: fmt.Sprintf("%s; %d messages of mailbox %s dropped since the last notice", why, p.dropped, p.addr)})
	p.told, p.dropped = now, 0
}
