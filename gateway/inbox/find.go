package inbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/digital-spine/spine/gateway"
)

// What the log of messages is looked up by is written while there is time for
// it, and not with the messages: taking in must be fast, looking something up
// may read on. What is not written yet is found by reading the newest rows.

// Find is an entry of the look-up.
type Find struct {
	Key   []byte
	Value int64
}

// Kinds of keys, their first byte. The value of a message's id, or of the
// EntryID of an envelope, is its row; of a sender or topic, a place.
const (
	findID     = 1
	findSender = 2
	findTopic  = 3
)

// Bounds of looking up.
const (
	findBatch  = 256    // rows of one transaction
	findFrames = 10_000 // ids written in one go
	findTail   = 20_000 // rows read that are not written yet
	findApart  = 5000   // rows without a place read for an id
)

// KeyOfID, KeyOfSender and KeyOfTopic are keys of a Find.
func KeyOfID(id [16]byte) []byte { return append([]byte{findID}, id[:]...) }

// KeyOfSender is the key of a sender's places.
func KeyOfSender(did string) []byte { return keyOfText(findSender, did) }

// KeyOfTopic is the key of a topic's places.
func KeyOfTopic(topic string) []byte { return keyOfText(findTopic, topic) }

func keyOfText(kind byte, s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return append([]byte{kind}, sum[:8]...)
}

// PointsAtRow reports whether the value of a key is a row, else it is a place.
func PointsAtRow(key []byte) bool { return len(key) > 0 && key[0] == findID }

// index writes what was handed over since it last did, up to findFrames
// messages. more says that there is more to write.
func (x *Inbox) index(ctx context.Context) (more bool, err error) {
	x.indexing.Lock()
	defer x.indexing.Unlock()
	if x.indexed < 0 {
		if x.indexed, err = x.store.FoundUpTo(ctx); err != nil {
			return false, fmt.Errorf("read the look-up: %w", err)
		}
	}
	for n := 0; n < findFrames; {
		rows, err := x.store.Unfound(ctx, x.indexed, findBatch)
		if err != nil {
			return false, fmt.Errorf("read inbox: %w", err)
		}
		if len(rows) == 0 {
			return false, nil
		}
		var finds []Find
		upto := x.indexed
		for i := range rows {
			r := &rows[i]
			upto = r.Pos
			info, err := x.session(ctx, r.Session())
			if err != nil {
				return false, err
			}
			if info == nil {
				continue
			}
			finds = append(finds, Find{KeyOfSender(info.From), r.Pos}, Find{KeyOfTopic(info.Topic), r.Pos})
			for ids := r.IDs; len(ids) >= 32; ids = ids[32:] {
				finds = append(finds, Find{KeyOfID([16]byte(ids[:16])), r.ID})
			}
			if n += len(r.IDs) / 32; n >= findFrames {
				break
			}
		}
		if err := x.store.AddFinds(ctx, finds, upto); err != nil {
			return false, fmt.Errorf("write the look-up: %w", err)
		}
		x.indexed = upto
	}
	return true, nil
}

// upTo returns up to which place the look-up is written.
func (x *Inbox) upTo() int64 {
	x.indexing.Lock()
	defer x.indexing.Unlock()
	return max(x.indexed, 0)
}

// rowOf returns the row that holds a message, or the envelope that the log has
// under the id; the newest when there are several. nil when there is none.
func (x *Inbox) rowOf(ctx context.Context, id [16]byte) (*Row, error) {
	if _, err := x.index(ctx); err != nil {
		return nil, err
	}
	found, err := x.store.Found(ctx, KeyOfID(id), 1<<62, 4)
	if err != nil {
		return nil, fmt.Errorf("look up a message: %w", err)
	}
	for _, v := range found {
		row, err := x.store.Row(ctx, v)
		if err != nil {
			return nil, fmt.Errorf("read inbox: %w", err)
		}
		if row != nil {
			return row, nil
		}
	}
	apart, err := x.store.Apart(ctx, 1<<62, 1<<62, findApart)
	if err != nil {
		return nil, fmt.Errorf("read inbox: %w", err)
	}
	for i := range apart {
		row, err := x.holds(ctx, apart[i].ID, id)
		if row != nil || err != nil {
			return row, err
		}
	}
	for upto, n := x.upTo(), 0; n < findTail; {
		rows, err := x.store.Unfound(ctx, upto, findBatch)
		if err != nil || len(rows) == 0 {
			return nil, err
		}
		for i := range rows {
			upto = rows[i].Pos
			if holdsID(&rows[i], id) {
				return x.store.Row(ctx, rows[i].ID)
			}
		}
		n += len(rows)
	}
	return nil, nil
}

// holds returns the row when a message of the id is in it.
func (x *Inbox) holds(ctx context.Context, rowID int64, id [16]byte) (*Row, error) {
	row, err := x.store.Row(ctx, rowID)
	if err != nil {
		return nil, fmt.Errorf("read inbox: %w", err)
	}
	if row == nil || !holdsID(row, id) {
		return nil, nil
	}
	return row, nil
}

func holdsID(r *Row, id [16]byte) bool {
	if bytes.Equal(r.D[:16], id[:]) {
		return true
	}
	for ids := r.IDs; len(ids) >= 32; ids = ids[32:] {
		if bytes.Equal(ids[:16], id[:]) {
			return true
		}
	}
	return false
}

// sweep removes a part of what points nowhere any more.
func (x *Inbox) sweep(ctx context.Context) error {
	last, err := x.store.SweepFinds(ctx, x.swept, findFrames)
	if err != nil {
		return fmt.Errorf("sweep the look-up: %w", err)
	}
	x.swept = last
	return nil
}

// places returns places of rows that may pass the filter, highest first, below
// before: from the look-up, and above it one by one. It returns fewer than
// limit only at the end.
func (x *Inbox) places(ctx context.Context, f gateway.EntryFilter, topic string, before int64, limit int) ([]Row, error) {
	upto := x.upTo()
	var out []Row
	for before > upto+1 && len(out) < limit {
		rows, err := x.store.Placed(ctx, before, findBatch)
		if err != nil || len(rows) == 0 {
			return out, err
		}
		for i := range rows {
			if before = rows[i].Pos; before <= upto {
				before = upto + 1
				break
			}
			if fits, err := x.fits(ctx, &rows[i], f, topic); err != nil {
				return nil, err
			} else if fits {
				out = append(out, rows[i])
			}
		}
		if before == upto+1 {
			break
		}
	}
	key := KeyOfTopic(topic)
	if f.Partner != "" {
		key = KeyOfSender(f.Partner)
	}
	for len(out) < limit {
		found, err := x.store.Found(ctx, key, before, findBatch)
		if err != nil || len(found) == 0 {
			return out, err
		}
		for _, pos := range found {
			before = pos
			row, err := x.store.At(ctx, pos)
			if err != nil {
				return nil, err
			}
			if row == nil {
				continue // pruned meanwhile
			}
			if fits, err := x.fits(ctx, row, f, topic); err != nil {
				return nil, err
			} else if fits {
				out = append(out, *row)
			}
			if len(out) == limit {
				break
			}
		}
	}
	return out, nil
}
