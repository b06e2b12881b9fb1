// Package sqlstore keeps a hub in a relational database: hub.Store over
// internal/sqlkit, in SQL that SQLite and PostgreSQL both understand.
//
// It holds no rules beyond what has to be decided inside one transaction
// (quotas, what is new, what a status list revokes).
package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"

	"github.com/digital-spine/spine/hub"
	"github.com/digital-spine/spine/internal/sqlkit"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store implements hub.Store.
type Store struct{ db *sqlkit.DB }

var _ hub.Store = (*Store)(nil)

// Open opens the database named by dsn, such as "sqlite:/var/lib/spine/hub.db",
// and brings its tables up to date.
func Open(ctx context.Context, dsn string) (*Store, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	db, err := sqlkit.Open(ctx, dsn, files, sqlkit.Options{})
	if err != nil {
		return nil, fmt.Errorf("open the hub's database: %w", err)
	}
	return &Store{db: db}, nil
}

// Close implements hub.Store.
func (s *Store) Close() error { return s.db.Close() }

// Secret implements hub.Store.
func (s *Store) Secret(ctx context.Context) (secret [32]byte, err error) {
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		var fresh [32]byte
		rand.Read(fresh[:])
		if _, err := tx.Exec(`INSERT INTO hub_secret (id, secret) VALUES (1, $1) ON CONFLICT (id) DO NOTHING`, fresh[:]); err != nil {
			return err
		}
		var b []byte
		if err := tx.QueryRow(`SELECT secret FROM hub_secret WHERE id = 1`).Scan(&b); err != nil {
			return err
		}
		if copy(secret[:], b) != len(secret) {
			return fmt.Errorf("the hub's secret has %d bytes", len(b))
		}
		return nil
	})
	return secret, err
}

// appendEvents writes events inside a transaction.
func appendEvents(tx *sqlkit.Tx, events []hub.Event) error {
	for _, e := range events {
		if _, err := tx.Exec(`INSERT INTO events (type, subject, role, digest, list, at) VALUES ($1, $2, $3, $4, $5, $6)`,
			e.Type, e.Subject, e.Role, e.Digest, e.List, e.At); err != nil {
			return err
		}
	}
	return nil
}

// Append implements hub.Store.
func (s *Store) Append(ctx context.Context, events []hub.Event) error {
	if len(events) == 0 {
		return nil
	}
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error { return appendEvents(tx, events) })
}

// Events implements hub.Store.
func (s *Store) Events(ctx context.Context, after int64, limit int) ([]hub.Event, error) {
	rows, err := s.db.Query(ctx, `SELECT n, type, subject, role, digest, list, at FROM events WHERE n > $1 ORDER BY n LIMIT $2`, after, limit)
	return collect(rows, err, func(r *sql.Rows, e *hub.Event) error {
		return r.Scan(&e.N, &e.Type, &e.Subject, &e.Role, &e.Digest, &e.List, &e.At)
	})
}

// EventRange implements hub.Store.
func (s *Store) EventRange(ctx context.Context) (first, last int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT COALESCE((SELECT n FROM events ORDER BY n LIMIT 1), 0), COALESCE((SELECT n FROM events ORDER BY n DESC LIMIT 1), 0)`).Scan(&first, &last)
	return first, last, err
}

// RaiseFloor implements hub.Store.
func (s *Store) RaiseFloor(ctx context.Context, did string, inst, floor uint64) (known uint64, err error) {
	// Nearly always the floor is known: no write then.
	err = s.db.QueryRow(ctx, `SELECT floor FROM floors WHERE did = $1 AND inst = $2`, did, inst).Scan(&known)
	if err == nil && known >= floor {
		return known, nil
	}
	if err != nil && !sqlkit.IsNoRows(err) {
		return 0, err
	}
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if _, err := tx.Exec(`INSERT INTO floors (did, inst, floor) VALUES ($1, $2, $3)
			ON CONFLICT (did, inst) DO UPDATE SET floor = excluded.floor WHERE excluded.floor > floors.floor`, did, inst, floor); err != nil {
			return err
		}
		return tx.QueryRow(`SELECT floor FROM floors WHERE did = $1 AND inst = $2`, did, inst).Scan(&known)
	})
	return known, err
}

// UseNonce implements hub.Store.
func (s *Store) UseNonce(ctx context.Context, nonce [32]byte, at int64) (first bool, err error) {
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		r, err := tx.Exec(`INSERT INTO nonces (nonce, at) VALUES ($1, $2) ON CONFLICT (nonce) DO NOTHING`, hex.EncodeToString(nonce[:]), at)
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		first = n == 1
		return err
	})
	return first, err
}

// Cursor implements hub.Store.
func (s *Store) Cursor(ctx context.Context, name string) (block uint64, err error) {
	err = s.db.QueryRow(ctx, `SELECT block FROM cursors WHERE name = $1`, name).Scan(&block)
	if sqlkit.IsNoRows(err) {
		return 0, nil
	}
	return block, err
}

// SetCursor implements hub.Store.
func (s *Store) SetCursor(ctx context.Context, name string, block uint64) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(`INSERT INTO cursors (name, block) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET block = excluded.block`, name, block)
		return err
	})
}

// Sweep implements hub.Store.
func (s *Store) Sweep(ctx context.Context, before int64, events int) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if _, err := tx.Exec(`DELETE FROM nonces WHERE at < $1`, before); err != nil {
			return err
		}
		_, err := tx.Exec(`DELETE FROM events WHERE n <= (SELECT MAX(n) FROM events) - $1`, events)
		return err
	})
}

// Stats implements hub.Store.
func (s *Store) Stats(ctx context.Context) (*hub.Stats, error) {
	var st hub.Stats
	err := s.db.QueryRow(ctx, `SELECT (SELECT COUNT(*) FROM names), (SELECT COUNT(*) FROM roles), (SELECT COUNT(*) FROM credentials),
		(SELECT COUNT(*) FROM enrolments), (SELECT COUNT(*) FROM status_lists), (SELECT COUNT(*) FROM events)`).
		Scan(&st.Names, &st.Roles, &st.Credentials, &st.Enrolments, &st.StatusLists, &st.Events)
	return &st, err
}

// collect reads all rows of a query.
func collect[T any](rows *sql.Rows, err error, scan func(*sql.Rows, *T) error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		var t T
		if err := scan(rows, &t); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, rows.Err()
}
