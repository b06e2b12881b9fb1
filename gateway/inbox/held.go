package inbox

import (
	"context"
	"fmt"
	"math"

	"github.com/digital-spine/spine/gateway"
)

// Held reports whether the content of one of the messages is kept here: it is
// until every consumer acknowledged it, and for a while after. What a message
// carries must not go before. It looks at all there is, however much.
func (x *Inbox) Held(ctx context.Context, messages []string) (bool, error) {
	ids := make(map[[16]byte]bool, len(messages))
	for _, m := range messages {
		if id, err := gateway.ParseID(m); err == nil {
			ids[id] = true
		}
	}
	// Those without a place come first: what gets one meanwhile is looked up then.
	if held, err := x.heldApart(ctx, ids); held || err != nil {
		return held, err
	}
	for more := true; more; {
		var err error
		if more, err = x.index(ctx); err != nil {
			return false, err
		}
	}
	for id := range ids {
		if held, err := x.store.Kept(ctx, KeyOfID(id)); err != nil {
			return false, fmt.Errorf("look up a message: %w", err)
		} else if held {
			return true, nil
		}
	}
	return false, nil
}

// heldApart is Held for messages that have no place in the order of handing
// over yet.
func (x *Inbox) heldApart(ctx context.Context, ids map[[16]byte]bool) (bool, error) {
	for at, before := int64(math.MaxInt64), int64(math.MaxInt64); ; {
		rows, err := x.store.Apart(ctx, at, before, findBatch)
		if err != nil {
			return false, fmt.Errorf("read inbox: %w", err)
		}
		for i := range rows {
			at, before = rows[i].At, rows[i].ID
			if !rows[i].Content {
				continue
			}
			row, err := x.store.Row(ctx, rows[i].ID)
			if err != nil {
				return false, fmt.Errorf("read inbox: %w", err)
			}
			if row == nil || !row.Content {
				continue
			}
			for frames := row.IDs; len(frames) >= 32; frames = frames[32:] {
				if ids[[16]byte(frames[:16])] {
					return true, nil
				}
			}
		}
		if len(rows) < findBatch {
			return false, nil
		}
	}
}
