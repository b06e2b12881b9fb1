package intake

import (
	"context"
	"crypto/ed25519"
	"fmt"
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
	entry   entry  // an envelope, or the notice of one
	head    *envelope.Header
	env     *envelope.Envelope // nil while only a notice of it is here
	notice  *envelope.Notice
	fill    *Await // the place in the chain that the envelope fills with content
	grant   *envelope.Grant
	receipt *envelope.Receipt
	mark    *envelope.Mark
	err     error // E1, E2

	s      *session
	held   *envelope.Digest // D held for its number
	verify error            // E6
	open   error            // E10 to E12
	opened *envelope.Opened
	keys   []frameKey
	schema []error // E13, per frame; nil when all hold
	object bool    // some frame is an object
	sizes  []int64 // of objects, per frame; nil where there is none
	awaits []AwaitObject
	faults []inbox.Fault
	key    int64
	body   []byte
}

// entry is what takes a place in the chain of a session.
type entry interface {
	Digest() envelope.Digest
	CiphertextHash() envelope.Digest
	Signed() []byte
	Verify(key ed25519.PublicKey) error
	CheckHeld(held envelope.Digest) error
}

// take passes a round's messages through the checks.
func (x *Intake) take(ctx context.Context, items, fills []*item) error {
	if len(items)+len(fills) == 0 {
		return nil
	}
	x.parallel(len(items), func(i int) { x.parse(items[i]) })
	good := fills
	for _, it := range items {
		if err := x.position(ctx, it); err != nil {
			return err
		}
		if err := x.route(ctx, it, &good); err != nil {
			return err
		}
	}
	x.parallel(len(good), func(i int) { x.examine(good[i]) })
	sort.SliceStable(good, func(i, j int) bool {
		if good[i].s != good[j].s {
			return good[i].s.row.ID < good[j].s.row.ID
		}
		return good[i].head.Seq < good[j].head.Seq
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
		if it.env, it.err = envelope.ParseEnvelope(it.Data); it.err == nil {
			it.entry, it.head = it.env, &it.env.Header
		}
	case envelope.KindNotice:
		if it.notice, it.err = envelope.ParseNotice(it.Data); it.err == nil {
			it.entry, it.head = it.notice, &it.notice.Header
		}
	case envelope.KindMark:
		it.mark, it.err = envelope.ParseMark(it.Data)
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
	if it.err == nil && it.entry != nil {
		it.entry.Digest() // on this core
	}
}

// position notes how far the stream was read, and notices a broker that was
// rolled back: a number below one seen that is no redelivery.
func (x *Intake) position(ctx context.Context, it *item) error {
	if it.parked != nil {
		x.r.Unpark = append(x.r.Unpark, it.parked.ID)
		x.unparkBytes(it.parked.Sender, int64(len(it.parked.Wire)))
		return nil
	}
	if it.Seq == 0 {
		return nil
	}
	p := x.streams[it.Stream]
	if p == nil {
		p = &StreamRow{Stream: it.Stream}
		row, err := x.d.Store.Stream(ctx, it.Stream)
		if err != nil {
			return fmt.Errorf("read stream: %w", err)
		}
		if row != nil {
			*p = *row
		}
		x.streams[it.Stream] = p
	}
	if it.Seq > p.Seq {
		p.Seq, p.Created = it.Seq, it.Created
		for i := range x.r.Streams {
			if x.r.Streams[i].Stream == it.Stream {
				x.r.Streams[i] = *p
				return nil
			}
		}
		x.r.Streams = append(x.r.Streams, *p)
	}
	return nil
}

// behind notices a message that is new here but has a place of the stream that
// was passed already: the broker's store is an older one. It is read again
// from the first.
func (x *Intake) behind(it *item) {
	p := x.streams[it.Stream]
	if it.parked != nil || p == nil || it.Redelivered || it.Seq == 0 || it.Seq >= p.Seq {
		return
	}
	if r, ok := x.d.Mailbox.(Rewinder); ok {
		x.later(func(ctx context.Context) {
			now := x.d.Clock.Now()
			if now.Sub(x.rewound) <= muteFor {
				return
			}
			x.rewound = now
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
		x.takeReceipt(it)
		return nil
	case envelope.KindGrant:
		return x.takeGrant(ctx, it, p)
	}
	if it.mark != nil {
		return x.takeMark(ctx, it, p)
	}
	s, err := x.find(ctx, it.head.Session)
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
	s, seq := it.s, it.head.Seq
	if seq < s.led.Next && s.led.holeAt(seq) < 0 {
		h, err := x.d.Store.Entry(ctx, s.entryID(seq))
		if err != nil {
			return err
		}
		if h != nil {
			if d := envelope.Digest(h.D); d == it.entry.Digest() {
				x.again(it, good)
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

// again is E5 of a number that is held with the same D. Where its content is
// still awaited, it is what was asked for.
func (x *Intake) again(it *item, good *[]*item) {
	switch a := it.s.led.awaited(it.head.Seq); {
	case a == nil:
		x.replayed(it)
	case it.env != nil && a.Len > 0 && it.s.ready:
		it.fill = a // the body itself came: what was signed is the same
		*good = append(*good, it)
	default:
		if it.notice != nil && a.Len > 0 { // its length is not signed: the newest counts
			a.Len, a.notice = it.notice.Len, it.notice
			x.count(it.s, a, a.Len)
		}
		x.pursueNow(it.s, a)
	}
}

func (x *Intake) replayed(it *item) {
	x.report(event(it, envelope.Replayed.Errorf("already in the ledger")))
}

// examine is the dear part, on any core: E6, E10 to E12, the schema of E13, and
// sealing for the local store. Its results count in order, in apply.
func (x *Intake) examine(it *item) {
	s := it.s
	if it.fill == nil {
		if it.verify = it.entry.Verify(s.info.Key); it.verify != nil || it.held != nil {
			return
		}
	}
	if it.env == nil {
		return // a notice: its body comes later
	}
	if it.opened, it.open = s.keys.Open(it.env); it.open != nil {
		return
	}
	n := len(it.opened.Frames)
	it.keys = make([]frameKey, n)
	for i := range it.opened.Frames {
		f := &it.opened.Frames[i]
		it.keys[i] = keyOf(f.ID, f.Type, f.Body)
		var err error
		if f.Kind == envelope.KindObject {
			if it.object = true; it.sizes == nil {
				it.sizes = make([]int64, n)
			}
			it.sizes[i], err = x.describes(f.Body)
		} else {
			err = s.topic.Schema.Validate(f.Body)
		}
		if err != nil {
			if it.schema == nil {
				it.schema = make([]error, n)
			}
			it.schema[i] = err
		}
	}
	it.key, it.body = x.d.Vault.Seal(inbox.EntryAAD(s.entryID(it.head.Seq)), inbox.Pack(it.opened.SaltKey, it.opened.Encoded))
}
