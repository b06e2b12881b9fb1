package villain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/participant/market"
)

// consumer is the villain's own cursor at a gateway, beside the participants'.
const consumer = "villain"

var hello = []byte(`{"n":13}`)

func (x *run) impostor(ctx context.Context) (*Impostor, error) {
	v, err := NewImpostor(ctx, x.Network)
	if err != nil {
		return nil, err
	}
	x.impostors = append(x.impostors, v)
	return v, nil
}

// refusedWith says that a gateway's event tells of a refusal of the villain's
// session by code.
func (x *run) refusedWith(ctx context.Context, w *watch, v *Impostor, s *Session, name string, codes ...string) error {
	e, err := w.wait(ctx, func(e *gateway.Event) bool {
		return e.DID == v.DID && slices.Contains(codes, e.Code) && (s == nil || e.Session == s.ID.String())
	})
	if err != nil {
		return err
	}
	if e != nil {
		x.report.Attacks[name] = Refused
		x.report.Refused++
	}
	return nil
}

// outsider: a DID without a role logs in and sends.
func (x *run) outsider(ctx context.Context) error {
	v, err := x.impostor(ctx)
	if err != nil {
		return err
	}
	to := x.Gateways[market.MarketOperator]
	id, err := to.Identity(ctx)
	if err != nil {
		return err
	}
	w, err := eventsNow(ctx, to)
	if err != nil {
		return err
	}
	s, err := v.Open(ctx, market.TopicName("hello"), id.DID)
	if err != nil {
		return err
	}
	if _, err := s.Send(ctx, hello); err != nil {
		return err
	}
	x.trace("outsider", market.MarketOperator, s.granted("role_not_admitted"))
	return x.refusedWith(ctx, w, v, s, "outsider", "role_not_admitted")
}

// member is an impostor that was given a role.
type member struct {
	*Impostor
	credential envelope.Digest
}

// join has an impostor ask for the aggregator's role and the market operator
// grant it: a participant like any other, so far.
func (x *run) join(ctx context.Context) (*member, error) {
	if x.member != nil {
		return x.member, nil
	}
	v, err := x.impostor(ctx)
	if err != nil {
		return nil, err
	}
	request, err := v.Enrol(ctx, market.RoleAggregator)
	if err != nil {
		return nil, fmt.Errorf("ask for the role: %w", err)
	}
	c, err := x.Gateways[market.MarketOperator].Issue(ctx, request)
	if err != nil {
		return nil, fmt.Errorf("issue the role: %w", err)
	}
	digest, err := envelope.ParseDigest(c.Digest)
	if err != nil {
		return nil, err
	}
	x.member = &member{v, digest}
	return x.member, nil
}

// wrongRole: an aggregator sends dispatches, which are the market operator's.
func (x *run) wrongRole(ctx context.Context) error {
	m, err := x.join(ctx)
	if err != nil {
		return err
	}
	to := x.Gateways[market.NetworkOperator]
	id, err := to.Identity(ctx)
	if err != nil {
		return err
	}
	w, err := eventsNow(ctx, to)
	if err != nil {
		return err
	}
	s, err := m.Open(ctx, market.TopicName("dispatch"), id.DID, m.credential)
	if err != nil {
		return err
	}
	if _, err := s.Send(ctx, []byte(`{"bid":"bid-x","decision":"accepted"}`)); err != nil {
		return err
	}
	x.trace("wrongrole", market.NetworkOperator, s.granted("role_not_admitted"))
	return x.refusedWith(ctx, w, m.Impostor, s, "wrongrole", "role_not_admitted")
}

// revoked: an aggregator whose message was good goes on sending, in the same
// session, after its role was revoked.
func (x *run) revoked(ctx context.Context) error {
	m, err := x.join(ctx)
	if err != nil {
		return err
	}
	to := x.Gateways[market.MarketOperator]
	id, err := to.Identity(ctx)
	if err != nil {
		return err
	}
	s, err := m.Open(ctx, market.TopicName("hello"), id.DID, m.credential)
	if err != nil {
		return err
	}
	first, err := s.Send(ctx, hello)
	if err != nil {
		return err
	}
	if err := x.arrives(ctx, to, gateway.FormatID(first)); err != nil {
		return fmt.Errorf("before the revocation: %w", err)
	}
	w, err := eventsNow(ctx, to)
	if err != nil {
		return err
	}
	if err := to.Revoke(ctx, m.credential.String(), "attack"); err != nil {
		return err
	}
	x.trace("revoked", market.MarketOperator, gateway.Event{Code: "role_revoked", DID: m.DID, Session: s.ID.String()})
	// The revocation is known within a second; what is sent before that is good.
	deadline := time.Now().Add(noticed)
	for time.Now().Before(deadline) && x.report.Attacks["revoked"] == Missed {
		if _, err := s.Send(ctx, hello); err != nil {
			return err
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		e, err := w.wait(short, func(e *gateway.Event) bool { return e.DID == m.DID && e.Code == "role_revoked" })
		cancel()
		if err != nil {
			return err
		}
		if e != nil {
			x.report.Attacks["revoked"] = Refused
			x.report.Refused++
		}
	}
	return nil
}

// arrives waits until a gateway hands a message over, and acknowledges what it
// was handed.
func (x *run) arrives(ctx context.Context, g *client.Client, id string) error {
	ctx, cancel := context.WithTimeout(ctx, noticed)
	defer cancel()
	for !x.arrived[id] {
		ms, err := g.Receive(ctx, client.Receive{Channel: "hello", Consumer: consumer, Wait: 2 * time.Second})
		if ctx.Err() != nil {
			return errors.New("the message did not arrive")
		}
		if err != nil {
			return err
		}
		acks := make([]string, len(ms))
		for i, m := range ms {
			acks[i] = m.Ack
			x.arrived[m.ID] = true
		}
		if err := g.Ack(ctx, acks...); err != nil {
			return err
		}
	}
	return nil
}

// scene is a mailbox with honest messages stored in it, whose delivery the
// operator may have stopped.
type scene struct {
	from, to *client.Client
	fromAddr string
	fromDID  string
	mailbox  string
	toDID    string
	watch    *watch
	stored   []Stored // what the honest sender's messages became
	ids      []string
}

// stage has the market operator send n messages to the aggregator, whose
// delivery is stopped first where the messages must not be read yet.
func (x *run) stage(ctx context.Context, n int, stopped bool) (*scene, error) {
	sc := &scene{from: x.Gateways[market.MarketOperator], to: x.Gateways[market.Aggregator]}
	from, err := sc.from.Identity(ctx)
	if err != nil {
		return nil, err
	}
	to, err := sc.to.Identity(ctx)
	if err != nil {
		return nil, err
	}
	sc.fromAddr, sc.fromDID, sc.mailbox, sc.toDID = from.Addr, from.DID, to.Addr, to.DID
	if sc.watch, err = eventsNow(ctx, sc.to); err != nil {
		return nil, err
	}
	before, err := x.Operator.Messages(ctx, sc.mailbox, 0)
	if err != nil {
		return nil, err
	}
	last := uint64(0)
	if len(before) > 0 {
		last = before[len(before)-1].Seq
	}
	if stopped {
		if err := x.Operator.Pause(ctx, sc.mailbox); err != nil {
			return nil, err
		}
	}
	for i := range n {
		a, err := sc.from.Send(ctx, gateway.Draft{Channel: "hello", To: []string{sc.toDID}, Body: json.RawMessage(fmt.Sprintf(`{"n":%d}`, 100+i))})
		if err != nil {
			return nil, err
		}
		if a.State != gateway.StateAccepted {
			return nil, fmt.Errorf("the message is %s, not with the broker", a.State)
		}
		sc.ids = append(sc.ids, a.ID)
	}
	all, err := x.Operator.Messages(ctx, sc.mailbox, last)
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		if strings.HasSuffix(m.Subject, "."+sc.fromAddr) && kind(m.Data) == envelope.KindEnvelope {
			sc.stored = append(sc.stored, m)
		}
	}
	if len(sc.stored) < n {
		return nil, fmt.Errorf("the mailbox holds %d envelopes of %d messages", len(sc.stored), n)
	}
	return sc, nil
}

func kind(wire []byte) envelope.Kind {
	k, err := envelope.KindOf(wire, len(wire))
	if err != nil {
		return 0
	}
	return k
}

// event waits for an event of the scene's recipient about an envelope.
func (sc *scene) event(ctx context.Context, e *envelope.Envelope, codes ...string) (bool, error) {
	got, err := sc.watch.wait(ctx, func(ev *gateway.Event) bool {
		return slices.Contains(codes, ev.Code) && (ev.Session == "" || ev.Session == e.Header.Session.String())
	})
	return got != nil, err
}

// altered: the operator changes a bit of a stored envelope. The recipient tells
// and gets the true one from the sender.
func (x *run) altered(ctx context.Context) error {
	sc, err := x.stage(ctx, 1, true)
	if err != nil {
		return err
	}
	victim := sc.stored[len(sc.stored)-1]
	e, err := envelope.ParseEnvelope(victim.Data)
	if err != nil {
		return err
	}
	bad := bytes.Clone(victim.Data)
	bad[len(bad)-1] ^= 1
	damaged, err := envelope.ParseEnvelope(bad)
	if err != nil {
		return err
	}
	x.trace("altered", market.Aggregator, about(damaged, sc.fromDID, "signature"))
	x.trace("altered", market.Aggregator, place(e, sc.fromDID, "repaired"))
	if err := x.Operator.Delete(ctx, sc.mailbox, victim.Seq); err != nil {
		return err
	}
	if err := x.Operator.Publish(ctx, victim.Subject, bad); err != nil {
		return err
	}
	if err := x.Operator.Resume(ctx, sc.mailbox); err != nil {
		return err
	}
	told, err := sc.event(ctx, e, "signature")
	if err != nil || !told {
		return err
	}
	if err := x.arrives(ctx, sc.to, sc.ids[0]); err != nil {
		return fmt.Errorf("repair: %w", err)
	}
	x.report.Attacks["altered"] = Detected
	return nil
}

// replayed: the operator delivers a stored envelope again.
func (x *run) replayed(ctx context.Context) error {
	sc, err := x.stage(ctx, 1, false)
	if err != nil {
		return err
	}
	victim := sc.stored[len(sc.stored)-1]
	e, err := envelope.ParseEnvelope(victim.Data)
	if err != nil {
		return err
	}
	if err := x.arrives(ctx, sc.to, sc.ids[0]); err != nil {
		return err
	}
	if err := x.Operator.Publish(ctx, victim.Subject, victim.Data); err != nil {
		return err
	}
	x.trace("replayed", market.Aggregator, about(e, sc.fromDID, "replayed"))
	told, err := sc.event(ctx, e, "replayed")
	if told {
		x.report.Attacks["replayed"] = Detected
	}
	return err
}

// removed: the operator deletes a stored envelope in the middle. The recipient
// sees the hole at the next one and gets the missing one from the sender.
func (x *run) removed(ctx context.Context) error {
	sc, err := x.stage(ctx, 3, true)
	if err != nil {
		return err
	}
	victim := sc.stored[len(sc.stored)-2]
	e, err := envelope.ParseEnvelope(victim.Data)
	if err != nil {
		return err
	}
	if err := x.Operator.Delete(ctx, sc.mailbox, victim.Seq); err != nil {
		return err
	}
	if err := x.Operator.Resume(ctx, sc.mailbox); err != nil {
		return err
	}
	x.trace("removed", market.Aggregator, place(e, sc.fromDID, "hole"))
	x.trace("removed", market.Aggregator, place(e, sc.fromDID, "repaired"))
	told, err := sc.event(ctx, e, "repaired")
	if err != nil || !told {
		return err
	}
	for _, id := range sc.ids {
		if err := x.arrives(ctx, sc.to, id); err != nil {
			return fmt.Errorf("repair: %w", err)
		}
	}
	x.report.Attacks["removed"] = Repaired
	return nil
}

// moved: the operator stores an envelope under another sender's subject, and a
// grant in another mailbox.
func (x *run) moved(ctx context.Context) error {
	sc, err := x.stage(ctx, 1, false)
	if err != nil {
		return err
	}
	victim := sc.stored[len(sc.stored)-1]
	e, err := envelope.ParseEnvelope(victim.Data)
	if err != nil {
		return err
	}
	other, err := x.Gateways[market.NetworkOperator].Identity(ctx)
	if err != nil {
		return err
	}
	pp, mailbox, _, err := bus.ParseSubject(victim.Subject)
	if err != nil {
		return err
	}
	if err := x.Operator.Publish(ctx, bus.Subject(pp, mailbox, other.Addr), victim.Data); err != nil {
		return err
	}
	x.trace("moved", market.Aggregator, about(e, sc.fromDID, "rebound"))
	underOther, err := sc.event(ctx, e, "rebound")
	if err != nil {
		return err
	}
	elsewhere, err := x.grantElsewhere(ctx)
	if underOther && elsewhere {
		x.report.Attacks["moved"] = Detected
	}
	return err
}

// grantElsewhere stores a grant that was made for the market operator in the
// network operator's mailbox.
func (x *run) grantElsewhere(ctx context.Context) (bool, error) {
	v, err := x.impostor(ctx)
	if err != nil {
		return false, err
	}
	right, err := x.Gateways[market.MarketOperator].Identity(ctx)
	if err != nil {
		return false, err
	}
	wrong := x.Gateways[market.NetworkOperator]
	id, err := wrong.Identity(ctx)
	if err != nil {
		return false, err
	}
	s, err := v.Open(ctx, market.TopicName("hello"), right.DID)
	if err != nil {
		return false, err
	}
	members, err := v.broker.Instances(ctx, id.DID)
	if err != nil || len(members) == 0 {
		return false, errors.Join(err, errors.New("the network operator is not in the directory"))
	}
	w, err := eventsNow(ctx, wrong)
	if err != nil {
		return false, err
	}
	if err := x.Operator.Publish(ctx, bus.Subject(members[0].PP, members[0].Addr, envelope.Address(v.DID, 0)), s.Grant); err != nil {
		return false, err
	}
	x.trace("moved", market.NetworkOperator, s.granted("not_for_me"))
	e, err := w.wait(ctx, func(e *gateway.Event) bool { return e.Code == "not_for_me" && e.DID == v.DID })
	return e != nil, err
}
