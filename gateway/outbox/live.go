package outbox

import (
	"context"
	"slices"

	"github.com/digital-spine/spine/gateway"
)

// Bounds of what live views are told.
const (
	maxViews    = 256   // receipts whose news wait; the rest is not shown live
	viewEntries = 512   // envelopes of one receipt
	viewIDs     = 1_000 // messages of one receipt
	entryTo     = 20    // recipients named in an entry
)

// view is what a receipt says of one session for the first time.
type view struct {
	sid   [32]byte
	a, b  int64
	at    int64
	taken bool // into custody: tell how long it took
}

// entry is a message that was just accepted, for live views.
func (o *Outbox) entry(row *Lane, it *item, state gateway.State, code string) gateway.Entry {
	e := gateway.Entry{ID: gateway.FormatID(it.id), Direction: gateway.Out, Channel: row.Channel, Topic: row.Topic, Type: it.frame.Type,
		To: first(selection(row.Selection)), State: state, Code: code, At: it.frame.At, Here: o.now(), Size: it.size}
	if it.file != nil && it.file.ID != "" {
		f := it.file.File
		e.File = &f
	}
	return e
}

func first(list []string) []string { return list[:min(len(list), entryTo):min(len(list), entryTo)] }

// tellWaiting tells live views of a message that is durable and waits.
func (o *Outbox) tellWaiting(row Lane, it *item, code string) {
	if o.activity != nil {
		o.activity.Message(o.entry(&row, it, gateway.StateWaiting, code))
	}
}

// tellStored tells live views that the broker has the messages of an envelope.
func (o *Outbox) tellStored(s *session, c *Commit, items []*item) {
	if o.activity == nil {
		return
	}
	for _, it := range items {
		e := o.entry(&c.Lane, it, gateway.StateAccepted, "")
		e.To, e.Count = s.to, len(s.members)
		o.activity.Message(e)
	}
}

// tellReceipt queues what a receipt says for live views. It never waits.
func (o *Outbox) tellReceipt(s *Session, old, fresh *Member, refused []Refusal) {
	if o.activity == nil {
		return
	}
	now := o.now()
	if fresh.Upto > old.Upto {
		o.queueView(view{sid: s.SID, a: old.Upto + 1, b: fresh.Upto, at: now, taken: true})
	}
	for _, r := range refused {
		o.queueView(view{sid: s.SID, a: r.A, b: min(r.B, s.Next-1), at: now})
	}
}

func (o *Outbox) queueView(v view) {
	select {
	case o.views <- v:
	default:
	}
}

// watchReceipts tells live views what receipts say until ctx ends.
func (o *Outbox) watchReceipts(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case v := <-o.views:
			if err := o.show(ctx, v); err != nil && ctx.Err() == nil {
				o.log.Debug("receipt not shown", "err", err)
			}
		}
	}
}

func (o *Outbox) show(ctx context.Context, v view) error {
	s, err := o.store.Session(ctx, v.sid)
	if err != nil {
		return err
	}
	c, err := o.crowd(ctx, &SessionHead{Session: *s})
	if err != nil {
		return err
	}
	list, err := o.store.Between(ctx, v.sid, v.a, v.b, viewEntries)
	if err != nil {
		return err
	}
	n := 0
	for i := range list {
		entries, err := o.sealedEntries(ctx, c, &list[i])
		if err != nil {
			return err
		}
		for j := range entries {
			if n++; n > viewIDs {
				return nil
			}
			if v.taken {
				o.activity.Latency(gateway.Out, max(0, v.at-entries[j].At))
			}
			o.activity.Message(entries[j].Entry)
		}
	}
	return nil
}

// names lists the first recipients of a set, each DID once.
func names(members []Member) []string {
	var out []string
	for i := range members {
		if len(out) == entryTo {
			break
		}
		if !slices.Contains(out, members[i].DID) {
			out = append(out, members[i].DID)
		}
	}
	return out
}
