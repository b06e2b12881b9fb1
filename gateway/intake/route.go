package intake

import (
	"context"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/inbox"
)

// item is one wire message in a round.
type item struct {
	Delivery
	parked *ParkedRow // when it comes from the store

	kind    envelope.Kind
	sender  string // address in the subject
	env     *envelope.Envelope
	grant   *envelope.Grant
	receipt *envelope.Receipt
	err     error // E1, E2

	s      *session
	held   *envelope.Digest // D held for its number
	verify error            // E6
	open   error            // E10 to E12
	opened *envelope.Opened
	keys   []frameKey
	schema []error // E13, per frame; nil when all hold
	key    int64
	body   []byte
}

// take passes a round's messages through the checks.
func (x *Intake) take(ctx context.Context, items []*item) error {
	if len(items) == 0 {
		return nil
	}
	x.parallel(len(items), func(i int) { x.parse(items[i]) })
	var good []*item
	for _, it := range items {
		x.position(it)
		if err := x.route(ctx, it, &good); err != nil {
			return err
		}
	}
	x.parallel(len(good), func(i int) { x.examine(good[i]) })
	sort.SliceStable(good, func(i, j int) bool {
		if good[i].s != good[j].s {
			return good[i].s.row.ID < good[j].s.row.ID
		}
		return good[i].env.Seq < good[j].env.Seq
	})
	for _, it := range good {
		if err := x.apply(ctx, it); err != nil {
			return err
		}
	}
	return nil
}

// parallel runs f for 0..n-1 on all cores.
func (x *Intake) parallel(n int, f func(i int)) {
	if n < 4 || x.work < 2 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(x.work, n) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}

// parse is E1, E2 and the same of G1, R1: bytes, kind, subject.
func (x *Intake) parse(it *item) {
	_, to, from, err := bus.ParseSubject(it.Subject)
	if err != nil {
		it.err = envelope.Rebound.Errorf("not a subject of a mailbox: %w", err)
		return
	}
	it.sender = from
	if it.kind, it.err = envelope.KindOf(it.Data, x.d.Network.Wire); it.err != nil {
		return
	}
	switch it.kind {
	case envelope.KindEnvelope:
		it.env, it.err = envelope.ParseEnvelope(it.Data)
	case envelope.KindGrant:
		it.grant, it.err = envelope.ParseGrant(it.Data)
	case envelope.KindReceipt:
		it.receipt, it.err = envelope.ParseReceipt(it.Data)
	default:
		it.err = envelope.Malformed.Errorf("%s is not read here", it.kind)
	}
	if it.err != nil {
		return
	}
	it.err = envelope.CheckRoute(x.d.Self.Addr(), to, from)
	if it.err == nil && it.env != nil {
		it.env.Digest() // on this core
	}
}

// position notes how far the stream was read, and notices a broker that was
// rolled back: a number below one seen that is no redelivery.
func (x *Intake) position(it *item) {
	if it.parked != nil {
		x.r.Unpark = append(x.r.Unpark, it.parked.ID)
		x.unparkBytes(it.parked.Sender, int64(len(it.parked.Wire)))
		return
	}
	if it.Seq == 0 {
		return
	}
	p := x.streams[it.Stream]
	if p == nil {
		p = &StreamRow{Stream: it.Stream}
		if row, err := x.d.Store.Stream(context.Background(), it.Stream); err == nil && row != nil {
			*p = *row
		}
		x.streams[it.Stream] = p
	}
	if it.Seq > p.Seq {
		p.Seq, p.Created = it.Seq, it.Created
		for i := range x.r.Streams {
			if x.r.Streams[i].Stream == it.Stream {
				x.r.Streams[i] = *p
				return
			}
		}
		x.r.Streams = append(x.r.Streams, *p)
	}
}

// behind notices a message that is new here but has a place of the stream that
// was passed already: the broker's store is an older one. It is read again
// from the first.
func (x *Intake) behind(it *item) {
	p := x.streams[it.Stream]
	if it.parked != nil || p == nil || it.Redelivered || it.Seq == 0 || it.Seq >= p.Seq {
		return
	}
	r, ok := x.d.Mailbox.(Rewinder)
	if now := x.d.Clock.Now(); ok && now.Sub(x.rewound) > muteFor {
		x.rewound = now
		x.later(func(ctx context.Context) {
			if err := r.Rewind(ctx, 1); err != nil {
				x.log.Warn("asking to read the mailbox from the first failed", "error", err)
			}
		})
	}
}

// route is E3 to E5, G2 to G4 and what they have in common. Envelopes that go
// on to the dear checks are appended to good.
func (x *Intake) route(ctx context.Context, it *item, good *[]*item) error {
	now := x.d.Clock.Now()
	p := x.peers.of(it.sender)
	if now.Before(p.muted) && it.kind != envelope.KindReceipt {
		x.throttle(p, "too many failed checks")
		return nil
	}
	if it.err != nil {
		p.fail(now)
		x.report(event(it, it.err))
		return nil
	}
	switch it.kind {
	case envelope.KindReceipt:
		in := receiptIn{it.sender, it.Data}
		x.later(func(context.Context) {
			select {
			case x.receipts <- in:
			default: // receipts are cumulative: the next one heals it
			}
		})
		return nil
	case envelope.KindGrant:
		return x.takeGrant(ctx, it, p)
	}
	s, err := x.find(ctx, it.env.Session)
	if err != nil {
		return err
	}
	if s == nil || s.row.State == Unknown || s.row.State == Waiting || (s.row.State == Open && !s.ready) {
		return x.park(ctx, it, s, p)
	}
	it.s = s
	switch {
	case s.core != nil && s.core.CheckSender(it.sender) != nil:
		p.fail(now)
		x.report(event(it, s.core.CheckSender(it.sender)))
	case s.row.State == Refused:
		x.report(event(it, s.refusal()))
	case x.now() > s.row.Expires:
		x.report(event(it, envelope.SessionOver.Errorf("session and retention are past")))
	case x.shares[it.sender] > x.d.Config.ShareBytes:
		x.throttle(p, "the sender's share of the inbox is full")
	default:
		return x.known(ctx, it, good)
	}
	return nil
}

// known is E5: what is in the ledger already.
func (x *Intake) known(ctx context.Context, it *item, good *[]*item) error {
	s, seq := it.s, it.env.Seq
	if seq < s.led.Next && s.led.holeAt(seq) < 0 {
		h, err := x.d.Store.Entry(ctx, s.entryID(seq))
		if err != nil {
			return err
		}
		if h != nil {
			if d := envelope.Digest(h.D); d == it.env.Digest() {
				x.replayed(it)
				return nil
			}
			d := envelope.Digest(h.D)
			it.held = &d
		}
	}
	x.behind(it)
	if s.led.BrokenAt > 0 && seq >= s.led.BrokenAt-1 {
		x.report(event(it, envelope.SessionRefused.Errorf("the session's chain broke before")))
		return nil
	}
	*good = append(*good, it)
	return nil
}

func (x *Intake) replayed(it *item) {
	x.report(event(it, envelope.Replayed.Errorf("already in the ledger")))
}

// examine is the dear part, on any core: E6, E10 to E12, the schema of E13, and
// sealing for the local store. Its results count in order, in apply.
func (x *Intake) examine(it *item) {
	s := it.s
	if it.verify = it.env.Verify(s.info.Key); it.verify != nil || it.held != nil {
		return
	}
	if it.opened, it.open = s.keys.Open(it.env); it.open != nil {
		return
	}
	n := len(it.opened.Frames)
	it.keys = make([]frameKey, n)
	for i := range it.opened.Frames {
		f := &it.opened.Frames[i]
		it.keys[i] = keyOf(f.ID, f.Type, f.Body)
		if err := s.topic.Schema.Validate(f.Body); err != nil {
			if it.schema == nil {
				it.schema = make([]error, n)
			}
			it.schema[i] = err
		}
	}
	it.key, it.body = x.d.Vault.Seal(inbox.EntryAAD(s.entryID(it.env.Seq)), inbox.Pack(it.opened.SaltKey, it.opened.Encoded))
}
