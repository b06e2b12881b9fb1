package intake

import (
	"errors"

	"github.com/fxamacker/cbor/v2"
)

// Bounds of one session's ledger.
const (
	MaxHoles    = 1024 // open holes of a session; an entry that would open another is dropped and asked for later
	MaxRefusals = 1024 // refused ranges told in a receipt
)

// Why a range is asked for, as in a receipt's missing list.
const (
	WhyHole   = 1 // never came
	WhySecret = 2 // no grant, or its key is gone
	WhyBytes  = 3 // came damaged
	WhyBody   = 4 // the store has not the body, or a part of an object
)

// Hole is a range of numbers that were not received, with what the entries on
// both sides of it say about its ends.
type Hole struct {
	From    uint64   `cbor:"1,keyasint"`
	To      uint64   `cbor:"2,keyasint"`
	Before  [32]byte `cbor:"3,keyasint"` // D of From-1 (the session id when From is 0)
	End     [32]byte `cbor:"4,keyasint"` // D that To must have: its successor's prev
	Since   int64    `cbor:"5,keyasint"` // ms
	Why     int      `cbor:"6,keyasint"`
	Asked   int      `cbor:"7,keyasint,omitempty"` // times asked
	NextAsk int64    `cbor:"8,keyasint,omitempty"` // ms
	Passed  bool     `cbor:"9,keyasint,omitempty"` // a gap was reported: later messages no longer wait
}

// Refusal is a range of numbers refused with one code; Frame -1 means whole
// envelopes, else From == To and one frame of it.
type Refusal struct {
	From  uint64 `cbor:"1,keyasint"`
	To    uint64 `cbor:"2,keyasint"`
	Code  string `cbor:"3,keyasint"`
	Frame int    `cbor:"4,keyasint"`
}

// Ledger is what a session remembers of its chain: the next number, the D of
// the last, and the holes below. D of every held number is in its entry row.
// It is a value of the loop; it does no I/O.
type Ledger struct {
	Next     uint64    `cbor:"1,keyasint"`           // one above the highest number held or known missing
	Head     [32]byte  `cbor:"2,keyasint"`           // D of Next-1; the session id when Next is 0
	Holes    []Hole    `cbor:"3,keyasint,omitempty"` // ascending, not adjacent by construction of From..To
	Refused  []Refusal `cbor:"4,keyasint,omitempty"` // ascending
	LastT    int64     `cbor:"5,keyasint,omitempty"` // t of the highest entry
	Released uint64    `cbor:"6,keyasint,omitempty"` // every number below was handed over, refused or passed
	Closed   bool      `cbor:"7,keyasint,omitempty"` // a later session named the end
	EndSeq   uint64    `cbor:"8,keyasint,omitempty"` // the last number, when closed
	EndD     [32]byte  `cbor:"9,keyasint"`
	Prev     *Prev     `cbor:"10,keyasint,omitempty"` // the entry of the lane group this session follows
	Highest  int64     `cbor:"11,keyasint,omitempty"` // highest seq seen while not open, plus 1
	Revoked  string    `cbor:"12,keyasint,omitempty"` // code that ended the session's standing
	BrokenAt uint64    `cbor:"13,keyasint,omitempty"` // refused from there, plus 1 (chain_broken)
	Creds    [][]byte  `cbor:"14,keyasint,omitempty"` // credentials the sender relied on
	Strict   bool      `cbor:"16,keyasint,omitempty"` // order of the topic record
	FirstBad int64     `cbor:"17,keyasint,omitempty"` // when a judgement first failed (ms)
	Told     string    `cbor:"18,keyasint,omitempty"` // last waiting code reported
	StopAt   uint64    `cbor:"21,keyasint,omitempty"` // first number whose refusal found no room to be told, plus 1
	StopHead [32]byte  `cbor:"22,keyasint"`           // D of the number before it
	Follower [32]byte  `cbor:"19,keyasint"`           // session that named this one as its predecessor
	Awaits   []*Await  `cbor:"23,keyasint,omitempty"` // ascending
	MarkT    int64     `cbor:"24,keyasint,omitempty"` // t of the newest mark
	MarkEnd  uint64    `cbor:"25,keyasint,omitempty"` // next number of a mark that closed the session, plus 1
	Bad      []uint64  `cbor:"26,keyasint,omitempty"` // numbers that came damaged and are asked for
}

// Prev names the entry a session follows.
type Prev struct {
	SID [32]byte `cbor:"1,keyasint"`
	Seq uint64   `cbor:"2,keyasint"`
	D   [32]byte `cbor:"3,keyasint"`
	Naf int64    `cbor:"4,keyasint"`
}

// newLedger is the ledger of a session of which nothing was received.
func newLedger(sid [32]byte) *Ledger { return &Ledger{Head: sid} }

func (l *Ledger) encode() []byte {
	b, err := cbor.Marshal(l)
	if err != nil { // a struct of plain fields: cannot fail
		panic(err)
	}
	return b
}

func decodeLedger(b []byte) (*Ledger, error) {
	var l Ledger
	if err := cbor.Unmarshal(b, &l); err != nil {
		return nil, err
	}
	return &l, nil
}

// Verdicts of place.
var (
	errHeld   = errors.New("number is held") // look at its D: replayed or forked
	errForked = errors.New("other D than its successor signed")
	errBroken = errors.New("prev is not the D of the predecessor")
	errFull   = errors.New("too many holes")
)

// placed says what an entry did to the chain.
type placed struct {
	hole   *Hole // opened by it (a copy)
	filled *Hole // closed or cut by it (a copy, as it was)
	late   bool  // behind what was already passed
}

// place puts entry (seq, prev, d) into the chain (check E9). On error nothing
// has changed.
func (l *Ledger) place(seq uint64, prev, d [32]byte, now int64) (placed, error) {
	switch {
	case seq == l.Next:
		if prev != l.Head {
			return placed{}, errBroken
		}
		l.Next, l.Head = seq+1, d
		return placed{}, nil
	case seq > l.Next:
		if len(l.Holes) >= MaxHoles {
			return placed{}, errFull
		}
		h := Hole{From: l.Next, To: seq - 1, Before: l.Head, End: prev, Since: now, NextAsk: now, Why: WhyHole}
		l.Holes = append(l.Holes, h)
		l.Next, l.Head = seq+1, d
		return placed{hole: &h}, nil
	}
	i := l.holeAt(seq)
	if i < 0 {
		return placed{}, errHeld
	}
	h := l.Holes[i]
	if seq == h.To && h.End != ([32]byte{}) && d != h.End {
		return placed{}, errForked
	}
	if seq == h.From && prev != h.Before {
		return placed{}, errBroken
	}
	left, right := h, h
	left.To, left.End = seq-1, prev
	right.From, right.Before = seq+1, d
	var cut []Hole
	if seq > h.From {
		cut = append(cut, left)
	}
	if seq < h.To {
		cut = append(cut, right)
	}
	if len(l.Holes)-1+len(cut) > MaxHoles {
		return placed{}, errFull
	}
	holes := make([]Hole, 0, len(l.Holes)+1)
	holes = append(append(append(holes, l.Holes[:i]...), cut...), l.Holes[i+1:]...)
	l.Holes = holes
	if seq == l.Next-1 { // the tail a later session named: it is the head now
		l.Head = d
	}
	return placed{filled: &h, late: seq < l.Released}, nil
}

// holeAt returns the index of the hole that contains seq, or -1.
func (l *Ledger) holeAt(seq uint64) int {
	lo, hi := 0, len(l.Holes)
	for lo < hi {
		m := (lo + hi) / 2
		if l.Holes[m].To < seq {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo < len(l.Holes) && l.Holes[lo].From <= seq {
		return lo
	}
	return -1
}

// end notes that a later session named (seq, d) as this one's last entry
// addressed here. What is not held up to it becomes a hole, returned. held
// tells whether the number itself is held, so that its D can be compared.
func (l *Ledger) end(seq uint64, d [32]byte, why int, now int64) (hole *Hole, held bool) {
	if l.Closed && l.EndSeq >= seq {
		return nil, l.holeAt(seq) < 0
	}
	l.Closed, l.EndSeq, l.EndD = true, seq, d
	if seq < l.Next {
		return nil, l.holeAt(seq) < 0
	}
	h := Hole{From: l.Next, To: seq, Before: l.Head, End: d, Since: now, NextAsk: now, Why: why}
	if len(l.Holes) >= MaxHoles {
		return nil, false
	}
	l.Holes = append(l.Holes, h)
	l.Next, l.Head = seq+1, d
	return &h, false
}

// refuse adds a refusal and merges it with its neighbour. It reports false when
// the list is full and the number cannot be told any more.
func (l *Ledger) refuse(seq uint64, code string, frame int) bool {
	i := len(l.Refused)
	for i > 0 && (l.Refused[i-1].From > seq || (l.Refused[i-1].From == seq && l.Refused[i-1].Frame > frame)) {
		i--
	}
	if frame < 0 {
		if i > 0 && l.Refused[i-1].Frame < 0 && l.Refused[i-1].Code == code && l.Refused[i-1].To+1 >= seq {
			l.Refused[i-1].To = max(l.Refused[i-1].To, seq)
			return true
		}
	}
	if len(l.Refused) >= MaxRefusals {
		return false
	}
	l.Refused = append(l.Refused, Refusal{})
	copy(l.Refused[i+1:], l.Refused[i:])
	l.Refused[i] = Refusal{From: seq, To: seq, Code: code, Frame: frame}
	return true
}

// stopTelling notes that the refusal of a number found no room: receipts stop
// before it, so that nothing refused is ever told as delivered. before is the
// D of its predecessor.
func (l *Ledger) stopTelling(seq uint64, before [32]byte) {
	if l.StopAt == 0 || seq+1 < l.StopAt {
		l.StopAt, l.StopHead = seq+1, before
	}
}

// firstHole returns the first hole at or above from that later messages still
// wait for, or nil.
func (l *Ledger) firstHole(from uint64) *Hole {
	for i := range l.Holes {
		if l.Holes[i].To >= from && !l.Holes[i].Passed {
			return &l.Holes[i]
		}
	}
	return nil
}
