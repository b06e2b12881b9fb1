package sqlkit

import (
	"context"
	"database/sql"
	"fmt"
	"runtime/debug"
)

// Tx is the transaction a Write function works in. It is valid until the
// function returns, and it is used by that function's goroutine alone.
type Tx struct {
	db *DB
	tx *sql.Tx
	// ctx is not the caller's: a caller that goes away must not tear down the
	// transaction of the others in its group.
	ctx context.Context
	// rows were handed out to the function that runs now. One that panics leaves
	// them open: their statement could not be used again, nor the database closed.
	rows []*sql.Rows
}

// job is one caller's part of a group.
type job struct {
	ctx  context.Context
	fn   func(*Tx) error
	err  error
	done chan struct{}
}

// Write runs fn in a transaction and returns after it is durable. Writers that
// wait at the same time share one transaction; each has a savepoint of its
// own, so an error of fn undoes that caller's changes alone. fn must not block
// on anything but the database, and it may run after ctx has ended: a nil error
// means committed, any other error means not committed, except for an error
// of the commit itself, whose outcome is unknown (IsUnknown).
func (db *DB) Write(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{ctx: ctx, fn: fn, done: make(chan struct{})}
	db.mu.RLock()
	if db.closed {
		db.mu.RUnlock()
		return ErrClosed
	}
	// The queue is bounded: a full one makes callers wait, with the lock held
	// for reading, which only delays Close.
	select {
	case db.queue <- j:
		db.mu.RUnlock()
	case <-ctx.Done():
		db.mu.RUnlock()
		return ctx.Err()
	}
	<-j.done
	return j.err
}

// writer is the one goroutine that writes.
func (db *DB) writer() {
	defer close(db.done)
	group := make([]*job, 0, db.maxGroup)
	for j := range db.queue {
		group = append(group[:0], j)
	gather:
		for len(group) < db.maxGroup {
			select {
			case more, ok := <-db.queue:
				if !ok {
					break gather
				}
				group = append(group, more)
			default:
				break gather
			}
		}
		db.commit(group)
		for i, j := range group {
			close(j.done)
			group[i] = nil
		}
	}
}

// commit runs a group in one transaction and sets each job's error.
func (db *DB) commit(group []*job) {
	ctx := context.Background()
	fail := func(err error) {
		for _, j := range group {
			if j.err == nil {
				j.err = err
			}
		}
	}
	tx, err := db.conn.BeginTx(ctx, nil)
	if err != nil {
		fail(fmt.Errorf("begin: %w", err))
		return
	}
	t := &Tx{db: db, tx: tx, ctx: ctx}
	if len(group) == 1 {
		if j := group[0]; j.ctx.Err() != nil {
			j.err = j.ctx.Err()
		} else {
			j.err = run(j.fn, t)
		}
		if group[0].err != nil {
			_ = tx.Rollback()
			return
		}
	} else {
		for _, j := range group {
			if j.err = j.ctx.Err(); j.err != nil {
				continue
			}
			if err := t.savepoint(j); err != nil {
				_ = tx.Rollback()
				fail(fmt.Errorf("savepoint: %w", err))
				return
			}
		}
	}
	if err := tx.Commit(); err != nil {
		_ = tx.Rollback()
		fail(&unknown{err})
	}
}

// savepoint runs one job of a group; a returned error is the group's.
func (t *Tx) savepoint(j *job) error {
	if _, err := t.Exec("SAVEPOINT one"); err != nil {
		return err
	}
	if j.err = run(j.fn, t); j.err != nil {
		if _, err := t.Exec("ROLLBACK TO SAVEPOINT one"); err != nil {
			return err
		}
	}
	_, err := t.Exec("RELEASE SAVEPOINT one")
	return err
}

// run calls fn and turns a panic into an error, because a panic here would take
// every other writer with it.
func run(fn func(*Tx) error, t *Tx) (err error) {
	defer func() {
		for _, r := range t.rows {
			r.Close()
		}
		t.rows = t.rows[:0]
	}()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("write function panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return fn(t)
}

// stmt returns the prepared statement of query on the write connection. It runs
// in the transaction because that is open on the same connection; Tx.StmtContext
// would prepare it again every time.
func (t *Tx) stmt(query string) (*sql.Stmt, error) {
	s, ok := t.db.stmts[query]
	if !ok {
		var err error
		if s, err = t.db.conn.PrepareContext(t.ctx, query); err != nil {
			return nil, err
		}
		t.db.stmts[query] = s
	}
	return s, nil
}

// Exec runs a statement.
func (t *Tx) Exec(query string, args ...any) (sql.Result, error) {
	s, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(t.ctx, args...)
}

// Query runs a query; its rows must be closed before the next statement.
func (t *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	s, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(t.ctx, args...)
	if err == nil {
		t.rows = append(t.rows, rows)
	}
	return rows, err
}

// QueryRow runs a query for at most one row.
func (t *Tx) QueryRow(query string, args ...any) *Row {
	s, err := t.stmt(query)
	if err != nil {
		return &Row{err: err}
	}
	return &Row{row: s.QueryRowContext(t.ctx, args...)}
}

// unknown is a commit whose outcome the database did not tell.
type unknown struct{ err error }

func (u *unknown) Error() string { return "commit, outcome unknown: " + u.err.Error() }
func (u *unknown) Unwrap() error { return u.err }
