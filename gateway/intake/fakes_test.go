package intake_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/intake"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/vc"
)

// book is the intake's Trust: real checks of certificates, the rest as set.
type book struct {
	mu        sync.Mutex
	clock     clockwork.Clock
	certs     map[envelope.Digest]*envelope.Certificate
	owners    map[string]common.Address // who may sign for a DID
	floors    map[string]uint64
	topics    map[envelope.Digest]*trust.Topic
	roles     map[envelope.Digest]*vc.Verified
	roleErr   error
	standErr  error
	standHold chan struct{} // closed when look-ups of standings may answer
	topicHold chan struct{} // the same of topics
	hooks     []func(trust.Change)
}

func (b *book) Entitled(_ context.Context, did string, signer common.Address) error {
	if b.owners[did] != signer {
		return envelope.BadCert.Errorf("not entitled")
	}
	return nil
}

func (b *book) Certificate(ctx context.Context, d envelope.Digest) (*envelope.Certificate, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.certs[d]
	if c == nil {
		return nil, fmt.Errorf("%w: %w", envelope.BadCert.Errorf("no such certificate"), trust.ErrAbsent)
	}
	return c, c.Check(ctx, b.clock.Now().UnixMilli(), domain, b, b.floors[c.DID])
}

func (b *book) Topic(_ context.Context, rec envelope.Digest, name string, nbf int64) (*trust.Topic, error) {
	b.mu.Lock()
	hold := b.topicHold
	b.mu.Unlock()
	if hold != nil {
		<-hold
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topics[rec]
	if t == nil {
		return nil, fmt.Errorf("%w: %w", envelope.BadTopic.Errorf("no such record"), trust.ErrAbsent)
	}
	return t, nil
}

func (b *book) Roles(_ context.Context, did string, creds []envelope.Digest) (out []*vc.Verified, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.roleErr != nil {
		return nil, b.roleErr
	}
	for _, c := range creds {
		v := b.roles[c]
		if v == nil || v.Subject != did {
			return nil, envelope.BadRole.Errorf("credential of another subject")
		}
		out = append(out, v)
	}
	return out, nil
}

func (b *book) Standing(context.Context, string, uint64, envelope.Digest, []envelope.Digest, int64) error {
	b.mu.Lock()
	hold, err := b.standHold, b.standErr
	b.mu.Unlock()
	if hold != nil {
		<-hold
	}
	return err
}

func (b *book) OnChange(f func(trust.Change)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hooks = append(b.hooks, f)
}

// set changes the book and tells the intake.
func (b *book) set(f func()) {
	b.mu.Lock()
	f()
	hooks := b.hooks
	b.mu.Unlock()
	for _, h := range hooks {
		h(trust.Change{})
	}
}

type channelList struct {
	mu      sync.Mutex
	list    []gateway.Channel
	changed chan struct{}
}

func (c *channelList) Channel(name string) (*gateway.Channel, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.list {
		if c.list[i].Name == name {
			ch := c.list[i]
			return &ch, nil
		}
	}
	return nil, gateway.ChannelUnknown(name)
}

func (c *channelList) ForTopic(topic string) (out []gateway.Channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range c.list {
		if ch.Topic == topic {
			out = append(out, ch)
		}
	}
	return out
}

func (c *channelList) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

func (c *channelList) set(list ...gateway.Channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = list
	close(c.changed)
	c.changed = make(chan struct{})
}

// mailbox is a fake of the broker: what is pushed is delivered until it is
// acknowledged, again after a restart.
type mailbox struct {
	mu     sync.Mutex
	seq    uint64
	queue  []intake.Delivery
	unack  map[uint64]intake.Delivery
	acked  int
	wake   chan struct{}
	rewind []uint64
}

func (m *mailbox) Next(ctx context.Context) ([]intake.Delivery, error) {
	for {
		m.mu.Lock()
		batch := m.queue
		m.queue = nil
		wake := m.wake
		m.mu.Unlock()
		if len(batch) > 0 {
			return batch, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-wake:
		}
	}
}

func (m *mailbox) Rewind(_ context.Context, seq uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rewind = append(m.rewind, seq)
	return nil
}

func (m *mailbox) push(subject string, wires ...[]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range wires {
		m.seq++
		m.add(m.seq, subject, w, false)
	}
	close(m.wake)
	m.wake = make(chan struct{})
}

func (m *mailbox) add(seq uint64, subject string, w []byte, again bool) {
	d := intake.Delivery{Subject: subject, Data: append([]byte(nil), w...), Stream: "S", Seq: seq, Redelivered: again}
	d.Ack = func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.unack, seq)
		m.acked++
		return nil
	}
	m.unack[seq] = d
	m.queue = append(m.queue, d)
}

// replies records receipts by recipient.
type replies struct {
	mu   sync.Mutex
	list []*envelope.Receipt
	sent map[string]int // by address
	fail func(addr string) error
	look func(r *envelope.Receipt) // at each that is sent
}

// refuse makes sending fail as f says; nil ends it.
func (r *replies) refuse(f func(addr string) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = f
}

// count returns how many receipts an address was sent.
func (r *replies) count(addr string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent[addr]
}

func (r *replies) Reply(ctx context.Context, did string, inst uint64, wire []byte) error {
	return r.ReplyAddr(ctx, envelope.Address(did, inst), wire)
}

func (r *replies) ReplyAddr(_ context.Context, addr string, wire []byte) error {
	r.mu.Lock()
	fail := r.fail
	r.mu.Unlock()
	if fail != nil {
		if err := fail(addr); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sent == nil {
		r.sent = make(map[string]int)
	}
	r.sent[addr]++
	r.list = append(r.list, must(envelope.ParseReceipt(wire)))
	if r.look != nil {
		r.look(r.list[len(r.list)-1])
	}
	return nil
}

// lane returns the newest lane of a session that was told.
func (r *replies) lane(sid envelope.Digest) *envelope.Lane {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.list) - 1; i >= 0; i-- {
		for j := range r.list[i].Lanes {
			if r.list[i].Lanes[j].Session == sid {
				return &r.list[i].Lanes[j]
			}
		}
	}
	return nil
}

type sink struct {
	mu   sync.Mutex
	got  int
	wire [][]byte
	fail int // receipts that cannot be dealt with, from now

	judge func(sender string) error // where set
}

func (s *sink) Receipt(_ context.Context, sender string, wire []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.judge != nil {
		if err := s.judge(sender); err != nil {
			return err
		}
	}
	if s.fail > 0 {
		s.fail--
		if s.fail%2 == 0 {
			return fmt.Errorf("%w: %w", envelope.BadCert.Errorf("absent"), trust.ErrAbsent)
		}
		return errors.New("not dealt with on purpose")
	}
	s.got++
	s.wire = append(s.wire, wire)
	return nil
}

// events records what is emitted.
type events struct {
	mu   sync.Mutex
	list []gateway.Event
}

func (e *events) Emit(_ context.Context, v gateway.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, v)
}

func (e *events) find(code string) *gateway.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range e.list {
		if e.list[i].Code == code {
			return &e.list[i]
		}
	}
	return nil
}

func (e *events) count(code string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range e.list {
		if e.list[i].Code == code {
			n++
		}
	}
	return n
}

// ring wraps by doing nothing: the vault's own sealing is what is tested.
type ring struct{}

func (ring) Wrap(_ context.Context, label string, b []byte) ([]byte, error) {
	return append([]byte(label), b...), nil
}

func (ring) Unwrap(_ context.Context, label string, b []byte) ([]byte, error) {
	return append([]byte(nil), b[len(label):]...), nil
}

// flaky is a store whose next commit fails after, or before, it was made.
type flaky struct {
	intake.Store
	mu     sync.Mutex
	before int // commits that fail without effect
	after  int // commits that are made and still fail
	made   int // commits asked for
	most   int // more of them end the test; 0: any number
}

func (f *flaky) Commit(ctx context.Context, r *intake.Round) error {
	f.mu.Lock()
	f.made++
	if f.most > 0 && f.made > f.most {
		panic("the intake makes one round after the other")
	}
	before, after := f.before > 0, f.after > 0
	if before {
		f.before--
	} else if after {
		f.after--
	}
	f.mu.Unlock()
	if before {
		return fmt.Errorf("commit fails on purpose")
	}
	if err := f.Store.Commit(ctx, r); err != nil {
		return err
	}
	if after {
		return fmt.Errorf("commit's answer is lost on purpose")
	}
	return nil
}
