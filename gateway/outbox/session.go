package outbox

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/internal/problem"
)

// growthWait is how long newcomers gather before a session is opened for the
// larger set; whoever leaves ends the session at once.
const growthWait = 5 * time.Second

// refresh is how often a lane looks at its recipients without being told.
const refresh = 30 * time.Second

// session is an open session of a lane. Its secret lives in memory only: what
// the store keeps of it is for granting again, never for sealing.
type session struct {
	core       *envelope.Core
	keys       *envelope.SessionKeys
	secret     envelope.Secret
	base       [32]byte // fingerprint of the plan without members
	seats      []seat
	members    []Member
	to         []string // the first of them
	left       []string
	creds      []envelope.Digest
	deliveries []*delivery
	topic      *trust.Topic
	next       int64
	head       envelope.Digest
	t          int64 // of the last envelope
	looked     time.Time
}

// ready makes sure that the lane has a session that may be used now.
func (l *lane) ready(ctx context.Context) error {
	if err := l.o.self.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	dirty, void := l.dirty, l.void
	l.dirty = false
	l.mu.Unlock()
	s, now := l.sess, l.o.clock.Now()
	if s != nil && !dirty && !void && now.Sub(s.looked) < refresh && l.fresh(s, now) {
		return nil
	}
	p, err := l.o.plan(ctx, l)
	if err != nil {
		l.mu.Lock()
		l.dirty, l.open = true, false
		l.mu.Unlock()
		return err
	}
	if s != nil && !void && l.fresh(s, now) && l.serves(s, p, now) {
		s.looked = now
		l.mu.Lock()
		l.open = true
		l.mu.Unlock()
		return nil
	}
	if void && !l.voided.IsZero() && now.Sub(l.voided) < time.Minute {
		if !l.isJudged() && s != nil && l.fresh(s, now) && l.serves(s, p, now) && !l.o.abandoned(ctx, s) {
			s.looked = now
			return nil
		}
		l.mu.Lock()
		l.dirty = true
		l.mu.Unlock()
		return errLater
	}
	return l.openSession(ctx, p, void)
}

// judging says that a receipt which ends the session is being taken in. Until
// it is stored the session still looks alive in the store; what was sealed into
// it meanwhile would be refused, and taken for what was refused before.
func (l *lane) judging() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refusal++
}

// judged ends judging, and lets the lane go on.
func (l *lane) judged() {
	l.mu.Lock()
	l.refusal--
	l.mu.Unlock()
	l.kick()
}

// isJudged reports whether a receipt that ends the session is not stored yet.
func (l *lane) isJudged() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusal > 0
}

// fresh reports whether time, numbers and certificate let a session go on.
func (l *lane) fresh(s *session, now time.Time) bool {
	cert := l.o.self.Certificate()
	return now.UnixMilli() < s.core.NotAfter && s.next < envelope.MaxEnvelopes && cert != nil && cert.Digest() == s.core.Cert
}

// serves reports whether a session is still for whom and what the plan says.
func (l *lane) serves(s *session, p *plan, now time.Time) bool {
	if s.base != p.base {
		return false
	}
	same, grown := growth(s.seats, seats(p.members))
	switch {
	case same:
		l.grown = time.Time{}
		return true
	case !grown:
		return false
	case l.grown.IsZero():
		l.grown = now
	}
	return now.Sub(l.grown) < growthWait
}

// end forgets the session. Its last entry is in the store.
func (l *lane) end() {
	if l.sess == nil {
		return
	}
	l.o.pub.release(l.sess.deliveries)
	clear(l.sess.secret[:])
	l.sess = nil
	l.mu.Lock()
	l.open = false
	l.mu.Unlock()
}

// openSession makes core, secret and a signed grant per member. Nothing is
// written: the session becomes durable together with its first envelope.
func (l *lane) openSession(ctx context.Context, p *plan, void bool) error {
	o := l.o
	l.end()
	now := o.now()
	core, err := envelope.NewCore(envelope.CoreBody{
		Suite: envelope.Suite1, From: o.self.DID(), Inst: o.self.Inst(), Cert: p.cert.Digest(), Chan: l.Chan,
		Topic: p.topic.Record.Name, Record: p.topic.Record.Digest(), NotBefore: now,
		NotAfter: min(now+o.cfg.Session.Milliseconds(), p.cert.NotAfter),
	})
	if err != nil {
		return err
	}
	if core.NotAfter <= core.NotBefore {
		return problem.New(503, string(envelope.BadCert), "the own certificate is at its end")
	}
	addrs := make([]string, len(p.members))
	for i := range p.members {
		addrs[i] = p.members[i].Addr
	}
	last, err := o.store.Last(ctx, l.Lane, addrs)
	if err != nil {
		return err
	}
	s := &session{core: core, secret: envelope.NewSecret(), base: p.base, seats: seats(p.members), left: p.left, creds: p.creds,
		topic: p.topic, head: core.Session(), looked: o.clock.Now(), members: make([]Member, len(p.members))}
	for i := range p.members {
		m := &p.members[i]
		if err := o.trust.Keep(ctx, m.DID, m.Inst); err != nil {
			return err
		}
		s.members[i] = Member{SID: core.Session(), Addr: m.Addr, DID: m.DID, Inst: m.Inst, PP: m.PP, Upto: -1, Size: len(p.members), NAF: core.NotAfter}
		if e, ok := last[m.Addr]; ok {
			s.members[i].Prev = &e
		}
	}
	if err := o.grants(ctx, s, p.members); err != nil {
		return err
	}
	s.to = names(s.members)
	s.keys = envelope.NewSessionKeys(core.Session(), s.secret)
	s.deliveries = make([]*delivery, len(s.members))
	for i := range s.members {
		s.deliveries[i] = o.pub.delivery(&s.members[i])
	}
	l.sess = s
	l.grown = time.Time{}
	if void {
		l.voided = o.clock.Now()
	}
	l.mu.Lock()
	l.open, l.void, l.sid = true, false, core.Session()
	l.mu.Unlock()
	return nil
}

// grants makes the members' grants, on all cores: a box costs some 0.2 ms.
func (o *Outbox) grants(ctx context.Context, s *session, members []trust.Member) error {
	var wg sync.WaitGroup
	errs := make([]error, len(members))
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range members {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			s.members[i].Grant, errs[i] = o.grant(ctx, s.core, s.secret, s.creds, s.members[i].Prev, members[i].Package)
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// grant seals and signs one grant.
func (o *Outbox) grant(ctx context.Context, core *envelope.Core, secret envelope.Secret, creds []envelope.Digest, prev *Entry, pkg *envelope.Package) ([]byte, error) {
	text := &envelope.BoxText{Secret: secret, Creds: creds}
	if prev != nil {
		text.Prev = &envelope.Prev{Session: prev.SID, Seq: uint64(prev.Seq), Digest: prev.D, NotAfter: prev.NAF}
	}
	box, err := envelope.SealBox(core.Session(), pkg, text)
	if err != nil {
		return nil, err
	}
	g, err := envelope.NewGrant(ctx, o.signer(core.Cert), core, pkg.Digest(), box)
	if err != nil {
		return nil, err
	}
	return g.Bytes(), nil
}

// signer signs with the key of one certificate of this instance.
type signer struct {
	self Self
	cert envelope.Digest
}

func (o *Outbox) signer(cert envelope.Digest) envelope.InstanceSigner { return signer{o.self, cert} }

// Sign implements envelope.InstanceSigner.
func (s signer) Sign(ctx context.Context, message []byte) ([]byte, error) {
	return s.self.SignWith(ctx, s.cert, message)
}

// abandoned reports whether every member has refused the session.
func (o *Outbox) abandoned(ctx context.Context, s *session) bool {
	members, err := o.store.Members(ctx, s.core.Session())
	if err != nil {
		return false
	}
	for i := range members {
		if !members[i].gone() {
			return false
		}
	}
	return true
}
