package stats

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/gateway"
)

const me = "did:me"

func id(n int) string { return fmt.Sprintf("00000000-0000-7000-8000-%012x", n) }

func in(n int, from string, s gateway.State) gateway.Entry {
	return gateway.Entry{ID: id(n), Direction: gateway.In, Channel: "c", Topic: "t.apps", From: from, State: s}
}

func out(n int, s gateway.State, to ...string) gateway.Entry {
	return gateway.Entry{ID: id(n), Direction: gateway.Out, Channel: "c", To: to, State: s}
}

func sum(list []int64) (n int64) {
	for _, v := range list {
		n += v
	}
	return n
}

func TestCountsOnce(t *testing.T) {
	clock := clockwork.NewFakeClock()
	m := New(me, clock)
	for range 3 { // again for each change of state
		m.Message(in(1, "did:a", "waiting"))
		m.Message(in(1, "did:a", "verified"))
		m.Message(in(2, "did:a", gateway.StateRefused))
		m.Message(out(3, gateway.StateWaiting, "did:a", "did:b"))
		m.Message(out(3, gateway.StateAccepted, "did:a", "did:b"))
		m.Message(out(3, gateway.StateUnconfirmed, "did:a", "did:b"))
		m.Message(out(3, gateway.StateDelivered, "did:a", "did:b"))
		m.Message(out(4, gateway.StateAccepted, "did:b"))
		m.Message(out(4, gateway.StateRefused, "did:b"))
		m.Message(out(5, gateway.StateUndelivered, "did:b"))
	}
	o := m.Overview(15)
	want := gateway.Totals{Since: clock.Now().UnixMilli(), In: 1, Out: 2, Delivered: 1, Refused: 2, Unconfirmed: 1, Undelivered: 1}
	if o.Totals != want {
		t.Errorf("totals %+v, want %+v", o.Totals, want)
	}
	if sum(o.Series.In) != 1 || sum(o.Series.Out) != 2 || sum(o.Series.Refused) != 2 {
		t.Errorf("series %+v", o.Series)
	}
	if len(o.Edges) != 3 || o.Edges[0].Count != 2 || o.Edges[0].From != me || o.Edges[0].To != "did:b" || o.Edges[0].Refused != 1 || o.Edges[0].PerMinute != 2.0/15 {
		t.Errorf("edges %+v", o.Edges)
	}
	if len(o.Partners) != 2 {
		t.Errorf("partners %+v", o.Partners)
	}
}

// TestSteps: every step has a place in each series, the last one is now, and
// what is older than asked for does not show.
func TestSteps(t *testing.T) {
	clock := clockwork.NewFakeClock()
	m := New(me, clock)
	for i := range 3 * 3600 { // longer than is remembered
		m.Message(in(i, "did:a", "verified"))
		clock.Advance(time.Second)
	}
	for _, span := range []int{-1, 0, 1, 3, 5, 15, 60, 1000} {
		o := m.Overview(span)
		minutes := int64(min(max(span, 1), 60))
		n := int64(len(o.Series.In))
		if n*o.Step != minutes*60_000 || n > points || o.From%o.Step != 0 {
			t.Errorf("%d minutes: %d steps of %d ms from %d", span, n, o.Step, o.From)
		}
		for _, l := range []int{len(o.Series.Out), len(o.Series.Refused), len(o.Latency.In.P50), len(o.Latency.In.P99), len(o.Latency.Out.P50), len(o.Latency.Out.P99)} {
			if int64(l) != n {
				t.Errorf("%d minutes: series of %d and %d steps", span, n, l)
			}
		}
		if got := sum(o.Series.In); got < minutes*60-2*o.Step/1000 || got > minutes*60 {
			t.Errorf("%d minutes: %d messages", span, got)
		}
		if e := o.Edges[0]; e.Count > minutes*60 || e.Count < (minutes-1)*60 {
			t.Errorf("%d minutes: edge of %d", span, e.Count)
		}
	}
	// Silence, then nothing of before.
	clock.Advance(2 * time.Hour)
	if o := m.Overview(60); sum(o.Series.In) != 0 || len(o.Edges) != 0 || len(o.Partners) != 1 {
		t.Errorf("%+v", o)
	}
}

func TestLatency(t *testing.T) {
	clock := clockwork.NewFakeClock()
	m := New(me, clock)
	for i := range int64(100) {
		m.Latency(gateway.In, i+1)
		m.Latency(gateway.Out, 1000)
	}
	m.Latency(gateway.Out, -5)
	m.Latency(gateway.Out, 1<<60)
	o := m.Overview(1)
	last := len(o.Latency.In.P50) - 1
	near := func(got *int64, want int64) bool {
		return got != nil && *got >= want*93/100 && *got <= want*107/100+1
	}
	if !near(o.Latency.In.P50[last], 50) || !near(o.Latency.In.P99[last], 99) || !near(o.Latency.Out.P50[last], 1000) {
		t.Errorf("%v %v %v", *o.Latency.In.P50[last], *o.Latency.In.P99[last], *o.Latency.Out.P50[last])
	}
	if o.Latency.In.P50[0] != nil {
		t.Error("a latency where nothing was measured")
	}
	// Every time falls into the bucket that stands for it.
	for ms := int64(0); ms < 1<<20; ms = ms*9/8 + 1 {
		if b := bucketOf(ms); b < 0 || b >= buckets || ms >= 16 && (middle(b) < ms*93/100 || middle(b) > ms*107/100) || ms < 16 && middle(b) != ms {
			t.Fatalf("%d ms are counted as %d", ms, middle(b))
		}
	}
}

// TestBounds: whatever peers do, no more is kept than was said.
func TestBounds(t *testing.T) {
	clock := clockwork.NewFakeClock()
	m := New(me, clock)
	for i := range MaxEdges + 300 {
		m.Message(in(i, fmt.Sprint("did:", i), "verified"))
		clock.Advance(time.Millisecond)
	}
	if len(m.edges) != MaxEdges {
		t.Errorf("%d edges", len(m.edges))
	}
	for i := range 20_000 { // strangers
		m.Message(gateway.Entry{Direction: gateway.In, State: gateway.StateRefused, From: fmt.Sprint("did:stranger", i), ID: id(i)})
		m.Transfer(gateway.Transfer{File: gateway.File{ID: fmt.Sprint(i)}, Phase: "upload"})
	}
	o := m.Overview(60)
	if len(o.Edges) != MaxEdges || o.Edges[0].Refused != 0 || len(m.seen) > remembered || len(o.Transfers) != MaxTransfers || o.Transfers[0].File.ID != "19999" {
		t.Errorf("%d edges, %d seen, %d transfers", len(o.Edges), len(m.seen), len(o.Transfers))
	}
	m.Transfer(gateway.Transfer{File: gateway.File{ID: "19998"}, Phase: "done"})
	if o = m.Overview(1); len(o.Transfers) != MaxTransfers || o.Transfers[0].Phase != "done" || o.Transfers[1].File.ID != "19999" {
		t.Errorf("transfers %+v", o.Transfers[:2])
	}
}

// TestClockBack: a clock that is set back or far ahead harms nothing.
func TestClockBack(t *testing.T) {
	for _, by := range []time.Duration{-time.Minute, -3 * time.Hour, 1000 * time.Hour} {
		clock := clockwork.NewFakeClock()
		m := New(me, clock)
		m.Message(in(1, "did:a", "verified"))
		clock.Advance(by)
		m.Message(in(2, "did:a", "verified"))
		m.Latency(gateway.In, 5)
		if o := m.Overview(60); sum(o.Series.In) < 1 || o.Totals.In != 2 {
			t.Errorf("%s: %v", by, o.Totals)
		}
	}
}

func TestReaders(t *testing.T) {
	m := New(me, clockwork.NewFakeClock())
	quick, other, slow := m.Follow(TopicMessage), m.Follow(TopicTransfer), m.Follow(TopicMessage)
	defer other.Close()
	for i := range queued + 10 {
		m.Message(in(i, "did:a", "verified"))
		if got := <-quick.Items; got.Value.(gateway.Entry).ID != id(i) {
			t.Fatal(got)
		}
	}
	n := 0
	for range slow.Items { // ends
		n++
	}
	if n != queued || slow.Dropped() != 10 {
		t.Errorf("%d items, %d dropped", n, slow.Dropped())
	}
	if len(other.Items) != 0 {
		t.Error("told of what it does not follow")
	}
	quick.Close()
	quick.Close()
	slow.Close()
	m.Message(in(1, "did:a", "verified"))
	if m.live.count.Load() != 1 || len(m.live.list) != 1 {
		t.Error("readers are left over")
	}
}

// TestTogether has everybody report and read at once.
func TestTogether(t *testing.T) {
	m := New(me, clockwork.NewRealClock())
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 500 {
				m.Message(in(w*1000+i, "did:a", "verified"))
				m.Latency(gateway.In, 3)
				m.Transfer(gateway.Transfer{File: gateway.File{ID: "x"}})
			}
		})
		wg.Go(func() {
			r := m.Follow(TopicMessage, TopicTransfer)
			defer r.Close()
			for range 50 {
				if _, more := <-r.Items; !more {
					return
				}
				m.Overview(5)
				if len(r.Items) == 0 {
					return
				}
			}
		})
	}
	// Readers that came late are told of something too.
	stop := make(chan struct{})
	go func() {
		for i := 10_000; ; i++ {
			select {
			case <-stop:
				return
			default:
				m.Message(in(i, "did:a", "verified"))
			}
		}
	}()
	wg.Wait()
	close(stop)
	if o := m.Overview(60); o.Totals.In < 2000 {
		t.Errorf("%+v", o.Totals)
	}
}

func TestStepOf(t *testing.T) {
	for span := int64(1); span <= 60; span++ {
		if s := stepOf(span); span*60/s > points || 60%s != 0 || !slices.Contains([]int64{1, 2, 5, 10, 20}, s) {
			t.Errorf("%d minutes: steps of %d s", span, s)
		}
	}
}

func BenchmarkMessage(b *testing.B) {
	m := New(me, clockwork.NewRealClock())
	e := out(1, gateway.StateAccepted, "did:a")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e.ID = gateway.FormatID([16]byte{0: byte(i), 1: byte(i >> 8), 2: byte(i >> 16), 3: byte(i >> 24)})
		m.Message(e)
	}
}
