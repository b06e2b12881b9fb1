package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/events"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// Events returns the SQL behind gateway/events.
func (s *Store) Events() events.Store { return (*eventStore)(s) }

type eventStore Store

// Append implements events.Store.
func (s *eventStore) Append(ctx context.Context, list []gateway.Event, keep int64) error {
	rest := make([]string, len(list))
	for i, e := range list {
		e.N = 0
		b, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("store event: %w", err)
		}
		rest[i] = string(b)
	}
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		for i := range list {
			e := &list[i]
			if err := tx.QueryRow(`INSERT INTO gateway_event (at, kind, code, rest) VALUES ($1, $2, $3, $4) RETURNING n`, e.At, e.Kind, e.Code, rest[i]).Scan(&e.N); err != nil {
				return err
			}
		}
		_, err := tx.Exec(`DELETE FROM gateway_event WHERE n <= $1`, list[len(list)-1].N-keep)
		return err
	})
}

// List implements events.Store.
func (s *eventStore) List(ctx context.Context, after int64, kind, code string, max int) ([]gateway.Event, error) {
	rows, err := s.db.Query(ctx, `SELECT n, rest FROM gateway_event WHERE n > $1 AND ($2 = '' OR kind = $2) AND ($3 = '' OR code = $3) ORDER BY n LIMIT $4`,
		after, kind, code, max)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	defer rows.Close()
	var out []gateway.Event
	for rows.Next() {
		var n int64
		var rest string
		if err := rows.Scan(&n, &rest); err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		var e gateway.Event
		if err := json.Unmarshal([]byte(rest), &e); err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		e.N = n
		out = append(out, e)
	}
	return out, rows.Err()
}
