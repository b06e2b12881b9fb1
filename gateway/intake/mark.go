package intake

import (
	"context"
	"fmt"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// takeMark takes a mark: what its sender says the next number would be (section
// 22). It needs no secret of the session, and takes no number.
func (x *Intake) takeMark(ctx context.Context, it *item, p *peer) error {
	m, now := it.mark, x.now()
	s, err := x.find(ctx, m.Session)
	if err != nil {
		return err
	}
	if s == nil {
		if m.Seq > 0 && x.remember(it, m.Session, m.Seq-1) == nil {
			x.throttle(p, "too many unknown sessions")
		}
		return nil
	}
	it.s = s
	switch {
	case s.row.Sender != it.sender:
		p.fail(x.d.Clock.Now())
		x.report(event(it, envelope.Rebound.Errorf("the session is another sender's")))
		return nil
	case s.row.State == Refused && !s.forgotten():
		x.report(event(it, s.refusal()))
		return nil
	case s.row.State != Open && s.row.State != Refused:
		if m.Seq > 0 {
			x.dropped(s, m.Seq-1) // asked for once the session is open
		}
		return nil
	case s.led.BrokenAt > 0:
		x.report(event(it, envelope.SessionRefused.Errorf("the session's chain broke before")))
		return nil
	}
	if err := m.Verify(s.info.Key); err != nil {
		x.failed(it, err)
		return nil
	}
	if now > s.row.Expires || s.forgotten() {
		if m.Seq > s.led.Next && !s.over {
			s.over = true
			x.report(about(s, gateway.KindDetected, eventOutOfRetention, s.led.Next, m.Seq-1, "can no longer be had"))
			return nil
		}
		x.report(event(it, envelope.SessionOver.Errorf("session and retention are past")))
		return nil
	}
	if err := m.CheckTime(s.core, s.led.MarkT, now); err != nil {
		x.report(event(it, err))
		return nil
	}
	s.led.MarkT = m.Time
	x.touch(s, false)
	x.hear(s)
	if err := x.marked(ctx, it); err != nil {
		return err
	}
	if m.State == envelope.MarkClosed {
		x.closed(it)
	}
	return nil
}

// marked compares a mark with the chain: above what is held it is a hole, else
// its predecessor has to be the one held.
func (x *Intake) marked(ctx context.Context, it *item) error {
	m, s := it.mark, it.s
	if m.Seq > s.led.Next {
		h, err := s.led.announce(m.Seq, m.Prev, x.now())
		if err != nil {
			x.throttle(x.peers.of(it.sender), "too many holes in one session")
			return nil
		}
		x.active[s.row.ID] = s
		x.opened(s, h)
		return nil
	}
	mine, ok, err := x.before(ctx, s, m.Seq)
	if err != nil || !ok {
		return err
	}
	if err := m.CheckPrev(mine); err != nil {
		x.failed(it, err)
		x.r.Proofs = append(x.r.Proofs, ProofRow{Session: s.row.ID, Seq: m.Seq, D: m.Digest(), At: x.now(), Signed: m.Bytes()})
	}
	return nil
}

// before returns D of the number before seq, as far as it is known here.
func (x *Intake) before(ctx context.Context, s *session, seq uint64) (d envelope.Digest, ok bool, err error) {
	switch {
	case seq == 0:
		return s.sid(), true, nil
	case seq == s.led.Next:
		return s.led.Head, true, nil
	}
	if i := s.led.holeAt(seq - 1); i >= 0 {
		h := s.led.Holes[i]
		return h.End, h.To == seq-1 && h.End != [32]byte{}, nil
	}
	id := s.entryID(seq - 1)
	if d, ok := x.roundD[id]; ok {
		return d, true, nil
	}
	held, err := x.d.Store.Entry(ctx, id)
	if err != nil {
		return d, false, fmt.Errorf("read an entry: %w", err)
	}
	if held == nil {
		return d, false, nil
	}
	return held.D, true, nil
}

// closed ends the watch on a lane group: its sender says that nothing follows in
// the newest session of it.
func (x *Intake) closed(it *item) {
	m, s := it.mark, it.s
	if m.Seq < s.led.Next {
		x.report(about(s, gateway.KindDetected, eventPrevRegressed, m.Seq, s.led.Next-1, fmt.Sprintf("closed before %d, %d is held", m.Seq, s.led.Next-1)))
	}
	s.led.MarkEnd = m.Seq + 1
	if w := x.watched[s.row.Lane]; w != nil && w.sid == s.row.SID {
		x.unwatch(s.row.Lane)
	}
}

// announce notes that the number before next exists and has digest prev. What
// is not held below it becomes a hole, returned.
func (l *Ledger) announce(next uint64, prev [32]byte, now int64) (*Hole, error) {
	if len(l.Holes) >= MaxHoles {
		return nil, errFull
	}
	h := Hole{From: l.Next, To: next - 1, Before: l.Head, End: prev, Since: now, NextAsk: now, Why: WhyHole}
	l.Holes = append(l.Holes, h)
	l.Next, l.Head = next, prev
	return &h, nil
}
