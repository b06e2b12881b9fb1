package sqlstore

import (
	"context"
	"database/sql"

	"github.com/digital-spine/spine/gateway/inbox"
	"github.com/digital-spine/spine/gateway/intake"
	"github.com/digital-spine/spine/internal/sqlkit"
)

const entryColumns = `id, d, t, at, topic, pos, late, dek, size, verdict, ids, proof, body`

// writeEntries inserts a round's envelopes.
func writeEntries(tx *sqlkit.Tx, entries []inbox.Row) error {
	for i := range entries {
		e := &entries[i]
		pos := sql.NullInt64{Int64: e.Pos, Valid: e.Pos > 0}
		if _, err := tx.Exec(`INSERT INTO inbox (`+entryColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			e.ID, e.D[:], e.T, e.At, e.Topic, pos, number(e.Late), e.Key, e.Size, e.Verdict, e.IDs, e.Proof, e.Body); err != nil {
			return err
		}
	}
	return nil
}

// fillEntries gives entries the content that came after them.
func fillEntries(tx *sqlkit.Tx, entries []inbox.Row) error {
	for i := range entries {
		e := &entries[i]
		pos := sql.NullInt64{Int64: e.Pos, Valid: e.Pos > 0}
		if _, err := tx.Exec(`UPDATE inbox SET pos = $2, late = $3, dek = $4, size = $5, verdict = $6, ids = $7, body = $8, fetched = $9 WHERE id = $1 AND body IS NULL AND pos IS NULL`,
			e.ID, pos, number(e.Late), e.Key, e.Size, e.Verdict, e.IDs, e.Body, e.Fetched); err != nil {
			return err
		}
	}
	return nil
}

// settleEntries notes what became of objects.
func settleEntries(tx *sqlkit.Tx, list []intake.Settle) error {
	for _, x := range list {
		if _, err := tx.Exec(`UPDATE inbox SET files = $2, verdict = $3, fetched = COALESCE($4, fetched) WHERE id = $1`,
			x.ID, x.Files, x.Verdict, sql.NullInt64{Int64: x.Fetched, Valid: x.Fetched > 0}); err != nil {
			return err
		}
	}
	return nil
}

// Content returns the sealed content of an envelope and the data key it is
// sealed under.
func (s *Intake) Content(ctx context.Context, id int64) (key int64, body []byte, err error) {
	err = s.db.QueryRow(ctx, `SELECT dek, body FROM inbox WHERE id = $1`, id).Scan(&key, &body)
	return key, body, err
}

// Watched returns the lane groups that are watched.
func (s *Intake) Watched(ctx context.Context, limit int) ([]intake.WatchRow, error) {
	rows, err := s.db.Query(ctx, `SELECT lane, sid FROM intake_watch ORDER BY lane LIMIT $1`, limit)
	return gather(rows, err, func() (x intake.WatchRow, err error) {
		var sid []byte
		err = rows.Scan(&x.Lane, &sid)
		copy(x.SID[:], sid)
		return x, err
	})
}

// Entry returns what the intake needs of a stored envelope, nil when it is not there.
func (s *Intake) Entry(ctx context.Context, id int64) (*intake.Held, error) {
	x, err := scanHeld(s.db.QueryRow(ctx, `SELECT id, d, t, size, CASE WHEN body IS NULL THEN 0 ELSE 1 END FROM inbox WHERE id = $1`, id))
	if sqlkit.IsNoRows(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &x, nil
}

func scanHeld(r scanner) (intake.Held, error) {
	var x intake.Held
	var d []byte
	var content int64
	err := r.Scan(&x.ID, &d, &x.T, &x.Frames, &content)
	copy(x.D[:], d)
	x.Content = content != 0
	return x, err
}

// Pending returns stored envelopes with content and without a place.
func (s *Intake) Pending(ctx context.Context, from, to int64, limit int) ([]intake.Held, error) {
	rows, err := s.db.Query(ctx, `SELECT id, d, t, size, 1 FROM inbox WHERE id >= $1 AND id <= $2 AND pos IS NULL AND body IS NOT NULL ORDER BY id LIMIT $3`, from, to, limit)
	return gather(rows, err, func() (intake.Held, error) { return scanHeld(rows) })
}

// Proof returns the signed header kept of an envelope.
func (s *Intake) Proof(ctx context.Context, id int64) ([]byte, error) {
	return readBlob(ctx, s.db, `SELECT proof FROM inbox WHERE id = $1`, id)
}

// EntryIDs returns the frame ids kept of an envelope.
func (s *Intake) EntryIDs(ctx context.Context, id int64) ([]byte, error) {
	return readBlob(ctx, s.db, `SELECT ids FROM inbox WHERE id = $1`, id)
}

// readBlob returns the one blob a query finds, nil when it finds none.
func readBlob(ctx context.Context, db *sqlkit.DB, query string, args ...any) ([]byte, error) {
	var b []byte
	err := db.QueryRow(ctx, query, args...).Scan(&b)
	if sqlkit.IsNoRows(err) {
		return nil, nil
	}
	return b, err
}

// FrameIDs calls fn with the frame ids of the envelopes from..to taken in since.
func (s *Intake) FrameIDs(ctx context.Context, from, to, since int64, fn func(id int64, ids []byte)) error {
	rows, err := s.db.Query(ctx, `SELECT id, ids FROM inbox WHERE id >= $1 AND id <= $2 AND at >= $3 AND ids IS NOT NULL ORDER BY id`, from, to, since)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var ids []byte
		if err := rows.Scan(&id, &ids); err != nil {
			return err
		}
		fn(id, ids)
	}
	return rows.Err()
}

// readyColumns are the columns of handing over: without the large ones.
const readyColumns = `id, d, t, at, topic, pos, late, dek, size, verdict, files`

// Ready returns rows that have a place above after, in order.
func (s *Inbox) Ready(ctx context.Context, after int64, limit int) ([]inbox.Row, error) {
	rows, err := s.db.Query(ctx, `SELECT `+readyColumns+` FROM inbox WHERE pos IS NOT NULL AND pos > $1 ORDER BY pos LIMIT $2`, after, limit)
	return gather(rows, err, func() (inbox.Row, error) { return scanInboxRow(rows) })
}

// Body returns the sealed content of a row, nil when there is none.
func (s *Inbox) Body(ctx context.Context, id int64) ([]byte, error) {
	return readBlob(ctx, s.db, `SELECT body FROM inbox WHERE id = $1`, id)
}

// At returns the row at a place, nil when there is none.
func (s *Inbox) At(ctx context.Context, pos int64) (*inbox.Row, error) {
	x, err := scanLogRow(s.db.QueryRow(ctx, `SELECT `+logColumns+` FROM inbox WHERE pos IS NOT NULL AND pos = $1`, pos))
	if sqlkit.IsNoRows(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &x, nil
}

func scanInboxRow(r scanner) (inbox.Row, error) {
	var x inbox.Row
	var d []byte
	var pos sql.NullInt64
	var late int64
	err := r.Scan(&x.ID, &d, &x.T, &x.At, &x.Topic, &pos, &late, &x.Key, &x.Size, &x.Verdict, &x.Files)
	copy(x.D[:], d)
	x.Pos, x.Late = pos.Int64, late != 0
	return x, err
}

// SessionInfo returns what handing over needs of a session, nil when unknown.
func (s *Inbox) SessionInfo(ctx context.Context, id int64) (*inbox.SessionInfo, error) {
	b, err := readBlob(ctx, s.db, `SELECT info FROM intake_session WHERE id = $1`, id)
	if err != nil || b == nil {
		return nil, err
	}
	return inbox.DecodeInfo(b)
}

// Keys returns the wrapped data keys.
func (s *Inbox) Keys(ctx context.Context) ([]inbox.KeyRow, error) {
	rows, err := s.db.Query(ctx, `SELECT id, at, wrapped FROM intake_dek ORDER BY id`)
	return gather(rows, err, func() (inbox.KeyRow, error) {
		var x inbox.KeyRow
		return x, rows.Scan(&x.ID, &x.At, &x.Wrapped)
	})
}

// AddKey stores a wrapped data key.
func (s *Inbox) AddKey(ctx context.Context, k inbox.KeyRow) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(`INSERT INTO intake_dek (id, at, wrapped) VALUES ($1, $2, $3)`, k.ID, k.At, k.Wrapped)
		return err
	})
}

// RemoveKeys removes data keys made before, except the newest.
func (s *Inbox) RemoveKeys(ctx context.Context, before int64) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(`DELETE FROM intake_dek WHERE at < $1 AND id < (SELECT MAX(id) FROM intake_dek)`, before)
		return err
	})
}

// Prune empties rows up to a place that were taken in before. Their ledger
// part stays until the session is forgotten; a session already forgotten goes
// with its last row.
func (s *Inbox) Prune(ctx context.Context, upto, before int64, limit int) (int, error) {
	var n int64
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if _, err := tx.Exec(`DELETE FROM cursor_time WHERE at < $1`, before); err != nil {
			return err
		}
		r, err := tx.Exec(`UPDATE inbox SET body = NULL, pos = NULL WHERE id IN
			(SELECT id FROM inbox WHERE pos IS NOT NULL AND pos <= $1 AND at < $2 ORDER BY pos LIMIT $3)`, upto, before, limit)
		if err != nil {
			return err
		}
		if n, err = r.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return dropForgotten(tx)
	})
	return int(n), err
}

// dropForgotten removes forgotten sessions of which nothing is left to read.
func dropForgotten(tx *sqlkit.Tx) error {
	rows, err := tx.Query(`SELECT id FROM intake_session WHERE expires >= $1 ORDER BY expires, id LIMIT 200`, forgotten)
	ids, err := gather(rows, err, func() (id int64, err error) { return id, rows.Scan(&id) })
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := forgetSession(tx, id); err != nil {
			return err
		}
	}
	return nil
}
