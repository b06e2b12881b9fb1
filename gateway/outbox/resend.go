package outbox

import (
	"context"
	"errors"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/trust"
)

// ask is what one recipient misses of one session.
type ask struct {
	sid    [32]byte
	addr   string
	ranges []Range
}

// maxAsks bounds the asks that wait; whoever is dropped asks again.
const maxAsks = 1_024

// errNotAdmitted says that a member may not be given the secret any more.
var errNotAdmitted = errors.New("the channel does not admit this recipient any more")

// answer queues what a receipt asks for. Silence is no ask: nothing is ever
// sent again merely for want of a receipt.
func (o *Outbox) answer(s *Session, m *Member) {
	if len(m.Missing) == 0 {
		return
	}
	select {
	case o.asks <- ask{s.SID, m.Addr, m.Missing}:
	default:
		o.log.Debug("ask dropped, too many wait", "mailbox", m.Addr)
	}
}

// resend answers asks until ctx ends.
func (o *Outbox) resend(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-o.asks:
			if err := o.sendAgain(ctx, a); err != nil && ctx.Err() == nil {
				o.log.Info("not sent again", "mailbox", a.addr, "session", envelope.Digest(a.sid), "err", err)
			}
		}
	}
}

// sendAgain publishes the same bytes once more, after a new grant where the
// recipient has no secret.
func (o *Outbox) sendAgain(ctx context.Context, a ask) error {
	s, err := o.store.Session(ctx, a.sid)
	if err != nil {
		return err
	}
	if s.Secret == nil || o.now() > s.NAF+o.net.RetentionMS {
		return nil // the recipient will say out_of_retention
	}
	m, err := o.store.Member(ctx, a.sid, a.addr)
	if err != nil {
		return err
	}
	for _, r := range a.ranges {
		if r.Why == int64(envelope.WhySecret) {
			if err := o.grantAgain(ctx, s, m); err != nil {
				return err
			}
			break
		}
	}
	for _, r := range a.ranges {
		if err := o.rangeAgain(ctx, s, m, r); err != nil {
			return err
		}
	}
	return nil
}

// grantAgain makes a new box for the member's newest package: same core, same
// secret, same prev.
func (o *Outbox) grantAgain(ctx context.Context, s *Session, m *Member) error {
	if o.budget.again(s.SID, m.Addr, -1, envelope.MaxBox) == 0 {
		return nil
	}
	ch, err := o.channels.Channel(s.Channel)
	if err != nil {
		return err
	}
	who, failed := o.admit(ctx, ch)
	if _, ok := who[m.DID]; !ok {
		return errors.Join(errNotAdmitted, failed)
	}
	found, err := o.instance(ctx, m)
	if err != nil {
		return err
	}
	core, err := envelope.ParseCore(s.Core)
	if err != nil {
		return err
	}
	secret, err := o.secret(s)
	if err != nil {
		return err
	}
	creds := make([]envelope.Digest, len(s.Creds))
	for i := range creds {
		creds[i] = s.Creds[i]
	}
	grant, err := o.grant(ctx, core, secret, creds, m.Prev, found.Package)
	if err != nil {
		return err
	}
	if err := o.store.Regrant(ctx, s.SID, m.Addr, found.PP, grant); err != nil {
		return err
	}
	m.PP = found.PP
	return o.post(ctx, m, [][]byte{grant})
}

// instance finds a member's instance as it is now.
func (o *Outbox) instance(ctx context.Context, m *Member) (*trust.Member, error) {
	list, err := o.trust.Instances(ctx, m.DID)
	for i := range list {
		if list[i].Addr == m.Addr && list[i].Package != nil {
			return &list[i], nil
		}
	}
	return nil, errors.Join(errNoPackage, err)
}

// rangeAgain publishes envelopes once more, within the budget.
func (o *Outbox) rangeAgain(ctx context.Context, s *Session, m *Member, r Range) error {
	for seq := max(r.A, 0); seq <= min(r.B, s.Next-1); {
		list, err := o.store.Envelopes(ctx, s.SID, seq, min(r.B, s.Next-1), pumpMember)
		if err != nil || len(list) == 0 {
			return err
		}
		seq = list[len(list)-1].Seq + 1
		var wires [][]byte
		for i := range list {
			b := list[i].Bytes
			if b == nil {
				continue
			}
			times := o.budget.again(s.SID, m.Addr, list[i].Seq, len(b))
			if times == 0 {
				continue
			}
			if b, err = o.form(ctx, s, &list[i], r.Why, times); err != nil {
				return err
			}
			wires = append(wires, b)
		}
		if err := o.post(ctx, m, wires); err != nil {
			return err
		}
		if len(wires) > 0 {
			if err := o.store.Resent(ctx, s.SID, m.Addr, list[0].Seq, list[len(list)-1].Seq, o.now()); err != nil {
				return err
			}
		}
	}
	return nil
}

// form is how an envelope is sent to one member again: as it was first sent.
// Where its body was not found, that is brought to the broker once more, and so
// are the parts of its files; at the second time of asking the body comes with
// the message, since the broker may hold other bytes under its name.
func (o *Outbox) form(ctx context.Context, s *Session, env *Envelope, why, times int64) ([]byte, error) {
	e, err := envelope.ParseEnvelope(env.Bytes)
	if err != nil {
		return nil, err
	}
	if why == int64(envelope.WhyBody) {
		if err := o.repush(ctx, env); err != nil {
			return nil, err
		}
	}
	if !o.pub.depot.noticed(e, s.Size) {
		return env.Bytes, nil
	}
	if why == int64(envelope.WhyBody) {
		if times > 1 {
			return env.Bytes, nil
		}
		if err := o.pub.depot.put(ctx, e, s.NAF+o.net.RetentionMS); err != nil {
			o.log.Info("body not at the broker", "session", e.Session, "seq", e.Seq, "err", err)
			return env.Bytes, nil
		}
	}
	return e.Notice().Bytes(), nil
}

// repush brings the parts of an envelope's files to the broker once more.
func (o *Outbox) repush(ctx context.Context, env *Envelope) error {
	if o.objects == nil {
		return nil
	}
	for _, id := range env.IDs {
		f, err := o.store.File(ctx, id)
		if errors.Is(err, ErrNoRow) {
			continue
		}
		if err != nil {
			return err
		}
		if err := o.objects.Repush(ctx, f.File); err != nil {
			o.log.Info("file not brought to the broker again", "file", f.File, "err", err)
		}
	}
	return nil
}

// post publishes to one member without moving its cursor.
func (o *Outbox) post(ctx context.Context, m *Member, wires [][]byte) error {
	if len(wires) == 0 {
		return nil
	}
	msgs := make([]bus.Msg, len(wires))
	for i, b := range wires {
		msgs[i] = bus.Msg{Subject: bus.Subject(m.PP, m.Addr, o.self.Addr()), Data: b}
	}
	return errors.Join(o.pub.bus.Publish(ctx, msgs)...)
}
