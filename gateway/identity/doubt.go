package identity

import "context"

// settle asks the store about the paper of which it did not say that it keeps
// it. It may be there, and would be found at the next start: another of the same
// generation, or under the same key, must not be made beside it. What is there
// counts from now on; what is not is forgotten with its key, which nothing else
// would ever destroy. The caller holds s.making.
func (s *Self) settle(ctx context.Context) error {
	if s.doubt == "" {
		return nil
	}
	certs, err := s.storedCertificates(ctx)
	if err != nil {
		return err
	}
	pkgs, err := s.storedPackages(ctx)
	if err != nil {
		return err
	}
	kept := false
	for _, c := range certs {
		if c.Key == s.doubt {
			kept = true
			s.addCertificate(c)
		}
	}
	for _, p := range pkgs {
		if p.Key == s.doubt {
			kept = true
			s.addPackage(p)
		}
	}
	if !kept {
		if err := s.destroy(ctx, s.doubt); err != nil {
			return err
		}
	}
	s.doubt = ""
	return nil
}
