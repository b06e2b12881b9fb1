package sqlstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/digital-spine/spine/gateway/access"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// Keys returns the SQL behind gateway/access.
func (s *Store) Keys() access.Store { return (*keyStore)(s) }

type keyStore Store

// List implements access.Store.
func (s *keyStore) List(ctx context.Context) ([]access.Key, error) {
	rows, err := s.db.Query(ctx, `SELECT id, name, scopes, hash, at FROM gateway_key ORDER BY at, id`)
	if err != nil {
		return nil, fmt.Errorf("read API keys: %w", err)
	}
	defer rows.Close()
	var out []access.Key
	for rows.Next() {
		var k access.Key
		var scopes string
		var hash []byte
		if err := rows.Scan(&k.ID, &k.Name, &scopes, &hash, &k.At); err != nil {
			return nil, fmt.Errorf("read API keys: %w", err)
		}
		if len(hash) != len(k.Hash) {
			return nil, fmt.Errorf("read API keys: %s has a hash of %d bytes", k.ID, len(hash))
		}
		copy(k.Hash[:], hash)
		k.Scopes = splitScopes(scopes)
		out = append(out, k)
	}
	return out, rows.Err()
}

// Put implements access.Store.
func (s *keyStore) Put(ctx context.Context, k access.Key) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(`INSERT INTO gateway_key (id, name, scopes, hash, at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id) DO UPDATE SET name = excluded.name, scopes = excluded.scopes, hash = excluded.hash, at = excluded.at`,
			k.ID, k.Name, joinScopes(k.Scopes), k.Hash[:], k.At)
		return err
	})
}

// joinScopes and splitScopes write scopes as one text, and read them.
func joinScopes(list []access.Scope) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return strings.Join(out, " ")
}

func splitScopes(text string) (out []access.Scope) {
	for s := range strings.FieldsSeq(text) {
		out = append(out, access.Scope(s))
	}
	return out
}

// Delete implements access.Store. Sessions that began with the key go with it:
// a key of the same id, made again from its file, must not bring them back.
func (s *keyStore) Delete(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if _, err := tx.Exec(`DELETE FROM gateway_session WHERE key_id = $1`, id); err != nil {
			return err
		}
		_, err := tx.Exec(`DELETE FROM gateway_key WHERE id = $1`, id)
		return err
	})
}
