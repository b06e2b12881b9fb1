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
	s, seq, now := it.s, it.env.Seq, x.now()
	id := s.entryID(seq)
	if it.verify != nil {
		x.failed(it, it.verify)
		if it.held == nil && x.roundD[id].IsZero() {
			x.damaged(s, seq)
		}
		return nil
	}
	if d, ok := x.roundD[id]; ok && it.held == nil {
		if d == it.env.Digest() {
			x.replayed(it)
			return nil
		}
		it.held = &d
	}
	if it.held != nil {
		x.forked(it, it.env.CheckHeld(*it.held))
		return nil
	}
	if s.led.BrokenAt > 0 && seq >= s.led.BrokenAt-1 {
		x.report(event(it, envelope.SessionRefused.Errorf("the session's chain broke before")))
		return nil
	}

	refusal := x.standing(ctx, s) // E7
	waiting := refusal != nil && waits(refusal)
	if refusal == nil || waiting { // E8
		last := s.led.LastT
		if seq < s.led.Next {
			last = 0 // a fill: its neighbours are not at hand
		}
		if err := it.env.CheckTime(s.core, last, now); errors.Is(err, envelope.ErrAhead) {
			x.stallTime(s, it.env.Time)
			x.report(event(it, err))
		} else if err != nil {
			refusal, waiting = err, false
		}
	}
	pl, err := s.led.place(seq, it.env.Prev, it.env.Digest(), now) // E9
	if err != nil {
		return x.misplaced(it, err)
	}
	x.touch(s, false)
	x.placed(s, it, pl, now)
	s.led.LastT = max(s.led.LastT, it.env.Time)
	if waiting {
		x.stall(s, refusal)
		refusal = nil
	}
	if refusal == nil {
		refusal = it.open // E10 to E12
	}
	row := inbox.Row{ID: id, D: it.env.Digest(), T: it.env.Time, At: now, Topic: s.core.Topic, Late: pl.late}
	h := it.env.CiphertextHash()
	row.Proof = append(append(make([]byte, 0, len(it.env.Signed())+32), it.env.Signed()...), h[:]...)
	if refusal != nil {
		code := envelope.CodeOf(refusal)
		row.Verdict = inbox.EncodeFaults([]inbox.Fault{{Frame: -1, Code: string(code)}})
		if !s.led.refuse(seq, string(code), -1) {
			s.led.stopTelling(seq, it.env.Prev)
		}
		x.failed(it, refusal)
	} else if err := x.frames(ctx, it, &row, now); err != nil {
		return err
	}
	x.roundD[id] = it.env.Digest()
	x.handOver(s, &row, seq, refusal != nil)
	x.r.Entries = append(x.r.Entries, row)
	if refusal == nil {
		x.shares[it.sender] += int64(len(row.Body))
		frames := it.opened.Frames
		x.later(func(context.Context) { x.d.Inbox.Offer(id, frames) })
	}
	x.owe(s, len(s.led.Holes) > 0)
	return nil
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
			bad = envelope.BadSchema.Errorf("%w", it.schema[i])
		}
		if bad == nil {
			row.IDs = append(row.IDs, it.keys[i][:]...)
			x.ids.add(w, x.ids.finger(it.keys[i][:16]), row.ID, now)
			continue
		}
		code := envelope.CodeOf(bad)
		if code != envelope.Duplicate && code != envelope.IDConflict {
			code = envelope.BadSchema // also json_* of a body that is not JSON
		}
		faults = append(faults, inbox.Fault{Frame: i, Code: string(code)})
		if code.TellsSender() && !s.led.refuse(it.env.Seq, string(code), i) {
			s.led.stopTelling(it.env.Seq, it.env.Prev)
		}
		e := event(it, bad)
		e.Code = string(code)
		e.Messages = []string{it.opened.Frames[i].ID.String()}
		x.report(e)
	}
	x.roundID[row.ID] = row.IDs
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
	x.r.Proofs = append(x.r.Proofs, ProofRow{Session: it.s.row.ID, Seq: it.env.Seq, D: it.env.Digest(), At: x.now(), Signed: it.env.Signed()})
}

// misplaced deals with an entry that does not fit the chain.
func (x *Intake) misplaced(it *item, err error) error {
	s, seq := it.s, it.env.Seq
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
		if s.bad[i].seq == it.env.Seq {
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
	if s.led.Closed && it.env.Seq > s.led.EndSeq {
		x.report(about(s, gateway.KindDetected, eventPrevRegressed, it.env.Seq, it.env.Seq, "above the entry that the next session names as the last"))
	}
	if pl.late {
		x.report(about(s, gateway.KindRepaired, eventLate, it.env.Seq, it.env.Seq, "handed over behind a gap"))
	}
}

func (x *Intake) repaired(s *session, it *item, after int64) {
	e := about(s, gateway.KindRepaired, eventRepaired, it.env.Seq, it.env.Seq, fmt.Sprintf("came after %d ms", after))
	e.Digest = it.env.Digest().String()
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
	x.owe(s, true)
}
