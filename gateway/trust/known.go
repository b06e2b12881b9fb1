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
		if old, had := b.knowns.last(i); had && k.Floor > old.Floor {
			// Also when the answer to the raise was lost.
			b.d.Log.Info("a floor was raised", "did", i.did, "inst", i.inst, "floor", k.Floor)
			b.didChanged(i.did)
		}
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
	if _, had := b.knowns.last(i); raised && !had {
		b.didChanged(i.did)
	}
	b.forget(i)
	return b.known(ctx, i)
}

// forget has the store asked again about an instance. What was known stays to
// be compared with.
func (b *Book) forget(i instance) { b.knowns.expire(i, b.d.Clock.Now()) }

// raisePackage keeps the newest package seen of an instance.
func (b *Book) raisePackage(ctx context.Context, i instance, cert *envelope.Certificate, pkg *envelope.Package) error {
	if err := b.d.Store.RaisePackage(ctx, i.did, i.inst, pkg.Gen, cert.Bytes(), pkg.Bytes(), b.now()); err != nil {
		return store("raise package", err)
	}
	b.forget(i)
	return nil
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
	b.forget(i)
	return nil
}
