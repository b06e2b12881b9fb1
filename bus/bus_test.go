package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/digital-spine/spine/broker/brokertest"
	"github.com/digital-spine/spine/broker/node"
	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/internal/testkit"
)

// take reads n messages and acknowledges each.
func take(t testing.TB, p *bus.Pull, n int) []bus.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(testkit.Context(t), 60*time.Second)
	defer cancel()
	var out []bus.Delivery
	for len(out) < n {
		ds, err := p.Next(ctx)
		if err != nil {
			t.Fatalf("after %d of %d: %v", len(out), n, err)
		}
		for i := range ds {
			if err := ds[i].Ack(); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, ds...)
	}
	return out
}

func TestPublishPullInOrder(t *testing.T) {
	b := brokertest.Start(t, "", nil)
	alice, ac := brokertest.Joined(t, b)
	bob, bc := brokertest.Joined(t, b)
	for _, n := range []int{1, 31, 32, 500, 2500} {
		msgs := make([]bus.Msg, n)
		for i := range msgs {
			msgs[i] = bus.Msg{Subject: alice.Subject(bob), Data: fmt.Appendf(nil, "%d/%d", i, n)}
		}
		for i, err := range ac.Publish(t.Context(), msgs) {
			if err != nil {
				t.Fatalf("%d of %d: %v", i, n, err)
			}
		}
	}
	got := take(t, bob.Pull(t, bc), 1+31+32+500+2500)
	at := 0
	for _, n := range []int{1, 31, 32, 500, 2500} {
		for i := range n {
			d := got[at]
			if want := fmt.Sprintf("%d/%d", i, n); string(d.Data) != want || d.Subject != alice.Subject(bob) || d.Redelivered {
				t.Fatalf("message %d is %q under %s, want %q", at, d.Data, d.Subject, want)
			}
			at++
		}
	}
	if got[len(got)-1].Pending != 0 {
		t.Errorf("pending = %d after the last", got[len(got)-1].Pending)
	}
}

func TestManyCallersManyMailboxes(t *testing.T) {
	b := brokertest.Start(t, "", nil)
	alice, ac := brokertest.Joined(t, b)
	var to []*brokertest.Participant
	var pulls []*bus.Pull
	for range 4 {
		p, c := brokertest.Joined(t, b)
		to, pulls = append(to, p), append(pulls, p.Pull(t, c))
	}
	const callers, each = 40, 25
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				var msgs []bus.Msg
				for _, p := range to {
					msgs = append(msgs, bus.Msg{Subject: alice.Subject(p), Data: fmt.Appendf(nil, "%d/%d", c, i)})
				}
				for _, err := range ac.Publish(t.Context(), msgs) {
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	for _, p := range pulls {
		next := make(map[int]int)
		for _, d := range take(t, p, callers*each) {
			var c, i int
			fmt.Sscanf(string(d.Data), "%d/%d", &c, &i)
			if next[c] != i {
				t.Fatalf("caller %d: message %d, want %d", c, i, next[c])
			}
			next[c]++
		}
	}
}

func TestErrorsAreTold(t *testing.T) {
	b := brokertest.Start(t, "", func(d *node.Deps) { d.Network.Cap = 100; d.Network.Wire = 65536 })
	alice, ac := brokertest.Joined(t, b)
	bob, _ := brokertest.Joined(t, b)
	carol, cc := brokertest.Joined(t, b)
	one := func(subject string, data []byte) error {
		return ac.Publish(t.Context(), []bus.Msg{{Subject: subject, Data: data}})[0]
	}
	stranger := brokertest.New(t, 0)
	for _, tc := range []struct {
		name, subject string
		data          []byte
		want          bus.Code
	}{
		{"stored", alice.Subject(bob), []byte("x"), ""},
		{"invented mailbox", bus.Subject(bob.NATS.PP, stranger.Addr, alice.Addr), []byte("x"), bus.CodeNoMailbox},
		{"wrong partition", bus.Subject((bob.NATS.PP+1)%64, bob.Addr, alice.Addr), []byte("x"), bus.CodeNoMailbox},
		{"another sender", bus.Subject(bob.NATS.PP, bob.Addr, carol.Addr), []byte("x"), bus.CodeNotPermitted},
		{"above the wire limit", alice.Subject(bob), make([]byte, 70_000), bus.CodeTooLarge},
		{"above the payload limit", alice.Subject(bob), make([]byte, bus.MaxPayload), bus.CodeTooLarge},
		{"no subject", "m.1.a.b", []byte("x"), bus.CodeBadSubject},
	} {
		if err := one(tc.subject, tc.data); bus.CodeOf(err) != tc.want {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
	// A batch of which one mailbox is full: the others' messages arrive.
	var msgs []bus.Msg
	for i := range 150 {
		msgs = append(msgs, bus.Msg{Subject: alice.Subject(bob), Data: []byte{byte(i)}})
	}
	other := bus.Msg{Subject: bus.Subject(bob.NATS.PP, carol.Addr, alice.Addr), Data: []byte("o")}
	if carol.NATS.PP == bob.NATS.PP {
		msgs = append(msgs, other)
	}
	full := 0
	for i, err := range ac.Publish(t.Context(), msgs) {
		switch {
		case bus.CodeOf(err) == bus.CodeMailboxFull && bus.Backoff(err):
			full++
		case err != nil:
			t.Fatalf("%d: %v", i, err)
		}
	}
	if full != 51 { // one was stored above
		t.Errorf("%d of 150 were refused at a cap of 100 with one stored", full)
	}
	if err := cc.Publish(t.Context(), []bus.Msg{{Subject: carol.Subject(bob), Data: []byte("x")}})[0]; err != nil {
		t.Errorf("another sender to the full subject's mailbox: %v", err)
	}
}

func TestReconnectAndRestart(t *testing.T) {
	dir := t.TempDir()
	b := brokertest.Start(t, dir, nil)
	alice, ac := brokertest.Joined(t, b)
	bob, bc := brokertest.Joined(t, b)
	pull := bob.Pull(t, bc)
	send := func(text string) {
		t.Helper()
		ctx := testkit.Context(t)
		for {
			err := ac.Publish(ctx, []bus.Msg{{Subject: alice.Subject(bob), Data: []byte(text)}})[0]
			if err == nil {
				return
			}
			if c := bus.CodeOf(err); c != bus.CodeDisconnected && c != bus.CodeUnconfirmed {
				t.Fatal(err)
			}
			testkit.Eventually(t, ctx, "the connection", ac.Connected)
		}
	}
	send("one")
	if d := take(t, pull, 1); string(d[0].Data) != "one" {
		t.Fatalf("%q", d[0].Data)
	}
	if err := ac.Refresh(); err != nil {
		t.Fatal(err)
	}
	if err := bc.Refresh(); err != nil {
		t.Fatal(err)
	}
	send("two")
	if d := take(t, pull, 1); string(d[0].Data) != "two" {
		t.Fatalf("%q", d[0].Data)
	}
	b.Stop()
	url := b.NATSURL()
	b = brokertest.Start(t, dir, nil)
	if b.NATSURL() != url {
		t.Fatalf("bus listens on %s after %s", b.NATSURL(), url)
	}
	send("three") // same token: the broker's secret outlives it
	if d := take(t, pull, 1); string(d[0].Data) != "three" {
		t.Fatalf("%q", d[0].Data)
	}
}

func TestConsumerMissing(t *testing.T) {
	b := brokertest.Start(t, "", nil)
	bob, bc := brokertest.Joined(t, b)
	pull, err := bc.Pull(bus.PullConfig{Stream: bob.NATS.Stream, Consumer: bob.NATS.Consumer})
	if err != nil {
		t.Fatal(err)
	}
	ctx := testkit.Context(t)
	// The pull waits at the consumer before it goes.
	at, away := context.WithCancel(ctx)
	away()
	if _, err := pull.Next(at); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := bc.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { _, err := pull.Next(ctx); done <- err }()
	if err := b.Broker.Plane.Remake(ctx, bob.NATS.PP, bob.Addr, 0); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, &bus.Error{Code: bus.CodeNoConsumer}) {
		t.Fatalf("pull on a deleted consumer: %v", err)
	}
	// And it works again with the new one.
	alice, ac := brokertest.Joined(t, b)
	if err := ac.Publish(ctx, []bus.Msg{{Subject: alice.Subject(bob), Data: []byte("x")}})[0]; err != nil {
		t.Fatal(err)
	}
	take(t, pull, 1)
}

func TestStoreIsOnesOwn(t *testing.T) {
	dir := t.TempDir()
	s, err := bus.Embed(t.Context(), bus.EmbedConfig{StoreDir: dir, Listen: "127.0.0.1:0", Log: testkit.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bus.Embed(t.Context(), bus.EmbedConfig{StoreDir: dir, Listen: "127.0.0.1:0"}); err == nil {
		t.Fatal("a second server started on the same store")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	mark(t, dir, "cluster spine\n")
	if _, err := bus.Embed(t.Context(), bus.EmbedConfig{StoreDir: dir, Listen: "127.0.0.1:0"}); err == nil {
		t.Fatal("a cluster's store was started stand-alone")
	}
}
