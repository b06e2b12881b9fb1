package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/brokerclient"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/vc"
)

// book is a trust.Book whose answers the test sets.
type book struct {
	mu      sync.Mutex
	topics  map[string]*trust.Topic
	holders map[string][]trust.Holder
	members map[string][]trust.Member
	certs   map[envelope.Digest]*envelope.Certificate
	own     []*vc.Verified
	fail    error         // of Instances
	slow    chan struct{} // Instances waits for it
	named   map[string]envelope.Digest
	asked   int // certificates looked up
	hooks   []func(trust.Change)
}

func (b *book) Current(context.Context, string, string) (*trust.Topic, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.topics[topicName]; t != nil {
		return t, nil
	}
	return nil, envelope.BadTopic.Errorf("no record")
}

func (b *book) Holders(_ context.Context, role string) ([]trust.Holder, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.holders[role], nil
}

func (b *book) Own(context.Context) ([]*vc.Verified, error) { return b.own, nil }

func (b *book) Instances(_ context.Context, did string) ([]trust.Member, error) {
	b.mu.Lock()
	m, err, slow := b.members[did], b.fail, b.slow
	b.mu.Unlock()
	if slow != nil {
		<-slow
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (b *book) Certificate(_ context.Context, d envelope.Digest) (*envelope.Certificate, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	if c := b.certs[d]; c != nil {
		return c, nil
	}
	return nil, envelope.BadCert.Errorf("absent")
}

func (b *book) Named(did string, _ uint64, pkg envelope.Digest, _ uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.named[did] = pkg
}

func (b *book) Keep(context.Context, string, uint64) error { return nil }

func (b *book) OnChange(fn func(trust.Change)) { b.hooks = append(b.hooks, fn) }

func (b *book) set(fn func()) {
	b.mu.Lock()
	fn()
	b.mu.Unlock()
	for _, h := range b.hooks {
		h(trust.Change{})
	}
}

func (b *book) admit(p *party) {
	b.set(func() {
		b.holders[roleName] = append(b.holders[roleName], trust.Holder{DID: p.did, Credential: envelope.Sum([]byte(p.did))})
		b.members[p.did] = []trust.Member{p.member()}
		b.certs[p.cert.Digest()] = p.cert
	})
}

func (b *book) dismiss(p *party) {
	b.set(func() {
		var keep []trust.Holder
		for _, h := range b.holders[roleName] {
			if h.DID != p.did {
				keep = append(keep, h)
			}
		}
		b.holders[roleName] = keep
	})
}

// net is a broker that keeps what it stored.
type net struct {
	mu     sync.Mutex
	stored []bus.Msg
	tried  []bus.Msg
	fail   func(bus.Msg) error
	news   chan struct{}
	hold   chan struct{} // publishes wait for it
	delay  time.Duration // of a publish, for benchmarks
	forget bool          // for benchmarks
}

func (n *net) Publish(ctx context.Context, msgs []bus.Msg) []error {
	n.mu.Lock()
	hold := n.hold
	n.mu.Unlock()
	if n.delay > 0 {
		time.Sleep(n.delay)
	}
	if n.forget {
		return make([]error, len(msgs))
	}
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	errs := make([]error, len(msgs))
	for i, m := range msgs {
		n.tried = append(n.tried, m)
		if ctx.Err() != nil {
			errs[i] = ctx.Err()
			continue
		}
		if n.fail != nil {
			if errs[i] = n.fail(m); errs[i] != nil {
				continue
			}
		}
		n.stored = append(n.stored, m)
	}
	close(n.news)
	n.news = make(chan struct{})
	return errs
}

func (n *net) set(fail func(bus.Msg) error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fail = fail
}

// to returns what is stored for an address, without marks.
func (n *net) to(addr string) [][]byte {
	return n.pick(addr, func(k envelope.Kind) bool { return k != envelope.KindMark })
}

// marks returns the marks stored for an address.
func (n *net) marks(addr string) (out []*envelope.Mark) {
	for _, b := range n.pick(addr, func(k envelope.Kind) bool { return k == envelope.KindMark }) {
		out = append(out, must(envelope.ParseMark(b)))
	}
	return out
}

func (n *net) pick(addr string, ok func(envelope.Kind) bool) [][]byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out [][]byte
	for _, m := range n.stored {
		if _, mailbox, _, err := bus.ParseSubject(m.Subject); err != nil || mailbox != addr {
			continue
		}
		if kind, _ := envelope.KindOf(m.Data, envelope.WireMax); ok(kind) {
			out = append(out, m.Data)
		}
	}
	return out
}

// await waits until ok holds, looking again at every publish.
func (n *net) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx := testkit.Context(t)
	for {
		n.mu.Lock()
		news := n.news
		n.mu.Unlock()
		if ok() {
			return
		}
		select {
		case <-news:
		case <-time.After(20 * time.Millisecond): // state beside the bus
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

type channels struct {
	mu      sync.Mutex
	m       map[string]*gateway.Channel
	changed chan struct{}
}

func (c *channels) Channel(name string) (*gateway.Channel, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch := c.m[name]; ch != nil {
		return ch, nil
	}
	return nil, gateway.ChannelUnknown(name)
}
func (c *channels) ForTopic(string) []gateway.Channel { return nil }
func (c *channels) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}
func (c *channels) put(ch *gateway.Channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.m[ch.Name] = ch
	close(c.changed)
	c.changed = make(chan struct{})
}

type events struct {
	mu   sync.Mutex
	list []gateway.Event
}

func (e *events) Emit(_ context.Context, ev gateway.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, ev)
}

func (e *events) has(code string) *gateway.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range e.list {
		if e.list[i].Code == code {
			return &e.list[i]
		}
	}
	return nil
}

// ring wraps by a constant: the outbox only needs its own secret back.
type ring struct{}

func (ring) Wrap(_ context.Context, label string, plain []byte) ([]byte, error) {
	return append([]byte(label), plain...), nil
}
func (ring) Unwrap(_ context.Context, label string, wrapped []byte) ([]byte, error) {
	plain, ok := bytes.CutPrefix(wrapped, []byte(label))
	if !ok {
		return nil, errors.New("other label")
	}
	return plain, nil
}

type directory struct{ list []brokerclient.Instance }

func (d directory) InstanceAt(_ context.Context, addr string) ([]brokerclient.Instance, error) {
	for _, i := range d.list {
		if i.Addr == addr {
			return []brokerclient.Instance{i}, nil
		}
	}
	return nil, brokerclient.ErrNotFound
}
