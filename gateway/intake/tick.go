package intake

import (
	"context"
	"fmt"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// Pauses between pieces of housekeeping.
const (
	parkedEvery = 5_000  // ms
	expireEvery = 60_000 // ms
	idleTick    = 10 * time.Second
)

// tick does what is due by the clock.
func (x *Intake) tick(ctx context.Context) error {
	now := x.now()
	x.next = 0
	x.roomAgain()
	for _, s := range x.active {
		if s.lane != nil && !s.lined && s.row.State == Open && (s.advance || s.led.Released < s.led.Next) {
			s.lane.insert(s) // it was settled, and has something to hand over again
		}
	}
	seen := make(map[*lane]bool)
	for id, s := range x.active {
		if s.lane != nil && !seen[s.lane] {
			seen[s.lane] = true
			next, err := x.advanceLane(ctx, s.lane, now)
			if err != nil {
				return err
			}
			x.next = sooner(x.next, next)
		}
		x.next = sooner(x.next, x.retryJudge(s, now))
		x.next = sooner(x.next, x.askHoles(s, now))
		again, err := x.pursueAwaits(ctx, s, now)
		if err != nil {
			return err
		}
		x.next = sooner(x.next, again)
		if x.quiet(s) {
			delete(x.active, id)
			if s.kept && !s.row.Due {
				x.touch(s, false)
			}
		}
	}
	x.next = sooner(x.next, x.askStrangers(now))
	if now-x.parkedAt >= parkedEvery || now < x.parkedAt {
		x.parkedAt = now
		if err := x.expireParked(ctx, now); err != nil {
			return err
		}
	}
	if now-x.watchedAt >= watchEvery || now < x.watchedAt {
		x.watchedAt = now
		if err := x.listen(ctx, now); err != nil {
			return err
		}
	}
	if now-x.expiredAt >= expireEvery || now < x.expiredAt {
		x.expiredAt = now
		if err := x.expire(ctx, now); err != nil {
			return err
		}
		if err := x.weigh(ctx); err != nil {
			return err
		}
		if err := x.d.Vault.Rotate(ctx); err != nil {
			x.log.Error("making a new data key failed; the old one goes on", "error", err)
		}
	}
	if x.parkedN > 0 {
		x.next = sooner(x.next, x.parkedAt+parkedEvery)
	}
	x.next = sooner(x.next, x.sendDue(now))
	return nil
}

// untilNext is how long the loop may sleep.
func (x *Intake) untilNext() time.Duration {
	if x.next == 0 {
		return idleTick
	}
	return min(max(time.Duration(x.next-x.now())*time.Millisecond, 0), idleTick)
}

// quiet reports whether nothing of the session depends on the clock.
func (x *Intake) quiet(s *session) bool {
	return s.row.State != Waiting && s.row.State != Unknown && !s.judge && (s.ready || s.row.State == Refused || s.led.Highest <= int64(s.led.Next)) &&
		len(s.led.Holes) == 0 && len(s.led.Awaits) == 0 && len(s.bad) == 0 && s.stalled == "" && s.stallT == 0 && !s.advance &&
		(s.row.State == Refused || (s.led.Highest <= int64(s.led.Next) && s.led.Released >= s.led.Next))
}

// retryJudge judges a waiting session again when its pause is over.
func (x *Intake) retryJudge(s *session, now int64) (next int64) {
	waiting := (s.row.State == Waiting && len(s.row.Grant) > 0) || (s.row.State == Open && !s.ready && (len(s.row.Secret) > 0 || s.regrant))
	if !waiting || s.judge {
		return 0
	}
	if now >= s.judgeAt {
		x.enqueue(s)
		return 0
	}
	return s.judgeAt
}

// askHoles asks again for what is missing, on its schedule.
func (x *Intake) askHoles(s *session, now int64) (next int64) {
	if s.row.State == Refused || s.row.State == Waiting || now > s.row.Expires {
		return 0
	}
	due := false
	for i := range s.led.Holes {
		h := &s.led.Holes[i]
		if now >= h.NextAsk {
			h.NextAsk, due = nextAsk(h.Since, h.Asked, now), true
			h.Asked++
		}
		next = sooner(next, h.NextAsk)
	}
	for i := range s.bad {
		b := &s.bad[i]
		if now >= b.nextAsk {
			b.nextAsk, due = nextAsk(b.since, b.asked, now), true
			b.asked++
		}
		next = sooner(next, b.nextAsk)
	}
	if s.row.State == Open && (s.ready || len(s.row.Secret) == 0) && s.led.Highest > int64(s.led.Next) {
		if now >= s.tailAt {
			if s.tailSince == 0 {
				s.tailSince = now
			}
			s.tailAt, due = nextAsk(s.tailSince, s.tailAsked, now), true
			s.tailAsked++
		}
		next = sooner(next, s.tailAt)
	}
	if due {
		x.owe(s, true)
		x.touch(s, false)
	}
	return next
}

// expire forgets sessions whose retention is past, and destroys secrets 48 h
// after their session.
func (x *Intake) expire(ctx context.Context, now int64) error {
	rows, err := x.d.Store.Expired(ctx, now, 200)
	if err != nil {
		return fmt.Errorf("read expired sessions: %w", err)
	}
	for i := range rows {
		s, err := x.adopt(ctx, &rows[i])
		if err != nil {
			return err
		}
		for _, h := range s.led.Holes {
			x.report(about(s, gateway.KindDetected, eventLost, h.From, h.To, "never received; retention is past"))
		}
		for _, a := range s.led.Awaits {
			x.report(about(s, gateway.KindDetected, eventLost, a.Seq, a.Seq, "its content was never received; retention is past"))
		}
		if s.stalled != "" && s.ready {
			code := envelope.Code(s.stalled)
			if s.stalled == checking {
				code = envelope.StatusStale
			}
			if err := x.refusePending(ctx, s, code.Errorf("never judged; retention is past")); err != nil {
				return err
			}
		}
		if s.core != nil {
			x.r.Senders = append(x.r.Senders, SenderRow{DID: s.core.From, Inst: s.core.Inst, Forgotten: s.row.Expires})
		}
		x.r.Forget = append(x.r.Forget, s.row.ID)
		s.dirty = false
		if k := s.peer(); x.due[k] != nil {
			delete(x.due[k].sessions, s.row.ID)
		}
		x.unload(s)
	}
	return x.destroySecrets(ctx, now)
}

// destroySecrets destroys what no sender may use any more, also of sessions that
// are not in memory.
func (x *Intake) destroySecrets(ctx context.Context, now int64) error {
	rows, err := x.d.Store.Secrets(ctx, now-envelope.SecretGrace+x.d.Network.Retention.Milliseconds(), 200)
	if err != nil {
		return fmt.Errorf("read secrets: %w", err)
	}
	gone := make(map[int64]bool, len(x.r.Forget))
	for _, id := range x.r.Forget {
		gone[id] = true
	}
	for i := range rows {
		if gone[rows[i].ID] {
			continue
		}
		s, err := x.adopt(ctx, &rows[i])
		if err != nil {
			return err
		}
		if s.core != nil && now > s.core.NotAfter+envelope.SecretGrace {
			s.row.Secret, s.keys, s.ready = nil, nil, false
			x.touch(s, true)
		}
	}
	return nil
}

// weigh reads the senders' shares of the inbox again when one is getting full:
// pruning and forgetting have made room since.
func (x *Intake) weigh(ctx context.Context) error {
	for _, n := range x.shares {
		if n > x.d.Config.ShareBytes/2 {
			shares, err := x.d.Store.SenderBytes(ctx)
			if err != nil {
				return fmt.Errorf("read shares: %w", err)
			}
			x.shares = shares
			for _, s := range x.byID {
				for _, a := range s.led.Awaits {
					x.shares[s.row.Sender] += int64(a.counted)
				}
			}
			return nil
		}
	}
	return nil
}

// resume takes up what an earlier process left unsettled.
func (x *Intake) resume(s *session) {
	x.active[s.row.ID] = s
	s.advance = true
	if s.row.State == Open && s.led.Released < s.led.Next && s.core != nil {
		s.stalled = checking // why it waited was not kept: what is stored is judged again
	}
	if s.row.Due {
		x.owe(s, len(s.led.Holes) > 0)
	}
}
