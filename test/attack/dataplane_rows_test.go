package attack

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/internal/testkit"
)

// told publishes on a connection and returns the code and the text of the
// stream's answer.
func told(t *testing.T, nc *nats.Conn, subject string, h nats.Header) (int, string) {
	t.Helper()
	m, err := nc.RequestMsg(&nats.Msg{Subject: subject, Header: h, Data: []byte("x")}, patience)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	var a struct {
		Error struct {
			Code int    `json:"err_code"`
			Text string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &a); err != nil {
		t.Fatal(err)
	}
	return a.Error.Code, a.Error.Text
}

// A wrong expectation refuses the own publish and nothing else. What its error
// tells cannot be switched off, and docs/attacks.md says so: whether a pair of
// mailbox and sender has messages, and how far the stream is. This test fails
// when a server tells more, or no longer tells it.
func TestExpectedSequenceTellsOnlyWhatIsDocumented(t *testing.T) {
	f := newField(t, nil)
	to, foreign := f.mallory.Subject(f.alice), f.bob.Subject(f.alice)
	f.bobSends(t, 3)
	if code := f.answer(t, f.mallory.Subject(f.bob), nil); code != 0 {
		t.Fatalf("a message to bob: answered %d", code)
	}
	const last, perSubject, id = "Nats-Expected-Last-Sequence", "Nats-Expected-Last-Subject-Sequence", "Nats-Expected-Last-Msg-Id"
	for _, tc := range []struct {
		name   string
		header nats.Header
		code   int
		text   string
	}{
		{"a foreign pair", nats.Header{perSubject: {"99"}, perSubject + "-Subject": {foreign}}, 10071, "wrong last sequence: 3"},
		{"a pair without messages", nats.Header{perSubject: {"99"}, perSubject + "-Subject": {f.alice.Subject(f.bob)}}, 10071, "wrong last sequence: 0"},
		{"the own subject", nats.Header{perSubject: {"99"}}, 10071, "wrong last sequence: 0"},
		{"a subject without a sequence", nats.Header{perSubject + "-Subject": {foreign}}, 10193, "missing sequence for expected last sequence per subject"},
		{"the stream", nats.Header{last: {"99"}}, 10071, "wrong last sequence: 4"},
		{"a message id", nats.Header{id: {"guess"}}, 10070, "wrong last msg ID: "},
		{"a source of the stream", nats.Header{"Nats-Stream-Source": {"MB_01 1"}}, 10227, "message stream source header is not allowed"},
	} {
		if code, text := told(t, f.nc, to, tc.header); code != tc.code || text != tc.text {
			t.Errorf("%s: answered %d %q, want %d %q", tc.name, code, text, tc.code, tc.text)
		}
	}
	f.bobSends(t, 1)
	if got := f.inMailbox(t, f.alice); !reflect.DeepEqual(got, []string{foreign, foreign, foreign, foreign}) {
		t.Errorf("in alice's mailbox: %v", got)
	}
	// A right guess costs the guesser a message of its own.
	if code, _ := told(t, f.nc, to, nats.Header{perSubject: {"5"}, perSubject + "-Subject": {foreign}}); code != 0 {
		t.Errorf("a right guess: answered %d", code)
	}
}

// Headers that mean something to JetStream's own clients are stored and
// delivered as sent, so nothing here may believe them: bus.Pull takes a message
// for a delivery by its reply subject alone.
func TestHeadersThatLookLikeTheServers(t *testing.T) {
	f := newField(t, nil)
	headers := []nats.Header{
		{"Nats-Required-Api-Level": {"99"}},
		{"KV-Operation": {"PURGE"}},
		{"Nats-Marker-Reason": {"Purge"}},
		{"Status": {"100"}, "Description": {"Idle Heartbeat"}},
		{"Status": {"404"}, "Description": {"No Messages"}},
		{"Status": {"408"}, "Description": {"Request Timeout"}, "Nats-Pending-Messages": {"500"}},
		{"Status": {"409"}, "Description": {"Consumer Deleted"}},
		{"Status": {"503"}},
		{"Nats-Stream": {"MB_63"}, "Nats-Sequence": {"1"}, "Nats-Subject": {f.bob.Subject(f.alice)}},
		{"Nats-Last-Consumer": {"1"}, "Nats-Last-Stream": {"1"}, "Nats-Consumer-Stalled": {"$JS.FC.x"}},
	}
	body := func(i int) []byte {
		if i%2 == 1 {
			return nil // as a status is
		}
		return fmt.Appendf(nil, "body %d", i)
	}
	for i, h := range headers {
		// To bob too, who looks with the bare client at what was stored.
		for _, to := range []string{f.mallory.Subject(f.alice), f.mallory.Subject(f.bob)} {
			m, err := f.nc.RequestMsg(&nats.Msg{Subject: to, Header: h, Data: body(i)}, patience)
			if err != nil || bytes.Contains(m.Data, []byte(`"error"`)) {
				t.Fatalf("%v: not stored: %s %v", h, m.Data, err)
			}
		}
	}
	f.bobSends(t, 1)
	pull := f.alice.Pull(t, f.alice.Connect(t, nil))
	var got []bus.Delivery
	for len(got) < len(headers)+1 {
		ds, err := pull.Next(testkit.Context(t))
		if err != nil {
			t.Fatalf("after %d deliveries: %v", len(got), err)
		}
		got = append(got, ds...)
	}
	for i := range headers {
		if d := got[i]; d.Subject != f.mallory.Subject(f.alice) || !bytes.Equal(d.Data, body(i)) || d.ConsumerSeq != uint64(i+1) || d.Redelivered {
			t.Errorf("%v came as %+v", headers[i], d)
		}
	}
	if d := got[len(headers)]; d.Subject != f.bob.Subject(f.alice) || string(d.Data) != "honest" {
		t.Errorf("behind them came %+v", d)
	}
	nc, err := f.bob.Raw(t)
	if err != nil {
		t.Fatal(err)
	}
	inbox := f.bob.NATS.Inbox + ".raw"
	// A channel, because NextMsg believes the header with 503.
	stored := make(chan *nats.Msg, len(headers))
	if _, err := nc.ChanSubscribe(inbox, stored); err != nil {
		t.Fatal(err)
	}
	if err := nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+f.bob.NATS.Stream+"."+f.bob.NATS.Consumer, inbox, fmt.Appendf(nil, `{"batch":%d,"expires":5000000000}`, len(headers))); err != nil {
		t.Fatal(err)
	}
	ctx := testkit.Context(t)
	for _, h := range headers {
		var m *nats.Msg
		select {
		case m = <-stored:
		case <-ctx.Done():
			t.Fatalf("%v is not delivered", h)
		}
		if !reflect.DeepEqual(m.Header, h) || !strings.HasPrefix(m.Reply, "$JS.ACK.") {
			t.Errorf("%v is delivered as %v, reply %q", h, m.Header, m.Reply)
		}
	}
}

// Batch ids belong to the stream, not to who opened the batch: a message with a
// victim's id makes its commit fail. So ids are random, and what a refused batch
// held goes out one by one.
func TestVictimsBatchID(t *testing.T) {
	f := newField(t, nil)
	part := func(id string, seq int, commit bool) nats.Header {
		h := nats.Header{"Nats-Batch-Id": {id}, "Nats-Batch-Sequence": {fmt.Sprint(seq)}}
		if commit {
			h["Nats-Batch-Commit"] = []string{"1"}
		}
		return h
	}
	bob, err := f.bob.Raw(t)
	if err != nil {
		t.Fatal(err)
	}
	put := func(nc *nats.Conn, subject, id string, seq int) {
		t.Helper()
		if err := nc.PublishMsg(&nats.Msg{Subject: subject, Header: part(id, seq, false), Data: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	put(bob, f.bob.Subject(f.alice), "v", 1)
	put(f.nc, f.mallory.Subject(f.alice), "v", 7)
	if code, _ := told(t, bob, f.bob.Subject(f.alice), part("v", 2, true)); code != 10176 {
		t.Errorf("the commit of a batch a stranger wrote into: answered %d", code)
	}
	if got := f.inMailbox(t, f.alice); len(got) != 0 {
		t.Errorf("stored of a refused batch: %v", got)
	}

	// Nobody can know an id in time but who sits on the line. Let mallory sit
	// there, and open each of bob's batches before he does.
	var once sync.Once
	spoilt := ""
	conn := f.bob.Connect(t, func(c *bus.ConnConfig) {
		c.MinBatch = 2
		c.URL = tap(t, f.b.NATSURL(), func(b []byte) {
			_, rest, ok := bytes.Cut(b, []byte("Nats-Batch-Id: "))
			if !ok {
				return
			}
			once.Do(func() {
				id, _, _ := bytes.Cut(rest, []byte("\r"))
				spoilt = string(id)
				put(f.nc, f.mallory.Subject(f.alice), spoilt, 1)
			})
		})
	})
	msgs := make([]bus.Msg, 20)
	for i := range msgs {
		msgs[i] = bus.Msg{Subject: f.bob.Subject(f.alice), Data: fmt.Appendf(nil, "%d", i)}
	}
	for i, err := range conn.Publish(testkit.Context(t), msgs) {
		if err != nil {
			t.Errorf("message %d: %v", i, err)
		}
	}
	conn.Close()
	if len(spoilt) != 22 { // 128 random bits
		t.Fatalf("the batch's id was %q", spoilt)
	}
	ms, err := f.b.Broker.Plane.Messages(testkit.Context(t), f.alice.NATS.PP, f.alice.Addr, 0, 100)
	if err != nil || len(ms) != len(msgs) {
		t.Fatalf("%d of bob's %d messages are stored: %v", len(ms), len(msgs), err)
	}
	for i, m := range ms {
		if m.Subject != msgs[i].Subject || !bytes.Equal(m.Data, msgs[i].Data) {
			t.Errorf("message %d is %q under %s", i, m.Data, m.Subject)
		}
	}
}

// tap is a line to the bus that somebody reads: see gets what the client sends
// before the server does.
func tap(t *testing.T, url string, see func([]byte)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { ln.Close(); all.Wait() })
	all.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", strings.TrimPrefix(url, "nats://"))
			if err != nil {
				client.Close()
				continue
			}
			all.Go(func() { _, _ = io.Copy(client, server); client.Close() })
			all.Go(func() {
				defer server.Close()
				b := make([]byte, 64<<10)
				for {
					n, err := client.Read(b)
					if err != nil {
						return
					}
					see(b[:n])
					if _, err := server.Write(b[:n]); err != nil {
						return
					}
				}
			})
		}
	})
	return "nats://" + ln.Addr().String()
}

// A second of requests for consumer states, the own and a victim's: each is
// refused by permission, and others publish as before.
func TestFloodOfConsumerInfo(t *testing.T) {
	const limit = 9 * time.Second // as in TestFloods
	f := newField(t, nil)
	calm := f.bobSends(t, 1)
	head := "$JS.API.CONSUMER.INFO." + f.alice.NATS.Stream + "."
	worst, sent, start := time.Duration(0), 0, time.Now()
	for time.Since(start) < time.Second {
		const n = 2000
		f.refused(t, "CONSUMER.INFO", n, func() {
			for i := range n {
				consumer := f.mallory.NATS.Consumer
				if i%2 == 0 {
					consumer = f.alice.NATS.Consumer
				}
				if err := f.nc.PublishRequest(head+consumer, f.mallory.NATS.Inbox+".i", nil); err != nil {
					t.Fatal(err)
				}
			}
			worst = max(worst, f.bobSends(t, 1))
		})
		sent += n
	}
	t.Logf("%d refused; bob's slowest publish took %s, before the flood %s", sent, worst, calm)
	if worst > limit {
		t.Errorf("bob's publish took %s", worst)
	}
	if f.nc.IsClosed() || f.other.Load() > 0 {
		t.Errorf("%d errors that are no refusals, closed: %t", f.other.Load(), f.nc.IsClosed())
	}
}

// Three subjects are refused as replies whatever the permissions are; an answer
// to another's inbox, if its name were known, is no delivery to it even when it
// carries a stored body.
func TestReplySubjectsRefused(t *testing.T) {
	f := newField(t, nil)
	to := f.mallory.Subject(f.mallory)
	for _, reply := range []string{"_R_.x", "_GR_.x", "$JS.ACK." + f.alice.NATS.Stream + "." + f.alice.NATS.Consumer + ".1.1.1.1.0"} {
		f.refused(t, "reply to "+reply, 1, func() { _ = f.nc.PublishRequest(to, reply, nil) })
	}
	if code := f.answer(t, to, nil); code != 0 {
		t.Fatalf("a message to itself: answered %d", code)
	}
	if n := len(f.inMailbox(t, f.mallory)); n != 1 {
		t.Errorf("%d messages are stored, want the last", n)
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
	if err := f.nc.PublishRequest(next, f.alice.NATS.Inbox+".leaked", []byte(`{"batch":1,"expires":5000000000}`)); err != nil {
		t.Fatal(err)
	}
	m, err := sub.NextMsg(patience)
	if err != nil {
		t.Fatal(err)
	}
	if m.Subject != to && m.Subject != f.alice.NATS.Inbox+".leaked" || !strings.Contains(m.Reply, "."+f.mallory.NATS.Consumer+".") {
		t.Errorf("a stored body of mallory's comes as %s, reply %q", m.Subject, m.Reply)
	}
}

// line is a connection without a client library's manners.
func (f *field) line(t *testing.T) *bufio.ReadWriter {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.b.NATSURL(), "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	rw := bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn))
	text, err := rw.ReadString('\n')
	var info struct {
		Nonce string `json:"nonce"`
	}
	if err != nil || json.Unmarshal([]byte(strings.TrimPrefix(text, "INFO ")), &info) != nil {
		t.Fatalf("greeted with %q: %v", text, err)
	}
	sig, err := f.mallory.NKey.Sign([]byte(info.Nonce))
	if err != nil {
		t.Fatal(err)
	}
	pub, _ := f.mallory.NKey.PublicKey()
	hello, _ := json.Marshal(map[string]any{"auth_token": f.mallory.NATS.Token, "nkey": pub, "protocol": 1,
		"sig": base64.RawURLEncoding.EncodeToString(sig), "headers": true, "verbose": false})
	fmt.Fprintf(rw, "CONNECT %s\r\nPING\r\n", hello)
	if err := rw.Flush(); err != nil {
		t.Fatal(err)
	}
	for {
		switch text, err := rw.ReadString('\n'); {
		case err != nil || strings.HasPrefix(text, "-ERR"):
			t.Fatalf("not let in: %q %v", text, err)
		case text == "PONG\r\n":
			return rw
		}
	}
}

// A payload above the limit that no client library stops costs its sender the
// connection, and nobody else anything. One at the limit passes the server, and
// the stream refuses it: its own limit is that of an envelope.
func TestPayloadLimit(t *testing.T) {
	f := newField(t, nil)
	to := f.mallory.Subject(f.alice)
	m, err := f.nc.Request(to, make([]byte, bus.MaxPayload), patience)
	if err != nil || !bytes.Contains(m.Data, []byte(`"err_code":10054`)) {
		t.Errorf("a payload at the server's limit: %v %v", m, err)
	}
	rw := f.line(t)
	fmt.Fprintf(rw, "PUB %s %d\r\n", to, bus.MaxPayload+1)
	if err := rw.Flush(); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(rw) // ends when the server closes
	if nerr := net.Error(nil); errors.As(err, &nerr) && nerr.Timeout() {
		t.Fatal("the connection stays open")
	}
	if !bytes.Contains(rest, []byte("Maximum Payload Violation")) {
		t.Errorf("told %q", rest)
	}
	f.bobSends(t, 1)
	want := []string{f.bob.Subject(f.alice)}
	if got := f.inMailbox(t, f.alice); !reflect.DeepEqual(got, want) {
		t.Errorf("in alice's mailbox: %v, want %v", got, want)
	}
	if f.nc.IsClosed() {
		t.Error("mallory's other connection went too")
	}
}

// What one connection may cost is bounded by the account's limits: no grant can
// carry limits of its own.
func TestAccountLimits(t *testing.T) {
	const connections = 3
	srv, err := bus.Embed(testkit.Context(t), bus.EmbedConfig{StoreDir: t.TempDir(), Listen: "127.0.0.1:0", MaxConnections: connections, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	if nc, err := nats.Connect(srv.URL(), nats.MaxReconnects(0)); err == nil {
		nc.Close()
		t.Error("a connection before anybody decides who may connect")
	}
	srv.Admit(func(bus.Attempt) (bus.Grant, error) {
		return bus.Grant{Name: "anybody", Publish: []string{"in.>"}, Subscribe: []string{"in.>"}, Until: time.Now().Add(time.Hour)}, nil
	})
	var conns []*nats.Conn
	refusals := make(chan error, 100)
	for i := range connections {
		nc, err := nats.Connect(srv.URL(), nats.MaxReconnects(0), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refusals <- err }))
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		t.Cleanup(nc.Close)
		conns = append(conns, nc)
	}
	if nc, err := nats.Connect(srv.URL(), nats.MaxReconnects(0)); err == nil {
		nc.Close()
		t.Errorf("more than %d connections of one account", connections)
	}
	nc := conns[0]
	var sub *nats.Subscription
	const subs = 8 // the account's limit, per connection
	for i := range subs {
		if sub, err = nc.SubscribeSync(fmt.Sprintf("in.%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Publish(sub.Subject, make([]byte, 5000)); err != nil {
		t.Fatal(err)
	}
	if m, err := sub.NextMsg(patience); err != nil || len(m.Data) != 5000 {
		t.Errorf("5,000 bytes: %v", err)
	}
	if len(refusals) > 0 {
		t.Errorf("%d subscriptions: %v", subs, <-refusals)
	}
	if _, err := nc.SubscribeSync("in.more"); err != nil {
		t.Fatal(err)
	}
	_ = nc.Flush() // the server may have closed it
	testkit.Eventually(t, testkit.Context(t), "one subscription too many to be refused", func() bool { return len(refusals) > 0 || nc.IsClosed() })
	if got := nc.MaxPayload(); got != bus.MaxPayload {
		t.Errorf("the account's payload limit is told as %d", got)
	}
}
