package identity

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/brokerclient"
	"github.com/digital-spine/spine/keyring"
)

// certificate and pkg are rows with what their bytes say.
type certificate struct {
	Certificate
	paper *envelope.Certificate
}

type pkg struct {
	Package
	paper *envelope.Package
}

// load reads the papers from the store.
func (s *Self) load(ctx context.Context) (err error) {
	if s.certs, err = s.storedCertificates(ctx); err != nil {
		return err
	}
	s.pkgs, err = s.storedPackages(ctx)
	return err
}

func (s *Self) storedCertificates(ctx context.Context) ([]*certificate, error) {
	rows, err := s.d.Store.Certificates(ctx)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	var out []*certificate
	for _, c := range rows {
		paper, err := envelope.ParseCertificate(c.Raw)
		if err != nil {
			return nil, fmt.Errorf("identity: own certificate %s: %w", c.Digest, err)
		}
		if paper.DID != s.did || paper.Inst != s.d.Inst {
			return nil, fmt.Errorf("identity: the store is of %s, instance %d, not of %s, instance %d", paper.DID, paper.Inst, s.did, s.d.Inst)
		}
		out = append(out, &certificate{c, paper})
	}
	return out, nil
}

func (s *Self) storedPackages(ctx context.Context) ([]*pkg, error) {
	rows, err := s.d.Store.Packages(ctx)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	var out []*pkg
	for _, p := range rows {
		paper, err := envelope.ParsePackage(p.Raw)
		if err != nil {
			return nil, fmt.Errorf("identity: own package %s: %w", p.Digest, err)
		}
		out = append(out, &pkg{p, paper})
	}
	return out, nil
}

// newestCertificate is the one that signs now: in its window, key there, of
// the highest floor, begun last. The caller holds the lock.
func (s *Self) newestCertificate(now int64) *certificate {
	var best *certificate
	for _, c := range s.certs {
		// One that begins ahead was made by a clock that was wrong.
		if c.Destroyed || now >= c.NotAfter || c.NotBefore > now+envelope.Skew {
			continue
		}
		if best == nil || c.Floor > best.Floor || c.Floor == best.Floor && c.NotBefore >= best.NotBefore {
			best = c
		}
	}
	return best
}

// timely reports whether a package was made by a clock that was right, under a
// certificate that counts. The caller holds the lock.
func (s *Self) timely(p *pkg) bool {
	now := s.now()
	c := s.newestCertificate(now)
	return c != nil && p.Gen >= c.Floor && p.Gen <= uint64(now+envelope.Skew)/1000 && p.NotBefore <= now+envelope.Skew && p.NotAfter > now
}

// lastGen is the highest generation made here, as NextGeneration counts it.
func (s *Self) lastGen(now int64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var last uint64
	for _, p := range s.pkgs {
		if p.Gen <= uint64(now+envelope.Skew)/1000 {
			last = max(last, p.Gen)
		}
	}
	return last
}

// makeCertificate makes a key and a certificate for it, and keeps both before
// anybody sees them.
func (s *Self) makeCertificate(ctx context.Context, now int64, floor uint64) error {
	s.making.Lock()
	defer s.making.Unlock()
	if err := s.settle(ctx); err != nil {
		return err
	}
	// Two within one second (a renewal and a raised floor) have keys of their own.
	name := "instance/" + strconv.FormatInt(now/1000, 10)
	for n := 2; s.usesKey(name); n++ {
		name = fmt.Sprintf("instance/%d-%d", now/1000, n)
	}
	public, err := s.d.Keyring.Create(ctx, name, keyring.Ed25519)
	if err != nil {
		return fmt.Errorf("make the instance key: %w", err)
	}
	s.doubt = doubt{key: name}
	body := envelope.CertificateBody{DID: s.did, Inst: s.d.Inst, Key: envelope.Digest(public), NotBefore: now, NotAfter: now + envelope.CertificateLife, Floor: floor}
	paper, err := envelope.NewCertificate(ctx, s.d.Domain, s.DIDSigner(), ringSigner{s.d.Keyring, name}, body)
	if err != nil {
		return fmt.Errorf("make the instance certificate: %w", err)
	}
	row := Certificate{Digest: paper.Digest(), Raw: paper.Bytes(), Key: name, NotBefore: body.NotBefore, NotAfter: body.NotAfter, Floor: floor}
	s.doubt.cert = &certificate{row, paper}
	return s.settle(ctx)
}

func (s *Self) addCertificate(c *certificate) {
	s.mu.Lock()
	s.certs = append(s.certs, c)
	// Servers end the logins of certificates that a higher floor voids.
	s.broker.until, s.hub.until = time.Time{}, time.Time{}
	s.mu.Unlock()
	s.d.Log.Info("instance certificate made", "certificate", c.Digest, "floor", c.Floor)
}

func (s *Self) usesKey(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.certs {
		if c.Key == name {
			return true
		}
	}
	for _, p := range s.pkgs {
		if p.Key == name {
			return true
		}
	}
	return false
}

// makePackage makes the next key package under the newest certificate.
func (s *Self) makePackage(ctx context.Context, now int64) error {
	s.making.Lock()
	defer s.making.Unlock()
	if err := s.settle(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	c := s.newestCertificate(now)
	s.mu.Unlock()
	if c == nil {
		return ErrNotReady
	}
	gen := envelope.NextGeneration(s.lastGen(now), now, now)
	name := "package/" + strconv.FormatUint(gen, 10)
	public, err := s.d.Keyring.Create(ctx, name, keyring.XWing)
	if err != nil {
		return fmt.Errorf("make the package key: %w", err)
	}
	s.doubt = doubt{key: name}
	body := envelope.PackageBody{Cert: c.Digest, Gen: gen, NotBefore: now, NotAfter: c.NotAfter, KEM: map[uint64][]byte{envelope.Suite1: public}}
	paper, err := envelope.NewPackage(ctx, ringSigner{s.d.Keyring, c.Key}, body)
	if err != nil {
		return fmt.Errorf("make the key package: %w", err)
	}
	row := Package{Digest: paper.Digest(), Raw: paper.Bytes(), Certificate: c.Digest, Key: name, Gen: gen, NotBefore: body.NotBefore, NotAfter: body.NotAfter}
	s.doubt.pkg = &pkg{row, paper}
	return s.settle(ctx)
}

func (s *Self) addPackage(p *pkg) {
	s.mu.Lock()
	s.pkgs = append(s.pkgs, p)
	s.mu.Unlock()
	s.d.Log.Info("key package made", "package", p.Digest, "gen", p.Gen)
}

// publish puts the papers that count and are not in the directory there, the
// certificate first: the directory checks a package by its certificate.
func (s *Self) publish(ctx context.Context) error {
	now := s.now()
	s.mu.Lock()
	c := s.newestCertificate(now)
	p := s.newestTimely()
	s.mu.Unlock()
	if c == nil || p == nil {
		return ErrNotReady
	}
	if !c.Published {
		if err := s.d.Broker.PutObject(ctx, brokerclient.KindCertificate, c.Digest, c.Raw); err != nil {
			return fmt.Errorf("publish the certificate: %w", err)
		}
		row := c.Certificate
		row.Published = true
		if err := s.d.Store.PutCertificate(ctx, row); err != nil {
			return err
		}
		s.mu.Lock()
		c.Published = true
		s.mu.Unlock()
	}
	if p.Published {
		return nil
	}
	if err := s.d.Broker.PutObject(ctx, brokerclient.KindPackage, p.Digest, p.Raw); err != nil {
		return fmt.Errorf("publish the package: %w", err)
	}
	return s.tookOver(ctx, p)
}

// confirm asks the directory whether it lists the newest papers, and has them
// published again if not: it may have been restored from a backup.
func (s *Self) confirm(ctx context.Context) error {
	s.mu.Lock()
	c, p := s.newestCertificate(s.now()), s.newestTimely()
	published := c != nil && p != nil && c.Published && p.Published
	s.mu.Unlock()
	if !published {
		return nil
	}
	list, err := s.d.Broker.Instances(ctx, s.did)
	if err != nil {
		return fmt.Errorf("ask the directory for own papers: %w", err)
	}
	for _, i := range list {
		if i.Inst == s.d.Inst && i.Certificate == c.Digest && i.Package == p.Digest {
			return nil
		}
	}
	s.d.Log.Warn("the directory does not list this instance's newest papers: publishing them again")
	s.mu.Lock()
	c.Published, p.Published = false, false
	s.mu.Unlock()
	return nil
}

// newestTimely is the package of the highest generation that counts. The
// caller holds the lock.
func (s *Self) newestTimely() *pkg {
	var best *pkg
	for _, p := range s.pkgs {
		if !p.Destroyed && s.timely(p) && (best == nil || p.Gen > best.Gen) {
			best = p
		}
	}
	return best
}

// tookOver notes that a package is in the directory, so that those before it
// are superseded from now on. Its own row comes last: until all are stored, it
// is published and noted again, by this process or the next.
func (s *Self) tookOver(ctx context.Context, p *pkg) error {
	now := s.now()
	var before []*pkg
	s.mu.Lock()
	for _, old := range s.pkgs {
		// One made meanwhile, by a raised floor, comes after it.
		next := old.Gen > p.Gen && !old.Published && s.timely(old)
		if old != p && !next && !old.Destroyed && old.Superseded == 0 {
			before = append(before, old)
		}
	}
	s.mu.Unlock()
	for _, old := range before {
		row := old.Package
		row.Superseded = now
		if err := s.d.Store.PutPackage(ctx, row); err != nil {
			return err
		}
	}
	row := p.Package
	row.Published = true
	if err := s.d.Store.PutPackage(ctx, row); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p.Published = true
	for _, old := range before {
		old.Superseded = now
	}
	s.tell()
	return nil
}
