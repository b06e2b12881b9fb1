package sqlstore

import (
	"context"

	"github.com/digital-spine/spine/gateway/outbox"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// Held implements outbox.Store.
func (o *Outbox) Held(ctx context.Context, after string, max int) ([]string, error) {
	rows, err := o.db.Query(ctx, `SELECT DISTINCT file FROM outbox_waiting WHERE held = 1 AND file > $1 ORDER BY file LIMIT $2`, after, max)
	return collect(rows, err, scanText)
}

func scanText(scan func(...any) error) (s string, err error) {
	err = scan(&s)
	return s, err
}

// Pushed implements outbox.Store.
func (o *Outbox) Pushed(ctx context.Context, file string, at int64) (lanes []outbox.Lane, err error) {
	err = o.db.Write(ctx, func(tx *sqlkit.Tx) error {
		rows, err := tx.Query(`SELECT DISTINCT chan, topic, channel, selection FROM outbox_waiting WHERE held = 1 AND file = $1`, file)
		if lanes, err = collect(rows, err, scanLane); err != nil {
			return err
		}
		if _, err := tx.Exec(`UPDATE outbox_files SET pushed = $1 WHERE pushed = 0 AND id IN (SELECT id FROM outbox_waiting WHERE held = 1 AND file = $2)`, at, file); err != nil {
			return err
		}
		_, err = tx.Exec(`UPDATE outbox_waiting SET held = 0, code = '' WHERE held = 1 AND file = $1`, file)
		return err
	})
	return lanes, err
}

// Hold implements outbox.Store.
func (o *Outbox) Hold(ctx context.Context, id [16]byte, code string) error {
	return o.exec(ctx, `UPDATE outbox_waiting SET held = 1, code = $1 WHERE id = $2 AND held = 0 AND file <> ''`, code, id[:])
}

// Drop implements outbox.Store.
func (o *Outbox) Drop(ctx context.Context, id [16]byte, code string) error {
	return o.exec(ctx, `UPDATE outbox_waiting SET held = 2, frame = $1, code = $2 WHERE id = $3`, []byte{}, code, id[:])
}

// BlameFile implements outbox.Store.
func (o *Outbox) BlameFile(ctx context.Context, file, code string) error {
	return o.exec(ctx, `UPDATE outbox_waiting SET code = $1 WHERE held = 1 AND file = $2 AND code <> $3`, code, file, code)
}

// File implements outbox.Store.
func (o *Outbox) File(ctx context.Context, id [16]byte) (*outbox.FileRow, error) {
	var f outbox.FileRow
	if err := o.db.QueryRow(ctx, `SELECT file, info, pushed FROM outbox_files WHERE id = $1`, id[:]).Scan(&f.File, &f.Info, &f.Pushed); err != nil {
		return nil, noRow(err)
	}
	return &f, nil
}

// Spent implements outbox.Store.
func (o *Outbox) Spent(ctx context.Context, max int) ([]string, error) {
	rows, err := o.db.Query(ctx, `SELECT DISTINCT f.file FROM outbox_files f WHERE f.released = 0 AND NOT `+underWay("f.file")+` ORDER BY f.file LIMIT $1`, max)
	return collect(rows, err, scanText)
}

// Released implements outbox.Store.
func (o *Outbox) Released(ctx context.Context, file string) error {
	return o.exec(ctx, `UPDATE outbox_files SET released = 1 WHERE file = $1 AND NOT `+underWay("outbox_files.file"), file)
}
