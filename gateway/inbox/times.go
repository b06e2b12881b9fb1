package inbox

import (
	"context"
	"fmt"
)

// How exact the log knows when a message was handed over and acknowledged: the
// first positions of a second are noted, and the last. So one that is not busy
// is known exactly, and the notes of a busy week stay few.
const (
	noteWindow = 1000 // ms
	noteFirst  = 4
)

// note returns what to write of a consumer's position. c.mu is held.
func (c *consumer) note(now int64) (out []TimeRow) {
	row := TimeRow{Consumer: c.cur.row.ID, At: now, Handed: c.cur.row.Handed, Floor: c.cur.row.Floor}
	if now-c.noted >= noteWindow || now < c.noted {
		c.noted, c.notes = now, 0
	}
	if c.notes++; c.notes > noteFirst {
		c.unnoted = row
		return nil
	}
	if c.unnoted.At > 0 {
		out, c.unnoted = append(out, c.unnoted), TimeRow{}
	}
	return append(out, row)
}

// times returns when a consumer was first handed a place and when it had
// acknowledged all up to it, as far as it was noted.
func (x *Inbox) times(ctx context.Context, id, pos int64) (handed, acked int64, err error) {
	if handed, acked, err = x.store.Times(ctx, id, pos); err != nil {
		return 0, 0, fmt.Errorf("read consumers: %w", err)
	}
	x.mu.Lock()
	c := x.byID[id]
	x.mu.Unlock()
	if c == nil {
		return handed, acked, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if handed == 0 && c.unnoted.Handed >= pos {
		handed = c.unnoted.At
	}
	if acked == 0 && c.unnoted.Floor >= pos {
		acked = c.unnoted.At
	}
	return handed, acked, nil
}
