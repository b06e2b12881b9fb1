package sqlstore

import (
	"context"
	"strings"

	"github.com/digital-spine/spine/gateway/outbox"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// Latest implements outbox.Store.
func (o *Outbox) Latest(ctx context.Context, f outbox.LogFilter, nbf, n int64, max int) ([]outbox.SessionHead, error) {
	query := `SELECT s.n, s.sid, s.chan, s.topic, s.channel, s.selection, s.left_out, s.nbf, s.naf, s.next, s.last, s.size
		FROM outbox_sessions s WHERE (s.nbf < $1 OR s.nbf = $2 AND s.n < $3)`
	args := []any{nbf, nbf, n}
	if f.Channel != "" {
		query += ` AND s.channel = $4`
		args = append(args, f.Channel)
	}
	if f.DID != "" {
		query += ` AND EXISTS (SELECT 1 FROM outbox_members m WHERE m.did = $5 AND m.sid = s.sid)`
		if f.Channel == "" {
			query = strings.Replace(query, "$5", "$4", 1)
		}
		args = append(args, f.DID)
	}
	limit := " ORDER BY s.nbf DESC, s.n DESC LIMIT $" + string(rune('1'+len(args)))
	rows, err := o.db.Query(ctx, query+limit, append(args, max)...)
	return collect(rows, err, func(scan func(...any) error) (h outbox.SessionHead, err error) {
		var sid, c []byte
		var left string
		s := &h.Session
		err = scan(&h.N, &sid, &c, &s.Topic, &s.Channel, &s.Selection, &left, &s.NBF, &s.NAF, &s.Next, &s.Last, &s.Size)
		copy(s.SID[:], sid)
		copy(s.Chan[:], c)
		s.Left = strings.Fields(left)
		return h, err
	})
}

// Placed implements outbox.Store.
func (o *Outbox) Placed(ctx context.Context, sid [32]byte, at, seq int64, max int) ([]outbox.Envelope, error) {
	// Times rise with the numbers, so the place is found by halving.
	var next int64
	if err := o.db.QueryRow(ctx, `SELECT next FROM outbox_sessions WHERE sid = $1 AND last > $2`, sid[:], at).Scan(&next); err != nil && !sqlkit.IsNoRows(err) {
		return nil, err
	}
	top := seq
	if next > 0 {
		lo, hi := int64(0), next // envelopes below lo are at or before at, those from hi on are later
		for lo < hi {
			mid := (lo + hi) / 2
			var t int64
			if err := o.db.QueryRow(ctx, `SELECT at FROM outbox_envelopes WHERE sid = $1 AND seq = $2`, sid[:], mid).Scan(&t); err != nil {
				return nil, noRow(err)
			}
			if t <= at {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		top = min(top, lo-1)
	}
	rows, err := o.db.Query(ctx, `SELECT seq, d, at, ids, about FROM outbox_envelopes WHERE sid = $1 AND seq <= $2 ORDER BY seq DESC LIMIT $3`, sid[:], top, max)
	return collect(rows, err, scanAbout(sid))
}

// Between implements outbox.Store.
func (o *Outbox) Between(ctx context.Context, sid [32]byte, a, b int64, max int) ([]outbox.Envelope, error) {
	rows, err := o.db.Query(ctx, `SELECT seq, d, at, ids, about FROM outbox_envelopes WHERE sid = $1 AND seq >= $2 AND seq <= $3 ORDER BY seq LIMIT $4`, sid[:], a, b, max)
	return collect(rows, err, scanAbout(sid))
}

// scanAbout reads an envelope without its bytes.
func scanAbout(sid [32]byte) func(func(...any) error) (outbox.Envelope, error) {
	return func(scan func(...any) error) (outbox.Envelope, error) {
		e := outbox.Envelope{SID: sid}
		var d, ids []byte
		err := scan(&e.Seq, &d, &e.At, &ids, &e.About)
		copy(e.D[:], d)
		e.IDs = splitIDs(ids)
		return e, err
	}
}

// Unsealed implements outbox.Store.
func (o *Outbox) Unsealed(ctx context.Context, f outbox.LogFilter, at int64, below []byte, max int) ([]outbox.Unsealed, error) {
	const columns = `SELECT id, at, type, size, file, held, code, chan, topic, channel, selection FROM outbox_waiting WHERE `
	const rest = ` AND ($1 = '' OR channel = $2) AND ($3 = '' OR ' ' || selection || ' ' LIKE '% ' || $4 || ' %')`
	args := []any{f.Channel, f.Channel, f.DID, f.DID}
	scan := func(scan func(...any) error) (u outbox.Unsealed, err error) {
		var id, c []byte
		var held int
		err = scan(&id, &u.At, &u.Type, &u.Size, &u.File, &held, &u.Code, &c, &u.Topic, &u.Channel, &u.Selection)
		copy(u.ID[:], id)
		copy(u.Chan[:], c)
		u.Held, u.Over = held == 1, held == 2
		return u, err
	}
	var out []outbox.Unsealed
	if below != nil {
		rows, err := o.db.Query(ctx, columns+`at = $5 AND id < $6`+rest+` ORDER BY at DESC, id DESC LIMIT $7`, append(args, at, below, max)...)
		if out, err = collect(rows, err, scan); err != nil || len(out) >= max {
			return out, err
		}
		at--
	}
	rows, err := o.db.Query(ctx, columns+`at <= $5`+rest+` ORDER BY at DESC, id DESC LIMIT $6`, append(args, at, max-len(out))...)
	more, err := collect(rows, err, scan)
	return append(out, more...), err
}

// Frame implements outbox.Store.
func (o *Outbox) Frame(ctx context.Context, id [16]byte) (frame []byte, err error) {
	if err := o.db.QueryRow(ctx, `SELECT frame FROM outbox_waiting WHERE id = $1 AND held < 2`, id[:]).Scan(&frame); err != nil {
		return nil, noRow(err)
	}
	return frame, nil
}

// Standing implements outbox.Store.
func (o *Outbox) Standing(ctx context.Context, sid [32]byte) ([]outbox.Member, error) {
	rows, err := o.db.Query(ctx, `SELECT m.sid, m.addr, m.did, m.inst, m.pp, NULL, `+memberRest+` WHERE m.sid = $1 ORDER BY m.addr`, sid[:])
	return collect(rows, err, scanMember)
}
