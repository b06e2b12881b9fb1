package sqlstore

import (
	"context"
	"fmt"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/contacts"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// Contacts returns the SQL behind gateway/contacts.
func (s *Store) Contacts() contacts.Store { return (*contactStore)(s) }

type contactStore Store

// List implements contacts.Store.
func (s *contactStore) List(ctx context.Context) ([]gateway.Contact, error) {
	rows, err := s.db.Query(ctx, `SELECT did, name FROM contact ORDER BY did`)
	if err != nil {
		return nil, fmt.Errorf("read contacts: %w", err)
	}
	defer rows.Close()
	var out []gateway.Contact
	for rows.Next() {
		var c gateway.Contact
		if err := rows.Scan(&c.DID, &c.Name); err != nil {
			return nil, fmt.Errorf("read contacts: %w", err)
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

// Put implements contacts.Store.
func (s *contactStore) Put(ctx context.Context, c gateway.Contact) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(`INSERT INTO contact (did, name) VALUES ($1, $2) ON CONFLICT (did) DO UPDATE SET name = excluded.name`, c.DID, c.Name)
		return err
	})
}

// Delete implements contacts.Store.
func (s *contactStore) Delete(ctx context.Context, did string) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(`DELETE FROM contact WHERE did = $1`, did)
		return err
	})
}
