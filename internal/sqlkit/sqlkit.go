// Package sqlkit opens a relational database and writes to it in groups.
//
// Every store of the project speaks one portable SQL: placeholders $1, $2, …;
// BIGINT and TEXT; {{blob}} and {{serial}} in migrations for the two types that
// have no common name; INSERT … ON CONFLICT. SQLite (pure Go, WAL, synchronous
// FULL) is embedded. PostgreSQL joins behind the same functions.
//
// Write is a group commit: callers that arrive while a transaction is being
// made durable share the next one, each under its own savepoint. That is what
// makes one fsync pay for many messages, and the only way writes happen here.
//
// It is not an ORM and it hides no SQL.
package sqlkit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	_ "modernc.org/sqlite" // the embedded database
)

// Defaults of Options.
const (
	DefaultMaxGroup = 512 // writers that may share one transaction
	DefaultReaders  = 4   // read connections
)

// Options tune a database; the zero value is the default.
type Options struct {
	MaxGroup int // writers that may share one transaction
	Readers  int // size of the read pool
}

// ErrClosed is returned by Write after Close.
var ErrClosed = errors.New("database is closed")

// DB is an open database. Its methods may be called from many goroutines.
type DB struct {
	write *sql.DB // one connection
	read  *sql.DB
	conn  *sql.Conn
	stmts map[string]*sql.Stmt

	reads *statements

	queue    chan *job
	maxGroup int
	done     chan struct{} // closed when the writer has stopped
	mu       sync.RWMutex  // guards closed against senders on queue
	closed   bool
}

// Open opens the database named by dsn, "sqlite:<path>", and brings its schema
// up to date with the numbered *.sql files at the root of migrations. Folders
// on the path are made with mode 0700.
func Open(ctx context.Context, dsn string, migrations fs.FS, o Options) (*DB, error) {
	path, ok := strings.CutPrefix(dsn, "sqlite:")
	if !ok {
		scheme, _, _ := strings.Cut(dsn, ":")
		return nil, fmt.Errorf("database %q is not known: use sqlite:<path>", scheme)
	}
	if o.MaxGroup <= 0 {
		o.MaxGroup = DefaultMaxGroup
	}
	if o.Readers <= 0 {
		o.Readers = DefaultReaders
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make database folder: %w", err)
	}
	write, err := sql.Open("sqlite", sqliteDSN(path, false))
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	write.SetMaxOpenConns(1)
	conn, err := write.Conn(ctx)
	if err != nil {
		write.Close()
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	if err := migrate(ctx, conn, migrations); err != nil {
		conn.Close()
		write.Close()
		return nil, fmt.Errorf("migrate database %s: %w", path, err)
	}
	read, err := sql.Open("sqlite", sqliteDSN(path, true))
	if err != nil {
		conn.Close()
		write.Close()
		return nil, fmt.Errorf("open database: %w", err)
	}
	read.SetMaxOpenConns(o.Readers)
	read.SetMaxIdleConns(o.Readers)
	db := &DB{
		write: write, read: read, conn: conn, stmts: make(map[string]*sql.Stmt),
		reads: &statements{db: read, m: make(map[string]*sql.Stmt)},
		queue: make(chan *job, o.MaxGroup), maxGroup: o.MaxGroup, done: make(chan struct{}),
	}
	go db.writer()
	return db, nil
}

// sqliteDSN returns the driver's name for the file with the project's pragmas:
// WAL with synchronous FULL makes a commit durable when it returns. The log is
// moved into the database every 16 MB: what was dropped meanwhile, such as the
// bytes of delivered messages, is then never written a second time. The writer
// keeps 8 MB of pages, since it reads again what it changes; a reader 1 MB:
// readers are many, and the system's page cache is behind them.
func sqliteDSN(path string, readonly bool) string {
	q := url.Values{}
	for _, p := range []string{"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "temp_store(MEMORY)", "wal_autocheckpoint(4000)"} {
		q.Add("_pragma", p)
	}
	if readonly {
		q.Add("_pragma", "query_only(1)")
		q.Add("_pragma", "cache_size(-1000)")
	} else {
		q.Set("_txlock", "immediate")
		q.Add("_pragma", "cache_size(-8000)")
	}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}).String()
}

// Close waits for the writes already accepted and closes the database.
func (db *DB) Close() error {
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		return nil
	}
	db.closed = true
	close(db.queue)
	db.mu.Unlock()
	<-db.done
	for _, s := range db.stmts {
		s.Close()
	}
	db.reads.close()
	return errors.Join(db.conn.Close(), db.write.Close(), db.read.Close())
}
