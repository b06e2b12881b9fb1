package intake

import (
	"context"

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
		ranges := 0
		for id, s := range d.sessions {
			if len(lanes) == envelope.MaxLanes || ranges > maxRanges {
				break
			}
			delete(d.sessions, id)
			l, ok := s.receiptLane()
			if !ok {
				continue
			}
			lanes = append(lanes, l)
			ranges += len(l.Missing) + len(l.Refused)
			x.later(func(context.Context) { // stays due while something is unsettled, for a restart
				s.row.Due = !x.quiet(s)
				x.touch(s, false)
			})
		}
		if len(lanes) > 0 {
			x.sendReceipt(k, d.addr, lanes)
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

// receiptOut is a receipt on its way to the sender.
type receiptOut struct {
	peer  peerKey
	addr  string
	lanes []envelope.Lane
}

// sendReceipt gives a receipt to the goroutine that signs and sends, once the
// round is committed.
func (x *Intake) sendReceipt(k peerKey, addr string, lanes []envelope.Lane) {
	out := receiptOut{k, addr, lanes}
	x.later(func(ctx context.Context) {
		select {
		case x.outgoing <- out:
		default:
			x.log.Warn("too many receipts wait to be sent; this one is made again later", "to", addr)
			x.oweAgain(ctx, out)
		}
	})
}

// oweAgain takes back a receipt that could not be sent: after a while another
// one says the same and more.
func (x *Intake) oweAgain(ctx context.Context, out receiptOut) {
	for i := range out.lanes {
		s, err := x.find(ctx, out.lanes[i].Session)
		if err != nil {
			x.log.Warn("a receipt that was not sent cannot be made again", "to", out.addr, "error", err)
			continue
		}
		if s != nil { // else an ask for a grant, which has a schedule of its own
			x.owe(s, false)
		}
	}
	if d := x.due[out.peer]; d != nil {
		d.at = max(d.at, x.now()+resendAfter)
	}
}

// sendReceipts signs and sends receipts until ctx ends. One that cannot be sent
// goes back to the loop, so that it holds up no other's.
func (x *Intake) sendReceipts(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case out := <-x.outgoing:
			err := x.sendOne(ctx, out)
			if err == nil || ctx.Err() != nil {
				continue
			}
			x.log.Debug("a receipt could not be sent", "to", out.addr, "error", err)
			select {
			case <-ctx.Done():
			case x.unsent <- out:
			}
		}
	}
}

func (x *Intake) sendOne(ctx context.Context, out receiptOut) error {
	cert, pkg := x.d.Self.Certificate(), x.d.Self.Package()
	if cert == nil || pkg == nil {
		return x.d.Self.Err()
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
