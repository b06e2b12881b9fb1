package market

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Entry is one line of a participant's ledger: what it was told by its gateway
// and when. The ledgers of all participants together show whether anything was
// lost, without asking the spine.
type Entry struct {
	Do          string   `json:"do"`            // sent, received, acked
	ID          string   `json:"id"`            // message
	To          []string `json:"to,omitempty"`  // DIDs, of what was sent
	Who         string   `json:"who,omitempty"` // DID of the sender, of what was received
	Verified    bool     `json:"verified,omitempty"`
	Redelivered bool     `json:"redelivered,omitempty"`
	At          int64    `json:"at,omitempty"` // µs since 1970: of the request that sent it, of the handing over
}

// Ledger counts, and keeps every entry in a file where it has one. In memory it
// remembers the newest ids only, to tell what comes again.
type Ledger struct {
	mu       sync.Mutex
	out      *bufio.Writer
	file     *os.File
	counts   Counts
	sent     remembered // at: of the request
	received remembered // at: of the handing over
}

// maxRemembered bounds the ids that are remembered of each kind.
const maxRemembered = 1 << 17

// remembered are the newest ids of one kind.
type remembered struct {
	byID map[[16]byte]mention
	ring [][16]byte // in order of arrival, from next on the oldest
	next int
}

type mention struct {
	at    int64 // µs since 1970, 0 in an earlier run
	acked bool
}

// add remembers an id and forgets the oldest one when there are too many.
func (r *remembered) add(id [16]byte, m mention) {
	if r.byID == nil {
		r.byID = make(map[[16]byte]mention)
	}
	if len(r.ring) < maxRemembered {
		r.ring = append(r.ring, id)
	} else {
		delete(r.byID, r.ring[r.next])
		r.ring[r.next] = id
		r.next = (r.next + 1) % maxRemembered
	}
	r.byID[id] = m
}

// OpenLedger reads the ledger of an earlier run, if there is one, and goes on
// with it. path "" keeps it in memory.
func OpenLedger(path string) (*Ledger, error) {
	l := new(Ledger)
	if path == "" {
		return l, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	err := ReadLedger(path, func(e Entry) {
		e.At = 0
		l.count(e)
	})
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := endLine(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	l.file, l.out = f, bufio.NewWriter(f)
	return l, nil
}

// endLine ends the half line of a process that was killed, so that the next
// entry is not lost in it.
func endLine(f *os.File) error {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil || end == 0 {
		return err
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], end-1); err != nil || last[0] == '\n' {
		return err
	}
	_, err = f.Write([]byte{'\n'})
	return err
}

// ReadLedger calls fn for every whole line of a ledger's file; none is no
// error.
func ReadLedger(path string, fn func(Entry)) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var e Entry
		if json.Unmarshal(s.Bytes(), &e) == nil { // a process that was killed leaves half a line
			fn(e)
		}
	}
	return s.Err()
}

func (l *Ledger) count(e Entry) {
	sum := sha256.Sum256([]byte(e.ID))
	id := [16]byte(sum[:16])
	switch e.Do {
	case "sent":
		if _, again := l.sent.byID[id]; !again { // a repeated request is answered again
			l.counts.Sent += len(e.To)
			l.sent.add(id, mention{at: e.At})
		}
	case "received":
		before, seen := l.received.byID[id]
		if before.acked {
			l.counts.Violation++
		}
		if seen {
			l.counts.Again++
			return
		}
		l.counts.Received++
		if e.Verified {
			l.counts.Verified++
		}
		l.received.add(id, mention{at: e.At})
	case "acked":
		if m, seen := l.received.byID[id]; seen {
			m.acked = true
			l.received.byID[id] = m
		}
	}
}

// add records entries; they are in the file when it returns.
func (l *Ledger) add(entries ...Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		l.count(e)
		if l.out == nil {
			continue
		}
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		l.out.Write(b)
		l.out.WriteByte('\n')
	}
	if l.out == nil {
		return nil
	}
	if err := l.out.Flush(); err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	return nil
}

// Counts are sums over a ledger.
type Counts struct {
	Sent      int // messages times recipients, answered 2xx
	Received  int // distinct messages handed over
	Verified  int // of those, with every check shown as ok
	Again     int // handed over more than once
	Violation int // of those, after their acknowledgement was answered
}

// Add returns the sum of two counts.
func (c Counts) Add(d Counts) Counts {
	return Counts{c.Sent + d.Sent, c.Received + d.Received, c.Verified + d.Verified, c.Again + d.Again, c.Violation + d.Violation}
}

// Counts returns the sums so far.
func (l *Ledger) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts
}

// Latencies returns, in milliseconds, the times from request to handing over of
// what was both sent and received since the ledgers were opened, as far as they
// remember it.
func Latencies(ledgers ...*Ledger) (all []float64) {
	requested := func(id [16]byte) int64 {
		for _, l := range ledgers {
			l.mu.Lock()
			at := l.sent.byID[id].at
			l.mu.Unlock()
			if at > 0 {
				return at
			}
		}
		return 0
	}
	for _, l := range ledgers {
		l.mu.Lock()
		got := make(map[[16]byte]int64, len(l.received.byID))
		for id, m := range l.received.byID {
			if m.at > 0 {
				got[id] = m.at
			}
		}
		l.mu.Unlock()
		for id, at := range got {
			if from := requested(id); from > 0 {
				all = append(all, float64(at-from)/1000)
			}
		}
	}
	return all
}

// Close closes the file.
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	return errors.Join(l.out.Flush(), l.file.Close())
}
