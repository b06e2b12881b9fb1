package outbox

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// unconfirmedAfter is how long a recipient may stay silent before the sender is
// told.
const unconfirmedAfter = 15 * time.Minute

// gone reports whether the member has refused the session as a whole.
func (m *Member) gone() bool {
	for _, r := range m.Refused {
		if r.A == 0 && r.B == envelope.MaxEnvelopes-1 && r.Frame < 0 {
			return true
		}
	}
	return false
}

// verdict returns the code under which frame idx of envelope seq was refused,
// "" when it was not.
func (m *Member) verdict(seq int64, idx int) string {
	for _, r := range m.Refused {
		if r.A <= seq && seq <= r.B && (r.Frame < 0 || r.Frame == int64(idx)) {
			return r.Code
		}
	}
	return ""
}

// holds reports whether the member's receipts cover envelope seq.
func (m *Member) holds(seq int64) bool {
	if seq > m.Upto {
		return false
	}
	for _, r := range m.Missing {
		if r.A <= seq && seq <= r.B {
			return false
		}
	}
	return true
}

// done returns the number below which every member that has not refused the
// session holds everything, so that the bytes may go.
func done(members []Member, next int64) int64 {
	for i := range members {
		next = min(next, members[i].needs())
	}
	return next
}

// needs returns the first envelope that the member may still ask for.
func (m *Member) needs() int64 {
	if m.gone() {
		return math.MaxInt64
	}
	n := m.Upto + 1
	for _, r := range m.Missing {
		n = min(n, r.A)
	}
	return n
}

// Status implements gateway.Sender.
func (o *Outbox) Status(ctx context.Context, id string) (*gateway.MessageStatus, error) {
	m, err := o.message(ctx, id)
	if err != nil {
		return nil, err
	}
	return o.status(ctx, m)
}

// message looks a message up by its id at this gateway; code message_unknown.
func (o *Outbox) message(ctx context.Context, id string) (*Message, error) {
	raw, err := gateway.ParseID(id)
	if err != nil {
		return nil, gateway.MessageUnknown(id)
	}
	m, err := o.store.Message(ctx, raw)
	if errors.Is(err, ErrNoRow) {
		return nil, gateway.MessageUnknown(id)
	}
	return m, err
}

// status tells where a message is, and fills in when it was sealed.
func (o *Outbox) status(ctx context.Context, m *Message) (*gateway.MessageStatus, error) {
	now := o.now()
	file, err := o.fileOf(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	st := &gateway.MessageStatus{ID: gateway.FormatID(m.ID), Channel: m.Channel, At: m.At, State: gateway.StateWaiting, Code: m.Code, File: file, Recipients: []gateway.Recipient{}}
	if !m.Sealed {
		if m.Over || now > m.At+o.net.RetentionMS {
			st.State = gateway.StateUndelivered
		}
		return st, o.steps(ctx, st, m, nil)
	}
	s, err := o.store.Session(ctx, m.SID)
	if err != nil {
		return nil, err
	}
	members, err := o.store.Standing(ctx, m.SID)
	if err != nil {
		return nil, err
	}
	if err := o.handedOver(ctx, st, m); err != nil {
		return nil, err
	}
	for i := range members {
		state, code := o.state(&members[i], s, m, now)
		st.Recipients = append(st.Recipients, gateway.Recipient{DID: members[i].DID, Inst: members[i].Inst, State: state, Code: code})
	}
	st.State, st.Code = least(st.Recipients)
	if err := o.steps(ctx, st, m, members); err != nil {
		return nil, err
	}
	for _, did := range s.Left {
		st.Recipients = append(st.Recipients, gateway.Recipient{DID: did, State: gateway.StateUndelivered, Code: string(envelope.BadPackage)})
	}
	return st, nil
}

// handedOver fills in when a message was accepted and when it was sealed.
func (o *Outbox) handedOver(ctx context.Context, st *gateway.MessageStatus, m *Message) error {
	list, err := o.store.Between(ctx, m.SID, m.Seq, m.Seq, 1)
	if err != nil || len(list) == 0 {
		return err
	}
	known, err := decodeAbout(list[0].About, len(list[0].IDs), list[0].At)
	if err == nil && m.Idx < len(known) {
		st.At = known[m.Idx].at
	}
	m.At = list[0].At
	return err
}

// state is what is known about one recipient of a message.
func (o *Outbox) state(m *Member, s *Session, msg *Message, now int64) (gateway.State, string) {
	if code := m.verdict(msg.Seq, msg.Idx); code != "" {
		return gateway.StateRefused, code
	}
	switch {
	case m.holds(msg.Seq):
		return gateway.StateDelivered, ""
	case now > s.NAF+o.net.RetentionMS:
		return gateway.StateUndelivered, ""
	case now-msg.At > unconfirmedAfter.Milliseconds():
		return gateway.StateUnconfirmed, ""
	case o.pub.at(m, msg.Seq):
		return gateway.StateAccepted, ""
	}
	return gateway.StateWaiting, ""
}

// rank orders states from the least advanced.
var rank = map[gateway.State]int{gateway.StateWaiting: 0, gateway.StateUndelivered: 1, gateway.StateUnconfirmed: 2,
	gateway.StateAccepted: 3, gateway.StateRefused: 4, gateway.StateDelivered: 5}

func least(list []gateway.Recipient) (gateway.State, string) {
	state, code := gateway.StateDelivered, ""
	for _, r := range list {
		if rank[r.State] < rank[state] {
			state, code = r.State, r.Code
		}
	}
	return state, code
}
