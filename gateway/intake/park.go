package intake

import (
	"context"
	"fmt"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// park keeps an envelope whose session is not open, within the bounds of
// section 12, and asks for the grant where there is none (E3).
func (x *Intake) park(ctx context.Context, it *item, s *session, p *peer) error {
	sid, seq := it.head.Session, it.head.Seq
	if it.parked != nil && s == nil {
		return nil // its session went meanwhile
	}
	x.behind(it)
	if s != nil && s.row.Sender != it.sender { // E3: numbers count from its own sender only
		p.fail(x.d.Clock.Now())
		x.report(event(it, envelope.Rebound.Errorf("the session is another sender's")))
		return nil
	}
	if s != nil {
		if int64(seq)+1 > s.led.Highest {
			s.led.Highest = int64(seq) + 1
			x.touch(s, false)
		}
		x.active[s.row.ID] = s
	} else if x.remember(it, sid, seq) == nil {
		x.throttle(p, "too many unknown sessions")
		return nil
	}
	size := int64(len(it.Data))
	if x.parked[it.sender]+size > parkedPerSender || x.parkedN+size > parkedPerMailbox {
		x.throttle(p, "too much is parked")
		return nil
	}
	x.last.Parked++
	x.r.Park = append(x.r.Park, ParkedRow{ID: x.last.Parked, SID: sid, Sender: it.sender, Subject: it.Subject, At: x.now(), Wire: it.Data})
	x.parked[it.sender] += size
	x.parkedN += size
	return nil
}

// remember keeps the highest number seen of a session that no grant opened.
func (x *Intake) remember(it *item, session envelope.Digest, highest uint64) *named {
	sid := strangerKey{session, it.sender}
	n := x.strange[sid]
	if n == nil {
		if len(x.strange) >= maxStrange && x.now() >= x.fullTo {
			for old, o := range x.strange { // the oldest would need an order; any old one serves
				if x.now()-o.since > parkedFor.Milliseconds() {
					delete(x.strange, old)
					break
				}
			}
		}
		if len(x.strange) >= maxStrange {
			if x.now() >= x.fullTo {
				x.fullTo = x.now() + fullFor // not all of them for each message
			}
			return nil
		}
		n = &named{sid: sid.sid, sender: it.sender, since: x.now(), nextAsk: x.now()}
		x.strange[sid] = n
	}
	n.highest = max(n.highest, highest)
	return n
}

func (x *Intake) unparkBytes(sender string, n int64) {
	x.parkedN -= n
	if x.parked[sender] -= n; x.parked[sender] <= 0 {
		delete(x.parked, sender)
	}
}

// unpark takes the parked envelopes of a session that is open now.
func (x *Intake) unpark(ctx context.Context, s *session) ([]*item, error) {
	rows, err := x.d.Store.Parked(ctx, s.sid(), 5000)
	if err != nil {
		return nil, fmt.Errorf("read parked messages: %w", err)
	}
	items := make([]*item, len(rows))
	for i := range rows {
		items[i] = &item{Delivery: Delivery{Subject: rows[i].Subject, Data: rows[i].Wire}, parked: &rows[i]}
	}
	return items, nil
}

// expireParked drops what was parked for longer than 60 s; its numbers stay
// known and are asked for once the session opens.
func (x *Intake) expireParked(ctx context.Context, now int64) error {
	if x.parkedN <= 0 {
		return nil
	}
	rows, err := x.d.Store.ParkedBefore(ctx, now-parkedFor.Milliseconds(), 1000)
	if err != nil {
		return fmt.Errorf("read parked messages: %w", err)
	}
	taken := make(map[int64]bool, len(x.r.Unpark))
	for _, id := range x.r.Unpark {
		taken[id] = true
	}
	for i := range rows {
		if taken[rows[i].ID] {
			continue
		}
		x.r.Unpark = append(x.r.Unpark, rows[i].ID)
		x.unparkBytes(rows[i].Sender, int64(rows[i].Size))
	}
	return nil
}

// askStrangers asks for the grants of sessions nobody opened here, within the
// budget, and gives up after a minute.
func (x *Intake) askStrangers(now int64) (next int64) {
	for key, n := range x.strange {
		sid := n.sid
		if now-n.since > parkedFor.Milliseconds() && !n.told {
			n.told = true
			x.report(gateway.Event{Kind: gateway.KindDetected, Code: string(envelope.SessionUnknown), Session: sid.String(), Seq: gateway.Seq(n.highest),
				Detail: "no grant within a minute; from mailbox " + n.sender})
		}
		if n.told {
			if now-n.since > x.d.Network.Retention.Milliseconds() {
				delete(x.strange, key)
			}
			continue
		}
		if now >= n.nextAsk {
			if p := x.peers.of(n.sender); (p.known && p.receipt.AllowN(x.d.Clock.Now(), 1)) || (!p.known && x.peers.asks.AllowN(x.d.Clock.Now(), 1)) {
				lane := envelope.Lane{Session: sid, UpTo: -1, Head: sid, Missing: []envelope.Missing{{Last: n.highest, Why: envelope.WhySecret}}}
				x.sendReceipt(receiptOut{addr: n.sender, lanes: []envelope.Lane{lane}})
			}
			n.nextAsk = nextAsk(n.since, n.asked, now)
			n.asked++
		}
		next = sooner(next, min(n.nextAsk, n.since+parkedFor.Milliseconds()+1))
	}
	return next
}

// nextAsk is when a thing is asked for again: 1, 3 and 9 s after the first
// time, then every 10 min.
func nextAsk(since int64, asked int, now int64) int64 {
	if steps := [...]int64{1000, 3000, 9000}; asked < len(steps) {
		return max(since+steps[asked], now+1)
	}
	return now + 600_000
}

// sooner returns the earlier of two times, 0 meaning none.
func sooner(a, b int64) int64 {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}
