package outbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// errReceipt is for receipts about nothing that was sent to their signer.
var errReceipt = envelope.BadReceipt.Errorf("no session of this gateway has the signer as member")

// Receipt takes a receipt that came in under sender, the sender's address in
// the subject. It checks R2 to R4, stores what changed, and arranges what the
// recipient asks for. Codes: those of envelope.ParseReceipt, receipt, rebound,
// cert..., signature; errors with errors.Is trust.ErrAbsent could not be judged
// yet. What failed with these, or without a code, comes again.
func (o *Outbox) Receipt(ctx context.Context, sender string, wire []byte) error {
	r, err := envelope.ParseReceipt(wire)
	if err != nil {
		return err
	}
	last, err := o.store.PeerAt(ctx, sender)
	if err != nil {
		return err
	}
	if err := r.CheckTime(last, o.now()); err != nil {
		return err
	}
	if err := o.concerns(ctx, sender, r); err != nil { // R2, before anything is looked up
		return err
	}
	cert, err := o.trust.Certificate(ctx, r.Cert)
	if err != nil {
		return err
	}
	if cert.Address() != sender {
		return envelope.Rebound.Errorf("the receipt is signed by another instance than its subject names")
	}
	if err := r.CheckCertificate(cert); err != nil {
		return err
	}
	if err := r.Verify(cert.PublicKey()); err != nil {
		return err
	}
	change := &ReceiptChange{Addr: sender, At: r.At, Now: o.now()}
	var after []func()
	var held []*lane
	defer func() {
		for _, l := range held {
			l.judged()
			l.pins.Add(-1)
		}
	}()
	hold := func(l *lane) {
		l.judging()
		held = append(held, l)
	}
	for i := range r.Lanes {
		act, err := o.receiptLane(ctx, cert, &r.Lanes[i], change, hold)
		if errors.Is(err, ErrNoRow) {
			continue // not mine, or not with this member: an inventor's lane
		}
		if err != nil {
			return err
		}
		if act != nil {
			after = append(after, act)
		}
	}
	if len(change.Lanes) == 0 && len(after) == 0 {
		return errReceipt
	}
	o.trust.Named(cert.DID, cert.Inst, r.Package, 0)
	freed, err := o.store.Receipt(ctx, change)
	if err != nil {
		return err
	}
	o.usage.bytes.Add(-freed)
	for _, act := range after {
		act()
	}
	return nil
}

// concerns reports whether any lane is of a session that sender is a member of.
func (o *Outbox) concerns(ctx context.Context, sender string, r *envelope.Receipt) error {
	for i := range r.Lanes {
		if _, err := o.store.Member(ctx, r.Lanes[i].Session, sender); !errors.Is(err, ErrNoRow) {
			return err
		}
	}
	return errReceipt
}

// receiptLane judges one lane of a receipt. It adds what changed, and returns
// what to do once that is stored. hold is called with the sender's lane when
// its session ended.
func (o *Outbox) receiptLane(ctx context.Context, cert *envelope.Certificate, l *envelope.Lane, change *ReceiptChange, hold func(*lane)) (func(), error) {
	s, err := o.store.Session(ctx, l.Session)
	if err != nil {
		return nil, err
	}
	m, err := o.store.Member(ctx, l.Session, change.Addr)
	if err != nil {
		return nil, err
	}
	if err := o.checkHead(ctx, s, l); err != nil {
		if envelope.CodeOf(err) != envelope.Forked {
			return nil, err
		}
		o.events.Emit(ctx, gateway.Event{At: o.now(), Kind: gateway.KindDetected, Code: string(envelope.Forked), DID: cert.DID, Session: l.Session.String(),
			Seq: gateway.Seq(uint64(max(l.UpTo, 0))), Digest: l.Head.String(), Channel: s.Channel, Topic: s.Topic, Detail: "the recipient's receipt names another envelope"})
		return func() {}, nil
	}
	fresh := *m
	fresh.Upto = l.UpTo
	fresh.Refused, fresh.Missing = nil, nil
	for _, r := range l.Refused {
		fresh.Refused = append(fresh.Refused, Refusal{int64(r.First), int64(r.Last), string(r.Code), r.Frame})
	}
	for _, r := range l.Missing {
		if int64(r.First) < s.Next {
			fresh.Missing = append(fresh.Missing, Range{int64(r.First), min(int64(r.Last), s.Next-1), int64(r.Why)})
		}
	}
	again, news, ended, err := o.refusals(ctx, s, m, &fresh)
	if err != nil {
		return nil, err
	}
	if ended {
		hold(o.lane(s.Lane))
		o.void(s)
	}
	reopened := false
	if again != nil && o.budget.reseal(s.Chan, fresh.Addr, s.SID) {
		// Before the receipt is stored: a crash in between seals twice what
		// may be sealed twice, under the same ids, rather than never.
		if err := o.reopen(ctx, s, again); err != nil {
			return nil, err
		}
		reopened = true
	}
	others, err := o.store.Needs(ctx, l.Session, fresh.Addr)
	if err != nil {
		return nil, err
	}
	change.Lanes = append(change.Lanes, LaneChange{SID: l.Session, Upto: fresh.Upto, Refused: fresh.Refused, Fresh: news, Missing: fresh.Missing,
		Needs: fresh.needs(), From: s.Done, Done: max(s.Done, min(s.Next, others, fresh.needs()))})
	return func() {
		o.answer(s, &fresh)
		o.tellReceipt(s, m, &fresh, news)
		if reopened {
			l := o.lane(s.Lane)
			defer l.pins.Add(-1)
			l.kick()
		}
	}, nil
}

// checkHead is R4.
func (o *Outbox) checkHead(ctx context.Context, s *Session, l *envelope.Lane) error {
	if l.UpTo < 0 {
		return l.CheckHead(l.Session)
	}
	list, err := o.store.Envelopes(ctx, s.SID, l.UpTo, l.UpTo, 1)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return envelope.Forked.Errorf("the recipient holds envelope %d, which was never sent", l.UpTo)
	}
	return l.CheckHead(list[0].D)
}

// sealAgain are the codes after which the same messages go out in the next
// session: it was the session that was wrong, not they.
var sealAgain = map[envelope.Code]bool{envelope.BadCert: true, envelope.CertVoid: true, envelope.BadTime: true, envelope.BadTopic: true}

// envelopeOnly are the codes of whole envelopes that leave the session alive.
var envelopeOnly = map[envelope.Code]bool{envelope.BadSeal: true, envelope.BadFrames: true, envelope.BadContent: true, envelope.BadSchema: true, envelope.IDConflict: true}

// refusals reports what a receipt refuses that was not refused before. Again
// are the ranges to be sealed anew; ended says that the session is over for
// this member.
func (o *Outbox) refusals(ctx context.Context, s *Session, old, fresh *Member) (again, news []Refusal, ended bool, err error) {
	known := make(map[Refusal]bool, len(old.Refused))
	for _, r := range old.Refused {
		known[r] = true
	}
	for _, r := range fresh.Refused {
		if known[r] {
			continue
		}
		news = append(news, r)
		code := envelope.Code(r.Code)
		if r.Frame < 0 && !envelopeOnly[code] {
			ended = true
			if sealAgain[code] {
				again = append(again, r)
			}
		}
		ids, err := o.idsOf(ctx, s, r)
		if err != nil {
			return nil, nil, false, err
		}
		e := gateway.Event{At: o.now(), Kind: gateway.KindSent, Code: r.Code, DID: fresh.DID, Session: envelope.Digest(s.SID).String(), Messages: ids,
			Channel: s.Channel, Topic: s.Topic, Detail: fmt.Sprintf("refused by the recipient: envelopes %d to %d", r.A, min(r.B, s.Next-1))}
		e.Seq = gateway.Seq(uint64(r.A))
		o.events.Emit(ctx, e)
	}
	return again, news, ended, nil
}

// maxEventIDs bounds the message ids in one event.
const maxEventIDs = 1_000

// idsOf lists the ids of the messages in a refused range.
func (o *Outbox) idsOf(ctx context.Context, s *Session, r Refusal) ([]string, error) {
	list, err := o.store.Envelopes(ctx, s.SID, r.A, min(r.B, s.Next-1, r.A+maxEventIDs), 64<<10)
	if err != nil {
		return nil, err
	}
	var ids []string
	for i := range list {
		for j, id := range list[i].IDs {
			if (r.Frame < 0 || r.Frame == int64(j)) && len(ids) < maxEventIDs {
				ids = append(ids, gateway.FormatID(id))
			}
		}
	}
	return ids, nil
}

// void ends the session of a lane, unless it has another one already: its next
// message opens a new one.
func (o *Outbox) void(s *Session) {
	l := o.lane(s.Lane)
	defer l.pins.Add(-1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sid == s.SID {
		l.void, l.open = true, false
	}
}

// reopen makes the messages of refused ranges wait again, so that the lane's
// next session carries them under the same ids. The lane starts when the
// receipt is stored: until then the refused session still looks alive.
func (o *Outbox) reopen(ctx context.Context, s *Session, ranges []Refusal) error {
	l := o.lane(s.Lane)
	defer l.pins.Add(-1)
	// What is being sealed now still belongs to the session that ended.
	l.sealing.Lock()
	defer l.sealing.Unlock()
	l.park.Lock()
	defer l.park.Unlock()
	defer l.unload(ctx, "", true) // what is queued comes after them; also after some of them, where the store fails
	s, err := o.store.Session(ctx, s.SID)
	if err != nil {
		return err
	}
	for _, r := range ranges {
		for seq := r.A; seq <= min(r.B, s.Next-1); {
			list, err := o.store.Envelopes(ctx, s.SID, seq, min(r.B, s.Next-1), pumpMember)
			if err != nil || len(list) == 0 {
				return err
			}
			rows, err := o.frames(ctx, s, list)
			if err != nil {
				return err
			}
			if err := o.store.Reopen(ctx, s.Lane, r.Code, s.SID, rows); err != nil {
				return err
			}
			o.usage.waiting.Add(int64(len(rows)))
			seq = list[len(list)-1].Seq + 1
		}
	}
	return nil
}

// frames opens own envelopes again.
func (o *Outbox) frames(ctx context.Context, s *Session, list []Envelope) ([]Waiting, error) {
	secret, err := o.secret(s)
	if err != nil {
		return nil, err
	}
	keys := envelope.NewSessionKeys(s.SID, secret)
	var rows []Waiting
	for i := range list {
		if list[i].Bytes == nil {
			continue
		}
		e, err := envelope.ParseEnvelope(list[i].Bytes)
		if err != nil {
			return nil, err
		}
		opened, err := keys.Open(e)
		if err != nil {
			return nil, err
		}
		for j := range opened.Frames {
			f := &opened.Frames[j]
			w := Waiting{ID: f.ID, Frame: o.local.seal(f.ID[:], opened.Encoded[j]), At: f.At, Type: f.Type, Size: int64(len(f.Body))}
			if f.Kind == envelope.KindObject {
				if err := o.attached(ctx, &w); err != nil {
					return nil, err
				}
			}
			rows = append(rows, w)
		}
	}
	return rows, nil
}

// secret reads the secret of a session back: to grant it again or to open own
// envelopes, never to seal.
func (o *Outbox) secret(s *Session) (out envelope.Secret, err error) {
	plain, err := o.local.open(s.SID[:], s.Secret)
	if err != nil {
		return out, err
	}
	if len(plain) != len(out) {
		return out, errors.New("outbox: session secret of another length")
	}
	copy(out[:], plain)
	return out, nil
}
