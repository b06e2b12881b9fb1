package intake

import (
	"context"
	"errors"
	"fmt"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/inbox"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/vc"
)

// finalAfter is how long a failure that rests on what others publish (entitled
// keys, owners, credentials) is tried again before it is final.
const finalAfter = 5 * 60_000 // ms

// job is what a judge works on; it shares nothing with the loop.
type job struct {
	id     int64
	sid    envelope.Digest
	core   *envelope.Core
	grant  []byte // nil: the session was open, and is taken up again
	secret []byte
	info   *inbox.SessionInfo
}

// verdict is what a judge found.
type verdict struct {
	job
	err      error
	remember bool // the failure is past G6: the sender itself signed what is refused
	secretS  envelope.Secret
	text     *envelope.BoxText
	topic    *trust.Topic
	info     *inbox.SessionInfo
}

// enqueue gives a session to the judges.
func (x *Intake) enqueue(s *session) {
	if s.judge {
		return
	}
	s.judge = true
	x.active[s.row.ID] = s
	x.queue = append(x.queue, s)
}

// dispatch starts judges, at most Config.Judges at once.
func (x *Intake) dispatch(ctx context.Context) {
	for len(x.queue) > 0 && x.judging < x.d.Config.Judges {
		s := x.queue[0]
		x.queue = x.queue[1:]
		j := job{id: s.row.ID, sid: s.sid(), core: s.core, info: s.info}
		if s.row.State == Open && len(s.row.Secret) > 0 {
			j.secret = s.row.Secret
		} else {
			j.grant = s.row.Grant
		}
		x.judging++
		go func() {
			v := x.judgeOne(ctx, j)
			select {
			case x.verdicts <- v:
			case <-ctx.Done():
			}
		}()
	}
}

// judgeOne is G5 to G10, with look-ups.
func (x *Intake) judgeOne(ctx context.Context, j job) (v verdict) {
	v.job = j
	defer func() {
		if p := recover(); p != nil {
			v.err = fmt.Errorf("judging a grant panicked: %v", p)
		}
	}()
	t := x.d.Trust
	if j.grant == nil { // judged before: take it up again
		if v.topic, v.err = t.Topic(ctx, j.core.Record, j.core.Topic, j.core.NotBefore); v.err == nil {
			v.secretS, v.err = x.openSecret(j.sid, j.secret)
		}
		v.info, v.remember = j.info, true
		return v
	}
	g, err := envelope.ParseGrant(j.grant)
	if err != nil {
		v.err = err
		return v
	}
	if v.err = j.core.CheckWindow(x.now()); v.err != nil { // G4, of a clock that was ahead
		return v
	}
	cert, err := t.Certificate(ctx, j.core.Cert) // G5, G6
	if err == nil {
		err = j.core.CheckCertificate(cert)
	}
	if err == nil {
		err = g.Verify(cert.PublicKey())
	}
	if v.err = err; err != nil {
		return v
	}
	v.remember = true
	if v.topic, v.err = t.Topic(ctx, j.core.Record, j.core.Topic, j.core.NotBefore); v.err == nil { // G7
		v.err = j.core.CheckTopic(v.topic.Record)
	}
	if v.err != nil {
		return v
	}
	plain, err := x.d.Self.OpenBox(ctx, g.Package, envelope.BoxInfo(j.sid, g.Package), g.Box) // G8
	if err == nil {
		v.text, err = envelope.ParseBoxText(plain)
		clear(plain)
	}
	if v.err = err; err != nil {
		return v
	}
	var roles []string
	var verified []*vc.Verified
	if len(v.text.Creds) > 0 { // G9
		verified, err = t.Roles(ctx, j.core.From, v.text.Creds)
		if v.err = err; err != nil {
			return v
		}
		for _, r := range verified {
			roles = append(roles, r.Role)
		}
	}
	v.info = infoOf(j.core, v.topic.Record.Version, roles, cert.PublicKey())
	v.info.Proof = proofOf(g, cert, v.topic.Record, v.text, verified, x.now())
	if len(x.receiving(j.core.Topic)) == 0 { // G4, which waits
		v.err = envelope.NoChannel.Errorf("no local channel receives %s", j.core.Topic)
	} else if !x.admitted(v.info) { // G10
		v.err = envelope.RoleNotAdmitted.Errorf("no local channel admits the sender")
	}
	v.secretS = v.text.Secret
	return v
}

// proofOf gathers what the judgement rests on, for whoever asks later.
func proofOf(g *envelope.Grant, cert *envelope.Certificate, rec *envelope.Topic, text *envelope.BoxText, verified []*vc.Verified, now int64) *inbox.Proof {
	d, pkg, schema := g.Digest(), g.Package, rec.Schema
	p := &inbox.Proof{Package: pkg[:], Grant: d[:], CertNbf: cert.NotBefore, CertNaf: cert.NotAfter, Floor: uint64(cert.Floor),
		Owner: rec.DID, Kind: rec.Kind, Schema: schema[:], Order: rec.Order, Judged: now}
	for _, r := range verified {
		digest := r.Digest
		p.Creds = append(p.Creds, inbox.Credential{Digest: digest[:], Role: r.Role, Issuer: r.Issuer, ValidUntil: r.ValidUntil})
	}
	if prev := text.Prev; prev != nil {
		sid, head := prev.Session, prev.Digest
		p.Prev = &inbox.Prev{SID: sid[:], Seq: prev.Seq, Digest: head[:]}
	}
	return p
}

// judged takes a verdict. It returns the session when its parked envelopes can
// be taken up.
func (x *Intake) judged(ctx context.Context, v verdict) (*session, error) {
	x.judging--
	s := x.byID[v.id]
	if s == nil || s.sid() != v.sid {
		return nil, nil
	}
	s.judge = false
	if s.ready || s.row.State == Refused || s.core == nil {
		return nil, nil // judged twice, as memory was read again meanwhile: the first verdict counts
	}
	if v.err == nil {
		return s, x.openSession(ctx, s, &v)
	}
	now := x.now()
	code := envelope.CodeOf(v.err)
	if code == "" {
		code = envelope.DIDStale
		x.log.Warn("a grant could not be judged", "session", s.sid().String(), "error", v.err)
	}
	if s.led.FirstBad == 0 {
		s.led.FirstBad = now
	}
	tries := now-s.led.FirstBad < finalAfter
	mutable := code == envelope.BadCert || code == envelope.BadTopic || code == envelope.BadRole
	if code == envelope.NoChannel {
		mutable = true
	}
	wait := waits(v.err)
	if errors.Is(v.err, trust.ErrAbsent) || code == envelope.DIDStale || code == envelope.StatusStale {
		tries = now < s.row.Expires
	}
	if s.led.Told != string(code) {
		s.led.Told = string(code)
		it := &item{s: s, sender: s.row.Sender}
		if len(s.row.Grant) > 0 {
			it.grant, _ = envelope.ParseGrant(s.row.Grant)
		}
		e := event(it, v.err)
		e.Code = string(code)
		x.report(e)
	}
	if (wait || mutable) && tries {
		s.row.Code = string(code)
		s.judgeAt = now + backoff(s.tries)
		s.tries++
		x.touch(s, true)
		x.active[s.row.ID] = s
		return nil, nil
	}
	if s.row.State == Open && (code == envelope.PackageGone || !v.remember) { // without its secret: wait for another grant
		s.row.Grant, s.regrant = nil, false
		x.touch(s, true)
		x.owe(s, true)
		return nil, nil
	}
	if code == envelope.PackageGone { // its key went while it waited: ask for another grant
		s.row.State, s.row.Grant, s.led.Highest = Unknown, nil, max(s.led.Highest, 1)
		x.touch(s, true)
		x.owe(s, true)
		return nil, nil
	}
	if !v.remember {
		x.forget(s)
		return nil, nil
	}
	x.refuseSession(s, code)
	return s, nil
}

// backoff is the pause before a grant is judged again, in ms.
func backoff(tries int) int64 {
	steps := [...]int64{250, 500, 1000, 2000, 5000, 10_000, 30_000}
	if tries < len(steps) {
		return steps[tries]
	}
	return 60_000
}

// openSession makes a session open.
func (x *Intake) openSession(ctx context.Context, s *session, v *verdict) error {
	s.keys = envelope.NewSessionKeys(s.sid(), v.secretS)
	s.topic, s.info, s.ready, s.tries = v.topic, v.info, true, 0
	s.standing, s.standingAt = nil, 0
	s.led.FirstBad, s.led.Told = 0, ""
	x.active[s.row.ID] = s
	s.advance, s.pursue = true, true
	if v.grant == nil {
		return nil
	}
	if s.row.State == Open { // granted again: only the secret was lost
		s.row.Secret, s.row.Grant, s.regrant = x.sealSecret(s.sid(), v.secretS), nil, false
		x.touch(s, true)
		return nil
	}
	l, known, err := x.laneOf(ctx, s.core)
	if err != nil {
		return err
	}
	s.join(l)
	s.row.State, s.row.Code, s.row.Grant = Open, "", nil
	s.row.Secret = x.sealSecret(s.sid(), v.secretS)
	s.led.Strict = v.topic.Record.Order == 0
	s.led.Creds = nil
	for _, c := range v.text.Creds {
		s.led.Creds = append(s.led.Creds, append([]byte(nil), c[:]...))
	}
	x.touch(s, true)
	x.r.Senders = append(x.r.Senders, SenderRow{DID: s.core.From, Inst: s.core.Inst})
	x.peers.of(s.row.Sender).known = true
	if s.led.Prev == nil {
		if err := x.succession(ctx, s, v.text.Prev, known); err != nil {
			return err
		}
	}
	l.insert(s)
	x.owe(s, s.led.Highest > 0)
	return nil
}

// refuseSession remembers that a session was refused and tells the sender.
func (x *Intake) refuseSession(s *session, code envelope.Code) {
	s.row.State, s.row.Code, s.row.Grant, s.row.Secret = Refused, string(code), nil, nil
	s.keys, s.ready, s.stalled, s.stallT = nil, false, "", 0
	x.touch(s, true)
	if code.TellsSender() {
		x.owe(s, false)
	}
}

// forget drops a session whose grant did not prove whom it is from. Its number
// stays known when envelopes named it.
func (x *Intake) forget(s *session) {
	if !envelope.Digest(s.led.Follower).IsZero() { // named by a session that is believed
		s.row.State, s.row.Grant, s.row.Core, s.core = Unknown, nil, nil, nil
		s.led.FirstBad, s.led.Told = 0, ""
		x.touch(s, true)
		return
	}
	if s.led.Highest > 0 && len(x.strange) < maxStrange {
		x.strange[strangerKey{s.sid(), s.row.Sender}] = &named{sid: s.sid(), sender: s.row.Sender, since: x.now(), highest: uint64(s.led.Highest - 1), nextAsk: x.now() + 1000}
	}
	s.dirty = false
	if s.stored {
		x.r.Forget = append(x.r.Forget, s.row.ID)
	}
	x.unload(s)
}
