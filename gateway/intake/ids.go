package intake

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"

	"github.com/digital-spine/spine/envelope"
)

// Bounds of the frame id window. The window of a lane group holds at least the
// last idWindow ids or 24 hours; all windows together hold at most maxIDs, and
// the largest gives way (about 24 bytes each).
const (
	idWindow = 1_000_000
	idAge    = 24 * 3600 * 1000 // ms
	maxIDs   = 4_000_000
	idBytes  = 32 // of one frame in a row's ids: id and content hash, 16 each
)

// frameKey is what is kept of a frame: its id and a hash of type and body.
type frameKey [idBytes]byte

// keyOf returns the key of a frame's id, type and body.
func keyOf(id [16]byte, mediaType string, body []byte) (k frameKey) {
	h := sha256.New()
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(len(mediaType)))
	h.Write(n[:])
	h.Write([]byte(mediaType))
	h.Write(body)
	var sum [32]byte
	h.Sum(sum[:0])
	copy(k[:16], id[:])
	copy(k[16:], sum[:16])
	return k
}

// windows are the id windows of all lane groups. Only a keyed fingerprint of
// an id and the row that holds it are in memory: a hit is confirmed against
// that row, so a collision costs a read and never a message.
type windows struct {
	seed  maphash.Seed
	lanes map[int64]*window
	total int
}

type window struct {
	young, old map[uint64]int64 // fingerprint -> entry row id
	since      int64            // when young began, ms
}

func newWindows() *windows {
	return &windows{seed: maphash.MakeSeed(), lanes: make(map[int64]*window)}
}

func (w *windows) finger(id []byte) uint64 { return maphash.Bytes(w.seed, id) }

// known returns the row that may hold the id, 0 when none does.
func (l *window) known(f uint64) int64 {
	if row, ok := l.young[f]; ok {
		return row
	}
	return l.old[f]
}

// lane returns the window of a lane, nil when it is not loaded.
func (w *windows) lane(id int64) *window { return w.lanes[id] }

// open makes the window of a lane.
func (w *windows) open(id, now int64) *window {
	l := &window{young: make(map[uint64]int64), since: now}
	w.lanes[id] = l
	return l
}

// add notes that row holds the id.
func (w *windows) add(l *window, f uint64, row, now int64) {
	if len(l.young) >= idWindow || now-l.since >= idAge {
		w.total -= len(l.old)
		l.old, l.young, l.since = l.young, make(map[uint64]int64), now
	}
	if _, ok := l.young[f]; !ok {
		w.total++
	}
	l.young[f] = row
	if w.total > maxIDs {
		w.shrink()
	}
}

// shrink drops the older half of the largest window.
func (w *windows) shrink() {
	var worst *window
	for _, l := range w.lanes {
		if worst == nil || len(l.young)+len(l.old) > len(worst.young)+len(worst.old) {
			worst = l
		}
	}
	w.total -= len(worst.old)
	worst.old, worst.young = worst.young, make(map[uint64]int64)
}

// drop forgets a lane's window; it is loaded again when needed.
func (w *windows) drop(id int64) {
	if l := w.lanes[id]; l != nil {
		w.total -= len(l.young) + len(l.old)
		delete(w.lanes, id)
	}
}

// judgeID compares a frame with the ids of the row that may hold its id: nil
// when the id is new there, else duplicate or id_conflict (check E13).
func judgeID(k frameKey, ids []byte) error {
	for ; len(ids) >= idBytes; ids = ids[idBytes:] {
		if !bytes.Equal(ids[:16], k[:16]) {
			continue
		}
		if bytes.Equal(ids[:idBytes], k[:]) {
			return envelope.Duplicate.Errorf("frame with known id and content")
		}
		return envelope.IDConflict.Errorf("frame with known id and other content")
	}
	return nil
}
