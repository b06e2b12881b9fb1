package intake_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/inbox"
	"github.com/digital-spine/spine/gateway/intake"
)

// breaking is a store of which some calls in a row break off.
type breaking struct {
	intake.Store
	s *breaks
}

// breaks says which, over all stores of a test.
type breaks struct {
	mu    sync.Mutex
	left  int    // calls until the first that breaks off
	row   int    // how many in a row
	only  string // "commit", "stream"; else all do
	after bool   // only commits do, and after they were made
	broke bool
	cut   func() // called at the first
}

func (b breaking) breaks(call string) error {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	if b.s.only != "" && b.s.only != call {
		return nil
	}
	if b.s.left--; b.s.left > 0 || b.s.left <= -b.s.row {
		return nil
	}
	if !b.s.broke && b.s.cut != nil {
		b.s.cut()
	}
	b.s.broke = true
	return fmt.Errorf("breaks off on purpose")
}

func (b breaking) Commit(ctx context.Context, r *intake.Round) error {
	if r.Empty() {
		return nil
	}
	err := b.breaks("commit")
	if err != nil && !b.s.after {
		return err
	}
	if failed := b.Store.Commit(ctx, r); failed != nil {
		return failed
	}
	return err
}

func (b breaking) Last(ctx context.Context) (intake.Last, error) {
	return one(b, func() (intake.Last, error) { return b.Store.Last(ctx) })
}

func (b breaking) Session(ctx context.Context, sid [32]byte) (*intake.SessionRow, error) {
	return one(b, func() (*intake.SessionRow, error) { return b.Store.Session(ctx, sid) })
}

func (b breaking) SessionByID(ctx context.Context, id int64) (*intake.SessionRow, error) {
	return one(b, func() (*intake.SessionRow, error) { return b.Store.SessionByID(ctx, id) })
}

func (b breaking) SessionsOf(ctx context.Context, lane int64, limit int) ([]intake.SessionRow, error) {
	return one(b, func() ([]intake.SessionRow, error) { return b.Store.SessionsOf(ctx, lane, limit) })
}

func (b breaking) Unsettled(ctx context.Context, after int64, limit int) ([]intake.SessionRow, error) {
	return one(b, func() ([]intake.SessionRow, error) { return b.Store.Unsettled(ctx, after, limit) })
}

func (b breaking) Secrets(ctx context.Context, before int64, limit int) ([]intake.SessionRow, error) {
	return one(b, func() ([]intake.SessionRow, error) { return b.Store.Secrets(ctx, before, limit) })
}

func (b breaking) Expired(ctx context.Context, now int64, limit int) ([]intake.SessionRow, error) {
	return one(b, func() ([]intake.SessionRow, error) { return b.Store.Expired(ctx, now, limit) })
}

func (b breaking) ParkedBefore(ctx context.Context, at int64, limit int) ([]intake.ParkedRow, error) {
	return one(b, func() ([]intake.ParkedRow, error) { return b.Store.ParkedBefore(ctx, at, limit) })
}

func (b breaking) Lane(ctx context.Context, id int64) (*intake.LaneRow, error) {
	return one(b, func() (*intake.LaneRow, error) { return b.Store.Lane(ctx, id) })
}

func (b breaking) FindLane(ctx context.Context, did string, inst uint64, chanID []byte, topic string) (*intake.LaneRow, error) {
	return one(b, func() (*intake.LaneRow, error) { return b.Store.FindLane(ctx, did, inst, chanID, topic) })
}

func (b breaking) Sender(ctx context.Context, did string, inst uint64) (*intake.SenderRow, error) {
	return one(b, func() (*intake.SenderRow, error) { return b.Store.Sender(ctx, did, inst) })
}

func (b breaking) Entry(ctx context.Context, id int64) (*intake.Held, error) {
	return one(b, func() (*intake.Held, error) { return b.Store.Entry(ctx, id) })
}

func (b breaking) Proof(ctx context.Context, id int64) ([]byte, error) {
	return one(b, func() ([]byte, error) { return b.Store.Proof(ctx, id) })
}

func (b breaking) Content(ctx context.Context, id int64) (key int64, body []byte, err error) {
	if err := b.breaks(""); err != nil {
		return 0, nil, err
	}
	return b.Store.Content(ctx, id)
}

func (b breaking) Watched(ctx context.Context, limit int) ([]intake.WatchRow, error) {
	return one(b, func() ([]intake.WatchRow, error) { return b.Store.Watched(ctx, limit) })
}

func (b breaking) Pending(ctx context.Context, from, to int64, limit int) ([]intake.Held, error) {
	return one(b, func() ([]intake.Held, error) { return b.Store.Pending(ctx, from, to, limit) })
}

func (b breaking) EntryIDs(ctx context.Context, id int64) ([]byte, error) {
	return one(b, func() ([]byte, error) { return b.Store.EntryIDs(ctx, id) })
}

func (b breaking) FrameIDs(ctx context.Context, from, to, since int64, fn func(id int64, ids []byte)) error {
	if err := b.breaks(""); err != nil {
		return err
	}
	return b.Store.FrameIDs(ctx, from, to, since, fn)
}

func (b breaking) Parked(ctx context.Context, sid [32]byte, limit int) ([]intake.ParkedRow, error) {
	return one(b, func() ([]intake.ParkedRow, error) { return b.Store.Parked(ctx, sid, limit) })
}

func (b breaking) ParkedBytes(ctx context.Context) (map[string]int64, error) {
	return one(b, func() (map[string]int64, error) { return b.Store.ParkedBytes(ctx) })
}

func (b breaking) Stream(ctx context.Context, stream string) (*intake.StreamRow, error) {
	if err := b.breaks("stream"); err != nil {
		return nil, err
	}
	return b.Store.Stream(ctx, stream)
}

func (b breaking) SenderBytes(ctx context.Context) (map[string]int64, error) {
	return one(b, func() (map[string]int64, error) { return b.Store.SenderBytes(ctx) })
}

func one[T any](b breaking, f func() (T, error)) (T, error) {
	if err := b.breaks(""); err != nil {
		var none T
		return none, err
	}
	return f()
}

// TestWhatBreaksOffIsTakenUpAgain has each call to the store break off in turn,
// alone or with those that follow it, in all kinds of rounds, with the process
// that goes on and with the next one: everything is handed over once and in
// order, nothing unjudged, receipts say no more than what is in custody and never
// go back, and nothing stays behind in the counts.
func TestWhatBreaksOffIsTakenUpAgain(t *testing.T) {
	for _, c := range []struct {
		name    string
		row     int
		after   bool
		restart bool
	}{
		{"the process goes on", 1, false, false},
		{"the process goes on, and its start breaks off too", 4, false, false},
		{"what was committed is not told", 1, true, false},
		{"a new process", 1, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n++ {
				b := &breaks{left: n, row: c.row, after: c.after}
				if c.after {
					b.only = "commit"
				}
				t.Run(fmt.Sprintf("call %d", n), func(t *testing.T) {
					alone(t, func(t *testing.T, w *world) { breakOff(t, w, b, c.restart) })
				})
				if !b.broke || t.Failed() {
					break
				}
			}
		})
	}
}

func breakOff(t *testing.T, w *world, b *breaks, restart bool) {
	w.halt()
	w.wrap = func(s intake.Store) intake.Store { return breaking{s, b} }
	w.config.StrictWait = time.Hour
	custody := w.custody()
	cut := make(chan struct{})
	if restart {
		b.cut = func() { close(cut) }
	}
	n := b.left
	b.left = -b.row // not while it starts: without its store it does not
	w.start()
	synctest.Wait()
	b.mu.Lock()
	b.left = n
	b.mu.Unlock()
	again := func() { // in the place of what waits for it
		if !restart {
			return
		}
		select {
		case <-cut:
			restart = false
			w.restart()
		default:
		}
	}
	wait := func(what string, ok func() bool) {
		t.Helper()
		w.until(what, func() bool { again(); return ok() })
	}
	asks := func(f *flow, seq uint64) func() bool {
		return func() bool {
			l := w.replies.lane(f.core.Session())
			return l != nil && slices.ContainsFunc(l.Missing, func(m envelope.Missing) bool { return m.First <= seq && seq <= m.Last })
		}
	}
	acked := func() bool {
		w.mail.mu.Lock()
		defer w.mail.mu.Unlock()
		return len(w.mail.unack) == 0
	}

	w.sink.fail = 1
	f := w.sender().open()
	var fs []envelope.Frame
	for range 8 {
		fs = append(fs, good(1)...)
	}
	o := file("network.csv", "text/csv", 20<<20)
	fs[3], fs[4] = large(), carries(o)
	var es []*envelope.Envelope
	for i := range 6 {
		es = append(es, f.seal(fs[i]))
	}
	w.bodies.put(es[3])
	f.s.send(es[0].Bytes()) // before its grant
	wait("the grant is asked for", asks(f, 0))
	f.s.send(f.grant, es[2].Bytes(), es[3].Notice().Bytes(), es[4].Bytes(), es[5].Bytes())
	wait("the hole is asked for", asks(f, 1))
	wait("the description is taken", func() bool { return w.objects.count() == 1 })
	w.objects.end(o.OID, nil)
	r := must(envelope.NewReceipt(background, edSigner{f.s.key}, envelope.ReceiptBody{Cert: f.s.cert.Digest(), Package: f.s.pkg.Digest(), At: 1,
		Lanes: []envelope.Lane{{UpTo: -1}}}))
	f.s.send(r.Bytes())
	f.s.send(flip(es[1].Bytes(), -5)) // damaged on its way
	f.s.send(es[1].Bytes())
	g := f.s.open(f.after())
	sixth := g.seal(fs[6])
	f.s.send(g.grant, sixth.Bytes())
	wait("all is in the mailbox no longer", func() bool {
		if !acked() {
			w.mail.again()
		}
		return acked()
	})
	wait("a receipt", func() bool { l := w.replies.lane(f.core.Session()); return l.UpTo == 5 && len(l.Missing) == 0 })
	wait("a receipt of the second", func() bool { l := w.replies.lane(g.core.Session()); return l != nil && l.UpTo == 0 })

	w.book.set(func() { w.book.standErr = envelope.StatusStale.Errorf("no fresh list") })
	last := g.seal(fs[7])
	f.s.send(last.Bytes())
	wait("it is taken", acked)
	w.pass(3 * time.Second)
	again()
	f.s.send(g.mark(envelope.MarkClosed))
	wait("it is taken", acked)
	w.book.set(func() { w.book.standErr = envelope.RoleRevoked.Errorf("revoked") })
	wait("it is refused", func() bool {
		l := w.replies.lane(g.core.Session())
		return len(l.Refused) == 1 && l.Refused[0].First == 1 && l.Refused[0].Code == envelope.RoleRevoked
	})
	w.pass(time.Minute)
	again()
	w.receiveIDs(ids(fs[:7]...)...)
	if got := must(w.inbox.Pull(w.ctx, gateway.Consumer{Name: "app", Channel: "telemetry"}, 10, 0)); len(got) > 0 {
		t.Errorf("handed over unjudged: %v", got)
	}
	w.pass(2 * time.Minute)
	if got := must(w.store.Intake().Unsettled(w.ctx, 0, 10)); len(got) > 0 {
		t.Errorf("%d sessions are stored as unsettled; first: due %v, %+v", len(got), got[0].Due, got[0].State)
	}
	if got := w.sink.got; got == 0 {
		t.Error("a receipt was lost on its way to the outbox")
	}
	custody()
	for _, code := range []string{"hole", "role_revoked"} {
		if n := w.events.count(code); n != 1 && b.cut == nil {
			t.Errorf("event %s was told %d times", code, n)
		}
	}
	w.halt()
	if left := w.in.Left(); left != "" || w.in.Active() > 0 {
		t.Errorf("in progress for ever: %s; %d sessions", left, w.in.Active())
	}
}

// again delivers what is overdue, as the broker does.
func (m *mailbox) again() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.queue) > 0 {
		return
	}
	for seq := uint64(1); seq <= m.seq; seq++ {
		if d, ok := m.unack[seq]; ok {
			d.Redelivered = true
			m.queue = append(m.queue, d)
		}
	}
	close(m.wake)
	m.wake = make(chan struct{})
}

// custody watches the receipts: what they say is in custody is in the store, and
// they never go back. What it returns reports.
func (w *world) custody() func() {
	var wrong []string
	upto, at := map[envelope.Digest]int64{}, int64(0)
	w.replies.look = func(r *envelope.Receipt) {
		if r.At <= at {
			wrong = append(wrong, "a receipt is not newer than the last")
		}
		at = r.At
		for _, l := range r.Lanes {
			if before, ok := upto[l.Session]; ok && l.UpTo < before {
				wrong = append(wrong, fmt.Sprintf("a receipt goes back from %d to %d", before, l.UpTo))
			}
			upto[l.Session] = l.UpTo
			row := must(w.store.Intake().Session(w.ctx, l.Session))
			for seq := int64(0); seq <= l.UpTo; seq++ {
				listed := slices.ContainsFunc(l.Missing, func(m envelope.Missing) bool { return int64(m.First) <= seq && seq <= int64(m.Last) }) ||
					slices.ContainsFunc(l.Refused, func(m envelope.Refusal) bool { return int64(m.First) <= seq && seq <= int64(m.Last) })
				if row == nil {
					wrong = append(wrong, "a receipt of what was not committed")
				} else if held := must(w.store.Intake().Entry(w.ctx, row.ID*inbox.MaxSeq+seq)); !listed && (held == nil || !held.Content) {
					wrong = append(wrong, fmt.Sprintf("a receipt says %d is in custody", seq))
				}
			}
		}
	}
	return func() {
		w.replies.mu.Lock()
		defer w.replies.mu.Unlock()
		for _, s := range wrong {
			w.t.Error(s)
		}
	}
}
