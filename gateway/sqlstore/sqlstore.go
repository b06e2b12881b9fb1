// Package sqlstore keeps what a client gateway must not forget in one
// relational database: outbox, trust, intake, inbox, cursors, channels, events
// and keys. Each room of the gateway defines the small Store interface it
// needs; this package is the SQL behind them, one file per interface and one
// numbered migration per room.
//
// It holds no rules of the protocol, starts no goroutines and gives no secret
// in clear to the disk: callers hand it what is already wrapped or sealed.
package sqlstore

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/digital-spine/spine/internal/sqlkit"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is an open gateway database. Its methods may be called from many
// goroutines; every write goes through the group commit of package sqlkit.
type Store struct{ db *sqlkit.DB }

// Open opens the database named by dsn ("sqlite:<path>") and brings its schema
// up to date.
func Open(ctx context.Context, dsn string, o sqlkit.Options) (*Store, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	db, err := sqlkit.Open(ctx, dsn, files, o)
	if err != nil {
		return nil, fmt.Errorf("open gateway store: %w", err)
	}
	return &Store{db: db}, nil
}

// DB returns the database, for the files of this package and for tests.
func (s *Store) DB() *sqlkit.DB { return s.db }

// Close waits for accepted writes and closes the database.
func (s *Store) Close() error { return s.db.Close() }
