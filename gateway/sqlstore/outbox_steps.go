package sqlstore

import (
	"context"

	"github.com/digital-spine/spine/gateway/outbox"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// Where much happens one row stands for a slot of time: after exactSteps rows of
// a member, one for each 15 s. So a session of a day has at most some 6,000 rows
// a member and kind, whatever its traffic.
const insertStep = `INSERT INTO outbox_steps (sid, addr, kind, slot, a, b, at)
	SELECT $1, $2, $3, CASE WHEN x.steps < 120 THEN $4 ELSE $5 - $6 % 15000 END, 0, $7, $8 FROM `

const (
	stepOfMember = insertStep + `outbox_members x WHERE x.sid = $9 AND x.addr = $10
	ON CONFLICT (sid, kind, addr, slot, a) DO UPDATE SET b = excluded.b, at = excluded.at`
	stepOfAll = insertStep + `outbox_sessions x WHERE x.sid = $9
	ON CONFLICT (sid, kind, addr, slot, a) DO UPDATE SET b = excluded.b, at = excluded.at`
)

// Published implements outbox.Store.
func (o *Outbox) Published(ctx context.Context, cursors []outbox.Cursor) error {
	return o.db.Write(ctx, func(tx *sqlkit.Tx) error {
		for i := range cursors {
			if err := published(tx, &cursors[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func published(tx *sqlkit.Tx, c *outbox.Cursor) error {
	b, steps := c.Published-2, 0
	if b >= 0 && c.At > 0 {
		steps = 1
		query, args := stepOfMember, []any{c.SID[:], c.Addr, outbox.StepPublished, c.At, c.At, c.At, b, c.At, c.SID[:], c.Addr}
		if c.Addr == "" {
			query, args = stepOfAll, args[:9]
		}
		if _, err := tx.Exec(query, args...); err != nil {
			return err
		}
	}
	if c.Addr != "" {
		_, err := tx.Exec(`UPDATE outbox_members SET published = $1, steps = steps + $2 WHERE sid = $3 AND addr = $4 AND published < $5`,
			c.Published, steps, c.SID[:], c.Addr, c.Published)
		return err
	}
	if _, err := tx.Exec(`UPDATE outbox_sessions SET steps = steps + $1 WHERE sid = $2`, steps, c.SID[:]); err != nil {
		return err
	}
	_, err := tx.Exec(`UPDATE outbox_members SET published = $1 WHERE sid = $2 AND published < $3`, c.Published, c.SID[:], c.Published)
	return err
}

// receiptSteps notes what a receipt says for the first time.
func receiptSteps(tx *sqlkit.Tx, r *outbox.ReceiptChange, l *outbox.LaneChange) error {
	if r.Now == 0 {
		return nil
	}
	if l.Upto >= 0 {
		if _, err := tx.Exec(stepOfMember, l.SID[:], r.Addr, outbox.StepCustody, r.Now, r.Now, r.Now, l.Upto, r.Now, l.SID[:], r.Addr); err != nil {
			return err
		}
		if _, err := tx.Exec(`UPDATE outbox_members SET steps = steps + 1 WHERE sid = $1 AND addr = $2`, l.SID[:], r.Addr); err != nil {
			return err
		}
	}
	for _, f := range l.Fresh {
		if err := addStep(tx, l.SID, r.Addr, outbox.StepRefused, f.A, f.B, r.Now); err != nil {
			return err
		}
	}
	return nil
}

// Resent implements outbox.Store.
func (o *Outbox) Resent(ctx context.Context, sid [32]byte, addr string, a, b, at int64) error {
	return o.db.Write(ctx, func(tx *sqlkit.Tx) error { return addStep(tx, sid, addr, outbox.StepResent, a, b, at) })
}

// addStep notes what happened to envelopes a to b.
func addStep(tx *sqlkit.Tx, sid [32]byte, addr string, kind int, a, b, at int64) error {
	_, err := tx.Exec(`INSERT INTO outbox_steps (sid, addr, kind, slot, a, b, at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (sid, kind, addr, slot, a) DO UPDATE SET b = excluded.b`, sid[:], addr, kind, at, a, b, at)
	return err
}

// Steps implements outbox.Store.
func (o *Outbox) Steps(ctx context.Context, sid [32]byte, seq int64) ([]outbox.StepRow, error) {
	rows, err := o.db.Query(ctx, `SELECT addr, kind, MIN(a), MIN(b), MIN(at) FROM outbox_steps WHERE sid = $1 AND kind <= 2 AND b >= $2 GROUP BY kind, addr
		UNION ALL SELECT addr, kind, a, b, at FROM outbox_steps WHERE sid = $3 AND kind > 2 AND a <= $4 AND b >= $5`, sid[:], seq, sid[:], seq, seq)
	return collect(rows, err, func(scan func(...any) error) (s outbox.StepRow, err error) {
		err = scan(&s.Addr, &s.Kind, &s.A, &s.B, &s.At)
		return s, err
	})
}
