package sqlstore

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/access"
	"github.com/digital-spine/spine/gateway/channels"
	"github.com/digital-spine/spine/gateway/events"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/sqlkit"
	"github.com/digital-spine/spine/internal/testkit"
)

func openStore(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(testkit.Context(t), "sqlite:"+path, sqlkit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestChannelsSurviveAndTell(t *testing.T) {
	ctx, path := testkit.Context(t), filepath.Join(t.TempDir(), "g.db")
	s := openStore(t, path)
	b, err := channels.Open(ctx, s.Channels())
	if err != nil {
		t.Fatal(err)
	}
	changed := b.Changed()
	const did = "did:ethr:0x539:0x7e5f4552091a69125d5dfcb7b8c2659029395bdf"
	c, err := b.Put(ctx, gateway.Channel{Name: "hello", Topic: "hello.market.apps.edge.iam.ewc", Send: &gateway.Admission{DIDs: []string{did}}})
	if err != nil {
		t.Fatal(err)
	}
	<-changed
	if want := "did:ethr:0x539:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"; c.Send.DIDs[0] != want {
		t.Fatalf("kept %q, want the normal form", c.Send.DIDs[0])
	}
	for name, bad := range map[string]gateway.Channel{
		"name":      {Name: "A b", Topic: c.Topic, Send: c.Send},
		"topic":     {Name: "a", Topic: "x", Send: c.Send},
		"direction": {Name: "a", Topic: c.Topic},
		"nobody":    {Name: "a", Topic: c.Topic, Receive: &gateway.Admission{}},
		"did":       {Name: "a", Topic: c.Topic, Receive: &gateway.Admission{DIDs: []string{"did:web:x"}}},
		"role":      {Name: "a", Topic: c.Topic, Receive: &gateway.Admission{Roles: []string{"x"}}},
		"require":   {Name: "a", Topic: c.Topic, Send: c.Send, Require: "some"},
		"version":   {Name: "a", Topic: c.Topic, Send: c.Send, Version: "1"},
	} {
		if _, err := b.Put(ctx, bad); problem.CodeOf(err) != gateway.CodeChannelInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.Close()
	s = openStore(t, path)
	if b, err = channels.Open(ctx, s.Channels()); err != nil {
		t.Fatal(err)
	}
	got, err := b.Channel("hello")
	if err != nil || !cmp.Equal(got, c) {
		t.Fatalf("after reopening: %v, %s", err, cmp.Diff(c, got))
	}
	if len(b.ForTopic(c.Topic)) != 1 {
		t.Fatal("not found by topic")
	}
	if err := b.Delete(ctx, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(ctx, "hello"); problem.CodeOf(err) != gateway.CodeChannelUnknown {
		t.Fatal(err)
	}
}

func TestEventsWaitAndAreBounded(t *testing.T) {
	ctx := testkit.Context(t)
	s := openStore(t, filepath.Join(t.TempDir(), "g.db"))
	clock := clockwork.NewFakeClockAt(time.UnixMilli(1_800_000_000_000))
	r := events.New(s.Events(), clock, testkit.Logger(t))
	go r.Run(ctx)
	type answer struct {
		list []gateway.Event
		next int64
	}
	got := make(chan answer)
	go func() {
		list, next, err := r.List(ctx, events.Query{Wait: time.Second, Kind: gateway.KindRefused})
		if err != nil {
			t.Error(err)
		}
		got <- answer{list, next}
	}()
	if err := clock.BlockUntilContext(ctx, 1); err != nil {
		t.Fatal(err)
	}
	r.Emit(ctx, gateway.Event{Kind: gateway.KindDetected, Code: "replayed"})
	r.Emit(ctx, gateway.Event{Kind: gateway.KindRefused, Code: "signature", Seq: gateway.Seq(3)})
	a := <-got
	if len(a.list) != 1 || a.list[0].Code != "signature" || *a.list[0].Seq != 3 || a.list[0].At != 1_800_000_000_000 || a.next != a.list[0].N {
		t.Fatalf("got %+v", a)
	}
	done := make(chan answer)
	go func() {
		list, next, _ := r.List(ctx, events.Query{After: a.next, Wait: time.Second})
		done <- answer{list, next}
	}()
	if err := clock.BlockUntilContext(ctx, 1); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Second)
	if b := <-done; len(b.list) != 0 || b.next != a.next {
		t.Fatalf("after the wait: %+v", b)
	}
	if err := s.Events().Append(ctx, make([]gateway.Event, 20), 5); err != nil {
		t.Fatal(err)
	}
	if list, err := s.Events().List(ctx, 0, "", "", 100); err != nil || len(list) != 5 {
		t.Fatalf("%d kept, %v", len(list), err)
	}
}

func TestKeys(t *testing.T) {
	ctx, path := testkit.Context(t), filepath.Join(t.TempDir(), "g.db")
	s := openStore(t, path)
	k, err := access.Open(ctx, s.Keys(), clockwork.NewFakeClock())
	if err != nil {
		t.Fatal(err)
	}
	key, token, err := k.Create(ctx, "app", []access.Scope{access.Send})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "x", "key")
	admin, err := k.Bootstrap(ctx, file)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := k.Bootstrap(ctx, file); err != nil || again != admin {
		t.Fatalf("%v", err)
	}
	check := func(k *access.Keys) {
		t.Helper()
		for _, tc := range []struct {
			token string
			scope access.Scope
			code  string
		}{
			{token, access.Send, ""}, {token, access.Receive, "scope_missing"}, {token, access.Admin, "scope_missing"},
			{admin, access.Send, ""}, {admin, access.Admin, ""},
			{"", access.Send, "key_missing"}, {"x", access.Send, "key_invalid"}, {token + "x", access.Send, "key_invalid"}, {token[:len(token)-1] + "!", access.Send, "key_invalid"},
		} {
			if _, err := k.Check(tc.token, tc.scope); problem.CodeOf(err) != tc.code {
				t.Errorf("%s for %s: %v", tc.token[:min(len(tc.token), 8)], tc.scope, err)
			}
		}
	}
	check(k)
	s.Close()
	s = openStore(t, path)
	if k, err = access.Open(ctx, s.Keys(), clockwork.NewFakeClock()); err != nil {
		t.Fatal(err)
	}
	check(k)
	if err := k.Delete(ctx, key.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Check(token, access.Send); problem.CodeOf(err) != "key_invalid" {
		t.Fatal(err)
	}
	for _, scopes := range [][]access.Scope{nil, {"root"}} {
		if _, _, err := k.Create(ctx, "x", scopes); problem.CodeOf(err) != "key_spec_invalid" {
			t.Fatal(err)
		}
	}
}
