package sqlstore

import (
	"context"
	"fmt"
	"strconv"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/files"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// Files returns the SQL behind gateway/files.
func (s *Store) Files() files.Store { return (*fileStore)(s) }

type fileStore Store

// fileColumns are read in this order by scanFile; the tail is part -1.
const fileColumns = `f.n, f.id, f.direction, f.state, f.code, f.size, f.bytes, f.at, f.touched, f.keep, f.pushed, f.channel, f.peer, f.oid,
	f.inline, f.send, f.passed, f.meta, f.mark, f.charged, p.hash
	FROM file f LEFT JOIN file_part p ON p.file = f.n AND p.idx = -1`

func scanFile(row scanner) (n int64, r files.Row, err error) {
	var oid, tail []byte
	var inline, send int64
	err = row.Scan(&n, &r.ID, &r.Direction, &r.State, &r.Code, &r.Size, &r.Bytes, &r.At, &r.Touched, &r.Keep, &r.Pushed, &r.Channel, &r.From, &oid,
		&inline, &send, &r.Passed, &r.Meta, &r.Mark, &r.Charged, &tail)
	if err != nil {
		return 0, r, err
	}
	copy(r.OID[:], oid)
	r.Inline, r.Send = inline != 0, send != 0
	if len(tail) == len(envelope.Digest{}) {
		r.Tail = new(envelope.Digest(tail))
	}
	return n, r, nil
}

func oneFile(row scanner) (int64, *files.Row, error) {
	n, r, err := scanFile(row)
	if sqlkit.IsNoRows(err) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read file: %w", err)
	}
	return n, &r, nil
}

// Key implements files.Store.
func (s *fileStore) Key(ctx context.Context) ([]byte, error) {
	var b []byte
	err := s.db.QueryRow(ctx, `SELECT wrapped FROM file_key WHERE one = 1`).Scan(&b)
	if sqlkit.IsNoRows(err) {
		return nil, nil
	}
	return b, err
}

// SetKey implements files.Store.
func (s *fileStore) SetKey(ctx context.Context, wrapped []byte) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(`INSERT INTO file_key (one, wrapped) VALUES (1, $1)`, wrapped)
		return err
	})
}

// Add implements files.Store.
func (s *fileStore) Add(ctx context.Context, r *files.Row, parts []envelope.Digest, messages ...string) (existing *files.Row, err error) {
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		existing = nil
		if r.Direction == files.In {
			_, had, err := oneFile(tx.QueryRow(`SELECT `+fileColumns+` WHERE f.direction = 'in' AND f.peer = $1 AND f.oid = $2`, r.From, r.OID[:]))
			if err != nil || had != nil {
				existing = had
				return err
			}
		}
		var n int64
		err := tx.QueryRow(`INSERT INTO file (id, direction, state, code, size, bytes, at, touched, keep, pushed, channel, peer, oid, inline, send, passed, meta, mark, charged)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) RETURNING n`,
			r.ID, r.Direction, r.State, r.Code, r.Size, r.Bytes, r.At, r.Touched, r.Keep, r.Pushed, r.Channel, r.From, r.OID[:],
			flag(r.Inline), flag(r.Send), some(r.Passed), some(r.Meta), some(r.Mark), r.Charged).Scan(&n)
		if err != nil {
			return fmt.Errorf("store file: %w", err)
		}
		for _, m := range messages {
			if _, err := note(tx, r.ID, m); err != nil {
				return err
			}
		}
		return addParts(tx, n, 0, parts)
	})
	return existing, err
}

func addParts(tx *sqlkit.Tx, n int64, from int, parts []envelope.Digest) error {
	for i, h := range parts {
		if _, err := tx.Exec(`INSERT INTO file_part (file, idx, hash) VALUES ($1, $2, $3)`, n, from+i, h[:]); err != nil {
			return fmt.Errorf("store part: %w", err)
		}
	}
	return nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// some keeps NULL out of columns that are NOT NULL.
func some(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Row implements files.Store.
func (s *fileStore) Row(ctx context.Context, id string) (*files.Row, error) {
	_, r, err := oneFile(s.db.QueryRow(ctx, `SELECT `+fileColumns+` WHERE f.id = $1`, id))
	return r, err
}

// Received implements files.Store.
func (s *fileStore) Received(ctx context.Context, from string, oid [16]byte) (*files.Row, error) {
	_, r, err := oneFile(s.db.QueryRow(ctx, `SELECT `+fileColumns+` WHERE f.direction = 'in' AND f.peer = $1 AND f.oid = $2`, from, oid[:]))
	return r, err
}

// Parts implements files.Store.
func (s *fileStore) Parts(ctx context.Context, id string) ([]envelope.Digest, error) {
	rows, err := s.db.Query(ctx, `SELECT p.hash FROM file f JOIN file_part p ON p.file = f.n WHERE f.id = $1 AND p.idx >= 0 ORDER BY p.idx`, id)
	out, err := collect(rows, err, scanDigest)
	if err != nil {
		return nil, fmt.Errorf("read parts: %w", err)
	}
	return out, nil
}

func scanDigest(scan func(...any) error) (d envelope.Digest, err error) {
	var b []byte
	err = scan(&b)
	copy(d[:], b)
	return d, err
}

// Change implements files.Store.
func (s *fileStore) Change(ctx context.Context, id string, fn func(*files.Row) error, parts ...envelope.Digest) (out *files.Row, err error) {
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		out = nil
		n, r, err := oneFile(tx.QueryRow(`SELECT `+fileColumns+` WHERE f.id = $1`, id))
		if err != nil || r == nil {
			return err
		}
		tail := r.Tail
		if err := fn(r); err != nil {
			return err
		}
		_, err = tx.Exec(`UPDATE file SET direction = $1, state = $2, code = $3, size = $4, bytes = $5, touched = $6, keep = $7, pushed = $8, channel = $9,
			send = $10, passed = $11, meta = $12, mark = $13, charged = $14 WHERE n = $15`,
			r.Direction, r.State, r.Code, r.Size, r.Bytes, r.Touched, r.Keep, r.Pushed, r.Channel, flag(r.Send), some(r.Passed), some(r.Meta), some(r.Mark), r.Charged, n)
		if err != nil {
			return fmt.Errorf("store file: %w", err)
		}
		if tail != nil && (r.Tail == nil || *r.Tail != *tail) {
			if _, err := tx.Exec(`DELETE FROM file_part WHERE file = $1 AND idx = -1`, n); err != nil {
				return fmt.Errorf("store tail: %w", err)
			}
			tail = nil
		}
		if r.Tail != nil && tail == nil {
			if err := addParts(tx, n, -1, []envelope.Digest{*r.Tail}); err != nil {
				return err
			}
		}
		if len(parts) > 0 {
			var next int
			if err := tx.QueryRow(`SELECT COALESCE(MAX(idx) + 1, 0) FROM file_part WHERE file = $1 AND idx >= 0`, n).Scan(&next); err != nil {
				return fmt.Errorf("read parts: %w", err)
			}
			if err := addParts(tx, n, next, parts); err != nil {
				return err
			}
		}
		out = r
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// List implements files.Store.
func (s *fileStore) List(ctx context.Context, f files.Filter) ([]files.Listed, error) {
	before := int64(1) << 62
	if f.Before != "" {
		n, err := strconv.ParseInt(f.Before, 10, 64)
		if err != nil {
			return nil, nil // no such place: nothing is older
		}
		before = n
	}
	rows, err := s.db.Query(ctx, `SELECT `+fileColumns+` WHERE f.n < $1 AND f.inline = 0 AND ($2 = '' OR f.direction = $2) ORDER BY f.n DESC LIMIT $3`, before, f.Direction, f.Max)
	if err != nil {
		return nil, fmt.Errorf("list files: %w", err)
	}
	defer rows.Close()
	var out []files.Listed
	for rows.Next() {
		n, r, err := scanFile(rows)
		if err != nil {
			return nil, fmt.Errorf("list files: %w", err)
		}
		out = append(out, files.Listed{Row: r, Cursor: strconv.FormatInt(n, 10)})
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	rows.Close()
	for i := range out {
		if out[i].Messages, err = s.Messages(ctx, out[i].ID); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Note implements files.Store.
func (s *fileStore) Note(ctx context.Context, id, message string, at int64) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		fresh, err := note(tx, id, message)
		if err != nil || !fresh {
			return err
		}
		_, err = tx.Exec(`UPDATE file SET touched = $1 WHERE id = $2 AND touched < $1`, at, id)
		return err
	})
}

func note(tx *sqlkit.Tx, id, message string) (fresh bool, err error) {
	r, err := tx.Exec(`INSERT INTO file_message (file, k, message)
		SELECT f.n, COALESCE((SELECT MAX(m.k) + 1 FROM file_message m WHERE m.file = f.n), 0), $2 FROM file f WHERE f.id = $1
		ON CONFLICT (file, message) DO NOTHING`, id, message)
	if err != nil {
		return false, fmt.Errorf("note message of file: %w", err)
	}
	n, err := r.RowsAffected()
	return n > 0, err
}

// Sent implements files.Store.
func (s *fileStore) Sent(ctx context.Context, id, message, channel string) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if _, err := note(tx, id, message); err != nil {
			return err
		}
		_, err := tx.Exec(`UPDATE file SET direction = 'out', channel = $1, send = 0 WHERE id = $2 AND direction <> 'in'`, channel, id)
		return err
	})
}

// Messages implements files.Store.
func (s *fileStore) Messages(ctx context.Context, id string) ([]string, error) {
	rows, err := s.db.Query(ctx, `SELECT m.message FROM file f JOIN file_message m ON m.file = f.n WHERE f.id = $1 ORDER BY m.k LIMIT 100`, id)
	out, err := collect(rows, err, scanText)
	if err != nil {
		return nil, fmt.Errorf("read messages of file: %w", err)
	}
	return out, nil
}

// Used implements files.Store.
func (s *fileStore) Used(ctx context.Context) (n int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT COALESCE(SUM(charged), 0) FROM file`).Scan(&n)
	return n, err
}

// UsedFrom implements files.Store.
func (s *fileStore) UsedFrom(ctx context.Context, from string) (n int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT COALESCE(SUM(charged), 0) FROM file WHERE direction = 'in' AND peer = $1`, from).Scan(&n)
	return n, err
}

// Due implements files.Store.
func (s *fileStore) Due(ctx context.Context, d files.Due, before int64, max int) ([]files.Row, error) {
	return s.rows(ctx, `SELECT `+fileColumns+` WHERE f.touched < $1 AND f.keep < $1 AND ($2 = '' OR f.state = $2) AND ($3 = '' OR f.direction = $3) AND f.inline >= $4
		ORDER BY f.touched, f.n LIMIT $5`, before, d.State, d.Direction, flag(d.Inline), max)
}

// Pending implements files.Store.
func (s *fileStore) Pending(ctx context.Context) ([]files.Row, error) {
	return s.rows(ctx, `SELECT `+fileColumns+` WHERE f.state = 'pushing' OR f.state = 'ready' AND f.send <> 0 ORDER BY f.n`)
}

func (s *fileStore) rows(ctx context.Context, query string, args ...any) ([]files.Row, error) {
	rows, err := s.db.Query(ctx, query, args...)
	out, err := gather(rows, err, func() (files.Row, error) {
		_, r, err := scanFile(rows)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("read files: %w", err)
	}
	return out, nil
}

// Claimed implements files.Store.
func (s *fileStore) Claimed(ctx context.Context, hashes []envelope.Digest) (map[envelope.Digest]bool, error) {
	out := make(map[envelope.Digest]bool, len(hashes))
	for _, h := range hashes {
		var n int64
		if err := s.db.QueryRow(ctx, `SELECT COUNT(*) FROM file_part WHERE hash = $1`, h[:]).Scan(&n); err != nil {
			return nil, fmt.Errorf("read parts: %w", err)
		}
		if n > 0 {
			out[h] = true
		}
	}
	return out, nil
}
