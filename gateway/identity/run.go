package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/brokerclient"
)

// How often Run looks at what is due, and how it waits after a failure.
const (
	lookAgain  = 30 * time.Second
	firstPause = 200 * time.Millisecond
	lastPause  = 10 * time.Second
	callLimit  = 20 * time.Second // one exchange with a server
)

// Run keeps this instance's papers and logins until ctx ends: makes what is
// missing, publishes it, logs in to broker and hub, renews each in time and
// destroys keys whose time is over. A server that cannot be reached is asked
// again. It returns ErrMismatch when a server is of another network, else
// ctx's error.
func (s *Self) Run(ctx context.Context) error {
	pause := firstPause
	for {
		err := s.step(ctx)
		if errors.Is(err, ErrMismatch) {
			s.mu.Lock()
			s.stopped = err
			s.tell()
			s.mu.Unlock()
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait := lookAgain
		if err != nil {
			s.d.Log.Warn("identity is not complete", "error", err, "again", pause)
			wait, pause = pause, min(pause*2, lastPause)
		} else {
			pause = firstPause
		}
		select {
		case <-s.d.Clock.After(wait):
		case <-s.kick:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// loginPause is the least time between two logins to one server, so that one
// that refuses what it gave does not keep this gateway busy.
const loginPause = 3 * time.Second

// Refresh makes Run log in to the broker anew, at once: the data plane refused
// a token.
func (s *Self) Refresh() { s.refused(&s.broker) }

// refused notes that a server refused what the last login gave. Soon after that
// login it is due when the pause is over: nobody may say it again.
func (s *Self) refused(l *loggedIn) {
	s.mu.Lock()
	again := s.d.Clock.Since(l.at) >= loginPause
	if again {
		l.until = time.Time{}
	} else if due := l.at.Add(loginPause + renewBefore); due.Before(l.until) {
		l.until = due
	}
	s.mu.Unlock()
	if again {
		s.wake()
	}
}

func (s *Self) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// step does everything that is due. What depends on one server does not wait
// for the other.
func (s *Self) step(ctx context.Context) error {
	if err := s.listen(ctx); err != nil {
		return err
	}
	if err := s.renew(ctx); err != nil {
		return err
	}
	var errs error
	s.mu.Lock()
	brokerUntil, hubUntil := s.broker.until, s.hub.until
	s.mu.Unlock()
	if s.due(brokerUntil) {
		errs = errors.Join(errs, s.call(ctx, s.loginBroker), s.call(ctx, s.confirm))
	}
	// The directory may want the bearer, so papers go there after the login;
	// the login itself carries the certificate.
	errs = errors.Join(errs, s.call(ctx, s.publish))
	if s.due(hubUntil) {
		errs = errors.Join(errs, s.call(ctx, s.loginHub))
	}
	s.readClocks(ctx)
	if s.off() {
		return errors.Join(errs, ErrClock)
	}
	return errors.Join(errs, s.retire(ctx))
}

func (s *Self) call(ctx context.Context, fn func(context.Context) error) error {
	ctx, cancel := clockwork.WithTimeout(ctx, s.d.Clock, callLimit)
	defer cancel()
	return fn(ctx)
}

// renewBefore is how long before its end a login is renewed.
const renewBefore = 5 * time.Minute

// due reports whether a login that ends at until is to be renewed.
func (s *Self) due(until time.Time) bool {
	return until.Sub(s.d.Clock.Now()) < renewBefore
}

func (s *Self) off() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.offBy) > 0
}

// listen makes sure that a server's clock was heard before anything is made
// under the own clock, and that the directory was asked for papers of ours.
func (s *Self) listen(ctx context.Context) error {
	s.mu.Lock()
	looked, off := s.looked, len(s.offBy) > 0
	s.mu.Unlock()
	if looked && !off {
		return nil
	}
	err := s.call(ctx, s.lookForOwn)
	s.readClocks(ctx)
	if s.off() {
		return errors.Join(err, ErrClock)
	}
	return err
}

// readClocks compares the own clock with what the servers told last.
func (s *Self) readClocks(ctx context.Context) {
	s.checkClock(ctx, "broker", s.d.Broker.ServerTime())
	s.checkClock(ctx, "hub", s.d.Hub.ServerTime())
}

// lookForOwn asks the directory once for papers of this instance that the
// store does not hold: then the store was lost or is an old backup. With a
// higher floor or an empty store, a certificate with floor = now is made; in
// any case a new package, since the keys of unknown ones are gone.
func (s *Self) lookForOwn(ctx context.Context) error {
	list, err := s.d.Broker.Instances(ctx, s.did)
	if err != nil {
		return fmt.Errorf("ask the directory for own papers: %w", err)
	}
	s.readClocks(ctx)
	if s.off() {
		return ErrClock
	}
	now := s.now()
	for _, i := range list {
		if i.Inst != s.d.Inst || i.DID != s.did {
			continue
		}
		if s.holds(i.Certificate, i.Package) {
			continue
		}
		raw, err := s.d.Broker.Object(ctx, brokerclient.KindCertificate, i.Certificate)
		if errors.Is(err, brokerclient.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("ask the directory for an own certificate: %w", err)
		}
		if err := s.restore(ctx, now, i.Certificate, raw); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.looked = true
	s.mu.Unlock()
	return nil
}

// holds reports whether both papers are in the store (or there is none).
func (s *Self) holds(cert, package_ envelope.Digest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	haveCert, havePkg := false, package_.IsZero()
	for _, c := range s.certs {
		haveCert = haveCert || c.Digest == cert
	}
	for _, p := range s.pkgs {
		havePkg = havePkg || p.Digest == package_
	}
	return haveCert && havePkg
}

// restore acts on a certificate of this instance that the store may not hold.
// Only one that passes C1 to C3 counts: nobody's word alone does.
func (s *Self) restore(ctx context.Context, now int64, digest envelope.Digest, raw []byte) error {
	c, err := envelope.ParseCertificate(raw)
	if err == nil && (c.Digest() != digest || c.DID != s.did || c.Inst != s.d.Inst) {
		err = errors.New("another certificate was served")
	}
	if err == nil {
		err = c.Check(ctx, now, s.d.Domain, s.d.DIDs, 0)
	}
	if envelope.CodeOf(err) == envelope.DIDStale {
		return fmt.Errorf("check an own certificate of the directory: %w", err)
	}
	if err != nil {
		s.d.Log.Warn("the directory shows an own certificate that does not hold", "certificate", digest, "error", err)
		return nil
	}
	s.mu.Lock()
	mine := s.newestCertificate(now)
	s.mu.Unlock()
	s.d.Log.Warn("the directory holds papers of this instance that the store does not: after a restore or a loss", "certificate", digest)
	if mine == nil || c.Floor > mine.Floor {
		if err := s.makeCertificate(ctx, now, uint64(now/1000)); err != nil {
			return err
		}
	}
	return s.makePackage(ctx, now)
}

// Shown acts on a certificate that a peer showed: an own one with a higher
// floor than this instance knows means that its store is an old backup, and a
// new certificate with floor = now is made.
func (s *Self) Shown(ctx context.Context, raw []byte) error {
	c, err := envelope.ParseCertificate(raw)
	if err != nil {
		return err
	}
	if c.DID != s.did || c.Inst != s.d.Inst {
		return envelope.BadCert.Errorf("not a certificate of this instance")
	}
	now := s.now()
	s.mu.Lock()
	mine := s.newestCertificate(now)
	s.mu.Unlock()
	if mine != nil && c.Floor <= mine.Floor {
		return nil
	}
	defer s.wake()
	return s.restore(ctx, now, c.Digest(), raw)
}

// RaiseFloor is the emergency: it makes a certificate with floor = now, which
// voids every earlier certificate and package of this instance at once.
func (s *Self) RaiseFloor(ctx context.Context) error {
	if s.off() {
		return ErrClock
	}
	// However it ends, Run goes on with it at once: the certificate may be in the
	// store though its answer was lost.
	defer s.wake()
	now := s.now()
	if err := s.makeCertificate(ctx, now, uint64(now/1000)); err != nil {
		return err
	}
	return s.makePackage(ctx, now)
}

// renew makes the certificate and the package that are due.
func (s *Self) renew(ctx context.Context) error {
	s.making.Lock()
	err := s.settle(ctx)
	s.making.Unlock()
	if err != nil {
		return err
	}
	now := s.now()
	s.mu.Lock()
	c := s.newestCertificate(now)
	var floor uint64
	for _, old := range s.certs {
		if old.Floor <= uint64(now+envelope.Skew)/1000 {
			floor = max(floor, old.Floor)
		}
	}
	s.mu.Unlock()
	if c == nil || now > c.NotAfter-envelope.CertificateRenewal {
		if err := s.makeCertificate(ctx, now, floor); err != nil {
			return err
		}
	}
	s.mu.Lock()
	c = s.newestCertificate(now)
	p := s.newestTimely()
	s.mu.Unlock()
	if p == nil || p.Certificate != c.Digest || now >= p.NotBefore+envelope.PackageLife {
		return s.makePackage(ctx, now)
	}
	return nil
}
