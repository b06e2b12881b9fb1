package market

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
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
	MS          float64  `json:"ms,omitempty"` // from the sender's request to this participant
}

// Ledger counts, and keeps every entry in a file where it has one.
type Ledger struct {
	mu        sync.Mutex
	out       *bufio.Writer
	file      *os.File
	sent      map[string]int // message -> recipients
	received  map[string]struct{}
	acked     map[string]struct{}
	verified  int
	again     int
	violation int // handed over again although the acknowledgement was answered
	latency   []float64
}

// OpenLedger reads the ledger of an earlier run, if there is one, and goes on
// with it. path "" keeps it in memory.
func OpenLedger(path string) (*Ledger, error) {
	l := &Ledger{sent: make(map[string]int), received: make(map[string]struct{}), acked: make(map[string]struct{})}
	if path == "" {
		return l, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := ReadLedger(path, func(e Entry) { l.count(e) }); err != nil {
		return nil, err
	}
	l.latency = nil
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	l.file, l.out = f, bufio.NewWriter(f)
	return l, nil
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
	switch e.Do {
	case "sent":
		l.sent[e.ID] = len(e.To)
	case "received":
		if _, acked := l.acked[e.ID]; acked {
			l.violation++
		}
		if _, seen := l.received[e.ID]; seen {
			l.again++
			return
		}
		l.received[e.ID] = struct{}{}
		if e.Verified {
			l.verified++
		}
		if e.MS > 0 {
			l.latency = append(l.latency, e.MS)
		}
	case "acked":
		l.acked[e.ID] = struct{}{}
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
	c := Counts{Received: len(l.received), Verified: l.verified, Again: l.again, Violation: l.violation}
	for _, n := range l.sent {
		c.Sent += n
	}
	return c
}

// Latencies returns the times from request to receipt seen by this process, in
// milliseconds.
func (l *Ledger) Latencies() []float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]float64(nil), l.latency...)
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

// sinceStamp returns the milliseconds since a stamp of Stamp, 0 when there is none.
func sinceStamp(stamp string, now time.Time) float64 {
	t, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return 0
	}
	return float64(now.Sub(t).Microseconds()) / 1000
}
