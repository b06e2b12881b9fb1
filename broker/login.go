package broker

import (
	"context"

	"github.com/nats-io/nkeys"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/envelope"
)

// Login is the answer to a login.
type Login struct {
	Token   string // for the HTTP API
	Expires int64  // of both tokens, ms
	Network Network
	NATS    BusLogin
}

// BusLogin is what a gateway needs to use the message bus.
type BusLogin struct {
	URL      string
	Token    string // bound to the user key named in the login
	Stream   string
	Consumer string
	Inbox    string // prefix; the same for the same user key
	PP       int
	Addr     string
}

// Login checks a login like any peer would (C1 to C5), and in this order: what
// costs nothing, the instance key's signatures, then the DID's proof and chain
// state. Any DID is admitted. The first login makes the mailbox, its subject
// and its consumer.
func (b *Broker) Login(ctx context.Context, certificate, login []byte) (*Login, error) {
	c, err := envelope.ParseCertificate(certificate)
	if err != nil {
		return nil, err
	}
	l, err := envelope.ParseLogin(login)
	if err != nil {
		return nil, err
	}
	if !nkeys.IsValidPublicUserKey(l.NKey) {
		return nil, ErrLogin.WithHint("the login must name a NATS user key")
	}
	now := b.now()
	if err := b.challenged(l.Nonce); err != nil {
		return nil, err
	}
	if err := c.CheckNow(now); err != nil {
		return nil, err
	}
	// The nonce is ours and fresh, so the only challenge it can answer is itself.
	if err := l.Check(c, b.Origin, l.Nonce, now); err != nil {
		return nil, err
	}
	if err := b.judge(ctx, c); err != nil {
		return nil, err
	}
	// From here on the DID itself asks, so that nobody else uses up its share.
	if !b.logins.allow(c.DID) {
		return nil, ErrThrottled
	}
	if !b.use(l.Nonce) {
		return nil, ErrChallenge
	}
	addr := c.Address()
	if err := b.banned(addr, now+1); err != nil {
		return nil, err
	}
	if err := b.store(ctx, b.certificateObject(c)); err != nil {
		return nil, err
	}
	m, err := b.ensure(ctx, c.DID, c.Inst, addr)
	if err != nil {
		return nil, err
	}
	return b.grant(m, l.NKey), nil
}

// grant makes the answer of a login.
func (b *Broker) grant(m Mailbox, nkey string) *Login {
	now := b.now()
	s := Session{DID: m.DID, Inst: m.Inst, Addr: m.Addr, PP: m.PP, Made: now, Expire: now + b.Limits.tokenLife().Milliseconds(), Use: useHTTP}
	out := &Login{Token: b.seal(s), Expires: s.Expire, Network: b.Network}
	s.Use, s.NKey, s.Inbox = useNATS, nkey, b.inbox(m.Addr, nkey)
	out.NATS = BusLogin{URL: b.NATSURL, Token: b.seal(s), Stream: bus.Stream(m.PP), Consumer: bus.Consumer(m.Addr), Inbox: s.Inbox, PP: m.PP, Addr: m.Addr}
	return out
}
