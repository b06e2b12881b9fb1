package trust

import (
	"context"
	"time"

	"github.com/digital-spine/spine/envelope"
)

// instance names one gateway instance.
type instance struct {
	did  string
	inst uint64
}

// known is the store's memory of an instance, with its newest package parsed.
type known struct {
	Known
	pkg  *envelope.Package     // nil when none was seen
	cert *envelope.Certificate // that pkg is signed by
}

// known reads what is remembered of an instance.
func (b *Book) known(ctx context.Context, i instance) (*known, error) {
	return b.knowns.get(ctx, i, func(ctx context.Context) (*known, time.Time, error) {
		k, err := b.d.Store.Instance(ctx, i.did, i.inst)
		if err != nil {
			return nil, time.Time{}, store("read instance", err)
		}
		out := &known{Known: k}
		if len(k.Package) > 0 {
			// Both held when they were kept. If they no longer parse, the store is
			// damaged, and to ask the directory is all that can be done.
			pkg, err1 := envelope.ParsePackage(k.Package)
			cert, err2 := envelope.ParseCertificate(k.Certificate)
			if err1 == nil && err2 == nil {
				out.pkg, out.cert = pkg, cert
			}
		}
		return out, b.until(forEver), nil
	})
}

// raiseFloor keeps a floor and voids what rests on a lower one.
func (b *Book) raiseFloor(ctx context.Context, i instance, floor uint64) (*known, error) {
	raised, err := b.d.Store.RaiseFloor(ctx, i.did, i.inst, floor, b.now())
	if err != nil {
		return nil, store("raise floor", err)
	}
	b.knowns.drop(i)
	if raised {
		b.d.Log.Info("a floor was raised", "did", i.did, "inst", i.inst, "floor", floor)
		b.didChanged(i.did)
	}
	return b.known(ctx, i)
}

// raisePackage keeps the newest package seen of an instance.
func (b *Book) raisePackage(ctx context.Context, i instance, cert *envelope.Certificate, pkg *envelope.Package) error {
	if err := b.d.Store.RaisePackage(ctx, i.did, i.inst, pkg.Gen, cert.Bytes(), pkg.Bytes(), b.now()); err != nil {
		return store("raise package", err)
	}
	b.knowns.drop(i)
	return nil
}

// Named says that a valid receipt of an instance named pkg as its newest
// package. From then on nothing older is sealed to: if the directory does not
// serve it, the instance waits with code package. gen may be 0 where it is not
// known.
func (b *Book) Named(did string, inst uint64, pkg envelope.Digest, gen uint64) {
	i := instance{did, inst}
	ctx := context.Background()
	k, err := b.known(ctx, i)
	if err != nil {
		b.d.Log.Error("cannot read what is known of an instance", "did", did, "inst", inst, "error", err)
		return
	}
	if pkg.IsZero() || k.Named == pkg || k.pkg != nil && k.pkg.Digest() == pkg || gen != 0 && gen <= k.Gen {
		return
	}
	if err := b.d.Store.Name(ctx, did, inst, pkg, b.now()); err != nil {
		b.d.Log.Error("cannot keep the package that a receipt named", "did", did, "inst", inst, "error", err)
	}
	b.knowns.drop(i)
	b.listings.drop(did)
	b.tell(Change{DID: did})
}

// Keep says that an instance is no stranger: a grant of it passed, or it is
// sent to. What is known of it is kept for ever.
func (b *Book) Keep(ctx context.Context, did string, inst uint64) error {
	i := instance{did, inst}
	k, err := b.known(ctx, i)
	if err != nil || k.Kept {
		return err
	}
	if err := b.d.Store.Keep(ctx, did, inst, b.now()); err != nil {
		return store("keep instance", err)
	}
	b.knowns.drop(i)
	return nil
}
