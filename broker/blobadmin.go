package broker

import (
	"context"
	"io"

	"github.com/digital-spine/spine/blob"
)

// What an operator can do to blobs: look, replace bytes, delete. Recipients
// detect it by the hash and ask the sender again.

// overwriter is a store whose bytes can be replaced; blob/file is one.
type overwriter interface {
	Overwrite(ctx context.Context, h blob.Hash, r io.Reader) error
}

// ListBlobs lists stored blobs, for the operator.
func (b *Broker) ListBlobs(ctx context.Context, after blob.Hash, limit int) ([]blob.Info, error) {
	if b.Blobs == nil {
		return nil, ErrBlobs
	}
	return b.Blobs.List(ctx, after, limit)
}

// OverwriteBlob puts any bytes where a blob is.
func (b *Broker) OverwriteBlob(ctx context.Context, h blob.Hash, r io.Reader) error {
	if b.Blobs == nil {
		return ErrBlobs
	}
	o, ok := b.Blobs.(overwriter)
	if !ok {
		return ErrTamper
	}
	b.Log.Info("operator replaced a blob's bytes", "hash", blob.FormatHash(h))
	u := &uploaded{r: r}
	if err := o.Overwrite(ctx, h, u); err != nil {
		return u.told(err)
	}
	return nil
}

// DeleteBlob removes a blob although it is claimed; absent ones are
// ErrNotFound.
func (b *Broker) DeleteBlob(ctx context.Context, h blob.Hash, reason string) error {
	if err := needReason(reason); err != nil {
		return err
	}
	if _, err := b.StatBlob(ctx, h); err != nil {
		return err
	}
	b.Log.Info("operator deleted a blob", "hash", blob.FormatHash(h), "reason", reason)
	return b.Blobs.Delete(ctx, h)
}
