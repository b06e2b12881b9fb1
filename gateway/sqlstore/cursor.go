package sqlstore

import (
	"context"

	"github.com/digital-spine/spine/gateway/inbox"
	"github.com/digital-spine/spine/internal/sqlkit"
)

var _ inbox.Store = (*Inbox)(nil)

// Inbox is what applications read: the SQL behind inbox.Store.
type Inbox struct{ db *sqlkit.DB }

// Inbox returns the inbox's part of the database.
func (s *Store) Inbox() *Inbox { return &Inbox{db: s.db} }

const consumerColumns = `id, channel, name, floor, handed, handed_frame`

func scanConsumer(r scanner) (inbox.ConsumerRow, error) {
	var x inbox.ConsumerRow
	return x, r.Scan(&x.ID, &x.Channel, &x.Name, &x.Floor, &x.Handed, &x.HandedFrame)
}

// Consumer returns a consumer by name, making it where it is new.
func (s *Inbox) Consumer(ctx context.Context, channel, name string) (*inbox.ConsumerRow, error) {
	find := func() (*inbox.ConsumerRow, error) {
		x, err := scanConsumer(s.db.QueryRow(ctx, `SELECT `+consumerColumns+` FROM cursor_consumer WHERE channel = $1 AND name = $2`, channel, name))
		if err != nil {
			return nil, err
		}
		return &x, nil
	}
	x, err := find()
	if !sqlkit.IsNoRows(err) {
		return x, err
	}
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(`INSERT INTO cursor_consumer (channel, name) VALUES ($1, $2) ON CONFLICT (channel, name) DO NOTHING`, channel, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return find()
}

// Consumers returns all consumers.
func (s *Inbox) Consumers(ctx context.Context) ([]inbox.ConsumerRow, error) {
	rows, err := s.db.Query(ctx, `SELECT `+consumerColumns+` FROM cursor_consumer ORDER BY id`)
	return gather(rows, err, func() (inbox.ConsumerRow, error) { return scanConsumer(rows) })
}

// RemoveConsumer forgets a consumer and what it acknowledged.
func (s *Inbox) RemoveConsumer(ctx context.Context, channel, name string) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if _, err := tx.Exec(`DELETE FROM cursor_ack WHERE consumer IN (SELECT id FROM cursor_consumer WHERE channel = $1 AND name = $2)`, channel, name); err != nil {
			return err
		}
		if _, err := tx.Exec(`DELETE FROM cursor_time WHERE consumer IN (SELECT id FROM cursor_consumer WHERE channel = $1 AND name = $2)`, channel, name); err != nil {
			return err
		}
		_, err := tx.Exec(`DELETE FROM cursor_consumer WHERE channel = $1 AND name = $2`, channel, name)
		return err
	})
}

// Acks returns the acknowledged frames of a consumer above its floor.
func (s *Inbox) Acks(ctx context.Context, consumer int64) ([]inbox.AckRow, error) {
	rows, err := s.db.Query(ctx, `SELECT consumer, pos, bits FROM cursor_ack WHERE consumer = $1 ORDER BY pos`, consumer)
	return gather(rows, err, func() (inbox.AckRow, error) {
		var x inbox.AckRow
		return x, rows.Scan(&x.Consumer, &x.Pos, &x.Bits)
	})
}

// CommitCursors writes positions and acknowledgements in one transaction.
func (s *Inbox) CommitCursors(ctx context.Context, c *inbox.Change) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		for _, x := range c.Acks {
			if _, err := tx.Exec(`INSERT INTO cursor_ack (consumer, pos, bits) VALUES ($1, $2, $3)
				ON CONFLICT (consumer, pos) DO UPDATE SET bits = excluded.bits`, x.Consumer, x.Pos, x.Bits); err != nil {
				return err
			}
		}
		for _, x := range c.Consumers {
			if _, err := tx.Exec(`UPDATE cursor_consumer SET floor = $2, handed = $3, handed_frame = $4 WHERE id = $1`, x.ID, x.Floor, x.Handed, x.HandedFrame); err != nil {
				return err
			}
		}
		for _, x := range c.Times {
			if _, err := tx.Exec(`INSERT INTO cursor_time (consumer, at, handed, floor) VALUES ($1, $2, $3, $4)`, x.Consumer, x.At, x.Handed, x.Floor); err != nil {
				return err
			}
		}
		for _, x := range c.Floors {
			if _, err := tx.Exec(`DELETE FROM cursor_ack WHERE consumer = $1 AND pos <= $2`, x.ID, x.Floor); err != nil {
				return err
			}
		}
		return nil
	})
}
