package intake

import (
	"context"
	"errors"
	"fmt"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/inbox"
)

// apply gives an examined envelope its place: E6 to E13 in order. It is called
// in the order of numbers within a session.
func (x *Intake) apply(ctx context.Context, it *item) error {
	if it.fill != nil {
		return x.filled(ctx, it)
	}
	s, seq, now := it.s, it.head.Seq, x.now()
	id := s.entryID(seq)
	if it.verify != nil {
		x.failed(it, it.verify)
		if it.held == nil && x.roundD[id].IsZero() {
			x.damaged(s, seq)
		}
		return nil
	}
	if d, ok := x.roundD[id]; ok && it.held == nil {
		if d == it.entry.Digest() {
			x.replayed(it)
			return nil
		}
		it.held = &d
	}
	if it.held != nil {
		x.forked(it, it.entry.CheckHeld(*it.held))
		return nil
	}
	if s.led.BrokenAt > 0 && seq >= s.led.BrokenAt-1 {
		x.report(event(it, envelope.SessionRefused.Errorf("the session's chain broke before")))
		return nil
	}
	if (it.notice != nil || it.object) && !x.roomToAwait(s) {
		x.throttle(x.peers.of(it.sender), "too many bodies and objects are on their way")
		x.dropped(s, seq)
		return nil
	}

	refusal := x.standing(ctx, s) // E7
	waiting := refusal != nil && waits(refusal)
	if refusal == nil || waiting { // E8
		last := s.led.LastT
		if seq < s.led.Next {
			last = 0 // a fill: its neighbours are not at hand
		}
		if err := it.head.CheckTime(s.core, last, now); errors.Is(err, envelope.ErrAhead) {
			x.stallTime(s, it.head.Time)
			x.report(event(it, err))
		} else if err != nil {
			refusal, waiting = err, false
		}
	}
	pl, err := s.led.place(seq, it.head.Prev, it.entry.Digest(), now) // E9
	if err != nil {
		return x.misplaced(it, err)
	}
	x.touch(s, false)
	x.hear(s)
	x.placed(s, it, pl, now)
	s.led.LastT = max(s.led.LastT, it.head.Time)
	if waiting {
		x.stall(s, refusal)
		refusal = nil
	}
	if refusal == nil {
		refusal = it.open // E10 to E12
	}
	row := inbox.Row{ID: id, D: it.entry.Digest(), T: it.head.Time, At: now, Topic: s.core.Topic, Late: pl.late}
	h := it.entry.CiphertextHash()
	row.Proof = append(append(make([]byte, 0, len(it.entry.Signed())+32), it.entry.Signed()...), h[:]...)
	if refusal != nil {
		x.refuseWhole(it, &row, refusal)
	} else if it.env != nil {
		if err := x.frames(ctx, it, &row, now); err != nil {
			return err
		}
	}
	x.roundD[id] = it.entry.Digest()
	if refusal == nil && (it.env == nil || len(it.awaits) > 0) {
		x.holdBack(it, &row, pl)
	} else {
		x.handOver(s, &row, seq, refusal != nil)
	}
	x.r.Entries = append(x.r.Entries, row)
	if refusal == nil && it.env != nil {
		x.stored(it, &row)
	}
	x.activity(it, &row)
	x.owe(s, len(s.led.Holes) > 0)
	return nil
}

// refuseWhole refuses an entry that has its place in the chain.
func (x *Intake) refuseWhole(it *item, row *inbox.Row, refusal error) {
	code := envelope.CodeOf(refusal)
	row.Verdict = inbox.EncodeFaults([]inbox.Fault{{Frame: -1, Code: string(code)}})
	if !it.s.led.refuse(it.head.Seq, string(code), -1) {
		it.s.led.stopTelling(it.head.Seq, it.head.Prev)
	}
	x.failed(it, refusal)
	x.findable(it, row)
}

// findable has the log find an entry by the ids of its messages, and by its
// own, when it may never have a place in the order of handing over.
func (x *Intake) findable(it *item, row *inbox.Row) {
	x.r.Finds = append(x.r.Finds, inbox.Find{Key: inbox.KeyOfID([16]byte(row.D[:16])), Value: row.ID})
	if it.opened != nil {
		for i := range it.opened.Frames {
			x.r.Finds = append(x.r.Finds, inbox.Find{Key: inbox.KeyOfID(it.opened.Frames[i].ID), Value: row.ID})
		}
	}
}

// stored gives the frames of an entry to the inbox, and counts its bytes.
func (x *Intake) stored(it *item, row *inbox.Row) {
	x.shares[it.sender] += int64(len(row.Body))
	id, frames := row.ID, it.opened.Frames
	x.later(func(context.Context) { x.d.Inbox.Offer(id, frames) })
}

// holdBack keeps an entry whose content is on its way from being handed over.
// Of a number that was listed as missing, the listing goes on until it is here:
// what receipts tell never goes back.
func (x *Intake) holdBack(it *item, row *inbox.Row, pl placed) {
	s, seq := it.s, it.head.Seq
	a := &Await{Seq: seq, Before: it.head.Prev, Since: x.now(), Objects: it.awaits, Bad: it.faults, notice: it.notice}
	if it.env == nil {
		a.Len = it.notice.Len
		x.count(s, a, a.Len) // it has room, or is not taken
	}
	if pl.filled != nil {
		a.Why, a.Passed = pl.filled.Why, pl.late
	}
	x.await(s, a)
	x.findable(it, row)
	if !s.led.Strict && s.stalled == "" && s.stallT == 0 && seq >= s.led.Released {
		s.led.Released = seq + 1 // others need not wait for it
	}
}

// frames is E13: ids within the lane group's window, then the schema.
func (x *Intake) frames(ctx context.Context, it *item, row *inbox.Row, now int64) error {
	s := it.s
	w, err := x.windowOf(ctx, s.lane)
	if err != nil {
		return err
	}
	var faults []inbox.Fault
	row.IDs = make([]byte, 0, idBytes*len(it.keys))
	for i := range it.keys {
		bad, err := x.frameID(ctx, w, it.keys[i])
		if err != nil {
			return err
		}
		if bad == nil && it.schema != nil && it.schema[i] != nil {
			if bad = it.schema[i]; it.opened.Frames[i].Kind != envelope.KindObject {
				bad = envelope.BadSchema.Errorf("%w", bad)
			}
		}
		if bad == nil {
			row.IDs = append(row.IDs, it.keys[i][:]...)
			x.ids.add(w, x.ids.finger(it.keys[i][:16]), row.ID, now)
			if it.object && it.opened.Frames[i].Kind == envelope.KindObject {
				it.awaits = append(it.awaits, AwaitObject{Frame: i, Size: it.sizes[i]})
			}
			continue
		}
		code := envelope.CodeOf(bad)
		object := it.opened.Frames[i].Kind == envelope.KindObject
		if code != envelope.Duplicate && code != envelope.IDConflict && !object {
			code = envelope.BadSchema // also json_* of a body that is not JSON
		}
		faults = append(faults, inbox.Fault{Frame: i, Code: string(code)})
		if told := told(code); told.TellsSender() && !s.led.refuse(it.head.Seq, string(told), i) {
			s.led.stopTelling(it.head.Seq, it.head.Prev)
		}
		if code != envelope.Duplicate {
			x.r.Finds = append(x.r.Finds, inbox.Find{Key: inbox.KeyOfID(it.opened.Frames[i].ID), Value: row.ID})
		}
		e := event(it, bad)
		e.Code = string(code)
		e.Messages = []string{it.opened.Frames[i].ID.String()}
		x.report(e)
	}
	x.roundID[row.ID], it.faults = row.IDs, faults
	row.Size, row.Verdict, row.Key, row.Body = len(it.keys), inbox.EncodeFaults(faults), it.key, it.body
	return nil
}

// frameID looks an id up in the window and confirms a hit against the row.
func (x *Intake) frameID(ctx context.Context, w *window, k frameKey) (bad, err error) {
	row := w.known(x.ids.finger(k[:16]))
	if row == 0 {
		return nil, nil
	}
	ids, ok := x.roundID[row]
	if !ok {
		if ids, err = x.d.Store.EntryIDs(ctx, row); err != nil {
			return nil, fmt.Errorf("read frame ids: %w", err)
		}
	}
	return judgeID(k, ids), nil
}

// failed reports a failed check and counts it against the sender's budget.
func (x *Intake) failed(it *item, err error) {
	x.report(event(it, err))
	switch envelope.CodeOf(err) {
	case envelope.BadSignature, envelope.BadBox, envelope.BadSeal, envelope.BadFrames, envelope.BadContent,
		envelope.Forked, envelope.ChainBroken:
		x.peers.of(it.sender).fail(x.d.Clock.Now())
	}
}

// forked reports a second signed entry for one number; both are kept as proof.
func (x *Intake) forked(it *item, err error) {
	x.failed(it, err)
	x.r.Proofs = append(x.r.Proofs, ProofRow{Session: it.s.row.ID, Seq: it.head.Seq, D: it.entry.Digest(), At: x.now(), Signed: it.entry.Signed()})
}

// misplaced deals with an entry that does not fit the chain.
func (x *Intake) misplaced(it *item, err error) error {
	s, seq := it.s, it.head.Seq
	switch {
	case errors.Is(err, errHeld): // its row was forgotten: nothing to compare with
		x.replayed(it)
	case errors.Is(err, errForked):
		x.forked(it, envelope.Forked.Errorf("envelope %d is not the one its successor names", seq))
	case errors.Is(err, errBroken) && seq == s.led.Next:
		x.failed(it, envelope.ChainBroken.Errorf("envelope %d names another predecessor", seq))
		s.led.BrokenAt = seq + 1
		r := refusedRest(seq, envelope.ChainBroken)
		s.led.Refused = append(s.led.Refused, r)
		x.touch(s, false)
		x.owe(s, false)
	case errors.Is(err, errBroken):
		x.failed(it, envelope.ChainBroken.Errorf("envelope %d names another predecessor", seq))
	case errors.Is(err, errFull):
		x.throttle(x.peers.of(it.sender), "too many holes in one session")
	default:
		return err
	}
	return nil
}

// placed reports holes that were opened or filled.
func (x *Intake) placed(s *session, it *item, pl placed, now int64) {
	if h := pl.hole; h != nil {
		x.active[s.row.ID] = s
		x.report(about(s, gateway.KindDetected, eventHole, h.From, h.To, "not received; asked for"))
	}
	for i := range s.bad {
		if s.bad[i].seq == it.head.Seq {
			if pl.filled == nil {
				x.repaired(s, it, now-s.bad[i].since)
			}
			s.bad = append(s.bad[:i], s.bad[i+1:]...)
			break
		}
	}
	if h := pl.filled; h != nil {
		x.repaired(s, it, now-h.Since)
		s.advance = true
	}
	if s.led.Closed && it.head.Seq > s.led.EndSeq {
		x.report(about(s, gateway.KindDetected, eventPrevRegressed, it.head.Seq, it.head.Seq, "above the entry that the next session names as the last"))
	}
	if end := s.led.MarkEnd; end > 0 && it.head.Seq+1 >= end {
		x.report(about(s, gateway.KindDetected, eventPrevRegressed, it.head.Seq, it.head.Seq, "at or above the number at which its sender closed the session"))
	}
	if pl.late {
		x.report(about(s, gateway.KindRepaired, eventLate, it.head.Seq, it.head.Seq, "handed over behind a gap"))
	}
}

func (x *Intake) repaired(s *session, it *item, after int64) {
	e := about(s, gateway.KindRepaired, eventRepaired, it.head.Seq, it.head.Seq, fmt.Sprintf("came after %d ms", after))
	e.Digest = it.entry.Digest().String()
	if it.opened != nil {
		e.Messages = messageIDs(it.opened.Frames)
	}
	x.report(e)
}

// damaged asks again for a number whose bytes did not verify. The number is
// the broker's word, so only few and near ones are believed.
func (x *Intake) damaged(s *session, seq uint64) {
	if i := s.led.holeAt(seq); i >= 0 {
		s.led.Holes[i].Why, s.led.Holes[i].NextAsk = WhyBytes, x.now()
		x.touch(s, false)
		x.owe(s, true)
		return
	}
	if seq < s.led.Next || seq > s.led.Next+64 || len(s.bad) >= 64 {
		return
	}
	for i := range s.bad {
		if s.bad[i].seq == seq {
			s.bad[i].nextAsk = min(s.bad[i].nextAsk, x.now()+1000)
			return
		}
	}
	s.bad = append(s.bad, badBytes{seq: seq, since: x.now(), nextAsk: x.now()})
	x.active[s.row.ID] = s
	x.touch(s, false)
	x.owe(s, true)
}
