package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/digital-spine/spine/hub"
	"github.com/digital-spine/spine/internal/sqlkit"
)

const enrolmentColumns = `SELECT id, role, subject, status, digest, reason, requested, decided FROM enrolments `

func scanEnrolment(scan func(...any) error, e *hub.Enrolment) error {
	return scan(&e.ID, &e.Role, &e.Subject, &e.Status, &e.Digest, &e.Reason, &e.Requested, &e.Decided)
}

// PutEnrolment implements hub.Store.
func (s *Store) PutEnrolment(ctx context.Context, e *hub.Enrolment) (*hub.Enrolment, error) {
	var out hub.Enrolment
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		err := scanEnrolment(tx.QueryRow(enrolmentColumns+`WHERE subject = $1 AND role = $2 AND status = 'requested'`, e.Subject, e.Role).Scan, &out)
		if !sqlkit.IsNoRows(err) {
			return err
		}
		var open, all int
		if err := tx.QueryRow(`SELECT COUNT(*), COALESCE(SUM(CASE WHEN status = 'requested' THEN 1 ELSE 0 END), 0) FROM enrolments WHERE subject = $1`, e.Subject).
			Scan(&all, &open); err != nil {
			return err
		}
		if open >= hub.MaxEnrolmentsOpen || all >= hub.MaxEnrolments {
			return hub.ErrQuota.WithHint(fmt.Sprintf("one subject has at most %d open enrolments and %d in all here", hub.MaxEnrolmentsOpen, hub.MaxEnrolments))
		}
		out = *e
		_, err = tx.Exec(`INSERT INTO enrolments (id, role, subject, status, digest, reason, requested, decided) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			e.ID, e.Role, e.Subject, e.Status, e.Digest, e.Reason, e.Requested, e.Decided)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// Enrolment implements hub.Store.
func (s *Store) Enrolment(ctx context.Context, id string) (*hub.Enrolment, error) {
	var e hub.Enrolment
	err := scanEnrolment(s.db.QueryRow(ctx, enrolmentColumns+`WHERE id = $1`, id).Scan, &e)
	if sqlkit.IsNoRows(err) {
		return nil, hub.ErrEnrolmentUnknown
	}
	return &e, err
}

const (
	enrolmentFilter = `WHERE ($1 = '' OR role = $1) AND ($2 = '' OR subject = $2) AND ($3 = '' OR status = $3)`
	enrolmentOrder  = ` ORDER BY requested, id LIMIT $4`
	// What an issuer may decide: roles whose definition names it, or a role
	// that it holds.
	enrolmentIssuer = ` AND role IN (SELECT role FROM role_issuers WHERE did = $5 UNION
		SELECT name FROM roles WHERE issuer_role <> '' AND issuer_role IN (SELECT role FROM credentials WHERE subject = $5 AND revoked = 0))`
)

// Enrolments implements hub.Store.
func (s *Store) Enrolments(ctx context.Context, f hub.EnrolmentFilter) ([]hub.Enrolment, error) {
	query, args := enrolmentColumns+enrolmentFilter, []any{f.Role, f.Subject, f.Status, f.Limit}
	if f.Issuer != "" {
		query, args = query+enrolmentIssuer, append(args, f.Issuer)
	}
	rows, err := s.db.Query(ctx, query+enrolmentOrder, args...)
	return collect(rows, err, func(r *sql.Rows, e *hub.Enrolment) error { return scanEnrolment(r.Scan, e) })
}

// RejectEnrolment implements hub.Store.
func (s *Store) RejectEnrolment(ctx context.Context, id, reason string, at int64) (*hub.Enrolment, error) {
	var e hub.Enrolment
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		err := scanEnrolment(tx.QueryRow(enrolmentColumns+`WHERE id = $1`, id).Scan, &e)
		switch {
		case sqlkit.IsNoRows(err):
			return hub.ErrEnrolmentUnknown
		case err != nil:
			return err
		case e.Status != hub.Requested:
			return hub.ErrEnrolmentClosed
		}
		e.Status, e.Reason, e.Decided = hub.Rejected, reason, at
		_, err = tx.Exec(`UPDATE enrolments SET status = $1, reason = $2, decided = $3 WHERE id = $4`, e.Status, e.Reason, e.Decided, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &e, nil
}
