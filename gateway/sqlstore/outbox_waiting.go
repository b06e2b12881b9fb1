package sqlstore

import (
	"context"

	"github.com/digital-spine/spine/gateway/outbox"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// Wait implements outbox.Store.
func (o *Outbox) Wait(ctx context.Context, l outbox.Lane, code string, rows []outbox.Waiting) error {
	return o.db.Write(ctx, func(tx *sqlkit.Tx) error {
		for i := range rows {
			w := &rows[i]
			if _, err := tx.Exec(`INSERT INTO outbox_messages (id, chan, sum, at, sid, seq, idx) VALUES ($1, $2, $3, $4, NULL, 0, 0) ON CONFLICT (id) DO NOTHING`,
				w.ID[:], l.Chan[:], w.Sum, w.At); err != nil {
				return err
			}
			if err := insertWaiting(tx, &l, code, w); err != nil {
				return err
			}
		}
		return nil
	})
}

// Reopen implements outbox.Store.
func (o *Outbox) Reopen(ctx context.Context, l outbox.Lane, code string, sid [32]byte, rows []outbox.Waiting) error {
	return o.db.Write(ctx, func(tx *sqlkit.Tx) error {
		for i := range rows {
			w := &rows[i]
			r, err := tx.Exec(`UPDATE outbox_messages SET sid = NULL WHERE id = $1 AND sid = $2`, w.ID[:], sid[:])
			if err != nil {
				return err
			}
			if n, err := r.RowsAffected(); err != nil || n == 0 {
				if err != nil {
					return err
				}
				continue
			}
			if err := insertWaiting(tx, &l, code, w); err != nil {
				return err
			}
		}
		return nil
	})
}

func insertWaiting(tx *sqlkit.Tx, l *outbox.Lane, code string, w *outbox.Waiting) error {
	held := 0
	if w.Held {
		held = 1
	}
	if _, err := tx.Exec(`INSERT INTO outbox_waiting (id, chan, topic, channel, selection, frame, at, code, held, file, type, size)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO NOTHING`,
		w.ID[:], l.Chan[:], l.Topic, l.Channel, l.Selection, w.Frame, w.At, code, held, w.File, w.Type, w.Size); err != nil {
		return err
	}
	if w.File == "" || w.Info == nil {
		return nil
	}
	_, err := tx.Exec(`INSERT INTO outbox_files (id, file, info, pushed, released) VALUES ($1, $2, $3, 0, 0) ON CONFLICT (id) DO NOTHING`, w.ID[:], w.File, w.Info)
	return err
}

// Waiting implements outbox.Store.
func (o *Outbox) Waiting(ctx context.Context, l outbox.Lane, max int) ([]outbox.Waiting, error) {
	rows, err := o.db.Query(ctx, `SELECT w.id, m.sum, w.frame, w.at, w.type, w.size, w.file FROM outbox_waiting w JOIN outbox_messages m ON m.id = w.id
		WHERE w.chan = $1 AND w.topic = $2 AND w.held = 0 ORDER BY w.n LIMIT $3`, l.Chan[:], l.Topic, max)
	return collect(rows, err, func(scan func(...any) error) (w outbox.Waiting, err error) {
		var id []byte
		err = scan(&id, &w.Sum, &w.Frame, &w.At, &w.Type, &w.Size, &w.File)
		copy(w.ID[:], id)
		return w, err
	})
}

// WaitingLanes implements outbox.Store.
func (o *Outbox) WaitingLanes(ctx context.Context) ([]outbox.Lane, error) {
	rows, err := o.db.Query(ctx, `SELECT DISTINCT chan, topic, channel, selection FROM outbox_waiting WHERE held = 0`)
	return collect(rows, err, scanLane)
}

func scanLane(scan func(...any) error) (l outbox.Lane, err error) {
	var c []byte
	err = scan(&c, &l.Topic, &l.Channel, &l.Selection)
	copy(l.Chan[:], c)
	return l, err
}

// Blame implements outbox.Store.
func (o *Outbox) Blame(ctx context.Context, l outbox.Lane, code string) error {
	return o.exec(ctx, `UPDATE outbox_waiting SET code = $1 WHERE chan = $2 AND topic = $3 AND held = 0 AND code <> $4`, code, l.Chan[:], l.Topic, code)
}

// Expire implements outbox.Store.
func (o *Outbox) Expire(ctx context.Context, at, forget int64) error {
	return o.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if _, err := tx.Exec(`UPDATE outbox_waiting SET held = 2, frame = $1 WHERE at < $2 AND held < 2`, []byte{}, at); err != nil {
			return err
		}
		for _, q := range []string{
			`DELETE FROM outbox_waiting WHERE at < $1`,
			`DELETE FROM outbox_files WHERE id IN (SELECT id FROM outbox_messages WHERE sid IS NULL AND at < $1)`,
			`DELETE FROM outbox_messages WHERE sid IS NULL AND at < $1`,
		} {
			if _, err := tx.Exec(q, forget); err != nil {
				return err
			}
		}
		return nil
	})
}
