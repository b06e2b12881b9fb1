package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/channels"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// Channels returns the SQL behind gateway/channels.
func (s *Store) Channels() channels.Store { return (*channelStore)(s) }

type channelStore Store

// List implements channels.Store.
func (s *channelStore) List(ctx context.Context) ([]gateway.Channel, error) {
	rows, err := s.db.Query(ctx, `SELECT rule FROM gateway_channel ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("read channels: %w", err)
	}
	defer rows.Close()
	var out []gateway.Channel
	for rows.Next() {
		var rule string
		if err := rows.Scan(&rule); err != nil {
			return nil, fmt.Errorf("read channels: %w", err)
		}
		var c gateway.Channel
		if err := json.Unmarshal([]byte(rule), &c); err != nil {
			return nil, fmt.Errorf("read channels: %w", err)
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

// Put implements channels.Store.
func (s *channelStore) Put(ctx context.Context, c gateway.Channel) error {
	rule, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("store channel: %w", err)
	}
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(`INSERT INTO gateway_channel (name, rule) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET rule = excluded.rule`, c.Name, string(rule))
		return err
	})
}

// Delete implements channels.Store.
func (s *channelStore) Delete(ctx context.Context, name string) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(`DELETE FROM gateway_channel WHERE name = $1`, name)
		return err
	})
}
