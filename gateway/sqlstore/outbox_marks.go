package sqlstore

import (
	"context"

	"github.com/digital-spine/spine/gateway/outbox"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// longest is how long a session can be, with its grace: whoever sealed after a
// time began at most so long before it.
const longest = 24*60*60*1000 + 60*1000

// Newest implements outbox.Store.
func (o *Outbox) Newest(ctx context.Context, since int64) ([]outbox.Session, error) {
	rows, err := o.db.Query(ctx, `SELECT s.sid, s.chan, s.topic, s.channel, s.selection, s.naf, s.next, s.last, s.marked FROM outbox_sessions s
		WHERE s.nbf >= $1 AND s.last >= $2 AND EXISTS (SELECT 1 FROM outbox_members m WHERE m.sid = s.sid AND m.closed = 0)
		AND NOT EXISTS (SELECT 1 FROM outbox_sessions t WHERE t.chan = s.chan AND t.topic = s.topic AND t.n > s.n)`, since-longest, since)
	return collect(rows, err, func(scan func(...any) error) (s outbox.Session, err error) {
		var sid, c []byte
		err = scan(&sid, &c, &s.Topic, &s.Channel, &s.Selection, &s.NAF, &s.Next, &s.Last, &s.Marked)
		copy(s.SID[:], sid)
		copy(s.Chan[:], c)
		return s, err
	})
}

// Mark implements outbox.Store.
func (o *Outbox) Mark(ctx context.Context, sid [32]byte, at int64) (s *outbox.Session, err error) {
	err = o.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if _, err := tx.Exec(`UPDATE outbox_sessions SET marked = $1 WHERE sid = $2`, at, sid[:]); err != nil {
			return err
		}
		got, err := scanSession(tx.QueryRow(`SELECT `+sessionColumns+` FROM outbox_sessions WHERE sid = $1`, sid[:]).Scan)
		s = &got
		return err
	})
	if err != nil {
		return nil, noRow(err)
	}
	return s, nil
}

// Close implements outbox.Store.
func (o *Outbox) Close(ctx context.Context, sid [32]byte) error {
	return o.exec(ctx, `UPDATE outbox_members SET closed = 1 WHERE sid = $1 AND closed = 0`, sid[:])
}

// Closing implements outbox.Store.
func (o *Outbox) Closing(ctx context.Context, max int) ([]outbox.Member, error) {
	rows, err := o.db.Query(ctx, `SELECT m.sid, m.addr, m.did, m.inst, m.pp, NULL, `+memberRest+` WHERE m.closed = 1 ORDER BY s.n, m.addr LIMIT $1`, max)
	return collect(rows, err, scanMember)
}

// Closed implements outbox.Store.
func (o *Outbox) Closed(ctx context.Context, sid [32]byte, addrs []string) error {
	return o.db.Write(ctx, func(tx *sqlkit.Tx) error {
		for _, addr := range addrs {
			if _, err := tx.Exec(`UPDATE outbox_members SET closed = 2 WHERE sid = $1 AND addr = $2`, sid[:], addr); err != nil {
				return err
			}
		}
		return nil
	})
}
