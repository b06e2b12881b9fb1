package trust

import (
	"context"

	"github.com/digital-spine/spine/envelope"
)

// receipt is what one said about the newest package of its sender.
type receipt struct {
	pkg envelope.Digest
	gen uint64
}

// maxUnnamed bounds the names that wait for the store.
const maxUnnamed = 1_000

// Named says that a valid receipt of an instance named pkg as its newest
// package. From then on nothing older is sealed to: if the directory does not
// serve it, the instance waits with code package. gen may be 0 where it is not
// known.
func (b *Book) Named(did string, inst uint64, pkg envelope.Digest, gen uint64) {
	i, r := instance{did, inst}, receipt{pkg, gen}
	changed, err := b.name(context.Background(), i, r)
	if err != nil {
		b.d.Log.Error("cannot keep the package that a receipt named", "did", did, "inst", inst, "error", err)
		b.mu.Lock()
		if len(b.unnamed) < maxUnnamed {
			b.unnamed[i] = r // until it is sealed to
		}
		b.mu.Unlock()
	}
	if changed || err != nil {
		b.listings.drop(did)
		b.tell(Change{DID: did})
	}
}

// name keeps the name of a package, unless it tells nothing new.
func (b *Book) name(ctx context.Context, i instance, r receipt) (changed bool, err error) {
	b.naming.Lock()
	defer b.naming.Unlock()
	k, err := b.known(ctx, i)
	if err != nil {
		return false, err
	}
	if r.pkg.IsZero() || k.Named == r.pkg || k.pkg != nil && k.pkg.Digest() == r.pkg || r.gen != 0 && r.gen <= k.Gen {
		return false, nil
	}
	if err := b.d.Store.Name(ctx, i.did, i.inst, r.pkg, b.now()); err != nil {
		return false, store("name package", err)
	}
	b.forget(i)
	return true, nil
}

// nameAgain keeps the name that the store did not take.
func (b *Book) nameAgain(ctx context.Context, i instance) error {
	b.mu.Lock()
	r, waits := b.unnamed[i]
	b.mu.Unlock()
	if !waits {
		return nil
	}
	if _, err := b.name(ctx, i, r); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.unnamed[i] == r {
		delete(b.unnamed, i)
	}
	return nil
}

// unname forgets that a package was named, once what is newer or the package
// itself is known for good; a name that a receipt gave meanwhile stays.
func (b *Book) unname(ctx context.Context, i instance, pkg envelope.Digest) error {
	if pkg.IsZero() {
		return nil
	}
	b.naming.Lock()
	defer b.naming.Unlock()
	k, err := b.known(ctx, i)
	if err != nil || k.Named != pkg {
		return err
	}
	if err := b.d.Store.Name(ctx, i.did, i.inst, envelope.Digest{}, b.now()); err != nil {
		return store("forget named package", err)
	}
	b.forget(i)
	return nil
}
