package sqlstore

import (
	"context"
	"database/sql"

	"github.com/digital-spine/spine/gateway/inbox"
	"github.com/digital-spine/spine/gateway/intake"
	"github.com/digital-spine/spine/internal/sqlkit"
)

var _ intake.Store = (*Intake)(nil)

// Intake is the ledger: the SQL behind intake.Store.
type Intake struct{ db *sqlkit.DB }

// Intake returns the ledger's part of the database.
func (s *Store) Intake() *Intake { return &Intake{db: s.db} }

// Last returns the highest ids given so far by the intake.
func (s *Intake) Last(ctx context.Context) (intake.Last, error) {
	var l intake.Last
	err := s.db.QueryRow(ctx, `SELECT
		(SELECT COALESCE(MAX(id), 0) FROM intake_lane),
		(SELECT COALESCE(MAX(id), 0) FROM intake_session),
		(SELECT COALESCE(MAX(id), 0) FROM intake_parked),
		(SELECT MAX(p) FROM (SELECT COALESCE(MAX(pos), 0) AS p FROM inbox UNION ALL SELECT COALESCE(MAX(handed), 0) FROM cursor_consumer UNION ALL SELECT COALESCE(MAX(floor), 0) FROM cursor_consumer) AS places),
		(SELECT COALESCE(MAX(id), 0) FROM intake_dek)`).Scan(&l.Lane, &l.Session, &l.Parked, &l.Pos, &l.Key)
	return l, err
}

// Commit writes one round of the intake in one transaction.
func (s *Intake) Commit(ctx context.Context, r *intake.Round) error {
	if r.Empty() {
		return nil
	}
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error { return writeRound(tx, r) })
}

func writeRound(tx *sqlkit.Tx, r *intake.Round) error {
	for _, x := range r.Senders {
		if _, err := tx.Exec(`INSERT INTO intake_sender (did, inst, forgotten) VALUES ($1, $2, $3)
			ON CONFLICT (did, inst) DO UPDATE SET forgotten = excluded.forgotten WHERE excluded.forgotten > intake_sender.forgotten`,
			x.DID, int64(x.Inst), x.Forgotten); err != nil {
			return err
		}
	}
	for _, x := range r.Lanes {
		if _, err := tx.Exec(`INSERT INTO intake_lane (id, did, inst, chan, topic) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
			x.ID, x.DID, int64(x.Inst), x.Chan, x.Topic); err != nil {
			return err
		}
	}
	for i := range r.Sessions {
		if err := writeLedger(tx, &r.Sessions[i]); err != nil {
			return err
		}
	}
	if err := writeEntries(tx, r.Entries); err != nil {
		return err
	}
	if err := fillEntries(tx, r.Fill); err != nil {
		return err
	}
	if err := settleEntries(tx, r.Settle); err != nil {
		return err
	}
	for _, x := range r.Release {
		if _, err := tx.Exec(`UPDATE inbox SET pos = $2, late = $3 WHERE id = $1 AND pos IS NULL`, x.ID, x.Pos, number(x.Late)); err != nil {
			return err
		}
	}
	for _, x := range r.Refuse {
		if _, err := tx.Exec(`UPDATE inbox SET verdict = $2, body = NULL, ids = NULL WHERE id = $1 AND pos IS NULL`, x.ID, x.Verdict); err != nil {
			return err
		}
	}
	for _, x := range r.Park {
		if _, err := tx.Exec(`INSERT INTO intake_parked (id, sid, sender, subject, at, wire) VALUES ($1, $2, $3, $4, $5, $6)`,
			x.ID, x.SID[:], x.Sender, x.Subject, x.At, x.Wire); err != nil {
			return err
		}
	}
	for _, id := range r.Unpark {
		if _, err := tx.Exec(`DELETE FROM intake_parked WHERE id = $1`, id); err != nil {
			return err
		}
	}
	for _, x := range r.Streams {
		if _, err := tx.Exec(`INSERT INTO intake_stream (stream, created, seq) VALUES ($1, $2, $3)
			ON CONFLICT (stream) DO UPDATE SET created = excluded.created, seq = excluded.seq`, x.Stream, x.Created, int64(x.Seq)); err != nil {
			return err
		}
	}
	for _, x := range r.Proofs {
		if _, err := tx.Exec(`INSERT INTO intake_proof (session, seq, d, at, signed) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
			x.Session, int64(x.Seq), x.D[:], x.At, x.Signed); err != nil {
			return err
		}
	}
	if err := writeFinds(tx, r.Finds); err != nil {
		return err
	}
	for _, x := range r.Watch {
		if _, err := tx.Exec(`INSERT INTO intake_watch (lane, sid) VALUES ($1, $2) ON CONFLICT (lane) DO UPDATE SET sid = excluded.sid`, x.Lane, x.SID[:]); err != nil {
			return err
		}
	}
	for _, lane := range r.Unwatch {
		if _, err := tx.Exec(`DELETE FROM intake_watch WHERE lane = $1`, lane); err != nil {
			return err
		}
	}
	for _, id := range r.Forget {
		if _, err := tx.Exec(`DELETE FROM intake_proof WHERE session = $1`, id); err != nil {
			return err
		}
		if err := forgetSession(tx, id); err != nil {
			return err
		}
	}
	return nil
}

// forgetSession drops the ledger of a session. What applications may still have
// to read stays, and with it a row that only says whose it is.
func forgetSession(tx *sqlkit.Tx, id int64) error {
	from, to := id*inbox.MaxSeq, (id+1)*inbox.MaxSeq
	if _, err := tx.Exec(`DELETE FROM inbox WHERE id >= $1 AND id < $2 AND (body IS NULL OR pos IS NULL)`, from, to); err != nil {
		return err
	}
	if _, err := tx.Exec(`UPDATE intake_session SET state = 3, code = 'session_over', secret = NULL, grant_ = NULL, due = 0, expires = $2 WHERE id = $1`, id, forgotten); err != nil {
		return err
	}
	_, err := tx.Exec(`DELETE FROM intake_session WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.id >= $2 AND inbox.id < $3)`, id, from, to)
	return err
}

// forgotten is the end of a session of which only content is left.
const forgotten = int64(1) << 53

func writeLedger(tx *sqlkit.Tx, x *intake.SessionRow) error {
	if x.Stable { // only what every round changes
		_, err := tx.Exec(`UPDATE intake_session SET ledger = $2, due = $3 WHERE id = $1`, x.ID, x.Ledger, number(x.Due))
		return err
	}
	_, err := tx.Exec(`INSERT INTO intake_session (id, sid, lane, state, code, sender, core, grant_, secret, ledger, info, due, since, expires)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT (id) DO UPDATE SET lane = excluded.lane, state = excluded.state, code = excluded.code, sender = excluded.sender,
			core = excluded.core, grant_ = excluded.grant_, secret = excluded.secret, ledger = excluded.ledger, info = excluded.info,
			due = excluded.due, expires = excluded.expires`,
		x.ID, x.SID[:], x.Lane, int64(x.State), x.Code, x.Sender, x.Core, x.Grant, x.Secret, x.Ledger, x.Info, number(x.Due), x.Since, x.Expires)
	return err
}

const ledgerColumns = `id, sid, lane, state, code, sender, core, grant_, secret, ledger, info, due, since, expires`

type scanner interface{ Scan(dest ...any) error }

func scanLedger(r scanner) (*intake.SessionRow, error) {
	var x intake.SessionRow
	var sid []byte
	var state, due int64
	if err := r.Scan(&x.ID, &sid, &x.Lane, &state, &x.Code, &x.Sender, &x.Core, &x.Grant, &x.Secret, &x.Ledger, &x.Info, &due, &x.Since, &x.Expires); err != nil {
		if sqlkit.IsNoRows(err) {
			return nil, nil
		}
		return nil, err
	}
	copy(x.SID[:], sid)
	x.State, x.Due = intake.State(state), due != 0
	return &x, nil
}

func scanLedgers(rows *sql.Rows, err error) ([]intake.SessionRow, error) {
	return gather(rows, err, func() (intake.SessionRow, error) {
		x, err := scanLedger(rows)
		if err != nil {
			return intake.SessionRow{}, err
		}
		return *x, nil
	})
}

// gather reads all rows with one, and closes them.
func gather[T any](rows *sql.Rows, err error, one func() (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		x, err := one()
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, rows.Err()
}

// Session returns the session with the id sid, nil when there is none.
func (s *Intake) Session(ctx context.Context, sid [32]byte) (*intake.SessionRow, error) {
	return scanLedger(s.db.QueryRow(ctx, `SELECT `+ledgerColumns+` FROM intake_session WHERE sid = $1`, sid[:]))
}

// SessionByID returns the session with the local id, nil when there is none.
func (s *Intake) SessionByID(ctx context.Context, id int64) (*intake.SessionRow, error) {
	return scanLedger(s.db.QueryRow(ctx, `SELECT `+ledgerColumns+` FROM intake_session WHERE id = $1`, id))
}

// SessionsOf returns the newest sessions of a lane, oldest first.
func (s *Intake) SessionsOf(ctx context.Context, lane int64, limit int) ([]intake.SessionRow, error) {
	return scanLedgers(s.db.Query(ctx, `SELECT `+ledgerColumns+` FROM (SELECT `+ledgerColumns+
		` FROM intake_session WHERE lane = $1 ORDER BY id DESC LIMIT $2) AS newest ORDER BY id`, lane, limit))
}

// Unsettled returns sessions of which something is unsettled.
func (s *Intake) Unsettled(ctx context.Context, after int64, limit int) ([]intake.SessionRow, error) {
	return scanLedgers(s.db.Query(ctx, `SELECT `+ledgerColumns+` FROM intake_session WHERE id > $1 AND (state < 2 OR due <> 0) ORDER BY id LIMIT $2`, after, limit))
}

// Expired returns sessions that may be forgotten.
func (s *Intake) Expired(ctx context.Context, now int64, limit int) ([]intake.SessionRow, error) {
	return scanLedgers(s.db.Query(ctx, `SELECT `+ledgerColumns+` FROM intake_session WHERE expires < $1 ORDER BY expires LIMIT $2`, now, limit))
}

// Secrets returns sessions whose secret is still here.
func (s *Intake) Secrets(ctx context.Context, before int64, limit int) ([]intake.SessionRow, error) {
	return scanLedgers(s.db.Query(ctx, `SELECT `+ledgerColumns+` FROM intake_session WHERE expires < $1 AND secret IS NOT NULL ORDER BY expires LIMIT $2`, before, limit))
}

// Lane returns a lane group by its id, nil when there is none.
func (s *Intake) Lane(ctx context.Context, id int64) (*intake.LaneRow, error) {
	return scanLedgerLane(s.db.QueryRow(ctx, `SELECT id, did, inst, chan, topic FROM intake_lane WHERE id = $1`, id))
}

// FindLane returns a lane group by its names, nil when there is none.
func (s *Intake) FindLane(ctx context.Context, did string, inst uint64, chanID []byte, topic string) (*intake.LaneRow, error) {
	return scanLedgerLane(s.db.QueryRow(ctx, `SELECT id, did, inst, chan, topic FROM intake_lane WHERE did = $1 AND inst = $2 AND chan = $3 AND topic = $4`,
		did, int64(inst), chanID, topic))
}

func scanLedgerLane(r scanner) (*intake.LaneRow, error) {
	var x intake.LaneRow
	var inst int64
	if err := r.Scan(&x.ID, &x.DID, &inst, &x.Chan, &x.Topic); err != nil {
		if sqlkit.IsNoRows(err) {
			return nil, nil
		}
		return nil, err
	}
	x.Inst = uint64(inst)
	return &x, nil
}

// Sender returns what is remembered of a sender instance, nil when nothing is.
func (s *Intake) Sender(ctx context.Context, did string, inst uint64) (*intake.SenderRow, error) {
	x := intake.SenderRow{DID: did, Inst: inst}
	err := s.db.QueryRow(ctx, `SELECT forgotten FROM intake_sender WHERE did = $1 AND inst = $2`, did, int64(inst)).Scan(&x.Forgotten)
	if sqlkit.IsNoRows(err) {
		return nil, nil
	}
	return &x, err
}

// Parked returns the wire messages parked for a session, oldest first.
func (s *Intake) Parked(ctx context.Context, sid [32]byte, limit int) ([]intake.ParkedRow, error) {
	rows, err := s.db.Query(ctx, `SELECT id, sender, subject, at, wire FROM intake_parked WHERE sid = $1 ORDER BY id LIMIT $2`, sid[:], limit)
	return gather(rows, err, func() (intake.ParkedRow, error) {
		x := intake.ParkedRow{SID: sid}
		return x, rows.Scan(&x.ID, &x.Sender, &x.Subject, &x.At, &x.Wire)
	})
}

// ParkedBefore returns messages parked before at, without their bytes.
func (s *Intake) ParkedBefore(ctx context.Context, at int64, limit int) ([]intake.ParkedRow, error) {
	rows, err := s.db.Query(ctx, `SELECT id, sid, sender, subject, at, LENGTH(wire) FROM intake_parked WHERE at < $1 ORDER BY id LIMIT $2`, at, limit)
	return gather(rows, err, func() (intake.ParkedRow, error) {
		var x intake.ParkedRow
		var sid []byte
		err := rows.Scan(&x.ID, &sid, &x.Sender, &x.Subject, &x.At, &x.Size)
		copy(x.SID[:], sid)
		return x, err
	})
}

// ParkedBytes returns the parked bytes by sender address.
func (s *Intake) ParkedBytes(ctx context.Context) (map[string]int64, error) {
	return s.sums(ctx, `SELECT sender, SUM(LENGTH(wire)) FROM intake_parked GROUP BY sender`)
}

// SenderBytes returns the inbox bytes by sender address.
func (s *Intake) SenderBytes(ctx context.Context) (map[string]int64, error) {
	return s.sums(ctx, `SELECT s.sender, SUM(COALESCE(LENGTH(i.body), 0)) FROM intake_session s JOIN inbox i
		ON i.id >= s.id * 1048576 AND i.id < (s.id + 1) * 1048576 GROUP BY s.sender`)
}

func (s *Intake) sums(ctx context.Context, query string) (map[string]int64, error) {
	out := make(map[string]int64)
	rows, err := s.db.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var k string
		var n int64
		if err := rows.Scan(&k, &n); err != nil {
			return nil, err
		}
		out[k] = n
	}
	return out, rows.Err()
}

// Stream returns how far a stream was read, nil when it never was.
func (s *Intake) Stream(ctx context.Context, stream string) (*intake.StreamRow, error) {
	x := intake.StreamRow{Stream: stream}
	var seq int64
	err := s.db.QueryRow(ctx, `SELECT created, seq FROM intake_stream WHERE stream = $1`, stream).Scan(&x.Created, &seq)
	if sqlkit.IsNoRows(err) {
		return nil, nil
	}
	x.Seq = uint64(seq)
	return &x, err
}

// number stores a bool.
func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
