package files

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/internal/problem"
)

// How transfers that fail are tried again.
const (
	retryFirst = time.Second
	retryMost  = time.Minute
)

// pushDoubted is Row.Pushed of a file of which a recipient found other bytes at
// the broker than the broker says it has.
const pushDoubted = -1

// push is a file on its way to the broker.
type push struct {
	until   int64 // its parts shall stay there until then; guarded by Box.mu
	waiting bool  // somebody asked since it began; guarded by Box.mu
	doubted bool  // Row.Pushed was made pushDoubted since it began; guarded by Box.mu
	through atomic.Int64
	early   chan struct{}       // closed when no early part is under way; nil: none was
	left    int                 // early parts under way; guarded by Box.mu
	there   map[blob.Hash]int64 // early parts that the broker has, and until when; guarded by Box.mu
}

// Frame returns the description of a file, the body of a frame of kind object,
// and what Pushed does.
func (b *Box) Frame(ctx context.Context, file string, until int64) (desc []byte, pushed bool, err error) {
	r, m, err := b.whole(ctx, file)
	if err != nil {
		return nil, false, err
	}
	parts, err := b.store.Parts(ctx, file)
	if err != nil {
		return nil, false, err
	}
	o := m.object(r, parts)
	if err := o.Check(); err != nil {
		return nil, false, err
	}
	pushed, err = b.demand(ctx, r, until)
	return o.Bytes(), pushed, err
}

// Pushed reports whether every part of a file lies in the broker's store at
// least until a time (ms). When not, it starts bringing them there, and OnPushed
// tells. The file stays here until then.
func (b *Box) Pushed(ctx context.Context, file string, until int64) (bool, error) {
	r, _, err := b.whole(ctx, file)
	if err != nil {
		return false, err
	}
	return b.demand(ctx, r, until)
}

// demand is Pushed for a file that was read.
func (b *Box) demand(ctx context.Context, r *Row, until int64) (pushed bool, err error) {
	if pushed = r.Pushed >= until; pushed && r.Keep >= until {
		return true, nil
	}
	if r.Keep >= until && r.State == StatePushing && r.Direction != Stored {
		b.bring(r.ID, until) // it was asked for before: nothing to note
		return false, nil
	}
	kept, err := b.store.Change(ctx, r.ID, func(r *Row) error {
		r.Keep = max(r.Keep, until)
		if r.Direction == Stored {
			r.Direction = Out
		}
		if !pushed && r.State == StateReady {
			r.State = StatePushing
		}
		return nil
	})
	switch {
	case err != nil:
		return false, err
	case kept == nil:
		return false, ErrUnknown
	case !pushed:
		b.bring(r.ID, until)
	}
	return pushed, nil
}

// Repush brings the parts to the broker again (a recipient did not find one as
// it was described, why 4). The broker's word that it has them is what was just
// found wrong, so it gets them all; it need not read those that are whole.
func (b *Box) Repush(ctx context.Context, file string) error {
	until := int64(0)
	r, err := b.store.Change(ctx, file, func(r *Row) error {
		until = max(r.Keep, r.Pushed, b.now())
		r.Pushed = pushDoubted
		if r.State == StateReady {
			r.State = StatePushing
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case r == nil:
		return ErrUnknown
	}
	b.bringAgain(file, until)
	return nil
}

// Release says that no message needs the file's parts any more. It counts for
// nothing when a message has come to need them meanwhile.
func (b *Box) Release(ctx context.Context, file string) error {
	r, err := b.store.Release(ctx, file)
	if err != nil || r == nil || !r.Inline {
		return err
	}
	_, err = b.dropIf(ctx, file, b.unneeded) // nobody sees it any more
	return err
}

// bring has a file's parts brought to the broker in the background.
func (b *Box) bring(file string, until int64) { b.push(file, until, false) }

// bringAgain is bring without asking the broker what it has.
func (b *Box) bringAgain(file string, until int64) { b.push(file, until, true) }

// bringIdle is bring for a file that nobody is pushing: what asked for it may
// have been told that it failed, and have been noted.
func (b *Box) bringIdle(file string, until int64) {
	b.mu.Lock()
	p := b.pushing[file]
	busy := p != nil && p.waiting
	b.mu.Unlock()
	if !busy {
		b.bring(file, until)
	}
}

func (b *Box) push(file string, until int64, doubted bool) {
	b.mu.Lock()
	p := b.pushing[file]
	if p == nil {
		p = &push{}
		b.pushing[file] = p
	}
	p.until = max(p.until, until)
	p.doubted = p.doubted || doubted
	started := p.waiting
	p.waiting = true
	b.mu.Unlock()
	if !started {
		b.crew.run(func(ctx context.Context) { b.pushAll(ctx, file, p) })
	}
}

// pushAll pushes until every part is there as long as was asked for last.
func (b *Box) pushAll(ctx context.Context, file string, p *push) {
	told := ""
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		b.mu.Lock()
		until, doubted := p.until, p.doubted
		p.doubted = false
		b.mu.Unlock()
		err := b.pushOnce(ctx, file, p, until, doubted)
		if ctx.Err() != nil {
			return
		}
		if err != nil && doubted {
			b.mu.Lock()
			p.doubted = true // also for the next try
			b.mu.Unlock()
		}
		code := codeOf(err)
		final := err == nil || code == CodeFileUnknown || code == CodeFileDamaged
		if final {
			b.mu.Lock()
			again := err == nil && (p.until > until || p.doubted)
			if !again {
				delete(b.pushing, file)
			}
			b.mu.Unlock()
			if again {
				continue
			}
		}
		if err == nil || code != told {
			b.tellPushed(file, err)
		}
		if told = code; final {
			return
		}
		b.log.Info("a file cannot be pushed at present", "file", file, "code", code)
		select {
		case <-ctx.Done():
			return
		case <-b.clock.After(wait):
		}
	}
}

func (b *Box) tellPushed(file string, err error) {
	for _, fn := range b.pushed {
		fn(file, err)
	}
}

var errNoRemote = problem.New(http.StatusServiceUnavailable, "unreachable", "the broker's store is not there")

// pushOnce brings the parts that the broker lacks, some at a time.
func (b *Box) pushOnce(ctx context.Context, file string, p *push, until int64, doubted bool) error {
	if b.remote == nil {
		return errNoRemote
	}
	b.mu.Lock()
	early := p.early
	b.mu.Unlock()
	if early != nil {
		select {
		case <-early: // or they would be sent twice
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r, m, err := b.whole(ctx, file)
	if err != nil {
		return err
	}
	parts, err := b.store.Parts(ctx, file)
	if err != nil {
		return err
	}
	hashes := make([][32]byte, len(parts))
	size := make(map[[32]byte]int64, len(parts))
	o := m.object(r, parts)
	for i, h := range parts {
		hashes[i], size[h] = h, o.SealedPart(i)
	}
	missing, doubted := hashes, doubted || r.Pushed == pushDoubted
	switch early := b.allThere(p, hashes, until); {
	case doubted:
	case early:
		missing = nil
	default:
		if missing, err = b.remote.HaveBlobs(ctx, hashes, until); err != nil {
			return err
		}
	}
	f := *fileOf(r, m)
	left := int64(0)
	for _, h := range missing {
		left += size[h]
	}
	p.through.Store(r.Size - left)
	err = each(ctx, b.window, missing, func(ctx context.Context, h [32]byte) error {
		n, ok := size[h]
		if !ok {
			return problem.New(http.StatusBadGateway, "answer_invalid", "the broker misses what it was not asked for")
		}
		if err := b.put(ctx, h, n, until); err != nil {
			return err
		}
		b.tell(f, "push", min(p.through.Add(n), r.Size), nil)
		return nil
	})
	if err != nil {
		b.noteCode(ctx, file, codeOf(err))
		return err
	}
	_, err = b.store.Change(ctx, file, func(r *Row) error {
		if r.Pushed == pushDoubted && !doubted {
			return nil // doubted meanwhile: Repush has it brought there again
		}
		r.Pushed, r.Code = max(r.Pushed, until), ""
		if r.State == StatePushing {
			r.State = StateReady
		}
		return nil
	})
	if err == nil {
		b.tell(f, "done", r.Size, nil)
	}
	return err
}

// noteCode shows why a file does not go on.
func (b *Box) noteCode(ctx context.Context, file, code string) {
	_, err := b.store.Change(ctx, file, func(r *Row) error { r.Code = code; return nil })
	if err != nil && ctx.Err() == nil {
		b.log.Warn("a file's state could not be noted", "err", err)
	}
}

// put sends one part as it lies here.
func (b *Box) put(ctx context.Context, h blob.Hash, size, until int64) error {
	err := b.remote.PutBlob(ctx, h, size, until, func() (io.ReadCloser, error) {
		return b.blobs.Open(ctx, h, 0, -1)
	})
	b.cool(h, size) // a copy lies at the broker
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case errors.Is(err, blob.ErrHash):
		return ErrDamaged.Wrap(err) // it is this store's copy that is other bytes
	}
	if _, serr := b.blobs.Stat(ctx, h); errors.Is(serr, blob.ErrNotFound) {
		return ErrDamaged.Wrap(serr)
	}
	return err
}

// each calls fn for every item, as many at a time as the window lets, and
// returns the first error; the others are then ended.
func each[T any](ctx context.Context, window chan struct{}, items []T, fn func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for _, item := range items {
		if !enter(ctx, window) {
			break
		}
		wg.Go(func() {
			defer func() { <-window }()
			if err := fn(ctx, item); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// enter takes a place in a window; false when ctx has ended, and none is taken.
func enter(ctx context.Context, window chan struct{}) bool {
	select {
	case window <- struct{}{}:
		if ctx.Err() == nil {
			return true
		}
		<-window
	case <-ctx.Done():
	}
	return false
}
