package identity

import (
	"context"
	"errors"
	"fmt"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/keyring"
)

// keepRows is how long the row of a destroyed key stays after its paper's
// naf + R, so that late grants are told package_gone; in ms.
const keepRows = 24 * 3600 * 1000

// retire destroys the keys whose time is over by the own clock:
//
//   - a package key 48 h after a newer package took over, once the mailbox was
//     found empty after those, or at the package's naf + R whatever was found;
//   - an instance key at its certificate's naf + R, when no session under it
//     can be granted again.
//
// The key goes before the row says so: a crash between them repeats it.
func (s *Self) retire(ctx context.Context) error {
	now, r := s.now(), s.d.Network.RetentionMS
	s.mu.Lock()
	pkgs, certs, drained := append([]*pkg(nil), s.pkgs...), append([]*certificate(nil), s.certs...), s.drained
	s.mu.Unlock()

	var errs error
	for _, p := range pkgs {
		graced := p.Superseded != 0 && now > p.Superseded+envelope.SecretGrace && drained > p.Superseded+envelope.SecretGrace
		over := now > p.NotAfter+r
		switch {
		case !p.Destroyed && (graced || over):
			if err := s.destroy(ctx, p.Key); err != nil {
				errs = errors.Join(errs, err)
				continue
			}
			s.mu.Lock()
			row := p.Package
			s.mu.Unlock()
			row.Destroyed = true
			if err := s.d.Store.PutPackage(ctx, row); err != nil {
				errs = errors.Join(errs, err)
				continue
			}
			s.mu.Lock()
			p.Destroyed = true
			s.mu.Unlock()
			s.d.Log.Info("package key destroyed", "package", p.Digest, "gen", p.Gen)
		case p.Destroyed && now > p.NotAfter+r+keepRows:
			if err := s.d.Store.DropPackage(ctx, p.Digest); err != nil {
				errs = errors.Join(errs, err)
				continue
			}
			s.mu.Lock()
			s.pkgs = without(s.pkgs, p)
			s.mu.Unlock()
		}
	}
	for _, c := range certs {
		if now <= c.NotAfter+r {
			continue
		}
		err := s.destroy(ctx, c.Key)
		if err == nil {
			err = s.d.Store.DropCertificate(ctx, c.Digest)
		}
		if err != nil {
			errs = errors.Join(errs, err)
			continue
		}
		s.mu.Lock()
		s.certs = without(s.certs, c)
		s.mu.Unlock()
		s.d.Log.Info("instance key destroyed", "certificate", c.Digest)
	}
	return errs
}

func (s *Self) destroy(ctx context.Context, name string) error {
	if err := s.d.Keyring.Destroy(ctx, name); err != nil && !errors.Is(err, keyring.ErrNotFound) {
		return fmt.Errorf("destroy key %s: %w", name, err)
	}
	return nil
}

func without[T comparable](list []T, gone T) []T {
	kept := make([]T, 0, len(list))
	for _, x := range list {
		if x != gone {
			kept = append(kept, x)
		}
	}
	return kept
}
