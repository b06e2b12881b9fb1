// Package sqlstore keeps the broker's mailboxes, directory and bans in a
// relational database. It implements broker.Store and judges nothing: what it
// is given has been checked.
package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/internal/sqlkit"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is a broker.Store on a database.
type Store struct{ db *sqlkit.DB }

var _ broker.Store = (*Store)(nil)

// Open opens the database, see sqlkit.Open for dsn.
func Open(ctx context.Context, dsn string) (*Store, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	db, err := sqlkit.Open(ctx, dsn, files, sqlkit.Options{})
	if err != nil {
		return nil, err
	}
	return &Store{db: db}, nil
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var n int
	return s.db.QueryRow(ctx, `SELECT 1`).Scan(&n)
}

// EnsureMailbox implements broker.Store.
func (s *Store) EnsureMailbox(ctx context.Context, m broker.Mailbox, limit int) (out broker.Mailbox, created bool, err error) {
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		created = false // a group may run this twice
		out, err = scanMailbox(tx.QueryRow(`SELECT addr, did, inst, pp, created, login FROM mailboxes WHERE addr = $1`, m.Addr))
		if err == nil {
			out.Login = m.Login
			_, err := tx.Exec(`UPDATE mailboxes SET login = $2 WHERE addr = $1`, m.Addr, m.Login)
			return err
		}
		if !sqlkit.IsNoRows(err) {
			return err
		}
		var n int
		if err := tx.QueryRow(`SELECT COUNT(*) FROM mailboxes`).Scan(&n); err != nil {
			return err
		}
		if n >= limit {
			return broker.ErrFull
		}
		out, created = m, true
		_, err := tx.Exec(`INSERT INTO mailboxes (addr, did, inst, pp, created, login) VALUES ($1, $2, $3, $4, $5, $6)`,
			m.Addr, m.DID, int64(m.Inst), m.PP, m.Created, m.Login)
		return err
	})
	return out, created && err == nil, wrap("mailbox", err)
}

// scanner is a row.
type scanner interface{ Scan(...any) error }

func scanMailbox(r scanner) (m broker.Mailbox, err error) {
	var inst int64
	err = r.Scan(&m.Addr, &m.DID, &inst, &m.PP, &m.Created, &m.Login)
	m.Inst = uint64(inst)
	return m, err
}

// Mailbox implements broker.Store.
func (s *Store) Mailbox(ctx context.Context, addr string) (broker.Mailbox, error) {
	m, err := scanMailbox(s.db.QueryRow(ctx, `SELECT addr, did, inst, pp, created, login FROM mailboxes WHERE addr = $1`, addr))
	return m, wrap("mailbox", err)
}

// Mailboxes implements broker.Store.
func (s *Store) Mailboxes(ctx context.Context, after string, limit int) ([]broker.Mailbox, error) {
	rows, err := s.db.Query(ctx, `SELECT addr, did, inst, pp, created, login FROM mailboxes WHERE addr > $1 ORDER BY addr LIMIT $2`, after, limit)
	return collect(rows, err, func(r *sql.Rows) (broker.Mailbox, error) { return scanMailbox(r) })
}

// Put implements broker.Store.
func (s *Store) Put(ctx context.Context, o broker.Object, quota int64) (stored bool, err error) {
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		stored = false
		var until int64
		err := tx.QueryRow(`SELECT expires FROM objects WHERE kind = $1 AND digest = $2`, string(o.Kind), o.Digest.String()).Scan(&until)
		if err == nil && until < o.Expires {
			_, err = tx.Exec(`UPDATE objects SET expires = $3 WHERE kind = $1 AND digest = $2`, string(o.Kind), o.Digest.String(), o.Expires)
		}
		if !sqlkit.IsNoRows(err) {
			return err
		}
		var used int64
		if err := tx.QueryRow(`SELECT bytes FROM usage WHERE did = $1`, o.DID).Scan(&used); err != nil && !sqlkit.IsNoRows(err) {
			return err
		}
		size := int64(len(o.Bytes))
		if used+size > quota {
			return broker.ErrQuota
		}
		if _, err := tx.Exec(`INSERT INTO usage (did, bytes) VALUES ($1, $2) ON CONFLICT (did) DO UPDATE SET bytes = usage.bytes + excluded.bytes`, o.DID, size); err != nil {
			return err
		}
		stored = true
		_, err = tx.Exec(`INSERT INTO objects (kind, digest, did, inst, bytes, size, expires, created, cert, gen, nbf, naf, name, version, revision, schema)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
			string(o.Kind), o.Digest.String(), o.DID, int64(o.Inst), o.Bytes, size, o.Expires, o.Created, hexOf(o.Cert), int64(o.Gen),
			o.NBF, o.NAF, o.Name, o.Version, int64(o.Revision), hexOf(o.Schema))
		return err
	})
	return stored && err == nil, wrap("object", err)
}

const objectColumns = `kind, digest, did, inst, bytes, expires, created, cert, gen, nbf, naf, name, version, revision, schema`

func scanObject(r scanner) (o broker.Object, err error) {
	var kind, digest, cert, schema string
	var inst, gen, revision int64
	if err := r.Scan(&kind, &digest, &o.DID, &inst, &o.Bytes, &o.Expires, &o.Created, &cert, &gen, &o.NBF, &o.NAF, &o.Name, &o.Version, &revision, &schema); err != nil {
		return o, err
	}
	o.Kind, o.Inst, o.Gen, o.Revision = broker.Kind(kind), uint64(inst), uint64(gen), uint64(revision)
	for _, d := range []struct {
		to   *envelope.Digest
		text string
	}{{&o.Digest, digest}, {&o.Cert, cert}, {&o.Schema, schema}} {
		if *d.to, err = digestOf(d.text); err != nil {
			return o, err
		}
	}
	return o, nil
}

// Get implements broker.Store.
func (s *Store) Get(ctx context.Context, kind broker.Kind, digest envelope.Digest) (broker.Object, error) {
	o, err := scanObject(s.db.QueryRow(ctx, `SELECT `+objectColumns+` FROM objects WHERE kind = $1 AND digest = $2`, string(kind), digest.String()))
	return o, wrap("object", err)
}

// Instances implements broker.Store.
func (s *Store) Instances(ctx context.Context, did, addr string, now int64) ([]broker.Instance, error) {
	const newest = `SELECT m.addr, m.did, m.inst, m.pp, m.created, m.login,
		COALESCE((SELECT o.digest FROM objects o WHERE o.did = m.did AND o.inst = m.inst AND o.kind = 'cert'
			AND o.naf > $1 AND o.gen >= COALESCE((SELECT floor FROM floors f WHERE f.did = m.did AND f.inst = m.inst), 0)
			ORDER BY o.gen DESC, o.nbf DESC, o.created DESC LIMIT 1), ''),
		COALESCE((SELECT o.digest FROM objects o WHERE o.did = m.did AND o.inst = m.inst AND o.kind = 'package'
			AND o.naf > $1 AND o.gen >= COALESCE((SELECT floor FROM floors f WHERE f.did = m.did AND f.inst = m.inst), 0)
			ORDER BY o.gen DESC, o.created DESC LIMIT 1), '')
		FROM mailboxes m`
	var rows *sql.Rows
	var err error
	if did != "" {
		rows, err = s.db.Query(ctx, newest+` WHERE m.did = $2 ORDER BY m.inst`, now, did)
	} else {
		rows, err = s.db.Query(ctx, newest+` WHERE m.addr = $2`, now, addr)
	}
	return collect(rows, err, func(r *sql.Rows) (in broker.Instance, err error) {
		var inst int64
		var cert, pkg string
		if err := r.Scan(&in.Addr, &in.DID, &inst, &in.PP, &in.Created, &in.Login, &cert, &pkg); err != nil {
			return in, err
		}
		in.Inst = uint64(inst)
		if in.Cert, err = digestOf(cert); err == nil {
			in.Pkg, err = digestOf(pkg)
		}
		return in, err
	})
}

// Records implements broker.Store.
func (s *Store) Records(ctx context.Context, name string, limit int) ([]broker.Object, error) {
	rows, err := s.db.Query(ctx, `SELECT `+objectColumns+` FROM objects WHERE name = $1 AND kind = 'topic' ORDER BY version, revision DESC LIMIT $2`, name, limit)
	return collect(rows, err, func(r *sql.Rows) (broker.Object, error) { return scanObject(r) })
}

// RaiseFloor implements broker.Store.
func (s *Store) RaiseFloor(ctx context.Context, did string, inst, floor uint64) (uint64, error) {
	const query = `SELECT floor FROM floors WHERE did = $1 AND inst = $2`
	var known int64
	err := s.db.QueryRow(ctx, query, did, int64(inst)).Scan(&known)
	if err != nil && !sqlkit.IsNoRows(err) {
		return 0, wrap("floor", err)
	}
	if floor <= uint64(known) {
		return uint64(known), nil
	}
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(`INSERT INTO floors (did, inst, floor) VALUES ($1, $2, $3)
			ON CONFLICT (did, inst) DO UPDATE SET floor = excluded.floor WHERE floors.floor < excluded.floor`, did, int64(inst), int64(floor))
		if err != nil {
			return err
		}
		return tx.QueryRow(query, did, int64(inst)).Scan(&known)
	})
	return uint64(known), wrap("floor", err)
}

// Expire implements broker.Store.
func (s *Store) Expire(ctx context.Context, now int64, limit int) (removed int, err error) {
	type gone struct {
		kind, digest, did string
		size              int64
	}
	rows, err := s.db.Query(ctx, `SELECT kind, digest, did, size FROM objects WHERE expires < $1 ORDER BY expires LIMIT $2`, now, limit)
	all, err := collect(rows, err, func(r *sql.Rows) (gone, error) {
		var g gone
		err := r.Scan(&g.kind, &g.digest, &g.did, &g.size)
		return g, err
	})
	if err != nil || len(all) == 0 {
		return 0, err
	}
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		removed = 0
		for _, g := range all {
			// It may be kept for longer meanwhile.
			res, err := tx.Exec(`DELETE FROM objects WHERE kind = $1 AND digest = $2 AND expires < $3`, g.kind, g.digest, now)
			if err != nil {
				return err
			}
			if n, err := res.RowsAffected(); err != nil || n == 0 {
				continue
			}
			removed++
			if _, err := tx.Exec(`UPDATE usage SET bytes = bytes - $2 WHERE did = $1`, g.did, g.size); err != nil {
				return err
			}
		}
		return nil
	})
	return removed, wrap("expired objects", err)
}

// Ban implements broker.Store.
func (s *Store) Ban(ctx context.Context, b broker.Ban) error {
	return wrap("ban", s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(`INSERT INTO bans (addr, until, void_before, reason, floor) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (addr) DO UPDATE SET until = excluded.until, void_before = excluded.void_before, reason = excluded.reason, floor = excluded.floor`,
			b.Addr, b.Until, b.Before, b.Reason, int64(b.Floor))
		return err
	}))
}

// Bans implements broker.Store.
func (s *Store) Bans(ctx context.Context) ([]broker.Ban, error) {
	rows, err := s.db.Query(ctx, `SELECT addr, until, void_before, reason, floor FROM bans ORDER BY addr`)
	return collect(rows, err, func(r *sql.Rows) (broker.Ban, error) {
		var b broker.Ban
		var floor int64
		err := r.Scan(&b.Addr, &b.Until, &b.Before, &b.Reason, &floor)
		b.Floor = uint64(floor)
		return b, err
	})
}

func collect[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, wrap("query", err)
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, wrap("row", err)
		}
		out = append(out, v)
	}
	return out, wrap("query", rows.Err())
}

func hexOf(d envelope.Digest) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}

func digestOf(s string) (envelope.Digest, error) {
	if s == "" {
		return envelope.Digest{}, nil
	}
	return envelope.ParseDigest(s)
}

// wrap says what failed, and turns an absent row into broker.ErrNotFound.
func wrap(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case sqlkit.IsNoRows(err):
		return broker.ErrNotFound
	}
	return fmt.Errorf("broker store: %s: %w", what, err)
}
