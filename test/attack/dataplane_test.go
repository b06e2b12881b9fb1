package attack

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/broker/brokertest"
	"github.com/digital-spine/spine/broker/node"
	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/internal/testkit"
)

// field is a broker with a victim (alice), an honest sender to her (bob), and a
// participant who speaks NATS by itself (mallory). Everybody's mailbox is in one
// partition, which is the worst case.
type field struct {
	b                   *brokertest.Broker
	alice, bob, mallory *brokertest.Participant
	bobConn             *bus.Conn
	nc                  *nats.Conn // mallory's
	violations          atomic.Int64
	other               atomic.Int64 // asynchronous errors that are no violations
}

func newField(t *testing.T, change func(*node.Deps)) *field {
	t.Helper()
	f := &field{}
	f.b = brokertest.Start(t, "", func(d *node.Deps) {
		d.Config.NATS.Partitions = 1
		d.Log = slog.New(slog.DiscardHandler) // the server logs each violation
		if change != nil {
			change(d)
		}
	})
	f.alice, _ = brokertest.Joined(t, f.b)
	f.bob, f.bobConn = brokertest.Joined(t, f.b)
	f.mallory = brokertest.New(t, 0)
	f.mallory.Login(t, f.b)
	f.nc = f.raw(t)
	return f
}

// raw opens a connection of mallory's that counts what it is refused.
func (f *field) raw(t *testing.T) *nats.Conn {
	t.Helper()
	nc, err := f.mallory.Raw(t, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		if errors.Is(err, nats.ErrPermissionViolation) {
			f.violations.Add(1)
		} else {
			f.other.Add(1)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	return nc
}

// bobSends publishes from bob to alice and returns how long it took.
func (f *field) bobSends(t *testing.T, n int) time.Duration {
	t.Helper()
	start := time.Now()
	msgs := make([]bus.Msg, n)
	for i := range msgs {
		msgs[i] = bus.Msg{Subject: f.bob.Subject(f.alice), Data: []byte("honest")}
	}
	for _, err := range f.bobConn.Publish(testkit.Context(t), msgs) {
		if err != nil {
			t.Fatalf("bob to alice: %v", err)
		}
	}
	return time.Since(start)
}

// inMailbox returns the subjects stored for a participant.
func (f *field) inMailbox(t *testing.T, p *brokertest.Participant) []string {
	t.Helper()
	var out []string
	ms, err := f.b.Broker.Plane.Messages(testkit.Context(t), p.NATS.PP, p.Addr, 0, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range ms {
		out = append(out, m.Subject)
	}
	return out
}

func (f *field) state(t *testing.T, p *brokertest.Participant) broker.MailboxState {
	t.Helper()
	st, err := f.b.Broker.Plane.State(testkit.Context(t), p.NATS.PP, p.Addr)
	if err != nil {
		t.Fatalf("mailbox of %s: %v", p.Addr, err)
	}
	return st
}

// refused waits until n more violations were counted than before.
func (f *field) refused(t *testing.T, what string, n int64, act func()) {
	t.Helper()
	before := f.violations.Load()
	act()
	if err := f.nc.Flush(); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	testkit.Eventually(t, testkit.Context(t), what+" to be refused", func() bool { return f.violations.Load() >= before+n })
	if got := f.violations.Load() - before; got != n {
		t.Errorf("%s: %d of %d tries refused", what, got, n)
	}
}

// JetStream answers to any reply subject, with the rights of the account it is
// in. Each of a gateway's allowed requests is sent with each dangerous reply.
func TestReplySubjectsDoNothing(t *testing.T) {
	f := newField(t, nil)
	stream, victim := f.alice.NATS.Stream, bus.Consumer(f.alice.Addr)
	f.bobSends(t, 3)
	for range 40 { // messages for mallory, to acknowledge
		if err := f.bobConn.Publish(t.Context(), []bus.Msg{{Subject: f.bob.Subject(f.mallory), Data: []byte(`{"seq":1}`)}})[0]; err != nil {
			t.Fatal(err)
		}
	}
	inbox := f.mallory.NATS.Inbox + ".own"
	own, err := f.nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	next := "$JS.API.CONSUMER.MSG.NEXT." + stream + "." + f.mallory.NATS.Consumer
	acks := make([]string, 0, 40)
	for len(acks) < 15 {
		if err := f.nc.PublishRequest(next, inbox, []byte(`{"batch":1,"expires":1000000000}`)); err != nil {
			t.Fatal(err)
		}
		m, err := own.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		if m.Reply != "" {
			acks = append(acks, m.Reply)
		}
	}
	before := f.state(t, f.alice)
	stored := len(f.inMailbox(t, f.alice))
	toBob := f.mallory.Subject(f.bob)
	targets := []string{
		"$JS.API.STREAM.DELETE." + stream, "$JS.API.STREAM.PURGE." + stream, "$JS.API.STREAM.MSG.DELETE." + stream,
		"$JS.API.CONSUMER.DELETE." + stream + "." + victim, "$JS.API.CONSUMER.RESET." + stream + "." + victim,
		"$JS.FC.x", "$SYS.REQ.SERVER.PING", "$SYS.REQ.USER.AUTH",
		f.bob.Subject(f.alice), // a message in alice's mailbox under bob's name
	}
	for i, target := range targets {
		requests := []*nats.Msg{
			{Subject: acks[i]}, // acknowledgement of an own message
			{Subject: toBob, Header: nats.Header{"Nats-Batch-Id": {fmt.Sprint("b", i)}, "Nats-Batch-Sequence": {"1"}}}, // batch, not committed
			{Subject: next, Data: []byte(`{"batch":1,"no_wait":true}`)},
			{Subject: next, Data: []byte(`{"batch":-1}`)},
			{Subject: next, Data: []byte(`not json`)},
			{Subject: toBob, Data: []byte(`{"seq":1}`)},
		}
		for _, m := range requests {
			m.Reply = target
			// Some replies are refused at once; what is not must do nothing.
			if err := f.nc.PublishMsg(m); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := f.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	// Everything of before is answered before this is: one stream, one queue.
	f.bobSends(t, 1)
	testkit.Eventually(t, testkit.Context(t), "the consumer to count bob's message", func() bool { return f.state(t, f.alice).Pending > before.Pending })
	after := f.state(t, f.alice)
	if n := len(f.inMailbox(t, f.alice)); n != stored+1 {
		t.Errorf("alice has %d messages, want %d: %v", n, stored+1, f.inMailbox(t, f.alice))
	}
	if after.Pending != before.Pending+1 || after.Delivered != before.Delivered {
		t.Errorf("alice's consumer moved: %+v, before %+v", after, before)
	}
	f.refused(t, "a trace destination", 1, func() {
		_ = f.nc.PublishMsg(&nats.Msg{Subject: toBob, Header: nats.Header{"Nats-Trace-Dest": {f.bob.Subject(f.alice)}}})
	})
}

// What remains of reply subjects: an answer reaches whatever inbox is named. So
// inbox names cannot be guessed, and what comes there is not a delivery.
func TestForeignInbox(t *testing.T) {
	f := newField(t, nil)
	_, tail, _ := strings.Cut(f.alice.NATS.Inbox, f.alice.Addr+"_")
	if len(tail) != 32 {
		t.Fatalf("inbox %s has no 128 bits of its own", f.alice.NATS.Inbox)
	}
	twin := *f.alice
	twin.NKey = brokertest.New(t, 0).NKey
	twin.Login(t, f.b)
	if twin.NATS.Inbox == f.alice.NATS.Inbox {
		t.Error("two keys share an inbox")
	}
	nc, err := f.alice.Raw(t)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := nc.SubscribeSync(f.alice.NATS.Inbox + ".leaked")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	next := "$JS.API.CONSUMER.MSG.NEXT." + f.mallory.NATS.Stream + "." + f.mallory.NATS.Consumer
	if err := f.nc.PublishRequest(next, f.alice.NATS.Inbox+".leaked", []byte(`{"batch":1,"no_wait":true}`)); err != nil {
		t.Fatal(err)
	}
	m, err := sub.NextMsg(patience)
	if err != nil {
		t.Fatalf("this is expected to arrive, the guarantees say so: %v", err)
	}
	if strings.HasPrefix(m.Reply, "$JS.ACK.") {
		t.Error("a forged status looks like a delivery")
	}
}

func TestForbiddenSubjects(t *testing.T) {
	f := newField(t, nil)
	f.bobSends(t, 1)
	stream, own, victim := f.alice.NATS.Stream, f.mallory.NATS.Consumer, f.alice.NATS.Consumer
	publish := []string{f.bob.Subject(f.alice), "m.>", "p.00.x.y", "m.00." + f.alice.Addr, f.alice.NATS.Inbox + ".x", "_INBOX.x",
		"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.STREAM.TEMPLATE.NAMES", "$JS.API.ACCOUNT.PURGE.SPINE",
		"$JS.API.CONSUMER.MSG.NEXT." + stream + "." + victim, "$JS.ACK." + stream + "." + victim + ".1.1.1.1.0",
		"$JS.FC." + stream + "." + victim + ".x", "$JS.API.DIRECT.GET." + stream, "$JS.API.META.LEADER.STEPDOWN",
		"$JS.API.STREAM.LEADER.STEPDOWN." + stream, "$SYS.REQ.SERVER.PING", "$SYS.REQ.USER.AUTH", "$SYS.REQ.ACCOUNT.GW.CONNZ", "$SYS.REQ.SERVER.PING.CONNZ"}
	for _, verb := range []string{"INFO", "CREATE", "UPDATE", "DELETE", "PURGE", "SNAPSHOT", "RESTORE", "MSG.GET", "MSG.DELETE"} {
		publish = append(publish, "$JS.API.STREAM."+verb+"."+stream)
	}
	for _, verb := range []string{"CREATE", "DURABLE.CREATE", "INFO", "DELETE", "PAUSE", "UNPIN", "RESET", "LEADER.STEPDOWN"} {
		publish = append(publish, "$JS.API.CONSUMER."+verb+"."+stream+"."+own, "$JS.API.CONSUMER."+verb+"."+stream+"."+victim)
	}
	publish = append(publish, "$JS.API.CONSUMER.NAMES."+stream, "$JS.API.CONSUMER.LIST."+stream)
	for _, s := range publish {
		f.refused(t, "publish to "+s, 1, func() { _ = f.nc.Publish(s, []byte("{}")) })
	}
	for _, s := range []string{">", "m.>", "m.*.*.*", "_INBOX.>", f.alice.NATS.Inbox + ".>", "_INBOX_*.>", "_INBOX_" + f.mallory.Addr + "_x.>",
		"$JS.>", "$JS.EVENT.>", "$SYS.>", "_R_.>", "_GR_.>", f.bob.Subject(f.alice)} {
		f.refused(t, "subscribe "+s, 1, func() {
			if sub, err := f.nc.SubscribeSync(s); err == nil {
				_ = f.nc.Flush()
				_ = sub.Unsubscribe()
			}
		})
	}
	if got := f.state(t, f.alice); got.Pending != 1 {
		t.Errorf("alice's mailbox: %+v", got)
	}
}

// answer publishes as mallory and returns the code of the stream's answer; 503
// when no stream takes the subject.
func (f *field) answer(t *testing.T, subject string, h nats.Header) int {
	t.Helper()
	m, err := f.nc.RequestMsg(&nats.Msg{Subject: subject, Header: h, Data: []byte("x")}, patience)
	if errors.Is(err, nats.ErrNoResponders) {
		return 503
	}
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	var a struct {
		Error struct {
			Code int `json:"err_code"`
		} `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &a); err != nil {
		t.Fatal(err)
	}
	return a.Error.Code
}

func TestHeadersAndInventedMailboxes(t *testing.T) {
	f := newField(t, nil)
	to, nobody := f.mallory.Subject(f.alice), brokertest.New(t, 0).Addr
	for _, tc := range []struct {
		name, subject string
		header        nats.Header
		want          int
	}{
		{"plain", to, nil, 0},
		{"literal * as mailbox", "m.00.*." + f.mallory.Addr, nil, 503},
		{"invented mailbox", bus.Subject(0, nobody, f.mallory.Addr), nil, 503},
		{"wrong partition", bus.Subject(1, f.alice.Addr, f.mallory.Addr), nil, 503},
		{"roll-up of the subject", to, nats.Header{"Nats-Rollup": {"sub"}}, 10111},
		{"roll-up of the stream", to, nats.Header{"Nats-Rollup": {"all"}}, 10111},
		{"time to live", to, nats.Header{"Nats-TTL": {"1s"}}, 10166},
		{"schedule", to, nats.Header{"Nats-Schedule": {"@at 2030-01-01T00:00:00Z"}, "Nats-Schedule-Target": {to}}, 10188},
		{"counter", to, nats.Header{"Nats-Incr": {"1"}}, 10168},
		{"expected last sequence", to, nats.Header{"Nats-Expected-Last-Sequence": {"99"}}, 10071},
		{"API level", to, nats.Header{"Nats-Required-Api-Level": {"99"}}, 0},
		{"looks like a status", to, nats.Header{"Status": {"100"}}, 0},
	} {
		if got := f.answer(t, tc.subject, tc.header); got != tc.want {
			t.Errorf("%s: answered %d, want %d", tc.name, got, tc.want)
		}
	}
	// The message that looks like a heartbeat is delivered as a message.
	conn := f.alice.Connect(t, nil)
	pull := f.alice.Pull(t, conn)
	got := 0
	for got < 3 {
		ds, err := pull.Next(testkit.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		got += len(ds)
	}
	// A message id of a stranger suppresses nothing: honest senders use none.
	for range 2 {
		f.answer(t, to, nats.Header{"Nats-Msg-Id": {"honest"}})
		f.bobSends(t, 1)
	}
	n := 0
	for _, s := range f.inMailbox(t, f.alice) {
		if s == f.bob.Subject(f.alice) {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d of bob's 2 messages are stored", n)
	}
	// Above the payload limit the connection goes, and only that.
	nc := f.raw(t)
	if err := nc.Publish(to, make([]byte, bus.MaxPayload+1)); !errors.Is(err, nats.ErrMaxPayload) {
		t.Errorf("a payload above the limit: %v", err)
	}
}

func TestTokensAreBoundToTheirKey(t *testing.T) {
	f := newField(t, nil)
	thief := brokertest.New(t, 0)
	pub, _ := thief.NKey.PublicKey()
	alicePub, _ := f.alice.NKey.PublicKey()
	token := nats.Token(f.alice.NATS.Token)
	for _, tc := range []struct {
		name string
		o    []nats.Option
	}{
		{"nothing", nil},
		{"stolen token alone", []nats.Option{token}},
		{"stolen token, own key", []nats.Option{token, nats.Nkey(pub, thief.NKey.Sign)}},
		{"stolen token, claimed key", []nats.Option{token, nats.Nkey(alicePub, thief.NKey.Sign)}},
		{"own key, no token", []nats.Option{nats.Nkey(pub, thief.NKey.Sign)}},
		{"HTTP bearer", []nats.Option{nats.Token(f.alice.Token), nats.Nkey(alicePub, f.alice.NKey.Sign)}},
		{"changed token", []nats.Option{nats.Token("x" + f.alice.NATS.Token), nats.Nkey(alicePub, f.alice.NKey.Sign)}},
		{"broker's user", []nats.Option{nats.UserInfo("broker", "guess")}},
		{"system user", []nats.Option{nats.UserInfo("sys", "")}},
	} {
		nc, err := nats.Connect(f.b.NATSURL(), append(tc.o, nats.MaxReconnects(0))...)
		if err == nil {
			nc.Close()
			t.Errorf("%s: connected", tc.name)
		} else if !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	// The account bounds subscriptions per connection.
	for i := range 20 {
		if _, err := f.nc.SubscribeSync(fmt.Sprintf("%s.s%d", f.mallory.NATS.Inbox, i)); err != nil {
			break
		}
	}
	testkit.Eventually(t, testkit.Context(t), "the 9th subscription to be refused", func() bool { return f.other.Load() > 0 || f.nc.IsClosed() })
}

// Floods, scaled to seconds: an honest sender in the same partition goes on, and
// caps hold.
func TestFloods(t *testing.T) {
	const limit = 9 * time.Second // below a publish's own time; it was milliseconds on an idle machine
	f := newField(t, func(d *node.Deps) { d.Network.Cap = 2000 })
	flood := func(name string, size int, send func(nc *nats.Conn, i int) error) {
		t.Helper()
		nc := f.raw(t)
		done := make(chan error, 1)
		go func() {
			for i := range size {
				if err := send(nc, i); err != nil {
					done <- err
					return
				}
			}
			done <- nc.Flush()
		}()
		worst, n := time.Duration(0), 0
		for going := true; going; n++ {
			worst = max(worst, f.bobSends(t, 1))
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				going = false
			default:
			}
		}
		worst = max(worst, f.bobSends(t, 1)) // behind all of it
		nc.Close()
		t.Logf("%s: %d messages; %d of bob's, the slowest took %s", name, size, n, worst)
		if worst > limit {
			t.Errorf("%s: bob's publish took %s", name, worst)
		}
	}
	next := "$JS.API.CONSUMER.MSG.NEXT." + f.mallory.NATS.Stream + "." + f.mallory.NATS.Consumer
	data := make([]byte, 1024)
	flood("pull requests", 20_000, func(nc *nats.Conn, _ int) error {
		return nc.PublishRequest(next, f.mallory.NATS.Inbox+".x", []byte(`{"batch":1,"no_wait":true}`))
	})
	flood("own subject, no acknowledgements", 20_000, func(nc *nats.Conn, _ int) error { return nc.Publish(f.mallory.Subject(f.alice), data) })
	flood("invented mailboxes", 20_000, func(nc *nats.Conn, i int) error {
		return nc.Publish(fmt.Sprintf("m.00.%026d.%s", i, f.mallory.Addr), data)
	})
	var many []*brokertest.Participant
	for range 20 {
		p := brokertest.New(t, 0)
		p.Login(t, f.b)
		many = append(many, p)
	}
	// What is stored costs a synced write each, and others of the partition wait
	// for it: caps, partitions and the count of bytes bound that.
	flood("many real mailboxes", 4_000, func(nc *nats.Conn, i int) error {
		return nc.Publish(f.mallory.Subject(many[i%len(many)]), data)
	})
	if got := f.answer(t, f.mallory.Subject(f.alice), nil); got != 10077 {
		t.Errorf("above the cap: answered %d", got)
	}
	// The operator's purge says how many there were.
	stored, err := f.b.Broker.Plane.Purge(testkit.Context(t), f.alice.NATS.PP, f.alice.Addr, f.mallory.Addr)
	if err != nil || stored != 2000 {
		t.Errorf("%d messages under one subject at a cap of 2000: %v", stored, err)
	}
}

// Batches that are opened and never committed use up what a stream allows; an
// honest batch then goes out one by one.
func TestBatchesLeftOpen(t *testing.T) {
	f := newField(t, nil)
	for i := range 120 {
		m := &nats.Msg{Subject: f.mallory.Subject(f.alice), Header: nats.Header{"Nats-Batch-Id": {fmt.Sprint(i)}, "Nats-Batch-Sequence": {"1"}}, Data: []byte("x")}
		if err := f.nc.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Logf("bob's hundred took %s", f.bobSends(t, 100))
	if n := len(f.inMailbox(t, f.alice)); n != 100 {
		t.Errorf("alice has %d messages, want bob's 100", n)
	}
}

// Ten thousand random tries to be somebody else or to manage the bus.
func TestRandomTries(t *testing.T) {
	f := newField(t, nil)
	f.bobSends(t, 5)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, seed))
	const tries = 10_000
	stream := f.alice.NATS.Stream
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	addr := func() string {
		b := make([]byte, bus.AddressLen)
		for i := range b {
			b[i] = "abcdefghijklmnopqrstuvwxyz234567"[r.IntN(32)]
		}
		return pick(f.alice.Addr, f.bob.Addr, string(b))
	}
	verbs := []string{"STREAM.CREATE", "STREAM.UPDATE", "STREAM.DELETE", "STREAM.PURGE", "STREAM.INFO", "STREAM.SNAPSHOT", "STREAM.RESTORE",
		"STREAM.MSG.GET", "STREAM.MSG.DELETE", "DIRECT.GET", "CONSUMER.NAMES", "CONSUMER.LIST"}
	cverbs := []string{"CONSUMER.CREATE", "CONSUMER.DURABLE.CREATE", "CONSUMER.INFO", "CONSUMER.DELETE", "CONSUMER.PAUSE", "CONSUMER.RESET"}
	before, messages := f.state(t, f.alice), len(f.inMailbox(t, f.alice))
	for done := 0; done < tries; done += 500 {
		f.refused(t, fmt.Sprintf("tries %d to %d of seed %d", done, done+500, seed), 500, func() {
			for range 500 {
				reply := f.mallory.NATS.Inbox + ".r"
				switch r.IntN(5) {
				case 0: // as another sender
					_ = f.nc.PublishRequest(bus.Subject(r.IntN(64), addr(), addr()), reply, []byte("x"))
				case 1: // somebody else's inbox, or everything
					sub, err := f.nc.SubscribeSync(pick(">", "m.>", "_INBOX_"+addr()+".>", f.alice.NATS.Inbox+"."+addr(), "$JS.>", "$JS.API.>", "$SYS.>", "_R_.>", bus.MailboxSubject(0, addr())))
					if err == nil {
						_ = sub.Unsubscribe()
					}
				case 2: // pull
					_ = f.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+pick(stream, bus.Stream(r.IntN(64)))+"."+bus.Consumer(addr()), reply, []byte(`{"batch":10}`))
				case 3: // acknowledge
					_ = f.nc.Publish(fmt.Sprintf("$JS.ACK.%s.%s.1.%d.%d.%d.0", stream, bus.Consumer(addr()), r.IntN(20), r.IntN(20), r.Int64()), []byte(pick("", "+ACK", "+TERM", "-NAK")))
				default: // manage
					s := "$JS.API." + verbs[r.IntN(len(verbs))] + "." + pick(stream, bus.Stream(r.IntN(64)))
					if r.IntN(2) == 0 {
						s = "$JS.API." + cverbs[r.IntN(len(cverbs))] + "." + stream + "." + pick(bus.Consumer(addr()), f.mallory.NATS.Consumer)
					}
					_ = f.nc.PublishRequest(s, reply, []byte(`{}`))
				}
			}
		})
	}
	if after := f.state(t, f.alice); after != before {
		t.Errorf("alice's mailbox is %+v, before %+v", after, before)
	}
	if n := len(f.inMailbox(t, f.alice)); n != messages {
		t.Errorf("alice has %d messages, before %d", n, messages)
	}
	if f.other.Load() > 0 {
		t.Errorf("%d errors that are no refusals", f.other.Load())
	}
}
