package identity

import "context"

// doubt is a paper that was begun, of which the store did not say that it keeps
// it.
type doubt struct {
	key  string       // "": there is none
	cert *certificate // what was to be kept; none of the two: it was not signed
	pkg  *pkg
}

// settle has the store keep the paper of which it did not say so. It may be
// there, or come to be there later (a commit whose answer was lost), and would be
// found at the next start: another of the same generation, or under the same key,
// must not be made beside it, nor its key be destroyed. So it is given once more,
// the same bytes, and counts from then on. Only the key of what was never signed
// is destroyed, which nothing else would ever do. The caller holds s.making.
func (s *Self) settle(ctx context.Context) error {
	d := s.doubt
	switch {
	case d.key == "":
	case d.cert != nil:
		if err := s.d.Store.PutCertificate(ctx, d.cert.Certificate); err != nil {
			return err
		}
		s.addCertificate(d.cert)
	case d.pkg != nil:
		if err := s.d.Store.PutPackage(ctx, d.pkg.Package); err != nil {
			return err
		}
		s.addPackage(d.pkg)
	default:
		if err := s.destroy(ctx, d.key); err != nil {
			return err
		}
	}
	s.doubt = doubt{}
	return nil
}
