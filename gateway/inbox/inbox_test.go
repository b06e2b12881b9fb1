package inbox_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/inbox"
	"github.com/digital-spine/spine/gateway/intake"
	"github.com/digital-spine/spine/gateway/sqlstore"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/sqlkit"
	"github.com/digital-spine/spine/internal/testkit"
)

const topic = "telemetry.market.apps.edge.iam.ewc"

type channels struct {
	mu   sync.Mutex
	list []gateway.Channel
}

func (c *channels) Channel(name string) (*gateway.Channel, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.list {
		if c.list[i].Name == name {
			ch := c.list[i]
			return &ch, nil
		}
	}
	return nil, gateway.ChannelUnknown(name)
}

func (c *channels) ForTopic(t string) (out []gateway.Channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range c.list {
		if ch.Topic == t {
			out = append(out, ch)
		}
	}
	return out
}

func (c *channels) Changed() <-chan struct{} { return nil }

type ring struct{}

func (ring) Wrap(_ context.Context, _ string, b []byte) ([]byte, error)   { return b, nil }
func (ring) Unwrap(_ context.Context, _ string, b []byte) ([]byte, error) { return b, nil }

// desk is an inbox over a real store, with stored envelopes.
type desk struct {
	t        *testing.T
	ctx      context.Context
	path     string
	clock    *clockwork.FakeClock
	channels *channels
	store    *sqlstore.Store
	vault    *inbox.Vault
	in       *inbox.Inbox
	pos      int64
	seq      map[int64]int64
}

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, ctx: testkit.Context(t), path: filepath.Join(t.TempDir(), "gateway.db"), clock: clockwork.NewFakeClockAt(time.UnixMilli(1767225600000)),
		channels: &channels{list: []gateway.Channel{{Name: "in", Topic: topic, Receive: &gateway.Admission{DIDs: []string{"did:a"}}},
			{Name: "other", Topic: "other." + topic, Receive: &gateway.Admission{DIDs: []string{"did:a"}}}}}, seq: map[int64]int64{}}
	d.open()
	t.Cleanup(func() { d.store.Close() })
	var rows []intake.SessionRow
	for i, info := range []inbox.SessionInfo{{From: "did:a", Topic: topic, Version: "1.0.0"}, {From: "did:b", Topic: topic}, {From: "did:a", Topic: "other." + topic}} {
		rows = append(rows, intake.SessionRow{ID: int64(i + 1), SID: [32]byte{byte(i)}, State: intake.Open, Ledger: []byte{}, Info: info.Encode(), Expires: 1 << 50})
	}
	d.must(d.store.Intake().Commit(d.ctx, &intake.Round{Sessions: rows}))
	return d
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) open() {
	var err error
	d.store, err = sqlstore.Open(d.ctx, "sqlite:"+d.path, sqlkit.Options{})
	d.must(err)
	d.vault, err = inbox.OpenVault(d.ctx, ring{}, d.store.Inbox(), d.clock)
	d.must(err)
	d.in = inbox.New(inbox.Deps{Store: d.store.Inbox(), Vault: d.vault, Channels: d.channels, Clock: d.clock, Log: testkit.Logger(d.t)})
}

// restart opens the same store again, as after a kill.
func (d *desk) restart() {
	d.store.Close()
	d.open()
}

// put stores an envelope of n frames of a session; bad frames are refused ones.
func (d *desk) put(session int64, n int, bad ...int) {
	d.t.Helper()
	d.pos++
	seq := d.seq[session]
	d.seq[session]++
	id := session*inbox.MaxSeq + seq
	var raw [][]byte
	for i := range n {
		f := envelope.Frame{ID: envelope.ID{byte(session), byte(seq), byte(i), 1}, Type: "application/json", Body: []byte(fmt.Sprintf(`{"at":"%d/%d"}`, d.pos, i)), At: 1}
		raw = append(raw, f.Append(nil))
	}
	var faults []inbox.Fault
	for _, i := range bad {
		faults = append(faults, inbox.Fault{Frame: i, Code: "schema"})
	}
	key, body := d.vault.Seal(inbox.EntryAAD(id), inbox.Pack([32]byte{}, raw))
	t := topic
	if session == 3 {
		t = "other." + topic
	}
	d.must(d.store.Intake().Commit(d.ctx, &intake.Round{Entries: []inbox.Row{{ID: id, T: 5, At: d.clock.Now().UnixMilli(), Topic: t, Pos: d.pos, Key: key, Size: n, Verdict: inbox.EncodeFaults(faults), Body: body}}}))
	d.in.Released(t)
}

func (d *desk) pull(max int) []gateway.Message {
	d.t.Helper()
	got, err := d.in.Pull(d.ctx, gateway.Consumer{Name: "app", Channel: "in"}, max, 0)
	d.must(err)
	return got
}

func (d *desk) ack(list ...gateway.Message) {
	d.t.Helper()
	var tokens []string
	for _, m := range list {
		tokens = append(tokens, m.Ack)
	}
	d.must(d.in.Ack(d.ctx, tokens))
}

func expect(t *testing.T, got []gateway.Message, again bool, bodies ...string) {
	t.Helper()
	if len(got) != len(bodies) {
		t.Fatalf("%d messages, expected %d", len(got), len(bodies))
	}
	for i, m := range got {
		if want := fmt.Sprintf(`{"at":"%s"}`, bodies[i]); string(m.Body) != want || m.Redelivered != again {
			t.Errorf("message %d is %s (redelivered %v), expected %s (%v)", i, m.Body, m.Redelivered, want, again)
		}
	}
}

func TestInOrderOnce(t *testing.T) {
	d := newDesk(t)
	d.put(1, 3, 1)
	d.put(2, 1) // a sender the channel does not admit
	d.put(3, 1) // another topic
	d.put(1, 2)
	got := d.pull(2)
	expect(t, got, false, "1/0", "1/2")
	more := d.pull(10)
	expect(t, more, false, "4/0", "4/1")
	expect(t, d.pull(10), false)
	d.ack(append(got, more...)...)
	d.ack(got...) // twice is fine
	d.clock.Advance(time.Hour)
	expect(t, d.pull(10), false)
	d.restart()
	expect(t, d.pull(10), false)
}

func TestRedeliveredAfterItsDeadline(t *testing.T) {
	d := newDesk(t)
	d.put(1, 2)
	first := d.pull(10)
	d.ack(first[1])
	d.clock.Advance(29 * time.Second)
	expect(t, d.pull(10), false)
	d.clock.Advance(2 * time.Second)
	again := d.pull(10)
	expect(t, again, true, "1/0")
	if again[0].ID != first[0].ID {
		t.Error("a redelivery changed its id")
	}
	d.ack(first[0]) // the token of the first time counts
	d.clock.Advance(time.Hour)
	expect(t, d.pull(10), false)
}

func TestRedeliveredAfterARestart(t *testing.T) {
	d := newDesk(t)
	d.put(1, 3)
	d.put(1, 1)
	d.put(1, 1)
	first := d.pull(4) // 1/0 1/1 1/2 2/0
	d.ack(first[1], first[3])
	d.restart()
	got := d.pull(2)
	expect(t, got, true, "1/0", "1/2")
	expect(t, d.pull(10), false, "3/0")
	d.ack(got...)
	d.restart()
	expect(t, d.pull(10), true, "3/0")
}

func TestAcknowledgedAfterARestartBeforeAnyPull(t *testing.T) {
	d := newDesk(t)
	d.put(1, 2)
	d.put(1, 2)
	first := d.pull(10)
	d.restart()
	d.ack(first[0], first[1], first[3])
	d.clock.Advance(time.Minute)
	expect(t, d.pull(10), true, "2/0")
}

func TestWhatLiesBelowALateAcknowledgementIsDueAtOnce(t *testing.T) {
	d := newDesk(t)
	d.put(1, 2)
	d.put(1, 2)
	d.put(1, 1)
	first := d.pull(10)
	d.restart()
	expect(t, d.pull(1), true, "1/0") // in flight for a while
	d.ack(first[4])
	expect(t, d.pull(10), true, "1/1", "2/0", "2/1")
}

func TestWhatComesBackGoesFirst(t *testing.T) {
	d := newDesk(t)
	d.put(1, 3)
	d.put(1, 2)
	first := d.pull(4)
	d.ack(first[1])
	done := make(chan []gateway.Message)
	go func() {
		d.ack(d.pull(10)...) // 2/1, and nothing more is there
		got, _ := d.in.Pull(d.ctx, gateway.Consumer{Name: "app", Channel: "in"}, 10, 20*time.Second)
		done <- got
	}()
	d.must(d.clock.BlockUntilContext(d.ctx, 1))
	d.in.Return([]string{first[3].Ack, "x", first[0].Ack, first[1].Ack, first[2].Ack})
	got := <-done
	expect(t, got, true, "1/0", "1/2", "2/0")
	d.ack(got...)
	d.in.Return([]string{got[0].Ack})
	expect(t, d.pull(10), false)
}

func TestConsumersAreIndependent(t *testing.T) {
	d := newDesk(t)
	d.put(1, 1)
	d.put(3, 1)
	d.ack(d.pull(10)...)
	all, err := d.in.Pull(d.ctx, gateway.Consumer{Name: "all"}, 10, 0)
	d.must(err)
	expect(t, all, false, "1/0", "2/0")
	if all[0].Channel != "in" || all[1].Channel != "other" {
		t.Errorf("channels %s and %s", all[0].Channel, all[1].Channel)
	}
}

func TestAutoAcknowledge(t *testing.T) {
	d := newDesk(t)
	d.put(1, 2)
	got, err := d.in.Pull(d.ctx, gateway.Consumer{Name: "app", Channel: "in", AutoAck: true}, 10, 0)
	d.must(err)
	expect(t, got, false, "1/0", "1/1")
	d.clock.Advance(time.Hour)
	expect(t, d.pull(10), false)
	d.restart()
	expect(t, d.pull(10), false)
}

func TestPullWakesUp(t *testing.T) {
	d := newDesk(t)
	done := make(chan []gateway.Message)
	go func() {
		got, _ := d.in.Pull(d.ctx, gateway.Consumer{Name: "app", Channel: "in"}, 10, 30*time.Second)
		done <- got
	}()
	d.must(d.clock.BlockUntilContext(d.ctx, 1))
	d.put(1, 1)
	expect(t, <-done, false, "1/0")
}

func TestPullAnswersEmptyWhenNothingComes(t *testing.T) {
	d := newDesk(t)
	done := make(chan []gateway.Message)
	go func() {
		got, _ := d.in.Pull(d.ctx, gateway.Consumer{Channel: "in"}, 10, 10*time.Second)
		done <- got
	}()
	d.must(d.clock.BlockUntilContext(d.ctx, 1))
	d.clock.Advance(10 * time.Second)
	if got := <-done; got == nil || len(got) != 0 {
		t.Errorf("got %v, expected an empty list", got)
	}
}

func TestBadCalls(t *testing.T) {
	d := newDesk(t)
	d.put(1, 1)
	got := d.pull(1)
	for name, token := range map[string]string{"garbage": "x", "empty": "", "garbled": "_" + got[0].Ack[1:], "cut": got[0].Ack[:10]} {
		if err := d.in.Ack(d.ctx, []string{token}); problem.CodeOf(err) != "ack_unknown" {
			t.Errorf("%s token: %v", name, err)
		}
	}
	if _, err := d.in.Pull(d.ctx, gateway.Consumer{Channel: "none"}, 1, 0); problem.CodeOf(err) != "channel_unknown" {
		t.Errorf("unknown channel: %v", err)
	}
	if _, err := d.in.Pull(d.ctx, gateway.Consumer{Channel: "in", Name: string(make([]byte, 200))}, 1, 0); problem.CodeOf(err) != "consumer_invalid" {
		t.Errorf("long name: %v", err)
	}
}

func TestManyPullersShareOneConsumer(t *testing.T) {
	d := newDesk(t)
	const envelopes, size = 40, 25
	for range envelopes {
		d.put(1, size)
	}
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				got, err := d.in.Pull(d.ctx, gateway.Consumer{Name: "app", Channel: "in"}, 7, 0)
				if err != nil || len(got) == 0 {
					return
				}
				var tokens []string
				mu.Lock()
				for _, m := range got {
					seen[m.ID]++
					tokens = append(tokens, m.Ack)
				}
				mu.Unlock()
				if err := d.in.Ack(d.ctx, tokens); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if len(seen) != envelopes*size {
		t.Errorf("%d of %d messages", len(seen), envelopes*size)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("message %s was handed over %d times", id, n)
		}
	}
}

func TestKeysTurnDaily(t *testing.T) {
	d := newDesk(t)
	d.put(1, 1)
	d.clock.Advance(25 * time.Hour)
	d.must(d.vault.Rotate(d.ctx))
	d.put(1, 1)
	d.restart()
	expect(t, d.pull(10), false, "1/0", "2/0")
	keys, err := d.store.Inbox().Keys(d.ctx)
	d.must(err)
	if len(keys) != 2 {
		t.Errorf("%d data keys", len(keys))
	}
}

// What comes back is queued in one go, in its order, however much is in flight:
// one client that comes and goes does not hold up the others.
func TestAllOfMuchComesBackInOrder(t *testing.T) {
	d := newDesk(t)
	for range 100 {
		d.put(1, 100)
	}
	var first []gateway.Message
	took := time.Hour
	for range 3 { // the quickest of three: others use the machine, too
		var all []gateway.Message
		var tokens []string
		for len(all) < 10_000 {
			got := d.pull(1000)
			if len(got) == 0 {
				t.Fatalf("%d came", len(all))
			}
			for i := range got {
				tokens = append(tokens, got[i].Ack)
				if n := len(all) + i; first != nil && (got[i].ID != first[n].ID || !got[i].Redelivered) {
					t.Fatalf("number %d is another one", n)
				}
			}
			all = append(all, got...)
			d.clock.Advance(time.Millisecond)
		}
		if got := d.pull(1); len(got) > 0 {
			t.Fatal("one came twice")
		}
		first = all
		from := time.Now()
		d.in.Return(append(tokens, tokens...))
		took = min(took, time.Since(from))
	}
	if took > 200*time.Millisecond {
		t.Errorf("it took %v to take 10000 back", took)
	}
}
