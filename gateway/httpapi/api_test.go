package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/access"
	"github.com/digital-spine/spine/gateway/channels"
	"github.com/digital-spine/spine/gateway/events"
	"github.com/digital-spine/spine/gateway/sqlstore"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/sqlkit"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/schema"
)

const telemetry = `{"type":"object","required":["device","unit"],"additionalProperties":false,
"properties":{"device":{"type":"string"},"unit":{"enum":["kW","V"]},"n":{}}}`

// loop is a Sender and a Receiver in one: what is sent is received.
type loop struct {
	mu     sync.Mutex
	v      schema.Validator
	ch     gateway.Channels
	inbox  []gateway.Message
	open   map[string]bool
	n      int
	came   chan struct{}
	bodies []string
	back   []string // tokens of what came back
}

func (l *loop) Send(_ context.Context, drafts []gateway.Draft) ([]gateway.Accepted, []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out, errs := make([]gateway.Accepted, len(drafts)), make([]error, len(drafts))
	for i, d := range drafts {
		if _, errs[i] = l.ch.Channel(d.Channel); errs[i] != nil {
			continue
		}
		if errs[i] = l.v.Validate(d.Body); errs[i] != nil {
			continue
		}
		l.n++
		id := fmt.Sprintf("00000000-0000-7000-8000-%012d", l.n)
		out[i] = gateway.Accepted{ID: id, State: gateway.StateAccepted}
		if d.Corr == "wait" {
			out[i].State = gateway.StateWaiting
		}
		l.bodies = append(l.bodies, string(d.Body))
		l.inbox = append(l.inbox, gateway.Message{ID: id, From: "did:x", Channel: d.Channel, Body: d.Body, Type: d.MediaType(), Corr: d.Corr, Attrs: d.Attrs,
			Checks: map[string]string{"signature": "ok"}, Ack: "ack-" + id})
	}
	close(l.came)
	l.came = make(chan struct{})
	return out, errs
}

func (l *loop) Status(_ context.Context, id string) (*gateway.MessageStatus, error) {
	if id != "00000000-0000-7000-8000-000000000001" {
		return nil, gateway.MessageUnknown(id)
	}
	return &gateway.MessageStatus{ID: id, State: gateway.StateDelivered, Recipients: []gateway.Recipient{{DID: "did:x", State: gateway.StateDelivered}}}, nil
}

func (l *loop) Pull(ctx context.Context, _ gateway.Consumer, max int, wait time.Duration) ([]gateway.Message, error) {
	for {
		l.mu.Lock()
		n := min(max, len(l.inbox))
		out := l.inbox[:n:n]
		l.inbox = l.inbox[n:]
		for _, m := range out {
			l.open[m.Ack] = true
		}
		came := l.came
		l.mu.Unlock()
		if n > 0 || wait == 0 {
			return out, nil
		}
		select {
		case <-came:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (l *loop) Ack(_ context.Context, tokens []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range tokens {
		if !l.open[t] {
			return gateway.AckUnknown()
		}
	}
	return nil
}

func (l *loop) Return(tokens []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.back = append(l.back, tokens...)
	close(l.came)
	l.came = make(chan struct{})
}

type here struct{}

func (here) About(context.Context) About { return About{DID: "did:me", Ready: true} }

type fixture struct {
	url, admin, send, receive string
	loop                      *loop
	ring                      *events.Ring
	api                       *api
}

func start(t testing.TB) *fixture { return startWith(t, clockwork.NewRealClock(), nil) }

// startWith lets a test hold the clock and change what the API stands on.
func startWith(t testing.TB, clock clockwork.Clock, change func(*Deps)) *fixture {
	t.Helper()
	ctx := testkit.Context(t)
	st, err := sqlstore.Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "g.db"), sqlkit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	book, err := channels.Open(ctx, st.Channels())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := access.Open(ctx, st.Keys(), clock)
	if err != nil {
		t.Fatal(err)
	}
	v, err := schema.Compile(schema.KindJSON, "r", []schema.File{{Name: "r", Data: []byte(telemetry)}})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{loop: &loop{v: v, ch: book, open: map[string]bool{}, came: make(chan struct{})}}
	f.ring = events.New(st.Events(), clock, testkit.Logger(t))
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { f.ring.Run(ctx) })
	for scope, token := range map[access.Scope]*string{access.Admin: &f.admin, access.Send: &f.send, access.Receive: &f.receive} {
		if _, *token, err = keys.Create(ctx, string(scope), []access.Scope{scope}); err != nil {
			t.Fatal(err)
		}
	}
	d := Deps{Sender: f.loop, Receiver: f.loop, Channels: book, Events: f.ring, Keys: keys, Identity: here{}, Clock: clock, Log: testkit.Logger(t)}
	if change != nil {
		change(&d)
	}
	f.api = newAPI(d)
	s := f.api.Server
	if err := s.Listen(ctx, "127.0.0.1:0", ""); err != nil {
		t.Fatal(err)
	}
	wg.Go(func() { s.Serve() })
	t.Cleanup(func() { s.Close(context.Background()); cancel(); wg.Wait(); st.Close() })
	f.url = s.URL()
	f.call(t, "PUT", "/api/v1/channels/t", f.admin, "", `{"topic":"t.apps.ewc","send":{"roles":["a.roles.ewc"]},"receive":{"roles":["a.roles.ewc"]}}`)
	return f
}

func (f *fixture) call(t testing.TB, method, path, key, contentType, doc string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequest(method, f.url+path, strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	if contentType == "" {
		contentType = "application/json"
	}
	req.Header.Set("Content-Type", contentType)
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := httpkit.Client(0).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if len(b) > 0 {
		if err := json.Unmarshal(b, &out); err != nil {
			t.Fatalf("%s %s: %d %q", method, path, resp.StatusCode, b)
		}
	}
	if strings.Contains(string(b), "SECRET") && resp.StatusCode >= 400 {
		t.Errorf("%s %s: the answer repeats content: %s", method, path, b)
	}
	return resp.StatusCode, out
}

func TestBadInput(t *testing.T) {
	f := start(t)
	msg := func(body string) string { return `{"channel":"t","body":` + body + `}` }
	good := `{"device":"SECRET","unit":"kW"}`
	for name, tc := range map[string]struct {
		method, path, key, doc string
		status                 int
		code, pointer, keyword string
	}{
		"good":                {"POST", "messages", f.send, msg(good), 201, "", "", ""},
		"waits":               {"POST", "messages", f.send, `{"channel":"t","corr":"wait","body":` + good + `}`, 202, "", "", ""},
		"wrong unit":          {"POST", "messages", f.send, msg(`{"device":"SECRET","unit":"SECRET"}`), 422, "schema", "/unit", "enum"},
		"missing field":       {"POST", "messages", f.send, msg(`{"unit":"kW"}`), 422, "schema", "", "required"},
		"11 MB":               {"POST", "messages", f.send, msg(`"` + strings.Repeat("x", 11<<20) + `"`), 413, "body_too_large", "", ""},
		"11 MB batch":         {"POST", "messages/batch", f.send, `[` + msg(`"`+strings.Repeat("x", 11<<20)+`"`) + `]`, 413, "body_too_large", "", ""},
		"invalid UTF-8":       {"POST", "messages", f.send, msg("{\"device\":\"SECRET\xff\",\"unit\":\"kW\"}"), 400, "json_invalid", "", ""},
		"nested bomb":         {"POST", "messages", f.send, msg(strings.Repeat("[", 200_000)), 400, "json_depth", "", ""},
		"deep":                {"POST", "messages", f.send, msg(`{"n":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`), 400, "json_depth", "", ""},
		"duplicate keys":      {"POST", "messages", f.send, msg(`{"device":"SECRET","device":"SECRET","unit":"kW"}`), 400, "json_duplicate_key", "", ""},
		"duplicate member":    {"POST", "messages", f.send, `{"channel":"t","channel":"t","body":{}}`, 400, "json_duplicate_key", "", ""},
		"empty body":          {"POST", "messages", f.send, "", 400, "body_empty", "", ""},
		"no message body":     {"POST", "messages", f.send, `{"channel":"t"}`, 400, "body_empty", "", ""},
		"white space":         {"POST", "messages", f.send, "  \n", 400, "body_empty", "", ""},
		"not JSON":            {"POST", "messages", f.send, "SECRET", 400, "json_invalid", "", ""},
		"cut off":             {"POST", "messages", f.send, msg(good)[:20], 400, "json_invalid", "", ""},
		"trailing":            {"POST", "messages", f.send, msg(good) + "x", 400, "json_invalid", "", ""},
		"array":               {"POST", "messages", f.send, "[]", 400, "json_invalid", "", ""},
		"unknown member":      {"POST", "messages", f.send, `{"chanel":"SECRET"}`, 422, "draft_invalid", "", ""},
		"no channel":          {"POST", "messages", f.send, `{"body":1}`, 422, "draft_invalid", "/channel", ""},
		"channel not text":    {"POST", "messages", f.send, `{"channel":1,"body":1}`, 422, "draft_invalid", "/channel", ""},
		"unknown channel":     {"POST", "messages", f.send, `{"channel":"u","body":1}`, 404, "channel_unknown", "", ""},
		"to not a DID":        {"POST", "messages", f.send, `{"channel":"t","to":["SECRET"],"body":1}`, 422, "draft_invalid", "/to", ""},
		"re not an id":        {"POST", "messages", f.send, `{"channel":"t","re":"SECRET","body":1}`, 422, "draft_invalid", "/re", ""},
		"attrs":               {"POST", "messages", f.send, `{"channel":"t","attrs":{"a":"` + strings.Repeat("x", 5000) + `"},"body":1}`, 422, "draft_invalid", "/attrs", ""},
		"attr not text":       {"POST", "messages", f.send, `{"channel":"t","attrs":{"a":1},"body":1}`, 422, "draft_invalid", "/attrs", ""},
		"number beyond":       {"POST", "messages", f.send, msg(`1e999999999`), 400, "json_invalid", "", ""},
		"no key":              {"POST", "messages", "", msg(good), 401, "key_missing", "", ""},
		"bad key":             {"POST", "messages", "x", msg(good), 401, "key_invalid", "", ""},
		"scope":               {"POST", "messages", f.receive, msg(good), 403, "scope_missing", "", ""},
		"batch empty":         {"POST", "messages/batch", f.send, `{"messages":[]}`, 400, "body_empty", "", ""},
		"batch without":       {"POST", "messages/batch", f.send, `{}`, 422, "draft_invalid", "/messages", ""},
		"batch too many":      {"POST", "messages/batch", f.send, `[` + strings.Repeat(`{},`, 1000) + `{}]`, 413, "batch_too_large", "", ""},
		"status":              {"GET", "messages/00000000-0000-7000-8000-000000000001", f.send, "", 200, "", "", ""},
		"status unknown":      {"GET", "messages/00000000-0000-7000-8000-000000000009", f.send, "", 404, "message_unknown", "", ""},
		"status of nothing":   {"GET", "messages/x", f.send, "", 404, "message_unknown", "", ""},
		"receive, scope":      {"GET", "messages", f.send, "", 403, "scope_missing", "", ""},
		"receive, max":        {"GET", "messages?max=5000", f.receive, "", 422, "query_invalid", "", ""},
		"receive, wait":       {"GET", "messages?wait=2h", f.receive, "", 422, "query_invalid", "", ""},
		"receive, unknown":    {"GET", "messages?chanel=t", f.receive, "", 422, "query_invalid", "", ""},
		"acks empty":          {"POST", "acks", f.receive, `{"acks":[]}`, 422, "request_invalid", "", ""},
		"acks unknown":        {"POST", "acks", f.receive, `{"acks":["SECRET"]}`, 422, "ack_unknown", "", ""},
		"acks not texts":      {"POST", "acks", f.receive, `{"acks":[1]}`, 422, "draft_invalid", "/acks", ""},
		"channel bad":         {"PUT", "channels/x", f.admin, `{"topic":"nodots","send":{"roles":["a.roles.b"]}}`, 422, "channel_invalid", "", ""},
		"channel other name":  {"PUT", "channels/x", f.admin, `{"name":"y","topic":"a.b","send":{"roles":["a.roles.b"]}}`, 422, "channel_invalid", "", ""},
		"channel not admin":   {"PUT", "channels/x", f.send, `{"topic":"a.b","send":{"roles":["a.roles.b"]}}`, 403, "scope_missing", "", ""},
		"channel shown":       {"GET", "channels/t", f.send, "", 200, "", "", ""},
		"channel not found":   {"GET", "channels/u", f.send, "", 404, "channel_unknown", "", ""},
		"channel delete none": {"DELETE", "channels/u", f.admin, "", 404, "channel_unknown", "", ""},
		"identity":            {"GET", "identity", f.receive, "", 200, "", "", ""},
		"events":              {"GET", "events", f.admin, "", 200, "", "", ""},
		"events, scope":       {"GET", "events", f.receive, "", 403, "scope_missing", "", ""},
		"events, wait":        {"GET", "events?wait=x", f.admin, "", 422, "query_invalid", "", ""},
		"key, scopes":         {"POST", "keys", f.admin, `{"name":"x","scopes":["root"]}`, 422, "key_spec_invalid", "", ""},
		"key made":            {"POST", "keys", f.admin, `{"name":"x","scopes":["send"]}`, 201, "", "", ""},
		"key unknown":         {"DELETE", "keys/x", f.admin, "", 404, "key_unknown", "", ""},
		"nothing there":       {"GET", "nothing", f.admin, "", 404, "not_found", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			status, out := f.call(t, tc.method, "/api/v1/"+tc.path, tc.key, "", tc.doc)
			code, _ := out["code"].(string)
			if status != tc.status || code != tc.code {
				t.Fatalf("got %d %q, want %d %q: %.300v", status, code, tc.status, tc.code, out)
			}
			if tc.code == "" {
				return
			}
			if p, _ := out["pointer"].(string); p != tc.pointer {
				t.Errorf("pointer %q, want %q", p, tc.pointer)
			}
			if k, _ := out["keyword"].(string); k != tc.keyword {
				t.Errorf("keyword %q, want %q", k, tc.keyword)
			}
			if tc.keyword != "" && out["hint"] == nil {
				t.Error("no hint")
			}
		})
	}
}

func TestSendReceiveAck(t *testing.T) {
	f := start(t)
	// The body travels as the bytes given, odd spacing and numbers included.
	const body = `{ "device":"a\u0062",  "unit":"kW", "n":1.000000000000000000001 }`
	if status, out := f.call(t, "POST", "/api/v1/messages", f.send, "", `{"body":`+body+`,"channel":"t","corr":"c \"1\"","attrs":{"k":"v"}}`); status != 201 {
		t.Fatal(status, out)
	}
	if f.loop.bodies[0] != body {
		t.Fatalf("body changed: %s", f.loop.bodies[0])
	}
	status, out := f.call(t, "GET", "/api/v1/messages?channel=t&wait=1s", f.receive, "", "")
	list, _ := out["messages"].([]any)
	if status != 200 || len(list) != 1 {
		t.Fatal(status, out)
	}
	m := list[0].(map[string]any)
	if m["corr"] != `c "1"` || m["checks"].(map[string]any)["signature"] != "ok" || m["redelivered"] != false || m["body"].(map[string]any)["device"] != "ab" {
		t.Fatalf("%v", m)
	}
	if status, out := f.call(t, "POST", "/api/v1/acks", f.receive, "", `{"acks":["`+m["ack"].(string)+`"]}`); status != 200 || out["acked"] != 1.0 {
		t.Fatal(status, out)
	}
	if status, out := f.call(t, "GET", "/api/v1/messages", f.receive, "", ""); status != 200 || len(out["messages"].([]any)) != 0 {
		t.Fatal(status, out)
	}
}

func TestBatch(t *testing.T) {
	f := start(t)
	good, bad := `{"channel":"t","body":{"device":"a","unit":"V"}}`, `{"channel":"t","body":{"device":"SECRET"}}`
	for name, tc := range map[string]struct{ kind, doc string }{
		"object": {"", `{"messages":[` + good + `,` + bad + `,{"x":1},` + good + `]}`},
		"array":  {"", `[` + good + `,` + bad + `,{"x":1},` + good + `]`},
		"lines":  {"application/x-ndjson", good + "\n" + bad + "\r\n\n{\"x\":1}\n" + good},
	} {
		status, out := f.call(t, "POST", "/api/v1/messages/batch", f.send, tc.kind, tc.doc)
		list, _ := out["results"].([]any)
		if status != 200 || len(list) != 4 {
			t.Fatal(name, status, out)
		}
		for i, code := range []string{"", "schema", "draft_invalid", ""} {
			r := list[i].(map[string]any)
			p, _ := r["problem"].(map[string]any)
			if code == "" && r["state"] != "accepted" || code != "" && p["code"] != code {
				t.Errorf("%s %d: %v", name, i, r)
			}
		}
	}
}

func TestStream(t *testing.T) {
	f := start(t)
	ctx := testkit.Context(t)
	if _, resp, err := websocket.Dial(ctx, f.url+"/api/v1/stream", nil); err == nil || resp.StatusCode != 401 {
		t.Fatalf("without a key: %v", err)
	}
	_, out := f.call(t, "POST", "/api/v1/keys", f.admin, "", `{"name":"both","scopes":["send","receive"]}`)
	both := out["apiKey"].(string)
	dial := func(key string) *websocket.Conn {
		c, _, err := websocket.Dial(ctx, f.url+"/api/v1/stream?channel=t&window=2", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + key}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.CloseNow() })
		return c
	}
	c := dial(both)
	say := func(doc string) {
		if err := c.Write(ctx, websocket.MessageText, []byte(doc)); err != nil {
			t.Fatal(err)
		}
	}
	hear := func() map[string]any {
		_, b, err := c.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		return m
	}
	for i := range 3 {
		say(fmt.Sprintf(`{"send":{"channel":"t","body":{"device":"a","unit":"V"}},"ref":"r%d"}`, i))
	}
	say(`{"send":{"channel":"t","body":{"device":"SECRET"}},"ref":"bad"}`)
	say(`{"ack":["nope"]}`)
	say(`{"x":1}`)
	say(`{`)
	sent, problems, acks := 0, map[string]int{}, []string{}
	for sent < 3 || len(acks) < 2 || len(problems) < 4 {
		m := hear()
		switch {
		case m["sent"] != nil:
			sent++
		case m["problem"] != nil:
			problems[m["problem"].(map[string]any)["code"].(string)]++
		case m["id"] != nil:
			acks = append(acks, m["ack"].(string))
		}
	}
	for _, code := range []string{"schema", "ack_unknown", "request_invalid", "json_invalid"} {
		if problems[code] != 1 {
			t.Errorf("problems: %v", problems)
		}
	}
	// The window of two is full: the third comes after an acknowledgement.
	say(`{"ack":["` + acks[0] + `"]}`)
	seen := map[string]bool{}
	for !seen["acked"] || !seen["id"] {
		for k := range hear() {
			seen[k] = true
		}
	}
	// Without the scope, sending is refused and receiving goes on.
	c = dial(f.receive)
	say(`{"send":{"channel":"t","body":{"device":"a","unit":"V"}}}`)
	if m := hear(); m["problem"].(map[string]any)["code"] != "scope_missing" {
		t.Fatal(m)
	}
}

func TestOpenAPI(t *testing.T) {
	f := start(t)
	status, doc := f.call(t, "GET", "/openapi.json", "", "", "")
	paths, _ := doc["paths"].(map[string]any)
	if status != 200 || doc["openapi"] != "3.1.0" {
		t.Fatal(status, doc["openapi"])
	}
	for _, want := range []string{"post /messages", "get /messages", "post /messages/batch", "get /messages/{id}", "post /acks", "get /stream", "get /events",
		"put /channels/{name}", "get /channels", "delete /channels/{name}", "put /topics/{name}", "put /names/{name}", "get /identity", "post /enrolments",
		"post /enrolments/{id}/issue", "post /credentials/{digest}/revoke", "get /credentials", "get /roles/{name}/holders", "post /keys"} {
		method, path, _ := strings.Cut(want, " ")
		p, _ := paths["/api/v1"+path].(map[string]any)
		if p[method] == nil {
			t.Errorf("%s is not described", want)
		}
	}
}

func TestEventsOverHTTP(t *testing.T) {
	f := start(t)
	f.ring.Emit(t.Context(), gateway.Event{Kind: gateway.KindDetected, Code: "replayed", DID: "did:x"})
	_, out := f.call(t, "GET", "/api/v1/events?after=0&wait=10s&code=replayed", f.admin, "", "")
	list, _ := out["events"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["did"] != "did:x" || out["next"] == 0.0 {
		t.Fatal(out)
	}
}

func FuzzParseDraft(f *testing.F) {
	f.Add([]byte(`{"channel":"t","to":["did:x"],"body":{"a":[1]},"attrs":{"k":"v"},"re":null}`))
	f.Add([]byte(`[{"channel":"t","body":1}]`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		d, err := parseDraft(doc)
		if err == nil && (!json.Valid(d.Body) || !json.Valid(doc)) {
			t.Fatalf("accepted %q", doc)
		}
		drafts, errs, err := parseBatch(doc)
		if err == nil && (len(drafts) != len(errs) || !json.Valid(doc)) {
			t.Fatalf("accepted %q", doc)
		}
		if _, _, err := parseLines(doc); err != nil && !errors.Is(err, tooMany()) {
			t.Fatal(err)
		}
		_, _ = parseAcks(doc)
	})
}

func BenchmarkParseDraft(b *testing.B) {
	doc := []byte(`{"channel":"telemetry","to":["did:ethr:0x539:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"],"corr":"abc","body":{"device":"AB12","data":"` + strings.Repeat("x", 900) + `"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseDraft(doc); err != nil {
			b.Fatal(err)
		}
	}
}
