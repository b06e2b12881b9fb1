package sqlstore

import (
	"context"
	"fmt"
	"math"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/files"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// underWay tells, of a column or parameter with the id of a file, whether a
// message carries it that waits, or that somebody may still ask for. What
// becomes of the file is decided by it in one transaction: a message may come to
// need the file at any time.
func underWay(file string) string {
	return `EXISTS (SELECT 1 FROM outbox_files g JOIN outbox_messages m ON m.id = g.id LEFT JOIN outbox_waiting w ON w.id = g.id
		LEFT JOIN outbox_envelopes e ON e.sid = m.sid AND e.seq = m.seq
		WHERE g.file = ` + file + ` AND (w.held < 2 OR e.bytes IS NOT NULL))`
}

// Release implements files.Store.
func (s *fileStore) Release(ctx context.Context, id string) (out *files.Row, err error) {
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		out = nil
		if _, err := tx.Exec(`UPDATE file SET keep = 0 WHERE id = $1 AND NOT `+underWay("file.id"), id); err != nil {
			return fmt.Errorf("release file: %w", err)
		}
		_, out, err = oneFile(tx.QueryRow(`SELECT `+fileColumns+` WHERE f.id = $1 AND NOT `+underWay("f.id"), id))
		return err
	})
	return out, err
}

// Remove implements files.Store.
func (s *fileStore) Remove(ctx context.Context, id string) (orphans []envelope.Digest, err error) {
	_, orphans, err = s.remove(ctx, `SELECT `+fileColumns+` WHERE f.id = $1`, id, func(*files.Row) bool { return true })
	return orphans, err
}

// RemoveIf implements files.Store.
func (s *fileStore) RemoveIf(ctx context.Context, id string, may func(*files.Row) bool) (gone bool, orphans []envelope.Digest, err error) {
	return s.remove(ctx, `SELECT `+fileColumns+` WHERE f.id = $1 AND NOT `+underWay("f.id"), id, may)
}

// remove forgets the file that a query finds, if it may be.
func (s *fileStore) remove(ctx context.Context, query, id string, may func(*files.Row) bool) (gone bool, orphans []envelope.Digest, err error) {
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		gone, orphans = false, nil
		n, r, err := oneFile(tx.QueryRow(query, id))
		if err != nil || r == nil || !may(r) {
			return err
		}
		rows, err := tx.Query(`SELECT DISTINCT hash FROM file_part p WHERE file = $1 AND NOT EXISTS (SELECT 1 FROM file_part o WHERE o.hash = p.hash AND o.file <> p.file)`, n)
		if orphans, err = collect(rows, err, scanDigest); err != nil {
			return fmt.Errorf("read parts: %w", err)
		}
		for _, q := range []string{`DELETE FROM file_part WHERE file = $1`, `DELETE FROM file_message WHERE file = $1`, `DELETE FROM file WHERE n = $1`} {
			if _, err := tx.Exec(q, n); err != nil {
				return fmt.Errorf("forget file: %w", err)
			}
		}
		gone = true
		return nil
	})
	return gone, orphans, err
}

// MessagesBefore implements files.Store.
func (s *fileStore) MessagesBefore(ctx context.Context, id string, before int64, max int) (messages []string, next int64, err error) {
	if before < 0 {
		before = math.MaxInt64
	}
	rows, err := s.db.Query(ctx, `SELECT m.k, m.message FROM file f JOIN file_message m ON m.file = f.n WHERE f.id = $1 AND m.k < $2 ORDER BY m.k DESC LIMIT $3`, id, before, max)
	messages, err = collect(rows, err, func(scan func(...any) error) (m string, err error) { return m, scan(&next, &m) })
	return messages, next, err
}
