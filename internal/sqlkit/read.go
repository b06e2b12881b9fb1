package sqlkit

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// Row is the result of QueryRow.
type Row struct {
	row *sql.Row
	err error
}

// Scan copies the columns into dest; sql.ErrNoRows when there is no row.
func (r *Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	return r.row.Scan(dest...)
}

// statements is a cache of prepared statements of a pool. The project's
// queries are constants, so it is bounded by the source code.
type statements struct {
	db *sql.DB
	mu sync.RWMutex
	m  map[string]*sql.Stmt
}

func (s *statements) get(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.RLock()
	st, ok := s.m[query]
	s.mu.RUnlock()
	if ok {
		return st, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st, ok = s.m[query]; ok {
		return st, nil
	}
	st, err := s.db.PrepareContext(ctx, query)
	if err == nil {
		s.m[query] = st
	}
	return st, err
}

func (s *statements) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.m {
		st.Close()
	}
}

// Query runs a query on a read connection. It sees all that was committed
// before. The query text must be a constant: its statement is kept.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := db.reads.get(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// QueryRow runs a query for at most one row on a read connection.
func (db *DB) QueryRow(ctx context.Context, query string, args ...any) *Row {
	s, err := db.reads.get(ctx, query)
	if err != nil {
		return &Row{err: err}
	}
	return &Row{row: s.QueryRowContext(ctx, args...)}
}

// IsNoRows reports whether err says that a query found nothing.
func IsNoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// IsUnknown reports whether err came from a commit whose outcome is unknown:
// the change may or may not be there.
func IsUnknown(err error) bool {
	var u *unknown
	return errors.As(err, &u)
}
