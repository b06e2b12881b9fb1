package issuer

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/hubclient"
	"github.com/digital-spine/spine/internal/problem"
)

// unsentPage is how many credentials are read at once to be published.
const unsentPage = 100

// publish gives the hub every list with a new freshness, then the credentials
// that it lacks, so that no credential is seen before its list. One list does
// not wait for another, nor one credential for another that the hub refuses. It
// returns which credentials the hub took.
func (i *Issuer) publish(ctx context.Context) (sent map[[32]byte]bool, err error) {
	lists, err := i.d.Store.Lists(ctx)
	if err != nil || len(lists) == 0 {
		return nil, err
	}
	cert := i.d.Self.Certificate()
	if cert == nil {
		return nil, ErrNotReady
	}
	var errs error
	for _, l := range lists {
		errs = errors.Join(errs, i.publishList(ctx, cert, l))
	}
	if errs != nil {
		return nil, errs
	}
	sent, refused := make(map[[32]byte]bool), make(map[[32]byte]bool)
	for {
		unsent, err := i.d.Store.Unsent(ctx, i.d.Clock.Now().UnixMilli(), unsentPage+len(refused))
		if err != nil {
			return sent, err
		}
		more := false
		for _, c := range unsent {
			if refused[c.Digest] {
				continue
			}
			more = true
			_, err := i.d.Hub.PublishCredential(ctx, c.Raw)
			if isRefusal(err) {
				refused[c.Digest] = true
				i.d.Log.Warn("the hub refuses a credential", "digest", hex.EncodeToString(c.Digest[:]), "code", problem.CodeOf(err), "err", err)
				continue
			}
			if err == nil {
				err = i.d.Store.Sent(ctx, c.Digest)
			}
			if err != nil {
				return sent, err
			}
			sent[c.Digest] = true
		}
		if !more {
			return sent, nil
		}
	}
}

// publishList gives the hub one list with a new freshness.
func (i *Issuer) publishList(ctx context.Context, cert *envelope.Certificate, l List) error {
	now := i.d.Clock.Now().UnixMilli()
	fresh, err := envelope.NewStatus(ctx, i.d.Self.InstanceSigner(cert.Digest()), envelope.StatusBody{
		Cert: cert.Digest(), List: envelope.Sum(l.Raw), ListID: l.ID, Revision: l.Revision, At: now, NotAfter: now + i.d.TTL.Milliseconds(),
	})
	if err != nil {
		return err
	}
	if err := i.d.Hub.PublishStatus(ctx, hubclient.Status{List: l.Raw, Freshness: fresh.Bytes(), Certificate: cert.Bytes()}); err != nil {
		return err
	}
	if l.Published == l.Revision {
		return nil
	}
	return i.d.Store.Published(ctx, l.ID, l.Revision)
}

// isRefusal reports whether the hub will not take a credential however often it
// is asked now: it waits for the next turn, and holds up no other.
func isRefusal(err error) bool {
	var p *problem.Error
	if !errors.As(err, &p) || p.Status/100 != 4 {
		return false
	}
	switch p.Status {
	case http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return true
}
