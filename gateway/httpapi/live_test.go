package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2/sse"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/stats"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
)

// watched is a fixture with a meter.
func watched(t testing.TB, clock clockwork.Clock) (*fixture, *stats.Meter) {
	m := stats.New("did:me", clock)
	return startWith(t, clock, func(d *Deps) { d.Meter = m }), m
}

func entry(n int) gateway.Entry {
	return gateway.Entry{ID: fmt.Sprintf("00000000-0000-7000-8000-%012d", n), Direction: gateway.In, Channel: "t", From: "did:x", State: "verified"}
}

func TestLive(t *testing.T) {
	f, m := watched(t, clockwork.NewRealClock())
	ctx := testkit.Context(t)
	f.ring.Emit(ctx, gateway.Event{Kind: gateway.KindDetected, Code: "replayed"}) // before
	testkit.Eventually(t, ctx, "the event is stored", func() bool {
		l, _, err := client.New(f.url, f.admin).RecentEvents(ctx, client.EventFilter{})
		return err == nil && len(l) == 1
	})
	s, err := client.New(f.url, f.admin).Live(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	next := func(name string) *client.LiveEvent {
		t.Helper()
		for {
			e, err := s.Next()
			if err != nil {
				t.Fatal(err)
			}
			if e.Name == name {
				return e
			}
			if e.Name != "overview" {
				t.Fatalf("%s came, not %s: %s", e.Name, name, e.Data)
			}
		}
	}
	var o gateway.Overview
	if err := json.Unmarshal(next("overview").Data, &o); err != nil || o.DID != "did:me" || !o.Ready {
		t.Fatal(err, o)
	}
	m.Message(entry(7))
	var e gateway.Entry
	if err := json.Unmarshal(next("message").Data, &e); err != nil || e.ID != entry(7).ID {
		t.Fatal(err, e)
	}
	m.Transfer(gateway.Transfer{File: gateway.File{ID: "f"}, Phase: "push", Bytes: 5})
	var tr gateway.Transfer
	if err := json.Unmarshal(next("transfer").Data, &tr); err != nil || tr.Bytes != 5 {
		t.Fatal(err, tr)
	}
	// Of events those that come, not those that were there.
	f.ring.Emit(ctx, gateway.Event{Kind: gateway.KindRefused, Code: "schema"})
	got := next("event")
	var ev gateway.Event
	if err := json.Unmarshal(got.Data, &ev); err != nil || ev.Code != "schema" || got.ID != ev.N {
		t.Fatal(err, ev, got.ID)
	}
	// Who comes back with the number of the last one hears what it missed.
	back, err := client.New(f.url, f.admin).Live(ctx, got.ID-1, "event")
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	again, err := back.Next()
	if err != nil || again.ID != got.ID {
		t.Fatal(err, again)
	}
}

func TestLiveRefuses(t *testing.T) {
	f, _ := watched(t, clockwork.NewRealClock())
	for name, tc := range map[string]struct {
		key, query, last string
		status           int
		code             string
	}{
		"scope":         {f.receive, "", "", 403, "scope_missing"},
		"unknown topic": {f.admin, "?topics=message,secrets", "", 422, "request_invalid"},
		"minutes":       {f.admin, "?minutes=100", "", 422, "request_invalid"},
		"last":          {f.admin, "", "x", 422, "request_invalid"},
		"last below 0":  {f.admin, "", "-1", 422, "request_invalid"},
	} {
		h := map[string]string{"Authorization": "Bearer " + tc.key}
		if tc.last != "" {
			h["Last-Event-ID"] = tc.last
		}
		if status, code := f.ask(t, "GET", "/api/v1/live"+tc.query, "", h); status != tc.status || code != tc.code {
			t.Errorf("%s: %d %q", name, status, code)
		}
	}
	if f.api.live.n.Load() != 0 {
		t.Error("a reader that was refused is counted")
	}
}

// TestLiveReaders: the hundred and first reader is refused, and room is made
// when one goes.
func TestLiveReaders(t *testing.T) {
	f, _ := watched(t, clockwork.NewFakeClock())
	ctx := testkit.Context(t)
	c := client.New(f.url, f.admin)
	open := make([]*client.LiveStream, maxReaders)
	for i := range open {
		s, err := c.Live(ctx, 0, "message")
		if err != nil {
			t.Fatal(i, err)
		}
		defer s.Close()
		open[i] = s
	}
	_, err := c.Live(ctx, 0, "message")
	if p := problem.From(err); p.Code != "readers_full" || p.Status != 429 {
		t.Fatal(err)
	}
	open[5].Close()
	testkit.Eventually(t, ctx, "a place is free", func() bool {
		s, err := c.Live(ctx, 0, "message")
		if err == nil {
			s.Close()
		}
		return err == nil
	})
}

// large is an entry of several KiB.
func large(n int) gateway.Entry {
	e := entry(n)
	for range 20 {
		e.To = append(e.To, "did:"+strings.Repeat("x", 250))
	}
	return e
}

// TestLiveLagged: a reader that reads too slowly hears so, as the last thing.
func TestLiveLagged(t *testing.T) {
	writeTimeout(t, time.Minute)
	f, m := watched(t, clockwork.NewFakeClock())
	s, err := client.New(f.url, f.admin).Live(testkit.Context(t), 0, "message")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	// More than sockets and queue take.
	const told = 10_000
	for i := range told {
		m.Message(large(i))
	}
	last, n := "", 0
	for {
		e, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if last == "lagged" {
			t.Fatal("told more after lagged")
		}
		last = e.Name
		n++
		var l gateway.Lagged
		if last == "lagged" && (json.Unmarshal(e.Data, &l) != nil || l.Dropped < 1) {
			t.Fatalf("%s", e.Data)
		}
	}
	if last != "lagged" || n >= told {
		t.Fatalf("the last of %d was %q", n, last)
	}
}

// TestLiveReaderThatDoesNotRead is cut off, and holds nobody up.
func TestLiveReaderThatDoesNotRead(t *testing.T) {
	writeTimeout(t, 50*time.Millisecond)
	f, m := watched(t, clockwork.NewFakeClock())
	ctx := testkit.Context(t)
	c, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET /api/v1/live?topics=message HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", f.admin)
	testkit.Eventually(t, ctx, "the stream is open", func() bool { return f.api.live.n.Load() == 1 })
	testkit.Eventually(t, ctx, "the reader is cut off", func() bool {
		for i := range 500 {
			m.Message(large(i))
		}
		return f.api.live.n.Load() == 0
	})
}

func writeTimeout(t *testing.T, d time.Duration) {
	before := sse.WriteTimeout
	sse.WriteTimeout = d
	t.Cleanup(func() { sse.WriteTimeout = before })
}

// TestLiveEnds: a stream ends with the session that opened it, heartbeats or
// not.
func TestLiveEnds(t *testing.T) {
	clock := clockwork.NewFakeClock()
	f, _ := watched(t, clock)
	ctx := testkit.Context(t)
	b := f.signIn(t)
	req, err := http.NewRequestWithContext(ctx, "GET", f.url+"/api/v1/live?topics=message", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", b.cookie)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatal(resp.Status, resp.Header)
	}
	read := make(chan string, 1)
	go func() {
		all, _ := io.ReadAll(resp.Body)
		read <- string(all)
	}()
	f.ask(t, "DELETE", "/api/v1/sessions/current", "", map[string]string{"Cookie": b.cookie, gateway.HeaderCSRF: b.csrf})
	testkit.Eventually(t, ctx, "the stream ends", func() bool {
		clock.Advance(heartbeat)
		select {
		case text := <-read:
			if !strings.HasPrefix(text, "retry: 2000\n: live\n") {
				t.Errorf("%q", text)
			}
			return true
		default:
			return false
		}
	})
}
