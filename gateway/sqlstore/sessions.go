package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/digital-spine/spine/gateway/access"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// Sessions returns the SQL behind the sessions of gateway/access.
func (s *Store) Sessions() access.SessionStore { return (*sessionStore)(s) }

type sessionStore Store

// Sessions implements access.SessionStore.
func (s *sessionStore) Sessions(ctx context.Context) (map[[32]byte]access.Session, error) {
	rows, err := s.db.Query(ctx, `SELECT hash, name, scopes, key_id, ends, used FROM gateway_session`)
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	defer rows.Close()
	out := map[[32]byte]access.Session{}
	for rows.Next() {
		var x access.Session
		var scopes string
		var hash []byte
		var ends, used int64
		if err := rows.Scan(&hash, &x.Name, &scopes, &x.Key, &ends, &used); err != nil {
			return nil, fmt.Errorf("read sessions: %w", err)
		}
		if len(hash) != 32 {
			return nil, fmt.Errorf("read sessions: one has a hash of %d bytes", len(hash))
		}
		x.Scopes, x.Ends, x.Used = splitScopes(scopes), time.UnixMilli(ends), time.UnixMilli(used)
		out[[32]byte(hash)] = x
	}
	return out, rows.Err()
}

// PutSession implements access.SessionStore.
func (s *sessionStore) PutSession(ctx context.Context, id [32]byte, x access.Session) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(`INSERT INTO gateway_session (hash, name, scopes, key_id, ends, used) VALUES ($1, $2, $3, $4, $5, $6)`,
			id[:], x.Name, joinScopes(x.Scopes), x.Key, x.Ends.UnixMilli(), x.Used.UnixMilli())
		return err
	})
}

// UseSession implements access.SessionStore.
func (s *sessionStore) UseSession(ctx context.Context, id [32]byte, used time.Time) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(`UPDATE gateway_session SET used = $1 WHERE hash = $2`, used.UnixMilli(), id[:])
		return err
	})
}

// DeleteSessions implements access.SessionStore.
func (s *sessionStore) DeleteSessions(ctx context.Context, ids ...[32]byte) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		for _, id := range ids {
			if _, err := tx.Exec(`DELETE FROM gateway_session WHERE hash = $1`, id[:]); err != nil {
				return err
			}
		}
		return nil
	})
}
