package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/digital-spine/spine/gateway/issuer"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// Issuer returns the SQL behind gateway/issuer.
func (s *Store) Issuer() issuer.Store { return (*issuerStore)(s) }

type issuerStore Store

// Lists implements issuer.Store.
func (s *issuerStore) Lists(ctx context.Context) ([]issuer.List, error) {
	rows, err := s.db.Query(ctx, `SELECT id, raw, next, revision, published FROM issued_list ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read status lists: %w", err)
	}
	defer rows.Close()
	var out []issuer.List
	for rows.Next() {
		var l issuer.List
		if err := rows.Scan(&l.ID, &l.Raw, &l.Next, &l.Revision, &l.Published); err != nil {
			return nil, fmt.Errorf("read status lists: %w", err)
		}
		out = append(out, l)
	}
	return out, rows.Err()
}

// PutList implements issuer.Store.
func (s *issuerStore) PutList(ctx context.Context, l issuer.List) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(`INSERT INTO issued_list (id, raw, next, revision, published) VALUES ($1, $2, $3, $4, 0)
			ON CONFLICT (id) DO UPDATE SET raw = excluded.raw, revision = excluded.revision`, l.ID, l.Raw, int64(l.Next), int64(l.Revision))
		return err
	})
}

// Reserve implements issuer.Store.
func (s *issuerStore) Reserve(ctx context.Context, list string) (uint64, error) {
	var next int64
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		return tx.QueryRow(`UPDATE issued_list SET next = next + 1 WHERE id = $1 RETURNING next`, list).Scan(&next)
	})
	return uint64(next - 1), err
}

// Published implements issuer.Store.
func (s *issuerStore) Published(ctx context.Context, list string, revision uint64) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(`UPDATE issued_list SET published = $1 WHERE id = $2`, int64(revision), list)
		return err
	})
}

// Add implements issuer.Store.
func (s *issuerStore) Add(ctx context.Context, c issuer.Issued) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(`INSERT INTO issued_credential (digest, subject, role, list, idx, at, until, revoked, reason, published, enrolment, raw)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 0, '', 0, $8, $9)`,
			c.Digest[:], c.Subject, c.Role, c.List, int64(c.Index), c.At, c.Until, c.Enrolment, c.Raw)
		return err
	})
}

// Sent implements issuer.Store.
func (s *issuerStore) Sent(ctx context.Context, digest [32]byte) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(`UPDATE issued_credential SET published = 1 WHERE digest = $1`, digest[:])
		return err
	})
}

// Revoke implements issuer.Store.
func (s *issuerStore) Revoke(ctx context.Context, digest [32]byte, at int64, reason string, l issuer.List) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if _, err := tx.Exec(`UPDATE issued_credential SET revoked = $1, reason = $2 WHERE digest = $3`, at, reason, digest[:]); err != nil {
			return err
		}
		_, err := tx.Exec(`UPDATE issued_list SET raw = $1, revision = $2 WHERE id = $3`, l.Raw, int64(l.Revision), l.ID)
		return err
	})
}

const issuedColumns = `SELECT digest, subject, role, enrolment, list, idx, at, until, revoked, reason, published, raw FROM issued_credential `

// ByDigest implements issuer.Store.
func (s *issuerStore) ByDigest(ctx context.Context, digest [32]byte) (*issuer.Issued, error) {
	return one(s.issued(ctx, issuedColumns+`WHERE digest = $1`, digest[:]))
}

// ByEnrolment implements issuer.Store.
func (s *issuerStore) ByEnrolment(ctx context.Context, enrolment string) (*issuer.Issued, error) {
	return one(s.issued(ctx, issuedColumns+`WHERE enrolment = $1 ORDER BY at DESC LIMIT 1`, enrolment))
}

// All implements issuer.Store.
func (s *issuerStore) All(ctx context.Context, max int) ([]issuer.Issued, error) {
	return s.issued(ctx, issuedColumns+`ORDER BY at DESC, idx DESC LIMIT $1`, max)
}

// Unsent implements issuer.Store.
func (s *issuerStore) Unsent(ctx context.Context, now int64, max int) ([]issuer.Issued, error) {
	return s.issued(ctx, issuedColumns+`WHERE published = 0 AND revoked = 0 AND (until = 0 OR until > $1) ORDER BY at, idx LIMIT $2`, now, max)
}

func one(list []issuer.Issued, err error) (*issuer.Issued, error) {
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

func (s *issuerStore) issued(ctx context.Context, query string, args ...any) ([]issuer.Issued, error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read issued credentials: %w", err)
	}
	defer rows.Close()
	var out []issuer.Issued
	for rows.Next() {
		c, err := scanIssued(rows)
		if err != nil {
			return nil, fmt.Errorf("read issued credentials: %w", err)
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

func scanIssued(rows *sql.Rows) (c issuer.Issued, err error) {
	var digest []byte
	var published int64
	err = rows.Scan(&digest, &c.Subject, &c.Role, &c.Enrolment, &c.List, &c.Index, &c.At, &c.Until, &c.Revoked, &c.Reason, &published, &c.Raw)
	copy(c.Digest[:], digest)
	c.Published = published != 0
	return c, err
}
