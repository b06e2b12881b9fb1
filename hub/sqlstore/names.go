package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/digital-spine/spine/hub"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// reversed returns the labels in reverse order, each followed by a dot:
// "ewc.iam.edge." for edge.iam.ewc.
func reversed(name string) string {
	if name == "" {
		return ""
	}
	labels := strings.Split(name, ".")
	slices.Reverse(labels)
	return strings.Join(labels, ".") + "."
}

// PutName implements hub.Store.
func (s *Store) PutName(ctx context.Context, n *hub.Name, events []hub.Event) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if _, err := tx.Exec(`INSERT INTO names (name, reversed, kind, owner, metadata) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, owner = excluded.owner, metadata = excluded.metadata`,
			n.Name, reversed(n.Name), n.Kind, n.Owner, string(n.Metadata)); err != nil {
			return err
		}
		return appendEvents(tx, events)
	})
}

func scanName(scan func(...any) error, n *hub.Name) error {
	var metadata string
	if err := scan(&n.Name, &n.Kind, &n.Owner, &metadata); err != nil {
		return err
	}
	if metadata != "" {
		n.Metadata = json.RawMessage(metadata)
	}
	return nil
}

// Name implements hub.Store.
func (s *Store) Name(ctx context.Context, name string) (*hub.Name, error) {
	var n hub.Name
	err := scanName(s.db.QueryRow(ctx, `SELECT name, kind, owner, metadata FROM names WHERE name = $1`, name).Scan, &n)
	if sqlkit.IsNoRows(err) {
		return nil, hub.ErrNameUnknown
	}
	return &n, err
}

// Names implements hub.Store.
func (s *Store) Names(ctx context.Context, under, after string, limit int) ([]hub.Name, error) {
	from := reversed(under)
	// Labels hold no character above U+10FFFF, and "." sorts before all of
	// them, so this is everything that begins with from.
	to := from + "\U0010ffff"
	rows, err := s.db.Query(ctx, `SELECT name, kind, owner, metadata FROM names WHERE reversed >= $1 AND reversed < $2 AND reversed > $3 ORDER BY reversed LIMIT $4`,
		from, to, reversed(after), limit)
	return collect(rows, err, func(r *sql.Rows, n *hub.Name) error { return scanName(r.Scan, n) })
}

// DropName implements hub.Store.
func (s *Store) DropName(ctx context.Context, name string, events []hub.Event) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		for _, q := range []string{`DELETE FROM names WHERE name = $1`, `DELETE FROM roles WHERE name = $1`, `DELETE FROM role_issuers WHERE role = $1`} {
			if _, err := tx.Exec(q, name); err != nil {
				return err
			}
		}
		return appendEvents(tx, events)
	})
}

// PutRole implements hub.Store.
func (s *Store) PutRole(ctx context.Context, r *hub.Role, events []hub.Event) error {
	return s.writeRole(ctx, r, true, events)
}

// AddRole implements hub.Store.
func (s *Store) AddRole(ctx context.Context, r *hub.Role) error {
	return s.writeRole(ctx, r, false, nil)
}

func (s *Store) writeRole(ctx context.Context, r *hub.Role, replace bool, events []hub.Event) error {
	definition, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode role: %w", err)
	}
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		var old string
		err := tx.QueryRow(`SELECT definition FROM roles WHERE name = $1`, r.Name).Scan(&old)
		if err != nil && !sqlkit.IsNoRows(err) {
			return err
		}
		if err == nil && (!replace || old == string(definition)) {
			return appendEvents(tx, events)
		}
		if _, err := tx.Exec(`INSERT INTO roles (name, issuer_role, definition) VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET issuer_role = excluded.issuer_role, definition = excluded.definition`,
			r.Name, r.Issuers.Role, string(definition)); err != nil {
			return err
		}
		if _, err := tx.Exec(`DELETE FROM role_issuers WHERE role = $1`, r.Name); err != nil {
			return err
		}
		for _, did := range r.Issuers.DIDs {
			if _, err := tx.Exec(`INSERT INTO role_issuers (role, did) VALUES ($1, $2) ON CONFLICT (did, role) DO NOTHING`, r.Name, did); err != nil {
				return err
			}
		}
		return appendEvents(tx, events)
	})
}

// Role implements hub.Store.
func (s *Store) Role(ctx context.Context, name string) (*hub.Role, error) {
	var definition string
	err := s.db.QueryRow(ctx, `SELECT definition FROM roles WHERE name = $1`, name).Scan(&definition)
	if sqlkit.IsNoRows(err) {
		return nil, hub.ErrRoleUnknown
	}
	if err != nil {
		return nil, err
	}
	var r hub.Role
	if err := json.Unmarshal([]byte(definition), &r); err != nil {
		return nil, fmt.Errorf("stored role %s: %w", name, err)
	}
	return &r, nil
}
