package outbox

import (
	"context"
	"errors"
	"net/http"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
)

// attachment is the file of a message that is being accepted: one that is
// stored, or a body that will be.
type attachment struct {
	gateway.File
	body []byte
}

// longest is the longest body that this gateway takes.
func (o *Outbox) longest() int {
	if o.objects == nil {
		return 0
	}
	return gateway.MaxBody
}

// take checks that a stored file may be sent on a channel.
func (o *Outbox) take(ctx context.Context, p *prepared, d *gateway.Draft) (*attachment, error) {
	if o.objects == nil {
		return nil, errNoFiles
	}
	f, err := o.objects.Info(ctx, d.File)
	if err != nil {
		return nil, err
	}
	if d.Type != "" && d.Type != f.Type {
		return nil, gateway.DraftInvalid("type", "a file is sent under the media type that it was stored with")
	}
	if err := o.objects.Check(ctx, d.File, p.topic.Record.Schema, p.topic.Schema); err != nil {
		return nil, err
	}
	return &attachment{File: *f}, nil
}

// attach stores the messages that carry a file: they wait until its parts are
// at the broker, and hold nothing up meanwhile.
func (s *sending) attach(ctx context.Context) {
	for i, it := range s.items {
		if it == nil || it.file == nil {
			continue
		}
		s.items[i] = nil
		if err := s.o.attach(ctx, s.rows[i], it); err != nil {
			s.errs[i] = problem.From(err)
			continue
		}
		s.out[i] = gateway.Accepted{ID: gateway.FormatID(it.id), State: gateway.StateWaiting}
		s.o.tellWaiting(s.rows[i], it, gateway.CodeUploading)
		s.o.push(ctx, it.file.ID)
	}
}

// attach makes one message with a file durable.
func (o *Outbox) attach(ctx context.Context, row Lane, it *item) (err error) {
	stored := it.file.body != nil
	if stored {
		if it.file.ID, err = o.objects.Store(ctx, it.file.Type, it.file.body); err != nil {
			return err
		}
		it.file.body = nil
	}
	w := o.waiting(it)
	w.File, w.Held = it.file.ID, true
	if w.Info, err = o.sealInfo(it.id, &it.file.File); err == nil {
		err = o.keep(ctx, row, gateway.CodeUploading, []Waiting{w})
	}
	if err != nil {
		if stored {
			if err := o.objects.Release(context.WithoutCancel(ctx), it.file.ID); err != nil {
				o.log.Error("body not released", "err", err)
			}
		}
		return err
	}
	// A file may have gone after it was checked, while the rest of a batch was.
	// From here on it stays, since a message needs it.
	if _, err := o.objects.Info(ctx, w.File); err != nil && problem.From(err).Status == http.StatusNotFound {
		return errors.Join(err, o.store.Drop(context.WithoutCancel(ctx), it.id, problem.CodeOf(err)))
	}
	o.usage.waiting.Add(1)
	return nil
}

// keep makes messages durable that wait. Where the store cannot tell whether it
// has them, they are looked for.
func (o *Outbox) keep(ctx context.Context, row Lane, code string, rows []Waiting) error {
	ctx = context.WithoutCancel(ctx)
	err := o.store.Wait(ctx, row, code, rows)
	if err != nil {
		if _, missing := o.store.Message(ctx, rows[0].ID); missing == nil {
			return nil
		}
	}
	return err
}

// waiting is the row of a message that waits.
func (o *Outbox) waiting(it *item) Waiting {
	return Waiting{ID: it.id, Sum: it.sum, Frame: o.local.seal(it.id[:], it.frame.Append(nil)), At: it.frame.At, Type: it.frame.Type, Size: it.size}
}

// waited makes the item of a row again; nil when it cannot go on now: its file
// is not at the broker for long enough, or gone.
func (o *Outbox) waited(ctx context.Context, w *Waiting) (*item, error) {
	raw, err := o.local.open(w.ID[:], w.Frame)
	if err != nil {
		return nil, err
	}
	frame, err := envelope.ParseFrame(raw)
	if err != nil {
		return nil, err
	}
	it := &item{id: w.ID, sum: w.Sum, frame: *frame, size: w.Size, moved: true}
	if w.File == "" {
		return it, nil
	}
	if o.objects == nil {
		return nil, o.store.Hold(ctx, w.ID, problem.CodeOf(errNoFiles))
	}
	desc, pushed, err := o.objects.Frame(ctx, w.File, o.until())
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, o.store.Hold(ctx, w.ID, problem.CodeOf(err))
	case !pushed:
		return nil, o.store.Hold(ctx, w.ID, gateway.CodeUploading)
	}
	if len(it.frame.Body) == 0 { // one that was sealed before keeps its content
		it.frame.Body = desc
	}
	var load envelope.Load
	if err := it.frame.Check(o.net.Wire); err != nil || !load.Add(&it.frame, o.net.Wire) {
		if err := o.store.Drop(ctx, w.ID, string(envelope.TooLarge)); err != nil {
			return nil, err
		}
		o.usage.waiting.Add(-1)
		return nil, nil
	}
	return it, nil
}

// attached fills in the file of a message that is to be sealed again.
func (o *Outbox) attached(ctx context.Context, w *Waiting) error {
	f, err := o.store.File(ctx, w.ID)
	if errors.Is(err, ErrNoRow) {
		return nil // its content is complete without
	}
	if err != nil {
		return err
	}
	w.File = f.File
	if info, err := o.openInfo(w.ID, f); err == nil {
		w.Size = info.Size
	}
	return nil
}

// until is how long the broker has to keep a file that is sealed into a message
// now. It is rounded up, so that what was pushed a moment ago counts.
func (o *Outbox) until() int64 {
	grain := max(1, min(int64(6*60*60*1000), o.net.RetentionMS/4))
	t := o.now() + o.cfg.Session.Milliseconds() + o.net.RetentionMS
	return t + 2*grain - t%grain
}

// push has a file brought to the broker, and lets its messages go when it is
// there.
func (o *Outbox) push(ctx context.Context, file string) {
	pushed, err := o.objects.Pushed(ctx, file, o.until())
	if err == nil && pushed {
		err = o.letGo(ctx, file)
	}
	if err != nil && ctx.Err() == nil {
		o.blameFile(ctx, file, err)
	}
}

// letGo lets the messages go that were held back for a file.
func (o *Outbox) letGo(ctx context.Context, file string) error {
	lanes, err := o.store.Pushed(ctx, file, o.now())
	if err != nil {
		o.unsure.Store(true) // they may go on, and nobody holds them back any more
		return err
	}
	for _, row := range lanes {
		l := o.lane(row)
		l.wake(ctx)
		l.pins.Add(-1)
	}
	return nil
}

func (o *Outbox) blameFile(ctx context.Context, file string, cause error) {
	code := problem.CodeOf(cause)
	o.log.Info("messages wait for a file", "file", file, "code", code)
	if err := o.store.BlameFile(ctx, file, code); err != nil && ctx.Err() == nil {
		o.log.Error("outbox write failed", "err", err)
	}
}

// uploaded is news about a file: it is at the broker, or why not.
type uploaded struct {
	file string
	err  error
}

// maxNews bounds the news of files that wait; the sweep finds what is dropped.
const maxNews = 1_024

// onPushed takes news from the store of files.
func (o *Outbox) onPushed(file string, err error) {
	select {
	case o.news <- uploaded{file, err}:
	default:
	}
}

// uploads follows the news of files until ctx ends.
func (o *Outbox) uploads(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-o.news:
			if n.err != nil {
				o.blameFile(ctx, n.file, n.err)
			} else {
				o.push(ctx, n.file)
			}
		}
	}
}

// filesPage bounds the files that a sweep reads at a time.
const filesPage = 1_000

// sweepFiles goes on with files whose news was missed, and releases those that
// no message needs any more.
func (o *Outbox) sweepFiles(ctx context.Context) error {
	if o.objects == nil {
		return nil
	}
	for after, more := "", true; more; {
		held, err := o.store.Held(ctx, after, filesPage)
		if err != nil {
			return err
		}
		for _, file := range held {
			o.push(ctx, file)
			after = file
		}
		more = len(held) == filesPage
	}
	spent, err := o.store.Spent(ctx, filesPage)
	if err != nil {
		return err
	}
	for _, file := range spent {
		if err := o.objects.Release(ctx, file); err != nil {
			o.log.Info("file not released", "file", file, "err", err)
			continue
		}
		if err := o.store.Released(ctx, file); err != nil {
			return err
		}
	}
	return nil
}
