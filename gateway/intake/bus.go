package intake

import (
	"context"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/gateway/identity"
	"github.com/digital-spine/spine/gateway/inbox"
	"github.com/digital-spine/spine/gateway/trust"
)

// The real parts fit the small interfaces.
var (
	_ Self    = (*identity.Self)(nil)
	_ Trust   = (*trust.Book)(nil)
	_ Inbox   = (*inbox.Inbox)(nil)
	_ Mailbox = (*Pull)(nil)
)

// Pull reads a mailbox over NATS JetStream.
type Pull struct {
	// From is a *bus.Pull, or of something that makes it anew when the
	// connection changes.
	From interface {
		Next(ctx context.Context) ([]bus.Delivery, error)
	}
	Stream string
	// Again asks the broker to deliver from a stream sequence; may be nil.
	Again func(ctx context.Context, seq uint64) error
}

// Next implements Mailbox.
func (p *Pull) Next(ctx context.Context) ([]Delivery, error) {
	batch, err := p.From.Next(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Delivery, len(batch))
	for i := range batch {
		d := &batch[i]
		out[i] = Delivery{Subject: d.Subject, Data: d.Data, Stream: p.Stream, Created: d.Created, Seq: d.StreamSeq, Redelivered: d.Redelivered, Ack: d.Ack}
	}
	return out, nil
}

// Rewind implements Rewinder.
func (p *Pull) Rewind(ctx context.Context, seq uint64) error {
	if p.Again == nil {
		return nil
	}
	return p.Again(ctx, seq)
}
