package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/inbox"
)

// takeGrant is G2 to G4: what can be judged without a look-up. What passes is
// committed as waiting and given to a judge.
func (x *Intake) takeGrant(ctx context.Context, it *item, p *peer) error {
	g, now := it.grant, x.now()
	sid := g.Core.Session()
	s, err := x.find(ctx, sid)
	if err != nil {
		return err
	}
	if s != nil { // G2
		switch s.row.State {
		case Open:
			if len(s.row.Secret) > 0 || s.keys != nil {
				x.grantHeld(it)
				return nil
			}
		case Refused:
			x.report(event(it, s.refusal()))
			return nil
		case Waiting:
			if bytes.Equal(s.row.Grant, it.Data) {
				x.grantHeld(it)
				return nil
			}
		}
	}
	x.behind(it)
	if err := x.d.Self.Mine(g.Package); err != nil { // G3
		x.report(event(it, err))
		if envelope.CodeOf(err) == envelope.PackageGone && g.Core.CheckSender(it.sender) == nil {
			lane := envelope.Lane{Session: sid, UpTo: -1, Head: sid, Missing: []envelope.Missing{{Why: envelope.WhySecret}}}
			if now := x.d.Clock.Now(); (p.known && p.receipt.AllowN(now, 1)) || (!p.known && x.peers.asks.AllowN(now, 1)) {
				x.sendReceipt(receiptOut{peer: peerKey{g.Core.From, g.Core.Inst}, addr: it.sender, lanes: []envelope.Lane{lane}})
			}
		}
		return nil
	}
	if err := g.Core.CheckSender(it.sender); err != nil {
		p.fail(x.d.Clock.Now())
		x.report(event(it, err))
		return nil
	}
	if err := g.Core.CheckSuite(x.d.Self.Package()); err != nil { // G4
		x.report(event(it, err))
		return nil
	}
	window := g.Core.CheckWindow(now)
	if window != nil && !errors.Is(window, envelope.ErrAhead) {
		x.report(event(it, window))
		return nil
	}
	var forgotten int64
	row, err := x.d.Store.Sender(ctx, g.Core.From, g.Core.Inst)
	if err != nil {
		return fmt.Errorf("read sender: %w", err)
	}
	if row != nil {
		forgotten, p.known = row.Forgotten, true
	}
	if err := g.Core.CheckOver(now, x.d.Network.Retention.Milliseconds(), forgotten); err != nil {
		x.report(event(it, err))
		return nil
	}
	if !x.peers.grant(p, x.d.Clock.Now()) || (!p.known && len(x.active) >= maxWaiting) {
		x.throttle(p, "too many grants")
		return nil
	}
	if s == nil && x.openOf(it.sender, now) >= maxOpen {
		x.throttle(p, "too many open sessions")
		return nil
	}
	if s == nil {
		s = x.create(sid, it.sender, Waiting, 0)
	}
	if s.row.State == Unknown {
		s.row.State = Waiting
	}
	s.regrant = s.row.State == Open
	s.row.Grant, s.row.Core, s.row.Sender = it.Data, g.Core.Bytes(), it.sender
	s.row.Expires = g.Core.NotAfter + x.d.Network.Retention.Milliseconds()
	s.core = g.Core
	x.touch(s, true)
	x.active[s.row.ID] = s
	if window != nil { // begins ahead of now: waits for its time
		s.row.Code = string(envelope.BadTime)
		s.judgeAt = g.Core.NotBefore - envelope.Skew
		x.report(event(it, window))
		return nil
	}
	x.enqueue(s)
	return nil
}

// openOf counts a sender's sessions that can still grow; those that a later one
// closed do not count.
func (x *Intake) openOf(sender string, now int64) (n int) {
	for _, s := range x.byID {
		if s.row.Sender == sender && s.core != nil && !s.led.Closed && s.led.MarkEnd == 0 && now <= s.core.NotAfter && (s.row.State == Open || s.row.State == Waiting) {
			n++
		}
	}
	return n
}

// grantHeld is G2: the session needs no further grant.
func (x *Intake) grantHeld(it *item) {
	x.report(event(it, envelope.Replayed.Errorf("a grant for this session is held")))
}

// succession is G11: the entry of the lane group that the session follows,
// against the ledger. Nothing here refuses the session.
func (x *Intake) succession(ctx context.Context, s *session, prev *envelope.Prev, known bool) error {
	now := x.now()
	say := func(code, text string) {
		e := about(s, gateway.KindDetected, code, 0, 0, text)
		e.Seq = nil
		x.report(e)
	}
	if prev == nil {
		if known {
			say(eventLaneReset, "the lane group is known here, and the session names no predecessor")
		}
		return nil
	}
	s.led.Prev = &Prev{SID: prev.Session, Seq: prev.Seq, D: prev.Digest, Naf: prev.NotAfter}
	over := prev.NotAfter+x.d.Network.Retention.Milliseconds() < now
	p, err := x.find(ctx, prev.Session)
	if err != nil {
		return err
	}
	if p == nil {
		if over {
			say(eventOutOfRetention, fmt.Sprintf("session %s up to %d can no longer be had", prev.Session, prev.Seq))
			return nil
		}
		p = x.create(prev.Session, s.row.Sender, Unknown, prev.NotAfter+x.d.Network.Retention.Milliseconds())
		p.led.Follower = s.sid()
		h, _ := p.led.end(prev.Seq, prev.Digest, WhySecret, now)
		p.join(s.lane)
		s.lane.insert(p)
		x.active[p.row.ID] = p
		x.opened(p, h)
		return nil
	}
	if p.row.State == Refused {
		return nil
	}
	if f := envelope.Digest(p.led.Follower); !f.IsZero() && f != s.sid() {
		say(eventWriterConflict, fmt.Sprintf("sessions %s and %s both follow %s", f, s.sid(), prev.Session))
	}
	p.led.Follower = s.sid()
	if p.lane == nil {
		p.join(s.lane)
		s.lane.insert(p)
	}
	x.touch(p, true)
	if prev.Seq < p.led.Next {
		if prev.Seq+1 < p.led.Next {
			say(eventPrevRegressed, fmt.Sprintf("names %d as the last of %s, %d is held", prev.Seq, prev.Session, p.led.Next-1))
		}
		var d envelope.Digest = p.led.Head
		if prev.Seq+1 < p.led.Next {
			d = prev.Digest
			if held, err := x.d.Store.Entry(ctx, p.entryID(prev.Seq)); err != nil {
				return err
			} else if held != nil {
				d = held.D
			} else if rd, ok := x.roundD[p.entryID(prev.Seq)]; ok {
				d = rd
			}
		}
		if d != prev.Digest {
			say(string(envelope.Forked), fmt.Sprintf("names another entry %d of %s than is held", prev.Seq, prev.Session))
		}
	}
	if over && prev.Seq >= p.led.Next {
		say(eventOutOfRetention, fmt.Sprintf("%d to %d of session %s can no longer be had", p.led.Next, prev.Seq, prev.Session))
		return nil
	}
	why := WhyHole
	if p.row.State != Open {
		why = WhySecret
	}
	h, _ := p.led.end(prev.Seq, prev.Digest, why, now)
	x.active[p.row.ID] = p
	x.opened(p, h)
	return nil
}

// opened reports a hole and asks for it.
func (x *Intake) opened(s *session, h *Hole) {
	x.touch(s, true)
	if h == nil {
		return
	}
	x.report(about(s, gateway.KindDetected, eventHole, h.From, h.To, "not received; asked for"))
	x.owe(s, true)
}

// infoOf returns what handing over needs of a session.
func infoOf(core *envelope.Core, version string, roles []string, key []byte) *inbox.SessionInfo {
	return &inbox.SessionInfo{From: core.From, Inst: core.Inst, SID: core.Session(), Topic: core.Topic, Version: version, Roles: roles, Key: key}
}

// forgotten reports whether only what applications have not read is left of the
// session.
func (s *session) forgotten() bool {
	return s.row.State == Refused && s.row.Code == string(envelope.SessionOver) && s.info != nil
}

// refusal is what is said of anything that belongs to a refused session.
func (s *session) refusal() error {
	if s.row.Code == string(envelope.SessionOver) { // forgotten but for what applications have not read
		return envelope.SessionOver.Errorf("session and retention are past")
	}
	return envelope.SessionRefused.Errorf("the session was refused: %s", s.row.Code)
}
