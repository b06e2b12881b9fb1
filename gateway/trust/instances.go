package trust

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/brokerclient"
)

// Listing is what is known of a DID's instances: those that can be sealed to,
// and why the others cannot.
type Listing struct {
	Members []Member
	Faults  []Fault
}

// packageOld is when a partner's newest package is told as package_stale, in ms.
const packageOld = 48 * 3600 * 1000

// Instances returns the instances of a DID that can be sealed to now: C1 to C5,
// P1, P2, and no newer package known. An instance that cannot is left out (see
// Look); when none is left, the error says why: cert, cert_void, did_stale,
// package, package_rolled_back; package with ErrAbsent when the directory
// lists none.
func (b *Book) Instances(ctx context.Context, did string) ([]Member, error) {
	l, err := b.Look(ctx, did)
	if err != nil {
		return nil, err
	}
	if len(l.Members) > 0 {
		return l.Members, nil
	}
	if len(l.Faults) > 0 {
		return nil, l.Faults[0].Err
	}
	return nil, absent(envelope.BadPackage, "the directory lists no instance of "+did, nil)
}

// Look returns the instances of a DID, also those that cannot be sealed to. It
// asks the directory when the last answer is older than ten minutes or
// something changed since.
func (b *Book) Look(ctx context.Context, did string) (*Listing, error) {
	for again := false; ; again = true {
		l, err := b.listings.get(ctx, did, func(ctx context.Context) (*Listing, time.Time, error) { return b.list(ctx, did) })
		if err != nil {
			return nil, err
		}
		if again || b.stillGood(ctx, l) {
			return l, nil
		}
		b.listings.drop(did)
	}
}

// stillGood reports whether the members of a listing still pass what time and
// chain may have changed; from caches, so that it may be asked for each session.
func (b *Book) stillGood(ctx context.Context, l *Listing) bool {
	now := b.now()
	for _, m := range l.Members {
		if m.Certificate.CheckNow(now) != nil || m.Package.CheckNow(now) != nil {
			return false
		}
		if _, err := b.certificate(ctx, m.Certificate.Bytes()); err != nil {
			return false
		}
	}
	return true
}

// list asks the directory.
func (b *Book) list(ctx context.Context, did string) (*Listing, time.Time, error) {
	found, err := b.d.Broker.Instances(ctx, did)
	if err != nil && !errors.Is(err, brokerclient.ErrNotFound) {
		return nil, time.Time{}, absent(envelope.BadPackage, "the directory does not answer for "+did, err)
	}
	l := &Listing{}
	until := b.until(listingFor)
	seen := make(map[uint64]bool, len(found))
	for _, i := range found {
		// Whatever else the directory lists is not about this DID.
		if i.DID != did || i.Inst >= envelope.MaxInstances || seen[i.Inst] {
			continue
		}
		seen[i.Inst] = true
		m, err := b.member(ctx, did, i)
		if err != nil {
			l.Faults = append(l.Faults, Fault{DID: did, Inst: i.Inst, Err: err})
			// What only waits is asked for again soon.
			if until = b.until(refusedFor); !isRefusal(err) {
				until = b.until(time.Second)
			}
			continue
		}
		l.Members = append(l.Members, *m)
	}
	if old, ok := b.listings.last(did); ok {
		for _, m := range old.Members {
			if !seen[m.Inst] && m.Certificate.CheckNow(b.now()) == nil {
				b.emitOnce(ctx, fmt.Sprintf("%s %d", did, m.Inst), gateway.Event{Kind: gateway.KindDetected, Code: "holder_missing", DID: did,
					Detail: fmt.Sprintf("instance %d disappeared from the directory", m.Inst)})
			}
		}
	}
	if len(l.Members)+len(l.Faults) == 0 {
		return nil, time.Time{}, absent(envelope.BadPackage, "the directory lists no instance of "+did, nil)
	}
	return l, until, nil
}

// member judges one line of the directory.
func (b *Book) member(ctx context.Context, did string, i brokerclient.Instance) (*Member, error) {
	now := b.now()
	self := instance{did, i.Inst}
	// The certificate listed as the newest may raise the floor, also when the
	// package is under an older one.
	if _, err := b.Certificate(ctx, i.Certificate); err != nil {
		return nil, err
	}
	offered, err := b.offer(ctx, self, i.Package, now)
	if err != nil {
		return nil, err
	}
	if err := b.nameAgain(ctx, self); err != nil {
		return nil, err
	}
	k, err := b.known(ctx, self)
	if err != nil {
		return nil, err
	}
	best := offered
	if rolled := offered.pkg.CheckGeneration(k.Floor, k.Gen); rolled != nil {
		// Seal to the known one, if it still counts.
		if k.pkg == nil || k.pkg.Gen < k.Floor || k.cert.CheckFloor(k.Floor) != nil || k.pkg.CheckNow(now) != nil || k.cert.CheckNow(now) != nil {
			return nil, rolled
		}
		b.emitOnce(ctx, k.pkg.Digest().String(), gateway.Event{Kind: gateway.KindDetected, Code: string(envelope.PackageRolledBack), DID: did,
			Digest: offered.pkg.Digest().String(), Detail: "the directory serves an older package than one seen before"})
		if _, err := b.certificate(ctx, k.cert.Bytes()); err != nil {
			return nil, err
		}
		best = sealable{cert: k.cert, pkg: k.pkg}
	}
	if best, err = b.atLeastNamed(ctx, self, k, best, now); err != nil {
		return nil, err
	}
	if err := errors.Join(best.cert.CheckNow(now), best.pkg.CheckNow(now)); err != nil {
		return nil, err
	}
	if best.pkg.Gen > k.Gen {
		if err := b.raisePackage(ctx, self, best.cert, best.pkg); err != nil {
			return nil, err
		}
	}
	if err := b.unname(ctx, self, k.Named); err != nil { // only now: what it guarded against is known
		return nil, err
	}
	if now-best.pkg.NotBefore > packageOld {
		b.emitOnce(ctx, best.pkg.Digest().String(), gateway.Event{Kind: gateway.KindDetected, Code: "package_stale", DID: did,
			Digest: best.pkg.Digest().String(), Detail: "the newest key package of this partner is older than 48 h"})
	}
	return &Member{DID: did, Inst: i.Inst, Addr: envelope.Address(did, i.Inst), PP: i.PP, Certificate: best.cert, Package: best.pkg}, nil
}

// sealable is a package with the certificate that signs it.
type sealable struct {
	cert *envelope.Certificate
	pkg  *envelope.Package
}

// offer fetches a package and judges it by P1, under a certificate of the same
// instance that passes C1 to C4.
func (b *Book) offer(ctx context.Context, i instance, digest envelope.Digest, now int64) (sealable, error) {
	if digest.IsZero() {
		return sealable{}, absent(envelope.BadPackage, "the directory lists no package", nil)
	}
	raw, err := b.object(ctx, brokerclient.KindPackage, digest, envelope.BadPackage)
	if err != nil {
		return sealable{}, err
	}
	s, err := b.package_(ctx, i, raw, now)
	if err == nil && s.pkg.Digest() != digest {
		err = absent(envelope.BadPackage, "the directory served another package than "+digest.String(), nil)
	}
	if err != nil {
		b.spoilt(brokerclient.KindPackage, digest)
		return sealable{}, err
	}
	return s, nil
}

// package_ is P1. Verifying costs one Ed25519 signature and runs at most once
// in ten minutes for an instance, so its result needs no cache of its own.
func (b *Book) package_(ctx context.Context, i instance, raw []byte, now int64) (sealable, error) {
	pkg, err := envelope.ParsePackage(raw)
	if err != nil {
		return sealable{}, envelope.BadPackage.Errorf("package: %w", err)
	}
	cert, err := b.Certificate(ctx, pkg.Cert)
	if err != nil {
		return sealable{}, err
	}
	if cert.DID != i.did || cert.Inst != i.inst {
		return sealable{}, envelope.BadPackage.Errorf("package of another instance")
	}
	return sealable{cert, pkg}, pkg.Check(cert, now)
}

// atLeastNamed makes sure that nothing older is sealed to than what a receipt
// of the instance named.
func (b *Book) atLeastNamed(ctx context.Context, i instance, k *known, best sealable, now int64) (sealable, error) {
	if k.Named.IsZero() {
		return best, nil
	}
	if best.pkg.Digest() != k.Named {
		named, err := b.offer(ctx, i, k.Named, now)
		switch {
		case err == nil && named.pkg.Gen > best.pkg.Gen:
			best = named
		case err == nil:
			// It named one that was superseded meanwhile.
		case isRefusal(err):
			// It named something that is no package of its own: its loss.
			b.d.Log.Warn("a receipt named a package that does not hold", "did", i.did, "inst", i.inst, "error", err)
		default:
			return sealable{}, absent(envelope.BadPackage, "a newer package is known to exist, but the directory does not serve it", err)
		}
	}
	return best, nil
}
