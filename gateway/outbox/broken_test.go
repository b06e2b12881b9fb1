package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/outbox"
	"github.com/digital-spine/spine/gateway/sqlstore"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// TestWhatBreaksOffGoesOn has calls to the store break off, before or after they
// did what they should, alone or with those behind them, with the process that
// goes on and with the next one. A client that repeats what it has no answer to,
// and a recipient that repeats its receipts, find everything sent in the end:
// once, in sessions that hold together, with marks behind it, and nothing is left
// waiting. It takes some of the calls; SPINE_TEST_SEED has it take others.
func TestWhatBreaksOffGoesOn(t *testing.T) {
	seed := uint64(1)
	if s := os.Getenv("SPINE_TEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("SPINE_TEST_SEED: %v", err)
		}
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, mode := range []struct {
		after bool
		away  int
		step  int
	}{{false, 0, 251}, {true, 0, 31}, {true, 2, 23}} {
		for _, restart := range []bool{false, true} {
			for n := 1 + rng.IntN(mode.step); ; n += mode.step {
				broke := false
				t.Run(fmt.Sprintf("call %d, made %v, and %d more, restarted %v", n, mode.after, mode.away, restart), func(t *testing.T) {
					broke = breakOff(t, &breaking{left: n, after: mode.after, away: mode.away}, restart)
				})
				if !broke {
					break
				}
			}
		}
	}
}

// mishap is a sender that somebody drives through a day with a store that breaks.
type mishap struct {
	*world
	t     *testing.T
	store *breaking
	done  chan error // of Run
	end   context.CancelFunc
	b, c  *reader
	read  map[*reader]int
	said  map[*reader]int64 // when it sent its last receipt
	void  []envelope.Digest // refused by b
}

func breakOff(t *testing.T, store *breaking, restart bool) bool {
	m := &mishap{world: newWorld(t), t: t, store: store, read: map[*reader]int{}, said: map[*reader]int64{}}
	m.files = newFiles()
	m.b, m.c = newReader(t, newParty(began.UnixMilli()), m.self), newReader(t, newParty(began.UnixMilli()), m.self)
	m.book.admit(m.b.party)
	m.book.admit(m.c.party)
	m.db = must(sqlstore.Open(background, "sqlite:"+m.path, sqlkit.Options{}))
	store.Store = m.db.Outbox()
	m.open()
	defer func() {
		m.end()
		<-m.done
		if err := m.db.Close(); err != nil {
			t.Error(err)
		}
	}()
	down := func(addrs ...string) {
		m.net.set(func(msg bus.Msg) error {
			if _, to, _, err := bus.ParseSubject(msg.Subject); err != nil || slices.Contains(addrs, to) {
				return errDown
			}
			return nil
		})
	}
	down(m.b.addr, m.c.addr)
	first := m.insist(draft(1))
	down(m.c.addr)
	file := m.files.put("grid.csv", 100)
	object := m.insist(fileDraft(file))
	m.files.arrive(file, forever, true)
	second := m.insist(draft(2))
	m.until(5*time.Second, "the first session", func() bool { return slices.Contains(m.b.ids(), second) && slices.Contains(m.b.ids(), object) })
	m.void = append(m.void, m.b.order...)
	for _, sid := range m.void {
		m.b.refuse(sid)
	}
	m.until(5*time.Second, "the messages of a refused session", func() bool { return m.arrived(first, object, second) })
	third := m.insist(draft(3))
	if restart {
		m.end()
		<-m.done
		m.open()
	}
	all := []string{first, object, second, third}
	m.until(5*time.Second, "everything", func() bool { return m.arrived(all...) })
	for _, id := range all {
		if n := m.times(id); n != 1 {
			t.Errorf("message %s came %d times", id, n)
		}
	}
	for _, sid := range m.b.order {
		got := m.b.sessions[sid].ids
		if a, b, c := slices.Index(got, first), slices.Index(got, second), slices.Index(got, third); b >= 0 && a > b || c >= 0 && max(a, b) > c {
			t.Errorf("came in the order %v", got)
		}
	}
	sid, s := m.b.last()
	m.until(time.Minute, "marks behind the newest message", func() bool {
		for _, k := range m.net.marks(m.b.addr) {
			if k.Session == sid && k.Seq == s.next {
				return true
			}
		}
		return false
	})
	down()
	m.until(5*time.Second, "the recipient that was away", func() bool { return m.c.has(all...) })
	m.until(30*time.Second, "everything delivered", func() bool {
		for _, id := range all {
			if st, err := m.box.Status(background, id); err != nil || st.State != gateway.StateDelivered {
				return false
			}
		}
		return m.files.isReleased(file)
	})
	return store.broke()
}

// open starts an outbox, as often as its store lets it fail to.
func (m *mishap) open() {
	for {
		ctx, cancel := context.WithCancel(background)
		box, err := outbox.New(ctx, m.deps(m.store))
		if err != nil {
			cancel()
			continue
		}
		m.box, m.end, m.done = box, cancel, make(chan error, 1)
		go func(done chan<- error) { done <- box.Run(ctx) }(m.done)
		return
	}
}

// tick lets time pass; a process that ended is started again.
func (m *mishap) tick(d time.Duration) {
	select {
	case <-m.done:
		m.end()
		m.open()
	case <-time.After(time.Millisecond):
	}
	m.clock.Advance(d)
}

// insist sends a message until it is accepted.
func (m *mishap) insist(d gateway.Draft) string {
	d.IdempotencyKey = string(d.Body) + d.File
	for range 10 {
		type answer struct {
			gateway.Accepted
			err error
		}
		sent := make(chan answer, 1)
		box := m.box
		go func() {
			out, errs := box.Send(background, []gateway.Draft{d})
			sent <- answer{out[0], errs[0]}
		}()
		for waits := true; waits; {
			select {
			case a := <-sent:
				if a.err == nil {
					return a.ID
				}
				waits = false
			default:
				m.tick(200 * time.Millisecond)
			}
		}
	}
	m.t.Fatal("not accepted")
	return ""
}

// until lets time pass, with both recipients reading and receipting.
func (m *mishap) until(step time.Duration, what string, ok func() bool) {
	m.t.Helper()
	for n := 0; !ok(); n++ {
		if n == 600 {
			m.t.Fatalf("waited in vain for %s", what)
		}
		if n > 100 { // the machine is slow: its time has to pass, too
			<-time.After(20 * time.Millisecond)
		}
		m.tick(step)
		m.listen(m.b, m.void)
		m.listen(m.c, nil)
	}
}

func (m *mishap) listen(r *reader, void []envelope.Digest) {
	wires := m.net.to(r.addr)
	if len(wires) == m.read[r] && m.now() < m.said[r]+minute {
		return
	}
	r.read(wires[m.read[r]:])
	m.read[r], m.said[r] = len(wires), m.now()
	var lanes []envelope.Lane
	for _, sid := range r.order {
		switch {
		case slices.Contains(void, sid):
			lanes = append(lanes, r.refuse(sid))
		case r.sessions[sid].next > 0:
			lanes = append(lanes, r.custody(sid))
		}
	}
	if len(lanes) > 0 {
		_ = m.box.Receipt(background, r.addr, r.receipt(m.now(), lanes...)) // one that is lost is healed by the next
	}
}

// times counts how often b has a message in sessions that it did not refuse.
func (m *mishap) times(id string) (n int) {
	for _, sid := range m.b.order {
		if s := m.b.sessions[sid]; !s.void {
			for _, x := range s.ids {
				if x == id {
					n++
				}
			}
		}
	}
	return n
}

func (m *mishap) arrived(ids ...string) bool {
	return !slices.ContainsFunc(ids, func(id string) bool { return m.times(id) == 0 })
}

func (r *reader) has(ids ...string) bool {
	got := r.ids()
	return !slices.ContainsFunc(ids, func(id string) bool { return !slices.Contains(got, id) })
}

// breaking is a store of which one call breaks off, and some of those behind it.
type breaking struct {
	outbox.Store
	after bool // a write breaks off after it was made; reads do not
	away  int  // calls behind it that break off too

	mu   sync.Mutex
	left int // calls until the one that breaks off
}

var errBroken = errors.New("the connection broke")

func (b *breaking) breaks(write bool) (broken, made bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left <= 0 && b.away > 0 {
		b.away--
		return true, false
	}
	if b.left <= 0 || b.after && !write {
		return false, false
	}
	b.left--
	return b.left == 0, b.after
}

// broke reports whether the call that breaks off was made.
func (b *breaking) broke() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left <= 0
}

func part[T any](b *breaking, write bool, fn func() (T, error)) (out T, err error) {
	broken, made := b.breaks(write)
	if broken && !made {
		return out, errBroken
	}
	got, err := fn()
	if broken {
		return out, errors.Join(errBroken, err)
	}
	return got, err
}

func (b *breaking) write(fn func() error) error {
	_, err := part(b, true, func() (struct{}, error) { return struct{}{}, fn() })
	return err
}
