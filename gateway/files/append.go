package files

import (
	"context"
	"encoding"
	"errors"
	"io"
	"sync/atomic"

	"github.com/digital-spine/spine/envelope"
)

// appending is a request that sends to an upload.
type appending struct {
	body    io.Reader
	stopped atomic.Bool
	gone    chan struct{}
}

// Interrupter is a body whose pending Read can be made to end.
type Interrupter interface{ Interrupt() }

func (a *appending) interrupt() {
	a.stopped.Store(true)
	if i, ok := a.body.(Interrupter); ok {
		i.Interrupt()
	}
}

// take makes a request the only one that sends to an upload. One that does so
// already is ended, and what it brought is kept: its client has gone and is
// back, and the gateway did not notice.
func (b *Box) take(ctx context.Context, id string, body io.Reader) (*appending, error) {
	for {
		b.mu.Lock()
		old := b.active[id]
		if old == nil {
			a := &appending{body: body, gone: make(chan struct{})}
			b.active[id] = a
			b.mu.Unlock()
			return a, nil
		}
		b.mu.Unlock()
		old.interrupt()
		select {
		case <-old.gone:
		case <-ctx.Done():
			return nil, ErrBusy
		}
	}
}

func (b *Box) leave(id string, a *appending) {
	b.mu.Lock()
	delete(b.active, id)
	b.mu.Unlock()
	close(a.gone)
}

// Interrupt ends the request that sends to an upload, if there is one; what it
// brought is kept.
func (b *Box) Interrupt(ctx context.Context, id string) error {
	a, err := b.take(ctx, id, nil)
	if err == nil {
		b.leave(id, a)
	}
	return err
}

// Append takes content from offset on until r ends or the file is complete;
// the Offset it reports is durable. When r ends with an error, what came
// before it is kept and the error returned. A file whose last byte it takes is
// completed, and sent if it was to be: an error of that (such as schema), and
// a full disk, mean that nothing of the file is kept. Codes upload_unknown,
// upload_offset, upload_busy, throttled, too_large, upload_length,
// storage_full, schema and those of sending.
func (b *Box) Append(ctx context.Context, id string, offset int64, r io.Reader) (*Upload, error) {
	select {
	case b.intakes <- struct{}{}:
		defer func() { <-b.intakes }()
	default:
		return nil, ErrThrottled
	}
	return b.append(ctx, id, offset, r)
}

func (b *Box) append(ctx context.Context, id string, offset int64, r io.Reader) (*Upload, error) {
	a, err := b.take(ctx, id, r)
	if err != nil {
		return nil, err
	}
	defer b.leave(id, a)
	row, m, err := b.upload(ctx, id)
	if err != nil {
		return nil, err
	}
	if offset != row.Bytes {
		return nil, ErrOffset.With("offset", row.Bytes)
	}
	if row.State != StateUploading {
		return b.finished(ctx, row, m)
	}
	// What was brought is kept even when the client goes away meanwhile.
	in := newIntaking(context.WithoutCancel(ctx), b, a, row, m)
	if err := b.restore(row, in.sum.(encoding.BinaryUnmarshaler)); err != nil {
		return nil, err
	}
	err = in.run(r)
	whole := err == nil && in.total == row.Size && !in.hopeless
	if !whole && in.last != nil {
		b.deleteBlob(in.ctx, &in.last[0]) // no row knows of it
	}
	switch {
	case in.hopeless || codeOf(err) == CodeStorageFull:
		return nil, errors.Join(err, b.drop(in.ctx, id))
	case whole:
		m.SHA256 = envelope.Digest(in.sum.Sum(nil))
		return b.complete(in.ctx, row, m, in.passed, in.last...)
	}
	u, uerr := b.Upload(in.ctx, id)
	if err == nil {
		err = uerr
	}
	return u, err
}
