package sqlstore

import (
	"fmt"
	"strings"

	"github.com/digital-spine/spine/gateway/outbox"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// messageRows is how many messages one INSERT takes: a statement costs more
// than its rows.
const messageRows = 25

var (
	insertMessage    = insertMessages(1)
	insertMessages25 = insertMessages(messageRows)
)

// insertMessages has what the messages of an envelope share as parameters 1 to
// 5, then id and content digest of each: binding costs as much as storing.
func insertMessages(rows int) string {
	var b strings.Builder
	b.WriteString(`INSERT INTO outbox_messages (id, chan, sum, at, sid, seq, idx) VALUES `)
	for i := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "($%d, $1, $%d, $2, $3, $4, $5 + %d)", 6+2*i, 7+2*i, i)
	}
	return b.String()
}

// placeMessages writes where the frames of the commit's envelope are.
func placeMessages(tx *sqlkit.Tx, c *outbox.Commit) error {
	e := &c.Envelope
	for i := 0; i < len(e.IDs); {
		if c.Moved[i] {
			if err := moveMessage(tx, c, i); err != nil {
				return err
			}
			i++
			continue
		}
		end := i
		for end < len(e.IDs) && !c.Moved[end] && end-i < messageRows {
			end++
		}
		query := insertMessages25
		if end-i < messageRows {
			query, end = insertMessage, i+1
		}
		args := append(make([]any, 0, 5+2*(end-i)), c.Lane.Chan[:], e.At, e.SID[:], e.Seq, i)
		for ; i < end; i++ {
			args = append(args, e.IDs[i][:], c.Sums[i])
		}
		if _, err := tx.Exec(query, args...); err != nil {
			return err
		}
	}
	return nil
}

// moveMessage points a message that waited at its frame.
func moveMessage(tx *sqlkit.Tx, c *outbox.Commit, i int) error {
	e := &c.Envelope
	if _, err := tx.Exec(`UPDATE outbox_messages SET sid = $1, seq = $2, idx = $3 WHERE id = $4`, e.SID[:], e.Seq, i, e.IDs[i][:]); err != nil {
		return err
	}
	_, err := tx.Exec(`DELETE FROM outbox_waiting WHERE id = $1`, e.IDs[i][:])
	return err
}

func insertSession(tx *sqlkit.Tx, s *outbox.Session, members []outbox.Member) error {
	if _, err := tx.Exec(`INSERT INTO outbox_sessions (sid, chan, topic, channel, selection, core, secret, creds, left_out, nbf, naf, next, head, done, last, size)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, 0, $13, $14)`,
		s.SID[:], s.Chan[:], s.Topic, s.Channel, s.Selection, s.Core, s.Secret, joinDigests(s.Creds), strings.Join(s.Left, " "), s.NBF, s.NAF, s.SID[:], s.NBF, len(members)); err != nil {
		return err
	}
	for i := range members {
		m := &members[i]
		var prevSID, prevD []byte
		var prev outbox.Entry
		if m.Prev != nil {
			prev = *m.Prev
			prevSID, prevD = prev.SID[:], prev.D[:]
		}
		if _, err := tx.Exec(`INSERT INTO outbox_members (sid, addr, did, inst, pp, sent, prev_sid, prev_seq, prev_d, prev_naf, published, upto, refused, missing, needs, told)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, -1, '', '', 0, 0)`,
			s.SID[:], m.Addr, m.DID, int64(m.Inst), m.PP, m.Grant, prevSID, prev.Seq, prevD, prev.NAF); err != nil {
			return err
		}
	}
	// Whoever was in the lane's session before and is not in this one has to be
	// told that nothing follows: nobody else tells them.
	_, err := tx.Exec(`UPDATE outbox_members SET closed = 1 WHERE closed = 0
		AND sid = (SELECT p.sid FROM outbox_sessions p WHERE p.chan = $1 AND p.topic = $2 AND p.sid <> $3 ORDER BY p.n DESC LIMIT 1)
		AND addr NOT IN (SELECT addr FROM outbox_members WHERE sid = $4)`, s.Chan[:], s.Topic, s.SID[:], s.SID[:])
	return err
}
