package sqlstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/digital-spine/spine/gateway/outbox"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// Outbox is the store of package outbox.
type Outbox struct{ db *sqlkit.DB }

var _ outbox.Store = (*Outbox)(nil)

// Outbox returns the part of the store that package outbox uses.
func (s *Store) Outbox() *Outbox { return &Outbox{s.db} }

// Secret implements outbox.Store.
func (o *Outbox) Secret(ctx context.Context, fresh []byte) (wrapped []byte, err error) {
	err = o.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if _, err := tx.Exec(`INSERT INTO outbox_secret (id, wrapped) VALUES (1, $1) ON CONFLICT (id) DO NOTHING`, fresh); err != nil {
			return err
		}
		return tx.QueryRow(`SELECT wrapped FROM outbox_secret WHERE id = 1`).Scan(&wrapped)
	})
	return wrapped, err
}

// Commit implements outbox.Store.
func (o *Outbox) Commit(ctx context.Context, c *outbox.Commit) error {
	return o.db.Write(ctx, func(tx *sqlkit.Tx) error {
		e := &c.Envelope
		if c.Opened != nil {
			if err := insertSession(tx, c.Opened, c.Members); err != nil {
				return err
			}
		}
		r, err := tx.Exec(`UPDATE outbox_sessions SET next = $1, head = $2, last = $3 WHERE sid = $4 AND next = $5`, e.Seq+1, e.D[:], e.At, e.SID[:], e.Seq)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n != 1 {
			return fmt.Errorf("outbox: number %d of the session is taken: %w", e.Seq, err)
		}
		if _, err := tx.Exec(`INSERT INTO outbox_envelopes (sid, seq, d, at, ids, bytes, about) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			e.SID[:], e.Seq, e.D[:], e.At, joinIDs(e.IDs), e.Bytes, e.About); err != nil {
			return err
		}
		return placeMessages(tx, c)
	})
}

// Message implements outbox.Store.
func (o *Outbox) Message(ctx context.Context, id [16]byte) (*outbox.Message, error) {
	m := outbox.Message{ID: id}
	var sid []byte
	var held int64
	err := o.db.QueryRow(ctx, `SELECT COALESCE(w.channel, s.channel, ''), m.sum, m.at, m.sid, m.seq, m.idx, COALESCE(w.code, ''), COALESCE(w.held, 0) FROM outbox_messages m
		LEFT JOIN outbox_waiting w ON w.id = m.id LEFT JOIN outbox_sessions s ON s.sid = m.sid WHERE m.id = $1`, id[:]).Scan(
		&m.Channel, &m.Sum, &m.At, &sid, &m.Seq, &m.Idx, &m.Code, &held)
	if err != nil {
		return nil, noRow(err)
	}
	m.Sealed, m.Over = sid != nil, held == 2
	copy(m.SID[:], sid)
	return &m, nil
}

const sessionColumns = `sid, chan, topic, channel, selection, core, secret, creds, left_out, nbf, naf, next, head, done, last, size, marked`

func scanSession(scan func(...any) error) (s outbox.Session, err error) {
	var sid, c, creds, head []byte
	var left string
	err = scan(&sid, &c, &s.Topic, &s.Channel, &s.Selection, &s.Core, &s.Secret, &creds, &left, &s.NBF, &s.NAF, &s.Next, &head, &s.Done, &s.Last, &s.Size, &s.Marked)
	copy(s.SID[:], sid)
	copy(s.Chan[:], c)
	copy(s.Head[:], head)
	s.Creds = splitDigests(creds)
	s.Left = strings.Fields(left)
	return s, err
}

// Session implements outbox.Store.
func (o *Outbox) Session(ctx context.Context, sid [32]byte) (*outbox.Session, error) {
	s, err := scanSession(o.db.QueryRow(ctx, `SELECT `+sessionColumns+` FROM outbox_sessions WHERE sid = $1`, sid[:]).Scan)
	if err != nil {
		return nil, noRow(err)
	}
	return &s, nil
}

// Sessions implements outbox.Store.
func (o *Outbox) Sessions(ctx context.Context, naf int64, max int) ([]outbox.Session, error) {
	rows, err := o.db.Query(ctx, `SELECT `+sessionColumns+` FROM outbox_sessions WHERE naf <= $1 ORDER BY naf LIMIT $2`, naf, max)
	return collect(rows, err, scanSession)
}

const (
	memberColumns = `m.sid, m.addr, m.did, m.inst, m.pp, m.sent, ` + memberRest
	memberRest    = `m.prev_sid, m.prev_seq, m.prev_d, m.prev_naf, m.published, m.upto, m.refused, m.missing, m.told, s.next, s.size, s.naf
	FROM outbox_members m JOIN outbox_sessions s ON s.sid = m.sid`
)

func scanMember(scan func(...any) error) (m outbox.Member, err error) {
	var sid, prevSID, prevD []byte
	var inst int64
	var refused, missing string
	var prev outbox.Entry
	if err = scan(&sid, &m.Addr, &m.DID, &inst, &m.PP, &m.Grant, &prevSID, &prev.Seq, &prevD, &prev.NAF,
		&m.Published, &m.Upto, &refused, &missing, &m.Told, &m.Next, &m.Size, &m.NAF); err != nil {
		return m, err
	}
	copy(m.SID[:], sid)
	m.Inst = uint64(inst)
	if prevSID != nil {
		copy(prev.SID[:], prevSID)
		copy(prev.D[:], prevD)
		m.Prev = &prev
	}
	if m.Refused, err = decodeRanges[outbox.Refusal](refused); err != nil {
		return m, err
	}
	m.Missing, err = decodeRanges[outbox.Range](missing)
	return m, err
}

// Members implements outbox.Store.
func (o *Outbox) Members(ctx context.Context, sid [32]byte) ([]outbox.Member, error) {
	rows, err := o.db.Query(ctx, `SELECT `+memberColumns+` WHERE m.sid = $1 ORDER BY m.addr`, sid[:])
	return collect(rows, err, scanMember)
}

// Member implements outbox.Store.
func (o *Outbox) Member(ctx context.Context, sid [32]byte, addr string) (*outbox.Member, error) {
	m, err := scanMember(o.db.QueryRow(ctx, `SELECT `+memberColumns+` WHERE m.sid = $1 AND m.addr = $2`, sid[:], addr).Scan)
	if err != nil {
		return nil, noRow(err)
	}
	return &m, nil
}

// Unpublished implements outbox.Store.
func (o *Outbox) Unpublished(ctx context.Context, max int) ([]outbox.Member, error) {
	rows, err := o.db.Query(ctx, `SELECT `+memberColumns+` WHERE m.published <= s.next AND s.secret IS NOT NULL ORDER BY s.n LIMIT $1`, max)
	return collect(rows, err, scanMember)
}

// Silent implements outbox.Store.
func (o *Outbox) Silent(ctx context.Context, at int64, told, max int) ([]outbox.Member, error) {
	rows, err := o.db.Query(ctx, `SELECT `+memberColumns+` JOIN outbox_envelopes e ON e.sid = m.sid AND e.seq = m.upto + 1
		WHERE m.told < $1 AND m.upto + 1 < s.next AND e.at < $2 ORDER BY s.n LIMIT $3`, told, at, max)
	return collect(rows, err, scanMember)
}

// Envelopes implements outbox.Store.
func (o *Outbox) Envelopes(ctx context.Context, sid [32]byte, a, b int64, max int) ([]outbox.Envelope, error) {
	rows, err := o.db.Query(ctx, `SELECT seq, d, at, ids, bytes, about FROM outbox_envelopes WHERE sid = $1 AND seq >= $2 AND seq <= $3 ORDER BY seq`, sid[:], a, b)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []outbox.Envelope
	for size := 0; (size < max || len(out) == 0) && rows.Next(); {
		e := outbox.Envelope{SID: sid}
		var d, ids []byte
		if err := rows.Scan(&e.Seq, &d, &e.At, &ids, &e.Bytes, &e.About); err != nil {
			return nil, err
		}
		copy(e.D[:], d)
		e.IDs = splitIDs(ids)
		out = append(out, e)
		size += len(e.Bytes) + 64
	}
	return out, rows.Err()
}

// Last implements outbox.Store.
func (o *Outbox) Last(ctx context.Context, l outbox.Lane, addrs []string) (map[string]outbox.Entry, error) {
	out := make(map[string]outbox.Entry, len(addrs))
	for _, addr := range addrs {
		var e outbox.Entry
		var sid, d []byte
		err := o.db.QueryRow(ctx, `SELECT s.sid, s.next - 1, s.head, s.naf FROM outbox_sessions s JOIN outbox_members m ON m.sid = s.sid
			WHERE s.chan = $1 AND s.topic = $2 AND m.addr = $3 ORDER BY s.n DESC LIMIT 1`, l.Chan[:], l.Topic, addr).Scan(&sid, &e.Seq, &d, &e.NAF)
		if sqlkit.IsNoRows(err) {
			err = o.db.QueryRow(ctx, `SELECT sid, seq, d, naf FROM outbox_last WHERE chan = $1 AND topic = $2 AND addr = $3`,
				l.Chan[:], l.Topic, addr).Scan(&sid, &e.Seq, &d, &e.NAF)
		}
		if sqlkit.IsNoRows(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		copy(e.SID[:], sid)
		copy(e.D[:], d)
		out[addr] = e
	}
	return out, nil
}

// Regrant implements outbox.Store.
func (o *Outbox) Regrant(ctx context.Context, sid [32]byte, addr string, pp int, grant []byte) error {
	return o.exec(ctx, `UPDATE outbox_members SET sent = $1, pp = $2 WHERE sid = $3 AND addr = $4`, grant, pp, sid[:], addr)
}

func (o *Outbox) exec(ctx context.Context, query string, args ...any) error {
	return o.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	})
}
