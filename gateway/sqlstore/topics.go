package sqlstore

import (
	"context"
	"fmt"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/owner"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// Topics returns the SQL behind gateway/owner.
func (s *Store) Topics() owner.Store { return (*topicStore)(s) }

type topicStore Store

// Put implements owner.Store.
func (s *topicStore) Put(ctx context.Context, p owner.Published) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(`INSERT INTO owned_topic (name, version, revision, record, bundle) VALUES ($1, $2, $3, $4, $5)`,
			p.Record.Name, p.Record.Version, int64(p.Record.Revision), p.Record.Bytes(), p.Schema.Bytes())
		return err
	})
}

// Newest implements owner.Store.
func (s *topicStore) Newest(ctx context.Context, name, version string) (*owner.Published, error) {
	var record, bundle []byte
	err := s.db.QueryRow(ctx, `SELECT record, bundle FROM owned_topic WHERE name = $1 AND version = $2 ORDER BY revision DESC LIMIT 1`, name, version).
		Scan(&record, &bundle)
	if sqlkit.IsNoRows(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read topic: %w", err)
	}
	p := new(owner.Published)
	if p.Record, err = envelope.ParseTopic(record); err != nil {
		return nil, fmt.Errorf("read topic: %w", err)
	}
	if p.Schema, err = envelope.ParseSchema(bundle); err != nil {
		return nil, fmt.Errorf("read topic: %w", err)
	}
	return p, nil
}
