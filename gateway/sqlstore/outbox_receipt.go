package sqlstore

import (
	"context"
	"math"

	"github.com/digital-spine/spine/gateway/outbox"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// PeerAt implements outbox.Store.
func (o *Outbox) PeerAt(ctx context.Context, addr string) (at int64, err error) {
	err = o.db.QueryRow(ctx, `SELECT at FROM outbox_peers WHERE addr = $1`, addr).Scan(&at)
	if sqlkit.IsNoRows(err) {
		return 0, nil
	}
	return at, err
}

// Needs implements outbox.Store.
func (o *Outbox) Needs(ctx context.Context, sid [32]byte, except string) (n int64, err error) {
	err = o.db.QueryRow(ctx, `SELECT COALESCE(MIN(needs), $1) FROM outbox_members WHERE sid = $2 AND addr <> $3`, int64(math.MaxInt64), sid[:], except).Scan(&n)
	return n, err
}

// Receipt implements outbox.Store.
func (o *Outbox) Receipt(ctx context.Context, r *outbox.ReceiptChange) (freed int64, err error) {
	err = o.db.Write(ctx, func(tx *sqlkit.Tx) error {
		freed = 0
		if _, err := tx.Exec(`INSERT INTO outbox_peers (addr, at) VALUES ($1, $2) ON CONFLICT (addr) DO UPDATE SET at = excluded.at`, r.Addr, r.At); err != nil {
			return err
		}
		for i := range r.Lanes {
			l := &r.Lanes[i]
			if _, err := tx.Exec(`UPDATE outbox_members SET upto = $1, refused = $2, missing = $3, needs = $4 WHERE sid = $5 AND addr = $6`,
				l.Upto, encodeRanges(l.Refused), encodeRanges(l.Missing), l.Needs, l.SID[:], r.Addr); err != nil {
				return err
			}
			if err := receiptSteps(tx, r, l); err != nil {
				return err
			}
			if l.Done <= l.From {
				continue
			}
			n, err := dropBytes(tx, l)
			if err != nil {
				return err
			}
			freed += n
		}
		return nil
	})
	return freed, err
}

// dropBytes removes the bytes of envelopes that everybody has receipted.
func dropBytes(tx *sqlkit.Tx, l *outbox.LaneChange) (freed int64, err error) {
	if err := tx.QueryRow(`SELECT COALESCE(SUM(LENGTH(bytes)), 0) FROM outbox_envelopes WHERE sid = $1 AND seq >= $2 AND seq < $3`,
		l.SID[:], l.From, l.Done).Scan(&freed); err != nil {
		return 0, err
	}
	if _, err := tx.Exec(`UPDATE outbox_envelopes SET bytes = NULL WHERE sid = $1 AND seq >= $2 AND seq < $3`, l.SID[:], l.From, l.Done); err != nil {
		return 0, err
	}
	_, err = tx.Exec(`UPDATE outbox_sessions SET done = $1 WHERE sid = $2 AND done < $3`, l.Done, l.SID[:], l.Done)
	return freed, err
}

// Told implements outbox.Store.
func (o *Outbox) Told(ctx context.Context, sid [32]byte, addr string, told int, a, at int64) error {
	return o.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if _, err := tx.Exec(`UPDATE outbox_members SET told = $1 WHERE sid = $2 AND addr = $3`, told, sid[:], addr); err != nil {
			return err
		}
		return addStep(tx, sid, addr, outbox.StepUnconfirmed+told-1, a, math.MaxInt64, at)
	})
}

// Retire implements outbox.Store.
func (o *Outbox) Retire(ctx context.Context, sid [32]byte) error {
	return o.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if _, err := tx.Exec(`UPDATE outbox_sessions SET core = NULL, secret = NULL WHERE sid = $1`, sid[:]); err != nil {
			return err
		}
		if _, err := tx.Exec(`UPDATE outbox_members SET sent = NULL WHERE sid = $1`, sid[:]); err != nil {
			return err
		}
		_, err := tx.Exec(`UPDATE outbox_envelopes SET bytes = NULL WHERE sid = $1`, sid[:])
		return err
	})
}

// Forget implements outbox.Store.
func (o *Outbox) Forget(ctx context.Context, sid [32]byte) error {
	return o.db.Write(ctx, func(tx *sqlkit.Tx) error {
		// Sessions are forgotten in the order of naf, not of n: only a later
		// entry replaces one that is remembered.
		if _, err := tx.Exec(`INSERT INTO outbox_last (chan, topic, addr, sid, seq, d, naf)
			SELECT s.chan, s.topic, m.addr, s.sid, s.next - 1, s.head, s.naf FROM outbox_sessions s JOIN outbox_members m ON m.sid = s.sid WHERE s.sid = $1
			ON CONFLICT (chan, topic, addr) DO UPDATE SET sid = excluded.sid, seq = excluded.seq, d = excluded.d, naf = excluded.naf
			WHERE excluded.naf >= outbox_last.naf`, sid[:]); err != nil {
			return err
		}
		ids, err := sessionIDs(tx, sid)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if _, err := tx.Exec(`DELETE FROM outbox_files WHERE id IN (SELECT id FROM outbox_messages WHERE id = $1 AND sid = $2)`, id[:], sid[:]); err != nil {
				return err
			}
			if _, err := tx.Exec(`DELETE FROM outbox_messages WHERE id = $1 AND sid = $2`, id[:], sid[:]); err != nil {
				return err
			}
		}
		for _, q := range []string{
			`DELETE FROM outbox_steps WHERE sid = $1`, `DELETE FROM outbox_envelopes WHERE sid = $1`,
			`DELETE FROM outbox_members WHERE sid = $1`, `DELETE FROM outbox_sessions WHERE sid = $1`,
		} {
			if _, err := tx.Exec(q, sid[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

func sessionIDs(tx *sqlkit.Tx, sid [32]byte) ([][16]byte, error) {
	rows, err := tx.Query(`SELECT ids FROM outbox_envelopes WHERE sid = $1`, sid[:])
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids [][16]byte
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return nil, err
		}
		ids = append(ids, splitIDs(b)...)
	}
	return ids, rows.Err()
}

// Usage implements outbox.Store.
func (o *Outbox) Usage(ctx context.Context) (u outbox.Usage, err error) {
	var waiting, kept int64
	if err = o.db.QueryRow(ctx, `SELECT COUNT(*), COALESCE(SUM(LENGTH(frame)), 0) FROM outbox_waiting WHERE held < 2`).Scan(&u.Messages, &waiting); err != nil {
		return u, err
	}
	err = o.db.QueryRow(ctx, `SELECT COALESCE(SUM(LENGTH(bytes)), 0) FROM outbox_envelopes WHERE bytes IS NOT NULL`).Scan(&kept)
	u.Bytes = waiting + kept
	return u, err
}

// Rows implements outbox.Store.
func (o *Outbox) Rows(ctx context.Context) (map[string]int64, error) {
	rows, err := o.db.Query(ctx, `SELECT m.addr, SUM(s.next + 1) FROM outbox_members m JOIN outbox_sessions s ON s.sid = m.sid GROUP BY m.addr`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := make(map[string]int64)
	for rows.Next() {
		var addr string
		var n int64
		if err := rows.Scan(&addr, &n); err != nil {
			return nil, err
		}
		out[addr] = n
	}
	return out, rows.Err()
}
