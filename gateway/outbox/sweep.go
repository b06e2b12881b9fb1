package outbox

import (
	"context"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// Times of the sweep.
const (
	sweepEvery  = 30 * time.Second
	countEvery  = 5 * time.Minute
	keepStatus  = 24 * time.Hour // after naf + R a message's end is still shown
	sweepPage   = 10_000
	secretGrace = int64(envelope.SecretGrace)
)

// How far the operator was told about a silent member.
const (
	toldUnconfirmed = 1
	toldUndelivered = 2
)

// sweeps keeps the outbox's times: who is silent, what is over, what may be
// forgotten.
func (o *Outbox) sweeps(ctx context.Context) {
	tick := o.clock.NewTicker(sweepEvery)
	defer tick.Stop()
	counted := o.clock.Now()
	for {
		if err := o.sweep(ctx); err != nil && ctx.Err() == nil {
			o.log.Error("outbox sweep failed", "err", err)
		}
		if now := o.clock.Now(); now.Sub(counted) >= countEvery {
			counted = now
			if err := o.count(ctx); err != nil && ctx.Err() == nil {
				o.log.Error("outbox count failed", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.Chan():
		}
	}
}

func (o *Outbox) sweep(ctx context.Context) error {
	now := o.now()
	if err := o.settle(ctx); err != nil {
		return err
	}
	if err := o.silent(ctx, now); err != nil {
		return err
	}
	if err := o.store.Expire(ctx, now-o.net.RetentionMS, now-o.net.RetentionMS-keepStatus.Milliseconds()); err != nil {
		return err
	}
	if err := o.sweepFiles(ctx); err != nil {
		return err
	}
	list, err := o.store.Sessions(ctx, now-min(secretGrace, o.net.RetentionMS), sweepPage)
	if err != nil {
		return err
	}
	for i := range list {
		if err := o.age(ctx, &list[i], now); err != nil {
			return err
		}
	}
	return nil
}

// settle takes up what the store holds and nobody was told of, after a write
// whose outcome is not known: messages that may go on, an envelope to be
// published, a session that needs marks.
func (o *Outbox) settle(ctx context.Context) error {
	if !o.unsure.Swap(false) {
		return nil
	}
	lanes, err := o.store.WaitingLanes(ctx)
	if err != nil {
		o.unsure.Store(true)
		return err
	}
	for _, row := range lanes {
		l := o.lane(row)
		l.wake(ctx)
		l.pins.Add(-1)
	}
	o.pub.adopt()
	o.marks.reload()
	return nil
}

// silent reports members whose receipts are 15 minutes late, once a session.
func (o *Outbox) silent(ctx context.Context, now int64) error {
	list, err := o.store.Silent(ctx, now-unconfirmedAfter.Milliseconds(), toldUnconfirmed, sweepPage)
	if err != nil {
		return err
	}
	for i := range list {
		m := &list[i]
		if m.verdict(m.Upto+1, 0) == "" {
			if err := o.report(ctx, m, "unconfirmed", "no receipt for 15 minutes"); err != nil {
				return err
			}
		}
		if err := o.store.Told(ctx, m.SID, m.Addr, toldUnconfirmed, m.Upto+1, now); err != nil {
			return err
		}
	}
	return nil
}

// report emits an event about what a member has not confirmed.
func (o *Outbox) report(ctx context.Context, m *Member, code, detail string) error {
	s, err := o.store.Session(ctx, m.SID)
	if err != nil {
		return err
	}
	ids, err := o.idsOf(ctx, s, Refusal{A: m.Upto + 1, B: s.Next - 1, Frame: -1})
	if err != nil {
		return err
	}
	o.events.Emit(ctx, gateway.Event{At: o.now(), Kind: gateway.KindSent, Code: code, DID: m.DID, Session: envelope.Digest(m.SID).String(),
		Seq: gateway.Seq(uint64(m.Upto + 1)), Channel: s.Channel, Topic: s.Topic, Messages: ids, Detail: detail})
	return nil
}

// age ends what a session's time has come for: its secret when everybody has
// receipted and 48 h are over, or at naf + R; itself a day later.
func (o *Outbox) age(ctx context.Context, s *Session, now int64) error {
	over := s.NAF + o.net.RetentionMS
	if now > over+keepStatus.Milliseconds() {
		return o.store.Forget(ctx, s.SID)
	}
	if s.Secret == nil {
		return nil
	}
	members, err := o.store.Members(ctx, s.SID)
	if err != nil {
		return err
	}
	if now <= over && (now <= s.NAF+secretGrace || done(members, s.Next) < s.Next) {
		return nil
	}
	for i := range members {
		m := &members[i]
		if m.Upto+1 >= s.Next || m.gone() || m.Told >= toldUndelivered {
			continue
		}
		if err := o.report(ctx, m, "undelivered", "no receipt within the retention"); err != nil {
			return err
		}
		if err := o.store.Told(ctx, m.SID, m.Addr, toldUndelivered, m.Upto+1, now); err != nil {
			return err
		}
	}
	return o.store.Retire(ctx, s.SID)
}
