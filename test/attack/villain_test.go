package attack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/system"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/participant/market"
	"github.com/digital-spine/spine/participant/villain"
)

// like reports whether an event is the one a villain left.
func like(e *gateway.Event, want villain.Trace) bool {
	return e.Code == want.Code && e.DID == want.DID && (want.Session == "" || e.Session == want.Session) &&
		(want.Seq == nil || e.Seq != nil && *e.Seq == *want.Seq) &&
		(want.Digest == "" || e.Digest == want.Digest) && (want.Topic == "" || e.Topic == want.Topic)
}

// TestVillain makes every attack of the villain on the market. Its word comes
// from the recipient's API; so do the events, which name what was done to what.
func TestVillain(t *testing.T) {
	s := newStage(t, 0)
	ctx, cancel := context.WithTimeout(testkit.Context(t), 5*patience)
	defer cancel()
	report, err := villain.Run(ctx, villain.World{Network: s.Network, RPC: s.Chain.URL(), Operator: s.operator, Gateways: s.gateways, Say: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string][]string{
		"outsider": {"role_not_admitted"}, "wrongrole": {"role_not_admitted"}, "revoked": {"role_revoked"},
		"altered": {"signature", "repaired"}, "replayed": {"replayed"}, "removed": {"hole", "repaired"}, "moved": {"rebound", "not_for_me"}, "part_swapped": {"content_hash"},
	}
	for _, name := range villain.Attacks {
		t.Run(name, func(t *testing.T) {
			if got := report.Attacks[name]; got != villain.Expected[name] {
				t.Errorf("came to %q, not to %q", got, villain.Expected[name])
			}
			var left []string
			for _, want := range report.Traces[name] {
				left = append(left, want.Code)
				within, cancel := context.WithTimeout(ctx, patience)
				e := waitEvent(within, t, s.gateways[want.Party], name+": "+want.Code, func(e *gateway.Event) bool { return like(e, want) })
				cancel()
				if e.Kind == "" || e.At == 0 || e.Detail == "" {
					t.Errorf("event %+v", e)
				}
			}
			if strings.Join(left, " ") != strings.Join(codes[name], " ") {
				t.Errorf("left %v, not %v", left, codes[name])
			}
		})
	}
	if report.Refused < 3 {
		t.Errorf("%d of the villain's own messages were refused", report.Refused)
	}
}

// hidingHub stands between one gateway and the hub. Once it hides, it serves
// the status lists of before and a feed in which nothing happens.
type hidingHub struct {
	mu     sync.Mutex
	hiding bool
	lists  map[string][]byte
}

func (h *hidingHub) hide(is bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hiding = is
}

// answer changes what the hub answered.
func (h *hidingHub) answer(r *http.Response) error {
	q := r.Request.URL
	status, feed := strings.HasSuffix(q.Path, "/status"), strings.HasSuffix(q.Path, "/feed")
	if r.StatusCode != http.StatusOK || !status && !feed {
		return nil
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case status && !h.hiding:
		h.lists[q.RawQuery] = b
	case status && h.lists[q.RawQuery] != nil:
		b = h.lists[q.RawQuery]
	case feed && h.hiding:
		b = []byte(`{"events":[],"next":` + q.Query().Get("after") + `}`)
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	r.Header.Del("Content-Length")
	return nil
}

// TestHubHidesARevocation has a gateway whose hub hides a revocation from it:
// it accepts nothing of the revoked one any more once the TTL is past, and
// knows what to make of what came meanwhile when it sees the list.
func TestHubHidesARevocation(t *testing.T) {
	const ttl = 3 * time.Second
	s := newStage(t, ttl)
	ctx, cancel := context.WithTimeout(testkit.Context(t), 5*patience)
	defer cancel()

	target, err := url.Parse(s.Hub.URL())
	if err != nil {
		t.Fatal(err)
	}
	hub := &hidingHub{lists: make(map[string][]byte)}
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, ModifyResponse: hub.answer})
	t.Cleanup(front.Close)
	victim, did := s.victim(t, front.URL)
	if err := victim.PutChannel(ctx, gateway.Channel{Name: "hello", Topic: market.TopicName("hello"), Receive: &gateway.Admission{Roles: []string{market.RoleAggregator}}}); err != nil {
		t.Fatal(err)
	}

	v, credential := s.member(ctx, t)
	var session *villain.Session
	testkit.Eventually(t, ctx, "the victim in the directory", func() bool {
		session, err = v.Open(ctx, market.TopicName("hello"), did, credential)
		return err == nil
	})
	send := func() string {
		id, err := session.Send(ctx, []byte(`{"n":1}`))
		if err != nil {
			t.Fatal(err)
		}
		return gateway.FormatID(id)
	}
	if id := send(); receive(ctx, t, victim, "hello", 1)[0].ID != id {
		t.Fatal("another message came")
	}

	hub.hide(true)
	if err := s.gateways[market.MarketOperator].Revoke(ctx, credential.String(), "attack"); err != nil {
		t.Fatal(err)
	}
	revoked := time.Now()
	stale := make(chan gateway.Event, 1)
	go func() {
		defer close(stale)
		stale <- waitEvent(ctx, t, victim, "status_stale", func(e *gateway.Event) bool {
			return e.Code == string(envelope.StatusStale) && e.DID == v.DID && e.Session == session.ID.String()
		})
	}()
	for told := false; !told; {
		select {
		case <-stale:
			told = true
		case <-time.After(100 * time.Millisecond):
			send()
		case <-ctx.Done():
			t.Fatal("the gateway goes on accepting")
		}
	}
	late := map[string]bool{send(): true, send(): true}
	hub.hide(false)
	waitEvent(ctx, t, victim, "role_revoked", func(e *gateway.Event) bool { return e.Code == string(envelope.RoleRevoked) && e.DID == v.DID })
	s.acceptedUntil(ctx, t, victim, v.DID, revoked.Add(ttl))
	ms, err := victim.Receive(ctx, client.Receive{Channel: "hello", Max: 500})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range ms {
		if late[m.ID] {
			t.Errorf("%s was handed over", m.ID)
		}
	}
}

// acceptedUntil checks that what a gateway took in from a sender and holds as
// verified came by then; a verdict on a sender is used for a second.
func (s *stage) acceptedUntil(ctx context.Context, t *testing.T, g *client.Client, from string, then time.Time) {
	t.Helper()
	n, last := 0, int64(0)
	for before := ""; ; {
		list, next, err := g.Log(ctx, client.LogFilter{Direction: gateway.In, Partner: from, State: []gateway.State{"verified"}, Before: before, Max: 200})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			n, last = n+1, max(last, e.Here)
		}
		if before = next; next == "" {
			break
		}
	}
	late := time.UnixMilli(last).Sub(then).Round(time.Millisecond)
	t.Logf("%d accepted, the last %s after the end of the list", n, late)
	if n < 2 || late > 2*time.Second {
		t.Error("the revoked one was accepted for too long")
	}
}

// victim starts one more gateway, which reaches the hub at another address.
func (s *stage) victim(t *testing.T, hub string) (*client.Client, string) {
	t.Helper()
	data := t.TempDir()
	network := *s.Network
	network.Hub = hub
	file := filepath.Join(data, system.NetworkFile)
	if err := network.Save(file); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(testkit.Context(t))
	g, err := system.NewGateway(ctx, gateway.Config{Name: "victim", Listen: "127.0.0.1:0", Data: data, Network: file, RPC: s.Chain.URL()},
		system.Base{Log: testkit.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return client.New(g.URL(), g.APIKey()), g.DID()
}

// TestBadTelemetry sends what is no telemetry over the whole stack: each has its
// own answer, and none of it leaves the gateway.
func TestBadTelemetry(t *testing.T) {
	s := newStage(t, 0)
	ctx, cancel := context.WithTimeout(testkit.Context(t), 5*patience)
	defer cancel()
	reading, err := market.Fleet{Size: 1, Seed: 1}.Reading(0, market.RoundStart(0))
	if err != nil {
		t.Fatal(err)
	}
	good := string(reading)
	var without map[string]json.RawMessage
	if err := json.Unmarshal(reading, &without); err != nil {
		t.Fatal(err)
	}
	delete(without, "voltage")
	missing, err := json.Marshal(without)
	if err != nil {
		t.Fatal(err)
	}
	message := func(body string) string { return `{"channel":"telemetry","body":` + body + `}` }
	sender := s.Gateways[2] // the aggregator's
	if sender.Name() != market.Aggregator {
		t.Fatalf("the third gateway is the %s's", sender.Name())
	}
	for _, tc := range []struct {
		name, doc string
		status    int
		code      string
		more      map[string]string
	}{
		{"wrong unit", message(strings.Replace(good, `"kW"`, `"W"`, 1)), 422, "schema", map[string]string{"pointer": "/activePower/unit", "keyword": "const"}},
		{"missing field", message(string(missing)), 422, "schema", map[string]string{"keyword": "required"}},
		{"11 MB", message(`"` + strings.Repeat("x", 11<<20) + `"`), 413, "body_too_large", nil},
		{"invalid UTF-8", message(strings.Replace(good, "der-", "der-\xff", 1)), 400, "json_invalid", nil},
		{"deep-nested bomb", message(strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)), 400, "json_depth", nil},
		{"duplicate keys", message(`{"device":"der-000001",` + good[1:]), 400, "json_duplicate_key", nil},
		{"empty body", "", 400, "body_empty", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, sender.URL()+"/api/v1/messages", strings.NewReader(tc.doc))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+sender.APIKey())
			req.Header.Set("Content-Type", "application/json")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if ct := resp.Header.Get("Content-Type"); ct != "application/problem+json" {
				t.Errorf("content type %q", ct)
			}
			var p map[string]any
			if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tc.status || p["code"] != tc.code {
				t.Errorf("answered %d %v, not %d %s: %v", resp.StatusCode, p["code"], tc.status, tc.code, p)
			}
			for k, want := range tc.more {
				if p[k] != want {
					t.Errorf("%s is %v, not %s", k, p[k], want)
				}
			}
		})
	}
	// The first message that leaves is the good one: messages of one sender on
	// one topic come in order.
	a, err := s.gateways[market.Aggregator].Send(ctx, gateway.Draft{Channel: "telemetry", Body: reading})
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{market.NetworkOperator, market.MarketOperator} {
		ms := receive(ctx, t, s.gateways[to], "telemetry", 1)
		if len(ms) != 1 || ms[0].ID != a.ID || !bytes.Equal(ms[0].Body, reading) {
			t.Errorf("the %s received %+v, not %s", to, ms, a.ID)
		}
		id, err := s.gateways[to].Identity(ctx)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := s.operator.Messages(ctx, id.Addr, 0)
		if err != nil {
			t.Fatal(err)
		}
		envelopes := 0
		for _, m := range stored {
			if k, err := envelope.KindOf(m.Data, len(m.Data)); err == nil && k == envelope.KindEnvelope {
				envelopes++
			}
		}
		if envelopes != 1 {
			t.Errorf("the %s's mailbox holds %d envelopes of one good message", to, envelopes)
		}
	}
}
