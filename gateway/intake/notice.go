package intake

import (
	"context"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/fetch"
	"github.com/digital-spine/spine/gateway/inbox"
)

// maxBodies is how many bodies one round takes up.
const maxBodies = 64

// pursueBody has the body of a notice fetched. It returns when to try again.
func (x *Intake) pursueBody(ctx context.Context, s *session, a *Await, now int64) (int64, error) {
	id := s.entryID(a.Seq)
	switch {
	case x.pool == nil || x.fetching[id]:
		return 0, nil
	case now < a.next:
		return a.next, nil
	case !x.roomForFiles(s): // it may bring more of them
		x.crowded = true
		return 0, nil
	}
	if a.notice == nil {
		proof, err := x.d.Store.Proof(ctx, id)
		if err != nil {
			return 0, fmt.Errorf("read a notice: %w", err)
		}
		if a.notice, err = noticeOf(proof, a.Len); err != nil {
			return 0, fmt.Errorf("stored notice: %w", err)
		}
	}
	job := fetch.Job{ID: id, Sender: s.row.Sender, Notice: a.notice}
	x.later(func(context.Context) {
		x.fetching[id] = true
		x.pool.Add(job)
	})
	return 0, nil
}

// noticeOf makes the notice again from what is kept of it.
func noticeOf(proof []byte, size int) (*envelope.Notice, error) {
	if len(proof) < 32 {
		return nil, fmt.Errorf("%d bytes of proof", len(proof))
	}
	b, err := cbor.Marshal([]any{uint64(envelope.KindNotice), cbor.RawMessage(proof[:len(proof)-32]), proof[len(proof)-32:], size})
	if err != nil {
		return nil, err
	}
	return envelope.ParseNotice(b)
}

// bodies takes what was fetched. It returns the envelopes that can be judged.
func (x *Intake) bodies(results []fetch.Result) (fills []*item) {
	now := x.now()
	for _, r := range results {
		s := x.byID[r.ID/inbox.MaxSeq]
		if s == nil {
			continue
		}
		a := s.led.awaited(uint64(r.ID % inbox.MaxSeq))
		if a == nil || a.Len == 0 {
			continue
		}
		s.pursue = true
		switch code := envelope.CodeOf(r.Err); {
		case r.Err == nil && s.ready:
			fills = append(fills, &item{s: s, fill: a, env: r.Envelope, entry: r.Envelope, head: &r.Envelope.Header, sender: s.row.Sender})
		case r.Err == nil: // its secret went meanwhile: it is asked for, and the body again after it
			a.next = now + backoff(a.tries)
			a.tries++
		case code == envelope.ContentHash:
			x.notThere(s, a, r.Err)
			a.next = nextAsk(a.Failed, a.tries, now)
			a.tries++
		default:
			if a.tries == 0 {
				x.log.Debug("a body was not fetched", "session", s.sid().String(), "seq", a.Seq, "error", r.Err)
			}
			a.next = now + backoff(a.tries)
			a.tries++
		}
	}
	return fills
}

// filled gives an entry the content that its notice announced: E10 to E13.
func (x *Intake) filled(ctx context.Context, it *item) error {
	s, a, now := it.s, it.fill, x.now()
	if s.led.awaited(a.Seq) != a || a.Len == 0 {
		x.replayed(it)
		return nil
	}
	row := inbox.Row{ID: s.entryID(a.Seq), D: it.entry.Digest(), T: it.head.Time, Topic: s.core.Topic, Fetched: now}
	x.count(s, a, 0)
	a.Len, a.notice = 0, nil
	if it.open != nil {
		x.refuseWhole(it, &row, it.open)
	} else if err := x.frames(ctx, it, &row, now); err != nil {
		return err
	}
	if a.Failed > 0 && len(a.Objects) == 0 {
		x.repaired(s, it, now-a.Failed)
	}
	if it.object && len(it.awaits) > 0 {
		a.Objects, a.Bad, a.next, a.tries = it.awaits, it.faults, 0, 0
		x.countFiles(s, a, len(a.Objects))
		s.pursue = true
		x.touch(s, false)
	} else {
		x.arrived(s, a)
		if it.open == nil {
			row.Pos, row.Late = x.settle(s, a)
		}
	}
	x.r.Fill = append(x.r.Fill, row)
	if it.open == nil {
		x.findable(it, &row)
	}
	if it.open == nil {
		x.stored(it, &row)
	}
	x.activity(it, &row)
	return nil
}

// settle gives an entry whose content came its place in the order of handing
// over, 0 when it still has to wait.
func (x *Intake) settle(s *session, a *Await) (pos int64, late bool) {
	s.advance = true
	switch {
	case a.Seq >= s.led.Released:
		return 0, false // in its turn
	case s.stalled != "" || s.stallT > 0:
		s.led.Released = a.Seq // its turn comes again
		return 0, false
	}
	return x.place(), a.Passed || a.Seq+1 < s.led.Released
}

// failedBody reports that the store has not what an entry needs.
func (x *Intake) failedBody(s *session, a *Await, err error) {
	code := string(envelope.CodeOf(err))
	x.report(about(s, gateway.KindDetected, code, a.Seq, a.Seq, detail(err)+"; asked for"))
	x.owe(s, true)
}
