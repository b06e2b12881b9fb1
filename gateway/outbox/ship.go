package outbox

import (
	"context"

	"github.com/digital-spine/spine/envelope"
)

// ship seals items into one envelope, commits it, and has it published. Free
// says that a flight is held for it.
func (l *lane) ship(ctx context.Context, items []*item, free bool) error {
	o, s := l.o, l.sess
	landed := func() {
		if free {
			<-l.flight
		}
	}
	c, e, err := l.seal(ctx, s, items)
	if err != nil {
		l.end() // something may be signed under this number: it is not used for anything else
	} else if err = o.store.Commit(context.WithoutCancel(ctx), c); err != nil {
		l.end() // its outcome may be unknown: what is stored is read back
		if m, found := o.store.Message(context.WithoutCancel(ctx), items[0].id); found == nil && m.Sealed && m.SID == c.Envelope.SID {
			err = nil
			o.pub.adopt()
		} else {
			o.unsure.Store(true) // it may be there and not be told, or come to be there
		}
	}
	if err != nil {
		landed()
		for _, it := range items {
			it.finish(failed, err)
		}
		if items[0].moved {
			return err // they stay in the store, for another try
		}
		o.log.Error("message not sealed", "channel", l.Channel, "err", err)
		return nil // their callers know; those behind them get their own try
	}
	o.account(s, c, items)
	for _, it := range items {
		it.finish(sealed, nil)
	}
	o.marks.note(laneKey{l.Chan, l.Topic}, c, s.core.NotAfter)
	if l.sess == nil {
		landed()
		return nil
	}
	s.next, s.head, s.t = c.Envelope.Seq+1, c.Envelope.D, c.Envelope.At
	data := e.Bytes()
	body := o.pub.depot.noticed(e, len(s.members))
	if body {
		data = e.Notice().Bytes()
	}
	wires := s.wires(c, data)
	for i := range s.members {
		s.members[i].Grant = nil // the store has it
	}
	o.pub.expect(wires, func() {
		for _, it := range items {
			it.finish(stored, nil)
		}
		o.tellStored(s, c, items)
	})
	if !free {
		o.pub.leave(wires)
		return nil
	}
	before, now := l.flown, make(chan struct{})
	l.flown = now
	if !o.spawn(func(ctx context.Context) {
		defer landed()
		defer close(now)
		if before != nil {
			<-before // a lane's envelopes reach the broker in their order
		}
		if body {
			if err := o.pub.depot.put(ctx, e, s.core.NotAfter+o.net.RetentionMS); err != nil {
				o.log.Debug("body not at the broker", "session", e.Session, "seq", e.Seq, "err", err)
				o.pub.leave(wires)
				return
			}
			o.pub.depot.sent(e, data)
		}
		o.pub.send(ctx, wires)
	}) {
		close(now)
		landed()
	}
	return nil
}

// seal makes the next envelope of the session.
func (l *lane) seal(ctx context.Context, s *session, items []*item) (*Commit, *envelope.Envelope, error) {
	frames := make([]envelope.Frame, len(items))
	c := &Commit{Lane: l.Lane, Sums: make([][]byte, len(items)), Moved: make([]bool, len(items))}
	ids := make([][16]byte, len(items))
	for i, it := range items {
		frames[i], c.Sums[i], c.Moved[i], ids[i] = it.frame, it.sum, it.moved, it.id
	}
	t := max(l.o.now(), s.t, s.core.NotBefore)
	e, err := s.keys.Seal(ctx, l.o.signer(s.core.Cert), envelope.Entry{Seq: uint64(s.next), Prev: s.head, Time: t}, frames)
	if err != nil {
		return nil, nil, err
	}
	c.Envelope = Envelope{SID: s.core.Session(), Seq: s.next, D: e.Digest(), At: t, IDs: ids, About: encodeAbout(items, t), Bytes: e.Bytes()}
	if s.next == 0 {
		sid := s.core.Session()
		c.Opened = &Session{Lane: l.Lane, SID: sid, Core: s.core.Bytes(), Secret: l.o.local.seal(sid[:], s.secret[:]),
			Creds: digests(s.creds), Left: s.left, NBF: s.core.NotBefore, NAF: s.core.NotAfter}
		c.Members = s.members
	}
	return c, e, nil
}

// wires lists the wire messages of a commit: the grants first, then the
// envelope, or its notice.
func (s *session) wires(c *Commit, data []byte) []wire {
	list := make([]wire, 0, 2*len(s.members))
	if c.Opened != nil {
		for i := range s.members {
			list = append(list, wire{s.deliveries[i], 0, s.members[i].Grant})
		}
	}
	for i := range s.members {
		list = append(list, wire{s.deliveries[i], c.Envelope.Seq + 1, data})
	}
	return list
}

// account counts what a commit costs: quota and rows per mailbox.
func (o *Outbox) account(s *session, c *Commit, items []*item) {
	o.usage.bytes.Add(int64(len(c.Envelope.Bytes)))
	for _, it := range items {
		if it.moved {
			o.usage.waiting.Add(-1)
		}
	}
	o.budget.sent(s.deliveries, c.Opened != nil)
}

func digests(list []envelope.Digest) [][32]byte {
	out := make([][32]byte, len(list))
	for i, d := range list {
		out[i] = d
	}
	return out
}
