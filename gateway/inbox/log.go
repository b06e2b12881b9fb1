package inbox

import (
	"context"

	"github.com/digital-spine/spine/gateway"
)

var _ gateway.Logbook = (*Inbox)(nil)

// Entries returns received messages, newest first: verified ones, ones that
// wait for a body or a file, and ones that were refused after their signature
// held.
func (x *Inbox) Entries(ctx context.Context, f gateway.EntryFilter) ([]gateway.Entry, error) {
	return nil, nil
}

// Trace returns all that is known of a received message: what happened to it,
// and every check with what it rests on; code message_unknown.
func (x *Inbox) Trace(ctx context.Context, id string) (*gateway.Trace, error) {
	return nil, gateway.MessageUnknown(id)
}
