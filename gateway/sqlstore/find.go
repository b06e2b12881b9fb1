package sqlstore

import (
	"context"
	"database/sql"
	"math"

	"github.com/digital-spine/spine/gateway/inbox"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// logColumns are what the log needs beside the columns of handing over.
const logColumns = readyColumns + `, fetched, body IS NOT NULL`

func scanLogRow(r scanner, more ...any) (inbox.Row, error) {
	var fetched sql.NullInt64
	var content bool
	x, err := scanInboxRow(tailed{r, append([]any{&fetched, &content}, more...)})
	x.Fetched, x.Content = fetched.Int64, content
	return x, err
}

// Placed returns rows with a place below before, highest first.
func (s *Inbox) Placed(ctx context.Context, before int64, limit int) ([]inbox.Row, error) {
	rows, err := s.db.Query(ctx, `SELECT `+logColumns+` FROM inbox WHERE pos IS NOT NULL AND pos < $1 ORDER BY pos DESC LIMIT $2`, before, limit)
	return gather(rows, err, func() (inbox.Row, error) { return scanLogRow(rows) })
}

// Apart returns rows without a place that are older than (at, id), newest first.
func (s *Inbox) Apart(ctx context.Context, at, id int64, limit int) ([]inbox.Row, error) {
	rows, err := s.db.Query(ctx, `SELECT `+logColumns+` FROM inbox WHERE pos IS NULL AND (at, id) < ($1, $2) ORDER BY at DESC, id DESC LIMIT $3`, at, id, limit)
	return gather(rows, err, func() (inbox.Row, error) { return scanLogRow(rows) })
}

// Row returns a row with its ids and proof, nil when there is none.
func (s *Inbox) Row(ctx context.Context, id int64) (*inbox.Row, error) {
	var ids, proof []byte
	x, err := scanLogRow(s.db.QueryRow(ctx, `SELECT `+logColumns+`, ids, proof FROM inbox WHERE id = $1`, id), &ids, &proof)
	if sqlkit.IsNoRows(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	x.IDs, x.Proof = ids, proof
	return &x, nil
}

// tailed scans further columns behind those asked for.
type tailed struct {
	scanner
	more []any
}

func (t tailed) Scan(dest ...any) error { return t.scanner.Scan(append(dest, t.more...)...) }

// Core returns the core of a session and when it was first seen.
func (s *Inbox) Core(ctx context.Context, session int64) (core []byte, since int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT core, since FROM intake_session WHERE id = $1`, session).Scan(&core, &since)
	if sqlkit.IsNoRows(err) {
		return nil, 0, nil
	}
	return core, since, err
}

// findUpTo is the key under which the look-up keeps how far it is written.
var findUpTo = []byte{0}

// Found returns values of a key below before, highest first.
func (s *Inbox) Found(ctx context.Context, key []byte, before int64, limit int) ([]int64, error) {
	rows, err := s.db.Query(ctx, `SELECT v FROM inbox_find WHERE k = $1 AND v < $2 ORDER BY v DESC LIMIT $3`, key, before, limit)
	return gather(rows, err, func() (v int64, err error) { return v, rows.Scan(&v) })
}

// Kept reports whether the content of a row that the look-up has under a key is
// here.
func (s *Inbox) Kept(ctx context.Context, key []byte) (kept bool, err error) {
	err = s.db.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM inbox_find f JOIN inbox i ON i.id = f.v WHERE f.k = $1 AND i.body IS NOT NULL)`, key).Scan(&kept)
	return kept, err
}

// FoundUpTo returns up to which place the look-up is written.
func (s *Inbox) FoundUpTo(ctx context.Context) (int64, error) {
	var upto sql.NullInt64
	err := s.db.QueryRow(ctx, `SELECT MAX(v) FROM inbox_find WHERE k = $1`, findUpTo).Scan(&upto)
	return upto.Int64, err
}

// AddFinds writes what was found up to a place.
func (s *Inbox) AddFinds(ctx context.Context, finds []inbox.Find, upto int64) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if err := writeFinds(tx, finds); err != nil {
			return err
		}
		if _, err := tx.Exec(`DELETE FROM inbox_find WHERE k = $1`, findUpTo); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO inbox_find (k, v) VALUES ($1, $2)`, findUpTo, upto)
		return err
	})
}

func writeFinds(tx *sqlkit.Tx, finds []inbox.Find) error {
	for _, f := range finds {
		if _, err := tx.Exec(`INSERT INTO inbox_find (k, v) VALUES ($1, $2) ON CONFLICT DO NOTHING`, f.Key, f.Value); err != nil {
			return err
		}
	}
	return nil
}

// Unfound returns rows with a place above upto, lowest first, with their ids.
func (s *Inbox) Unfound(ctx context.Context, upto int64, limit int) ([]inbox.Row, error) {
	rows, err := s.db.Query(ctx, `SELECT id, pos, d, ids FROM inbox WHERE pos IS NOT NULL AND pos > $1 ORDER BY pos LIMIT $2`, upto, limit)
	return gather(rows, err, func() (x inbox.Row, err error) {
		var d []byte
		err = rows.Scan(&x.ID, &x.Pos, &d, &x.IDs)
		copy(x.D[:], d)
		return x, err
	})
}

// SweepFinds removes what points nowhere any more.
func (s *Inbox) SweepFinds(ctx context.Context, after inbox.Find, limit int) (inbox.Find, error) {
	if len(after.Key) == 0 {
		after = inbox.Find{Key: findUpTo, Value: math.MaxInt64}
	}
	rows, err := s.db.Query(ctx, `SELECT k, v, EXISTS (SELECT 1 FROM inbox WHERE id = v), EXISTS (SELECT 1 FROM inbox WHERE pos IS NOT NULL AND pos = v)
		FROM inbox_find WHERE (k, v) > ($1, $2) ORDER BY k, v LIMIT $3`, after.Key, after.Value, limit)
	type found struct {
		inbox.Find
		row, place bool
	}
	list, err := gather(rows, err, func() (x found, err error) { return x, rows.Scan(&x.Key, &x.Value, &x.row, &x.place) })
	if err != nil || len(list) == 0 {
		return inbox.Find{}, err
	}
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		for _, x := range list {
			if inbox.PointsAtRow(x.Key) && x.row || !inbox.PointsAtRow(x.Key) && x.place {
				continue
			}
			if _, err := tx.Exec(`DELETE FROM inbox_find WHERE k = $1 AND v = $2`, x.Key, x.Value); err != nil {
				return err
			}
		}
		return nil
	})
	if len(list) < limit {
		return inbox.Find{}, err
	}
	return list[len(list)-1].Find, err
}

// Times returns when a consumer was first handed a place, and when it had
// acknowledged all up to it.
func (s *Inbox) Times(ctx context.Context, consumer, pos int64) (handed, acked int64, err error) {
	var a, b sql.NullInt64
	err = s.db.QueryRow(ctx, `SELECT (SELECT at FROM cursor_time WHERE consumer = $1 AND handed >= $2 ORDER BY handed, at LIMIT 1),
		(SELECT at FROM cursor_time WHERE consumer = $1 AND floor >= $2 ORDER BY floor, at LIMIT 1)`, consumer, pos).Scan(&a, &b)
	return a.Int64, b.Int64, err
}

// Acked returns the acknowledged frames of a place above the floor.
func (s *Inbox) Acked(ctx context.Context, consumer, pos int64) ([]byte, error) {
	return readBlob(ctx, s.db, `SELECT bits FROM cursor_ack WHERE consumer = $1 AND pos = $2`, consumer, pos)
}
