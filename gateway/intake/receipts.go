package intake

import (
	"context"
	"errors"

	"github.com/digital-spine/spine/envelope"
)

// When a receipt goes out after the first change.
const (
	receiptAfter = 1000 // ms
	missingAfter = 200  // ms, when something is missing
	resendAfter  = 5000 // ms, when one could not be sent
	maxRanges    = 4096 // ranges of all lanes in one receipt, so that it fits the wire
)

// dueReceipt is a receipt that a sender instance is owed.
type dueReceipt struct {
	addr     string
	at       int64 // when to send it, ms
	sessions map[int64]*session
}

// owe notes that the session's sender is owed a receipt.
func (x *Intake) owe(s *session, missing bool) {
	k := s.peer()
	if s.core == nil && s.lane != nil {
		k = peerKey{s.lane.row.DID, s.lane.row.Inst}
	}
	if k.did == "" {
		return
	}
	d := x.due[k]
	after := int64(receiptAfter)
	if missing {
		after = missingAfter
	}
	at := x.now() + after
	if d == nil {
		d = &dueReceipt{addr: s.row.Sender, at: at, sessions: make(map[int64]*session)}
		x.due[k] = d
	}
	d.at = min(d.at, at)
	d.sessions[s.row.ID] = s
	if !s.row.Due {
		s.row.Due = true
		x.touch(s, false)
	}
}

// sendDue sends the receipts whose time has come. It returns when the next is due.
func (x *Intake) sendDue(now int64) (next int64) {
	for k, d := range x.due {
		if now < d.at {
			next = sooner(next, d.at)
			continue
		}
		if !x.peers.of(d.addr).receipt.AllowN(x.d.Clock.Now(), 1) {
			d.at = now + 5000
			next = sooner(next, d.at)
			continue
		}
		var lanes []envelope.Lane
		var told []*session
		ranges := 0
		for id, s := range d.sessions {
			if len(lanes) == envelope.MaxLanes || ranges > maxRanges {
				break
			}
			delete(d.sessions, id)
			l, ok := s.receiptLane()
			if !ok {
				s.row.Due = false
				x.touch(s, false)
				continue
			}
			lanes, told = append(lanes, l), append(told, s)
			ranges += len(l.Missing) + len(l.Refused)
		}
		if len(lanes) > 0 {
			x.sendReceipt(receiptOut{peer: k, addr: d.addr, lanes: lanes, sessions: told})
		}
		if len(d.sessions) == 0 {
			delete(x.due, k)
		} else {
			d.at = now + 1
			next = sooner(next, d.at)
		}
	}
	return next
}

// receiptLane is what a receipt says of the session; false when nothing.
func (s *session) receiptLane() (envelope.Lane, bool) {
	switch s.row.State {
	case Refused:
		code := envelope.Code(s.row.Code)
		return envelope.RefuseSession(s.sid(), code), code.TellsSender()
	case Waiting:
		return envelope.Lane{}, false
	case Unknown:
		last := max(int64(s.led.EndSeq), s.led.Highest-1, 0)
		return envelope.Lane{Session: s.sid(), UpTo: -1, Head: s.sid(), Missing: []envelope.Missing{{Last: uint64(last), Why: envelope.WhySecret}}}, true
	}
	l := envelope.Lane{Session: s.sid(), UpTo: int64(s.led.Next) - 1, Head: s.led.Head}
	for _, h := range s.led.Holes {
		l.Missing = append(l.Missing, envelope.Missing{First: h.From, Last: h.To, Why: uint64(h.Why)})
	}
	for _, b := range s.bad {
		if b.seq >= s.led.Next && len(l.Missing) < envelope.MaxRanges {
			l.Missing = append(l.Missing, envelope.Missing{First: b.seq, Last: b.seq, Why: envelope.WhyBytes})
		}
	}
	why := envelope.WhyHole
	if !s.ready && len(s.row.Secret) == 0 {
		why = envelope.WhySecret
	}
	if h := s.led.Highest; h > int64(s.led.Next) && len(l.Missing) < envelope.MaxRanges {
		l.Missing = append(l.Missing, envelope.Missing{First: s.led.Next, Last: uint64(h - 1), Why: why})
	}
	for _, r := range s.led.Refused {
		if c := envelope.Code(r.Code); c.TellsSender() {
			l.Refused = append(l.Refused, envelope.Refusal{First: r.From, Last: r.To, Code: c, Frame: int64(r.Frame)})
		}
	}
	for _, a := range s.led.Awaits {
		why := uint64(a.Why)
		if a.Len > 0 && !s.ready && len(s.row.Secret) == 0 {
			why = envelope.WhySecret
		}
		if why > 0 && len(l.Missing) < envelope.MaxRanges {
			l.Missing = append(l.Missing, envelope.Missing{First: a.Seq, Last: a.Seq, Why: why})
		} else if !a.Lazy && l.UpTo >= int64(a.Seq) {
			l.UpTo, l.Head = int64(a.Seq)-1, a.Before
		}
	}
	if stop := s.led.StopAt; stop > 0 && l.UpTo >= int64(stop)-1 {
		l.UpTo, l.Head = int64(stop)-2, s.led.StopHead
		if l.UpTo < 0 {
			l.Head = s.sid()
		}
	}
	return l, true
}

// receiptOut is a receipt on its way to the sender. Its sessions are the loop's.
type receiptOut struct {
	peer     peerKey
	addr     string
	lanes    []envelope.Lane
	sessions []*session // that stay due until it is sent; none where it asks for a grant
	err      error      // why it was not sent
}

// sendReceipt gives a receipt to the goroutine that signs and sends, once the
// round is committed.
func (x *Intake) sendReceipt(out receiptOut) {
	x.later(func(context.Context) {
		for _, s := range out.sessions {
			s.onWay++
		}
		select {
		case x.outgoing <- out:
		default:
			x.log.Warn("too many receipts wait to be sent; this one is made again later", "to", out.addr)
			out.err = errCrowded
			x.sentOne(out)
		}
	})
}

var errCrowded = errors.New("too many receipts wait to be sent")

// moreSent takes up what became of receipts by now. It reports whether one of
// them is owed again.
func (x *Intake) moreSent(first receiptOut) (again bool) {
	x.sentOne(first)
	again = first.err != nil
	for {
		select {
		case out := <-x.sent:
			x.sentOne(out)
			again = again || out.err != nil
		default:
			return again
		}
	}
}

// sentOne takes what became of a receipt. What it told is owed no longer, unless
// something changed since; one that could not be sent is made again: after a
// while another one says the same and more.
func (x *Intake) sentOne(out receiptOut) {
	for _, s := range out.sessions {
		if x.byID[s.row.ID] != s {
			continue // read again meanwhile, and owed what the store says
		}
		s.onWay--
		if out.err != nil {
			x.owe(s, false)
		} else if d := x.due[out.peer]; s.onWay == 0 && (d == nil || d.sessions[s.row.ID] == nil) {
			s.row.Due = false
			x.touch(s, false)
		}
	}
	if d := x.due[out.peer]; d != nil && out.err != nil {
		d.at = max(d.at, x.now()+resendAfter)
	}
}

// sendReceipts signs and sends receipts until ctx ends, and tells the loop what
// became of each. One that cannot be sent holds up no other's.
func (x *Intake) sendReceipts(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case out := <-x.outgoing:
			if out.err = x.sendOne(ctx, out); out.err != nil {
				x.log.Debug("a receipt could not be sent", "to", out.addr, "error", out.err)
			} else if len(out.sessions) == 0 {
				continue
			}
			select {
			case <-ctx.Done():
			case x.sent <- out:
			}
		}
	}
}

func (x *Intake) sendOne(ctx context.Context, out receiptOut) error {
	cert, pkg := x.d.Self.Certificate(), x.d.Self.Package()
	if cert == nil || pkg == nil {
		return errors.Join(errors.New("there are no papers to sign a receipt with"), x.d.Self.Err())
	}
	x.lastAt = max(x.now(), x.lastAt+1)
	r, err := envelope.NewReceipt(ctx, x.d.Self.InstanceSigner(cert.Digest()), envelope.ReceiptBody{Cert: cert.Digest(), Package: pkg.Digest(), At: x.lastAt, Lanes: out.lanes})
	if err != nil {
		return err
	}
	if out.peer.did == "" {
		return x.d.Replies.ReplyAddr(ctx, out.addr, r.Bytes())
	}
	return x.d.Replies.Reply(ctx, out.peer.did, out.peer.inst, r.Bytes())
}
