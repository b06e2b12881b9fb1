package outbox

import (
	"context"
	"errors"

	"github.com/digital-spine/spine/gateway"
)

var _ gateway.Logbook = (*Outbox)(nil)

// Entries implements gateway.Logbook for what was sent.
func (o *Outbox) Entries(ctx context.Context, f gateway.EntryFilter) ([]gateway.Entry, error) {
	return nil, nil
}

// Trace implements gateway.Logbook for what was sent.
func (o *Outbox) Trace(ctx context.Context, id string) (*gateway.Trace, error) {
	raw, err := gateway.ParseID(id)
	if err != nil {
		return nil, gateway.MessageUnknown(id)
	}
	if _, err := o.store.Message(ctx, raw); errors.Is(err, ErrNoRow) {
		return nil, gateway.MessageUnknown(id)
	} else if err != nil {
		return nil, err
	}
	st, err := o.Status(ctx, id)
	if err != nil {
		return nil, err
	}
	return &gateway.Trace{Entry: gateway.Entry{ID: id, Direction: gateway.Out, Channel: st.Channel, State: st.State, Code: st.Code, At: st.At}, Sent: st, Steps: []gateway.Step{}}, nil
}
