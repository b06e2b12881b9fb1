package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

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
	return s.read(ctx, `SELECT n, rest FROM gateway_event WHERE n > $1 AND ($2 = '' OR kind = $2) AND ($3 = '' OR code = $3) ORDER BY n LIMIT $4`,
		after, kind, code, max)
}

// Newest implements events.Store.
func (s *eventStore) Newest(ctx context.Context, before int64, kind, code string, max int) ([]gateway.Event, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	return s.read(ctx, `SELECT n, rest FROM gateway_event WHERE n < $1 AND ($2 = '' OR kind = $2) AND ($3 = '' OR code = $3) ORDER BY n DESC LIMIT $4`,
		before, kind, code, max)
}

// Summary implements events.Store.
func (s *eventStore) Summary(ctx context.Context, since int64) ([]events.Count, error) {
	rows, err := s.db.Query(ctx, `SELECT kind, code, COUNT(*), MAX(at) FROM gateway_event WHERE at >= $1 GROUP BY kind, code ORDER BY kind, code`, since)
	if err != nil {
		return nil, fmt.Errorf("count events: %w", err)
	}
	defer rows.Close()
	var out []events.Count
	for rows.Next() {
		var c events.Count
		if err := rows.Scan(&c.Kind, &c.Code, &c.Count, &c.Last); err != nil {
			return nil, fmt.Errorf("count events: %w", err)
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

func (s *eventStore) read(ctx context.Context, query string, args ...any) ([]gateway.Event, error) {
	rows, err := s.db.Query(ctx, query, args...)
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
