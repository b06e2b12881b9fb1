package files

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/schema"
)

// pull is a received file on its way from the broker.
type pull struct {
	id      string
	o       *envelope.Object
	through atomic.Int64
	waiters []waiter // guarded by Box.mu
	until   int64    // guarded by Box.mu
}

// waiter is a message that waits for a file, and the schema of its topic.
type waiter struct {
	key    string
	digest envelope.Digest
	v      schema.Validator
}

// Take brings a received object's parts into custody. It is idempotent by
// (from, oid), durable when it returns nil, and does not wait for the parts:
// OnDone tells about them with the same key. After a restart it is called again
// for the messages that still wait. v may be nil: the content then passes no
// schema. The parts are looked for until until (ms); what is not here then is
// forgotten. A second description of one object is code object.
func (b *Box) Take(ctx context.Context, key, from, channel, messageID string, o *envelope.Object, schemaDigest envelope.Digest, v schema.Validator, until int64) (*gateway.File, error) {
	w := waiter{key, schemaDigest, v}
	if err := o.Check(); err != nil {
		return nil, err
	}
	if o.Size > b.max {
		b.crew.run(func(context.Context) { b.tellDone(w.key, TooLarge(b.max)) })
		return &gateway.File{Name: o.Name, Type: o.Type, Size: o.Size, SHA256: o.SHA256.String()}, nil
	}
	r, m, err := b.received(ctx, from, channel, messageID, o, until)
	if err != nil {
		return nil, err
	}
	if r.State != StatePulling { // it may be sent on meanwhile
		b.crew.run(func(ctx context.Context) { b.tellDone(w.key, b.Check(ctx, r.ID, w.digest, w.v)) })
		return fileOf(r, m), nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.pulls[r.ID]
	if p == nil {
		p = &pull{id: r.ID, o: o}
		b.pulls[r.ID] = p
		b.crew.run(func(ctx context.Context) { b.pullAll(ctx, p) })
	}
	p.until = max(p.until, until)
	for _, had := range p.waiters {
		if had.key == key {
			return fileOf(r, m), nil
		}
	}
	p.waiters = append(p.waiters, w)
	return fileOf(r, m), nil
}

// received finds the file of an object, or makes it.
func (b *Box) received(ctx context.Context, from, channel, messageID string, o *envelope.Object, until int64) (*Row, *meta, error) {
	r, err := b.store.Received(ctx, from, o.OID)
	if err != nil {
		return nil, nil, err
	}
	if r == nil {
		now := b.now()
		r = &Row{ID: uuid.NewString(), Direction: In, State: StatePulling, Size: o.Size, At: now, Touched: now, Keep: until, Channel: channel, From: from, OID: o.OID,
			Inline: (&gateway.File{Name: o.Name, Type: o.Type, Size: o.Size}).IsBody()}
		m := &meta{Name: o.Name, Type: o.Type, Key: o.Key[:], SHA256: o.SHA256}
		if r.Meta, err = b.vault.sealMeta(r.ID, m); err != nil {
			return nil, nil, err
		}
		had, err := b.addReceived(ctx, r, o, messageID)
		if err != nil || had == nil {
			return r, m, err
		}
		r = had
	}
	m, err := b.vault.meta(r)
	if err != nil {
		return nil, nil, err
	}
	parts, err := b.store.Parts(ctx, r.ID)
	if err != nil {
		return nil, nil, err
	}
	// What one message signed for, another's content must not stand for.
	if len(parts) > 0 && !bytes.Equal(m.object(r, parts).Bytes(), o.Bytes()) {
		return nil, nil, envelope.BadObject.Errorf("its sender described the object otherwise before")
	}
	if r.State == StatePulling && r.Keep < until {
		if _, err := b.store.Change(ctx, r.ID, func(r *Row) error {
			if r.State == StatePulling {
				r.Keep = max(r.Keep, until)
			}
			return nil
		}); err != nil {
			return nil, nil, err
		}
	}
	b.claims.RLock() // see dropSole
	defer b.claims.RUnlock()
	return r, m, b.store.Note(ctx, r.ID, messageID, b.now())
}

// addReceived stores the row of a new object. It counts in the quota and in its
// sender's share at once where they have room for it; else pulling waits for room.
func (b *Box) addReceived(ctx context.Context, r *Row, o *envelope.Object, messageID string) (*Row, error) {
	b.room.Lock()
	defer b.room.Unlock()
	if n := o.SealedSize(); b.fitsFrom(ctx, r.From, n) == nil {
		r.Charged = n
	}
	b.claims.RLock()
	defer b.claims.RUnlock()
	return b.store.Add(ctx, r, o.Parts, messageID)
}

func (b *Box) tellDone(key string, err error) {
	if b.done != nil {
		b.done(key, err)
	}
}

// hurdle says what a failure of a pull means.
type hurdle int

const (
	passing  hurdle = iota // tried again, nobody is told
	patient                // tried again, told once: no room
	asking                 // told; Take begins it anew: content_hash
	terminal               // told; the file is forgotten
)

func hurdleOf(err error) hurdle {
	var se *schema.Error
	switch code := codeOf(err); {
	case errors.As(err, &se):
		return terminal
	case code == CodeStorageFull:
		return patient
	case code == string(envelope.ContentHash):
		return asking
	case code == string(envelope.BadPart), code == string(envelope.Truncated), code == string(envelope.BadObject), code == CodeTooLarge:
		return terminal
	}
	return passing
}

// pullAll pulls until the file is here, or is not to be had.
func (b *Box) pullAll(ctx context.Context, p *pull) {
	told := false
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		r, m, err := b.row(ctx, p.id)
		if err == nil {
			err = b.pullOnce(ctx, p, r, m)
		}
		if ctx.Err() != nil {
			return
		}
		b.mu.Lock()
		over := b.now() > p.until
		b.mu.Unlock()
		h := hurdleOf(err)
		if errors.Is(err, ErrUnknown) {
			h = terminal
		}
		if err != nil && (h == passing || h == patient) && over {
			err, h = envelope.ContentHash.Errorf("not brought here within its time: %w", err), asking
		}
		switch {
		case err == nil, h == terminal, h == asking:
			b.pulled(ctx, p, r, m, err, h)
			return
		case h == patient && !told:
			told = true
			for _, w := range b.waitersOf(p, false) {
				b.tellDone(w.key, err)
			}
		}
		b.noteCode(ctx, p.id, codeOf(err))
		select {
		case <-ctx.Done():
			return
		case <-b.clock.After(wait):
		}
	}
}

// waitersOf returns who waits for a pull; end says that it is over.
func (b *Box) waitersOf(p *pull, end bool) []waiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	if end {
		delete(b.pulls, p.id)
	}
	return append([]waiter(nil), p.waiters...)
}

// pulled tells what came of a pull.
func (b *Box) pulled(ctx context.Context, p *pull, r *Row, m *meta, err error, h hurdle) {
	if err != nil && h == terminal {
		if derr := b.drop(ctx, p.id); derr != nil {
			b.log.Error("a refused file could not be deleted", "err", derr)
		}
	} else if err != nil {
		b.noteCode(ctx, p.id, codeOf(err))
	}
	waiters := b.waitersOf(p, true)
	if r != nil && m != nil {
		phase := "done"
		if err != nil {
			phase = "failed"
		}
		b.tell(*fileOf(r, m), phase, p.through.Load(), err)
	}
	// Only the first one's schema saw the content while it came.
	var se *schema.Error
	refused := errors.As(err, &se)
	for _, w := range waiters {
		werr := err
		if werr == nil {
			werr = b.Check(ctx, p.id, w.digest, w.v)
			if werr != nil && hurdleOf(werr) == terminal && len(waiters) == 1 {
				if derr := b.dropSole(ctx, p.id); derr != nil {
					b.log.Error("a refused file could not be deleted", "err", derr)
				}
			}
		} else if refused && (w.v == nil || w.digest != waiters[0].digest) {
			werr = ErrUnknown // refused by another topic's schema: Take begins it anew
		}
		b.tellDone(w.key, werr)
	}
}

// pullOnce brings the parts that are not here, some at a time, while it opens
// them in order: authenticates, hashes and has the schema check the content.
func (b *Box) pullOnce(ctx context.Context, p *pull, r *Row, m *meta) error {
	if r.State != StatePulling {
		return nil // another pull brought it here while Take looked
	}
	if b.remote == nil {
		return errNoRemote
	}
	first := waiter{}
	if w := b.waitersOf(p, false); len(w) > 0 && !hasPassed(r.Passed, w[0].digest) {
		first = w[0]
	}
	if s, ok := first.v.(schema.Sized); ok {
		if err := s.ValidateSize(m.Type, r.Size); err != nil {
			return err // nothing of it needs to come
		}
		first.v = nil
	}
	if err := b.charge(ctx, r, p.o.SealedSize()); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f := &fetch{b: b, p: p, file: *fileOf(r, m), here: make([]chan bool, len(p.o.Parts))}
	all := make([]int, len(f.here))
	for i := range f.here {
		f.here[i], all[i] = make(chan bool, 1), i
	}
	p.through.Store(0)
	fetched := make(chan struct{})
	go func() {
		defer close(fetched)
		if err := each(ctx, b.window, all, f.part); err != nil {
			cancel(err)
		}
	}()
	sum := sha256.New()
	var check *streamCheck
	if s, ok := first.v.(schema.Streamer); ok {
		check = startCheck(first.digest, s, m.Type)
	}
	err := f.open(ctx, sum, check)
	if err != nil {
		cancel(err) // ends the fetching of the rest
	}
	<-fetched
	if err == nil {
		err = p.o.CheckContent(envelope.Digest(sum.Sum(nil)))
	}
	passed, refused := check.end(err == nil)
	if refused != nil {
		return refused
	}
	if err != nil {
		return err
	}
	now := b.now()
	_, err = b.store.Change(ctx, p.id, func(r *Row) error {
		r.State, r.Code, r.Bytes, r.Touched, r.Keep = StateReady, "", r.Size, now, 0
		r.Passed = append(r.Passed, passed...)
		return nil
	})
	return err
}

// charge has the file count in the local quota and in its sender's share; code
// storage_full.
func (b *Box) charge(ctx context.Context, r *Row, n int64) error {
	if r.Charged > 0 {
		return nil
	}
	b.room.Lock()
	defer b.room.Unlock()
	if err := b.fitsFrom(ctx, r.From, n); err != nil {
		return err
	}
	_, err := b.store.Change(ctx, r.ID, func(r *Row) error { r.Charged = n; return nil })
	return err
}
