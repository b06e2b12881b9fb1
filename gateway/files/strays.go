package files

import (
	"context"
	"maps"
	"slices"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/envelope"
)

// maxStrays bounds the blobs that the sweep looks at again; the next start finds
// those beyond it.
const maxStrays = 10_000

// deleteBlob removes a blob that no row has any more; one that stays is a stray.
func (b *Box) deleteBlob(ctx context.Context, h *envelope.Digest) {
	if h == nil {
		return
	}
	if err := b.blobs.Delete(context.WithoutCancel(ctx), *h); err != nil {
		b.log.Warn("a blob of no file could not be deleted", "err", err)
		b.stray(*h)
	}
}

// unnoted deletes parts with which the store failed to change a row. It is the
// store that says whether it did not: a commit may fail and be done.
func (b *Box) unnoted(ctx context.Context, parts ...envelope.Digest) {
	b.stray(parts...)
	if err := b.dropStrays(context.WithoutCancel(ctx)); err != nil {
		b.log.Warn("parts that were not noted are left to the sweep", "err", err)
	}
}

// stray notes blobs that may belong to no file.
func (b *Box) stray(blobs ...envelope.Digest) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range blobs {
		if len(b.strays) < maxStrays {
			b.strays[h] = true
		}
	}
}

// dropStrays deletes the strays that belong to no file.
func (b *Box) dropStrays(ctx context.Context) error {
	b.claims.Lock()
	defer b.claims.Unlock()
	b.mu.Lock()
	list := slices.Collect(maps.Keys(b.strays))
	b.mu.Unlock()
	if len(list) == 0 {
		return nil
	}
	claimed, err := b.store.Claimed(ctx, list)
	if err != nil {
		return err
	}
	b.mu.Lock()
	for _, h := range list {
		delete(b.strays, h)
	}
	b.mu.Unlock()
	for i := range list {
		if !claimed[list[i]] {
			b.deleteBlob(ctx, &list[i]) // notes it again if it stays
		}
	}
	return nil
}

// dropOrphans deletes what belongs to no file: parts that were stored and not
// noted before a crash, and drafts. Nothing else runs yet.
func (b *Box) dropOrphans(ctx context.Context) error {
	drafts, err := b.blobs.Drafts(ctx)
	if err != nil {
		return err
	}
	for _, d := range drafts {
		if err := b.blobs.DiscardDraft(d.Name); err != nil {
			return err
		}
	}
	const page = 1000
	var after blob.Hash
	for {
		list, err := b.blobs.List(ctx, after, page)
		if err != nil || len(list) == 0 {
			return err
		}
		hashes := make([]envelope.Digest, len(list))
		for i := range list {
			hashes[i] = list[i].Hash
		}
		claimed, err := b.store.Claimed(ctx, hashes)
		if err != nil {
			return err
		}
		for i := range hashes {
			if !claimed[hashes[i]] {
				b.deleteBlob(ctx, &hashes[i])
			}
		}
		after = list[len(list)-1].Hash
	}
}
