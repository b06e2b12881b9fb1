package market

import (
	"bufio"
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

// Ledger counts, and keeps every entry in a file where it has one.
type Ledger struct {
	mu        sync.Mutex
	out       *bufio.Writer
	file      *os.File
	sent      map[string]sending
	received  map[string]int64 // message -> when, 0 in an earlier run
	acked     map[string]struct{}
	verified  int
	again     int
	violation int // handed over again although the acknowledgement was answered
}

type sending struct {
	recipients int
	at         int64 // 0 in an earlier run
}

// OpenLedger reads the ledger of an earlier run, if there is one, and goes on
// with it. path "" keeps it in memory.
func OpenLedger(path string) (*Ledger, error) {
	l := &Ledger{sent: make(map[string]sending), received: make(map[string]int64), acked: make(map[string]struct{})}
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
	switch e.Do {
	case "sent":
		if _, again := l.sent[e.ID]; !again { // a repeated request is answered again
			l.sent[e.ID] = sending{len(e.To), e.At}
		}
	case "received":
		if _, acked := l.acked[e.ID]; acked {
			l.violation++
		}
		if _, seen := l.received[e.ID]; seen {
			l.again++
			return
		}
		l.received[e.ID] = e.At
		if e.Verified {
			l.verified++
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
	for _, s := range l.sent {
		c.Sent += s.recipients
	}
	return c
}

// Latencies returns, in milliseconds, the times from request to handing over of
// what was both sent and received since the ledgers were opened.
func Latencies(ledgers ...*Ledger) (all []float64) {
	sent := make(map[string]int64)
	for _, l := range ledgers {
		l.mu.Lock()
		for id, s := range l.sent {
			if s.at > 0 {
				sent[id] = s.at
			}
		}
		l.mu.Unlock()
	}
	for _, l := range ledgers {
		l.mu.Lock()
		for id, at := range l.received {
			if from, ok := sent[id]; ok && at > 0 {
				all = append(all, float64(at-from)/1000)
			}
		}
		l.mu.Unlock()
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
