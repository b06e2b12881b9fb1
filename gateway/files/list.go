package files

import (
	"context"
	"errors"
	"net/http"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
)

// codeOf is the stable code of an error, "" of none.
func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return problem.CodeOf(err)
}

// fileOf describes a file.
func fileOf(r *Row, m *meta) *gateway.File {
	f := &gateway.File{ID: r.ID, Name: m.Name, Type: m.Type, Size: r.Size}
	if m.SHA256 != (envelope.Digest{}) {
		f.SHA256 = m.SHA256.String()
	}
	return f
}

// row reads a file; code file_unknown.
func (b *Box) row(ctx context.Context, id string) (*Row, *meta, error) {
	r, err := b.store.Row(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if r == nil {
		return nil, nil, ErrUnknown
	}
	m, err := b.vault.meta(r)
	return r, m, err
}

// whole reads a file of which everything is here; code file_incomplete.
func (b *Box) whole(ctx context.Context, id string) (*Row, *meta, error) {
	r, m, err := b.row(ctx, id)
	if err == nil && (r.State == StateUploading || r.State == StatePulling) {
		err = ErrIncomplete.With("state", r.State)
	}
	return r, m, err
}

// Info describes a file that is complete; codes file_unknown, file_incomplete.
func (b *Box) Info(ctx context.Context, file string) (*gateway.File, error) {
	r, m, err := b.whole(ctx, file)
	if err != nil {
		return nil, err
	}
	return fileOf(r, m), nil
}

// Entry returns one file as lists show it; code file_unknown.
func (b *Box) Entry(ctx context.Context, id string) (*Entry, error) {
	r, m, err := b.row(ctx, id)
	if err != nil {
		return nil, err
	}
	messages, err := b.store.Messages(ctx, id)
	if err != nil {
		return nil, err
	}
	e := b.entry(&Listed{Row: *r, Messages: messages}, m)
	return &e, nil
}

func (b *Box) entry(l *Listed, m *meta) Entry {
	e := Entry{File: *fileOf(&l.Row, m), Direction: l.Direction, State: l.State, Code: l.Code, Bytes: l.Bytes, At: l.At,
		Messages: l.Messages, From: l.From, Channel: l.Channel, Cursor: l.Cursor}
	if l.State == StatePulling {
		e.SHA256 = "" // what the sender says, not checked yet
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.pushing[l.ID]; p != nil && l.State == StatePushing {
		e.Bytes = min(p.through.Load(), l.Size)
	}
	if p := b.pulls[l.ID]; p != nil {
		e.Bytes = min(p.through.Load(), l.Size)
	}
	return e
}

// List returns files, newest first. Large bodies of messages are not listed.
func (b *Box) List(ctx context.Context, f Filter) ([]Entry, error) {
	if f.Max <= 0 {
		f.Max = 50
	}
	f.Max = min(f.Max, MaxList)
	rows, err := b.store.List(ctx, f)
	if err != nil {
		return nil, err
	}
	out := make([]Entry, 0, len(rows))
	for i := range rows {
		m, err := b.vault.meta(&rows[i].Row)
		if err != nil {
			return nil, err
		}
		out = append(out, b.entry(&rows[i], m))
	}
	return out, nil
}

// Sent notes that a message carries a file.
func (b *Box) Sent(ctx context.Context, file, message, channel string) error {
	return b.store.Sent(ctx, file, message, channel)
}

// sendNow sends a file that was to be sent on completion. When it is refused
// for good, nothing of it is kept.
func (b *Box) sendNow(ctx context.Context, r *Row, m *meta) (*gateway.Accepted, error) {
	if b.sender == nil {
		return nil, problem.New(503, "not_ready", "nothing can be sent yet")
	}
	// The key makes it one message, however often a crash has it sent again.
	draft := gateway.Draft{Channel: r.Channel, To: m.To, File: r.ID, Type: m.Type, IdempotencyKey: "file/" + r.ID}
	accepted, errs := b.sender.Send(ctx, []gateway.Draft{draft})
	if err := errs[0]; err != nil {
		if !passes(err) {
			err = errors.Join(err, b.unsend(ctx, r.ID))
		}
		return nil, err
	}
	if err := b.Sent(ctx, r.ID, accepted[0].ID, r.Channel); err != nil {
		// The message is accepted. The sweep sends it again: it is the same one.
		b.log.Warn("a file that was sent could not be noted so", "file", r.ID, "err", err)
	}
	return &accepted[0], nil
}

// unsend deletes a file that is not to be sent any more, unless another message
// carries it.
func (b *Box) unsend(ctx context.Context, id string) error {
	gone, err := b.dropIf(ctx, id, func(*Row) bool { return true })
	if err == nil && !gone {
		_, err = b.store.Change(ctx, id, func(r *Row) error { r.Send = false; return nil })
	}
	return err
}

// passes reports whether what keeps a file from being sent may go away: an
// outbox that is full, a caller who left, a gateway that is not ready.
func passes(err error) bool {
	switch status := problem.From(err).Status; status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, 499:
		return true
	default:
		return status >= 500
	}
}

// sendSoon has a complete file sent in the background, unless that is under way.
func (b *Box) sendSoon(id string) {
	b.mu.Lock()
	busy := b.sending[id]
	b.sending[id] = true
	b.mu.Unlock()
	if busy {
		return
	}
	b.crew.run(func(ctx context.Context) {
		b.sendLater(ctx, id)
		b.mu.Lock()
		delete(b.sending, id)
		b.mu.Unlock()
	})
}

// sendLater sends what a crash, a full outbox or a gateway that was not ready
// kept from being sent.
func (b *Box) sendLater(ctx context.Context, id string) {
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		r, m, err := b.row(ctx, id)
		if err == nil && r.Send {
			_, err = b.sendNow(ctx, r, m)
		}
		if err == nil || !passes(err) {
			if err != nil {
				b.log.Warn("a file could not be sent", "file", id, "code", codeOf(err))
			}
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-b.clock.After(wait):
		}
	}
}
