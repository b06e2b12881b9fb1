package trust

import (
	"context"
	"errors"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/brokerclient"
)

// objectKey names an object of the directory. Digests leave proofs out, so what
// is cached under one is bytes and never a verdict.
type objectKey struct {
	kind   string
	digest envelope.Digest
}

// refetchAfter is when bytes that did not hold are fetched again: the
// directory may have been given a good copy since.
const refetchAfter = 5 * time.Second

// object returns what the directory serves under a digest, unverified.
func (b *Book) object(ctx context.Context, kind string, digest envelope.Digest, code envelope.Code) ([]byte, error) {
	return b.objects.get(ctx, objectKey{kind, digest}, func(ctx context.Context) ([]byte, time.Time, error) {
		raw, err := b.d.Broker.Object(ctx, kind, digest)
		if err != nil {
			return nil, time.Time{}, absent(code, kind+" "+digest.String(), err)
		}
		return raw, b.until(objectFor), nil
	})
}

// spoilt makes the bytes of an object be fetched again soon.
func (b *Book) spoilt(kind string, digest envelope.Digest) {
	b.objects.expire(objectKey{kind, digest}, b.d.Clock.Now().Add(refetchAfter))
}

// Certificate returns a certificate by its digest after C1 to C4; its window
// (C5) is the caller's to compare. Codes cert, weak_key, pop, did_stale,
// cert_void, malformed, not_canonical, too_large, version; cert with ErrAbsent
// when the directory does not have it.
func (b *Book) Certificate(ctx context.Context, digest envelope.Digest) (*envelope.Certificate, error) {
	raw, err := b.object(ctx, brokerclient.KindCertificate, digest, envelope.BadCert)
	if err != nil {
		return nil, err
	}
	c, err := b.certificate(ctx, raw)
	if err == nil && c.Digest() != digest {
		err = absent(envelope.BadCert, "the directory served another certificate than "+digest.String(), nil)
	}
	if err != nil {
		if envelope.CodeOf(err) != envelope.CertVoid {
			b.spoilt(brokerclient.KindCertificate, digest)
		}
		return nil, err
	}
	return c, nil
}

// certificate judges a certificate's bytes: C1 to C3 under the sum of all of
// them, C4 anew each time. A floor seen for the first time is kept and told.
func (b *Book) certificate(ctx context.Context, raw []byte) (*envelope.Certificate, error) {
	c, err := b.certs.get(ctx, envelope.Sum(raw), func(ctx context.Context) (*envelope.Certificate, time.Time, error) {
		c, err := envelope.ParseCertificate(raw)
		if err != nil {
			return nil, time.Time{}, err
		}
		if err := c.Check(ctx, b.now(), b.d.Domain, b.d.DIDs, 0); err != nil {
			return nil, time.Time{}, waits(err)
		}
		return c, b.until(chainFor), nil
	})
	if err != nil {
		return nil, err
	}
	k, err := b.known(ctx, instance{c.DID, c.Inst})
	if err != nil {
		return nil, err
	}
	if c.Floor > k.Floor {
		if k, err = b.raiseFloor(ctx, instance{c.DID, c.Inst}, c.Floor); err != nil {
			return nil, err
		}
	}
	return c, c.CheckFloor(k.Floor)
}

// waits marks errors that pass by themselves.
func waits(err error) error {
	if envelope.CodeOf(err) == envelope.DIDStale && !errors.Is(err, ErrAbsent) {
		return absent(envelope.DIDStale, "no fresh state", err)
	}
	return err
}

// Shown judges a certificate that somebody showed, such as a peer that answers
// cert_void, as Certificate does. A higher floor in it counts from now on.
func (b *Book) Shown(ctx context.Context, raw []byte) (*envelope.Certificate, error) {
	return b.certificate(ctx, raw)
}
