package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
)

// hostile is what partners, files and schemas might be called.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>' javascript:alert(1)`

// full is an API with something of everything, named by a hostile partner.
func full() *fakeAPI {
	f := newAPI()
	schema := `{"title":` + quoteJSON(hostile) + `,"type":"object","required":["n"],"properties":{"n":{"type":"integer","description":` + quoteJSON(hostile) + `},` +
		quoteJSON(hostile) + `:{"enum":[` + quoteJSON(hostile) + `]},"list":{"type":"array","items":{"type":"object","properties":{"q":{"type":"number"}}}}}}`
	entry := gateway.Entry{ID: known, Direction: gateway.In, Channel: "hello", Topic: hostile, Type: hostile, From: "did:x:" + hostile, State: "verified", Code: hostile, At: 1_800_000_000_000, Here: 1_800_000_000_050, Size: 7, Re: hostile}
	file := gateway.StoredFile{File: gateway.File{ID: known, Name: hostile, Type: hostile, Size: 1, SHA256: strings.Repeat("ab", 32)}, Direction: "in", State: "ready", From: hostile, Channel: hostile, At: 1, Messages: []string{hostile}}
	o := overview()
	o.Edges = []gateway.Edge{{From: hostile, To: self, Channel: hostile, Direction: gateway.In, Count: 3}, {From: self, To: other, Direction: gateway.Out, Count: 1, Refused: 1}}
	o.Attention = []gateway.Attention{{Code: hostile, Title: hostile, What: hostile, Severity: hostile, Kind: gateway.KindExpiring, Last: 5}}
	for k, v := range map[string]any{
		"GET /overview":                    o,
		"GET /contacts":                    map[string]any{"contacts": []gateway.Contact{{DID: other, Name: hostile}}},
		"GET /log":                         map[string]any{"entries": []gateway.Entry{entry, {ID: known, Direction: gateway.Out, To: []string{other, hostile}, Count: 5, File: &file.File}}, "next": hostile},
		"GET /log/in/" + known:             gateway.Trace{Entry: entry, Body: []byte(`{"a":` + quoteJSON(hostile) + `,"b":[1,true,null]}`), Steps: []gateway.Step{{Name: hostile, Note: hostile, At: 5}}, Checks: []gateway.Check{{Name: hostile, Result: hostile, Says: hostile, Rule: hostile, Evidence: map[string]string{hostile: hostile}}, {Name: "b", Result: "ok"}}, Protocol: map[string]string{hostile: hostile}, Attrs: map[string]string{hostile: hostile}, Corr: hostile},
		"GET /log/out/" + known:            gateway.Trace{Entry: gateway.Entry{ID: known, Direction: gateway.Out, State: gateway.StateRefused}, Sent: &gateway.MessageStatus{Recipients: []gateway.Recipient{{DID: hostile, State: gateway.StateRefused, Code: hostile, Steps: []gateway.Step{{Name: hostile}}}}}, Body: []byte("\xff\x00<script>")},
		"GET /channels":                    map[string]any{"channels": []gateway.Channel{{Name: "hello", Topic: hostile, Send: &gateway.Admission{Roles: []string{hostile}, DIDs: []string{hostile}}}}},
		"GET /channels/hello":              gateway.Channel{Name: "hello", Topic: "hello.x", Send: &gateway.Admission{Roles: []string{hostile}}, Receive: &gateway.Admission{DIDs: []string{hostile}}},
		"GET /topics/hello.x":              client.TopicRecord{Name: hostile, Version: hostile, Owner: hostile, Schema: json.RawMessage(schema), Order: hostile},
		"GET /channels/hello/members":      map[string]any{"total": 9, "members": []gateway.Member{{DID: hostile, Name: hostile, Code: hostile, Send: &gateway.Standing{Admitted: true, Role: hostile, Issuer: hostile, Credential: hostile}, Receive: &gateway.Standing{Code: hostile}, Instances: []gateway.Instance{{Code: hostile}}}}},
		"GET /files":                       map[string]any{"files": []gateway.StoredFile{file}},
		"GET /files/" + known:              file,
		"GET /files/" + known + "/verify":  map[string]any{"ok": false, "checks": []gateway.Check{{Name: hostile, Result: hostile, Says: hostile, Evidence: map[string]string{hostile: hostile}}}},
		"GET /events":                      map[string]any{"events": []gateway.Event{{N: 2, At: 5, Code: hostile, Kind: hostile, DID: hostile, Session: hostile, Seq: gateway.Seq(1), Digest: hostile, Channel: hostile, Topic: hostile, Messages: []string{hostile}, Detail: hostile}}},
		"GET /codes":                       map[string]any{"codes": []gateway.CodeInfo{{Code: hostile, Title: hostile, Meaning: hostile, Do: hostile, Severity: hostile}}},
		"POST /messages":                   problem.New(http.StatusUnprocessableEntity, "schema", "must be: integer").With("pointer", "/n").With("keyword", "type").WithHint(hostile),
		"DELETE /files/" + known:           problem.New(http.StatusConflict, "file_in_use", hostile),
		"GET /files/" + known + "/content": "content",
	} {
		f.answers[k] = v
	}
	return f
}

func quoteJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// everyPath are the pages, and the pieces that are loaded again.
var everyPath = []string{
	"/", "/?part=now", "/partners", "/partners?part=list", "/channels", "/channels?part=list", "/channels/hello", "/channels/hello?re=" + known + "&to=did:x:" + url.QueryEscape(hostile), "/channels/hello/rows?m=in." + known,
	"/messages", "/messages?part=list", "/messages?direction=in&channel=" + url.QueryEscape(hostile) + "&partner=" + url.QueryEscape(hostile) + "&before=" + url.QueryEscape(hostile),
	"/messages/in/" + known, "/messages/in/" + known + "?part=now", "/messages/in/" + known + "?part=answers", "/messages/out/" + known, "/messages/out/" + known + "?part=state",
	"/files", "/files?part=list", "/files?channel=hello", "/files?part=to&channel=hello", "/files/" + known + "?part=to&channel=hello", "/files/" + known, "/files/" + known + "?verify=1", "/files/" + known + "?part=verify", "/events", "/events?part=list", "/events?code=" + url.QueryEscape(hostile), "/palette",
	"/nowhere", "/messages/in/" + url.PathEscape(hostile), "/channels/" + url.PathEscape(hostile),
}

var (
	inline   = regexp.MustCompile(`(?i)<style|\sstyle\s*=\s*["']|\son[a-z]+\s*=\s*["']|href="javascript:|<script(?:\s+type="module")?>`)
	scripted = regexp.MustCompile(`hx-on|hx-vals="?js:|hx-trigger="[^"]*\[|hx-confirm="js:`)
	outside  = regexp.MustCompile(`(?:src|action|hx-get|hx-post)="(?:https?:)?//`)
)

func TestHostileContentIsEscapedEverywhere(t *testing.T) {
	for _, path := range everyPath {
		body := visitTo(t, full(), path).Body.String()
		if strings.Contains(body, "<script>alert") || strings.Contains(body, "<img") || strings.Contains(body, "\xff") {
			t.Errorf("%s: hostile content is in the page as it is", path)
		}
		tags := regexp.MustCompile(`<[a-zA-Z][^<>]*>`).FindAllString(body, -1)
		for _, tag := range tags {
			if inline.MatchString(withoutValues(tag)) {
				t.Errorf("%s: %s", path, tag)
			}
			if scripted.MatchString(tag) || outside.MatchString(tag) {
				t.Errorf("%s: %s", path, tag)
			}
		}
	}
}

// withoutValues blanks the values of attributes that are text, so that only
// markup is looked at.
func withoutValues(tag string) string {
	return regexp.MustCompile(`="[^"]*"`).ReplaceAllStringFunc(tag, func(v string) string {
		if strings.HasPrefix(v, `="javascript:`) {
			return v
		}
		return `=""`
	})
}

func TestEveryPageIsStrictAboutWhatItLoadsAndIsNotKept(t *testing.T) {
	for _, path := range everyPath {
		h := visitTo(t, full(), path).Header()
		csp := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: policy %q lacks %s", path, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
			t.Errorf("%s: policy %q", path, csp)
		}
		if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: headers %v", path, h)
		}
	}
}

func TestWithoutASessionThereIsOnlyTheSignIn(t *testing.T) {
	for _, path := range append(everyPath, "/find?q="+known) {
		f := full()
		w := httptest.NewRecorder()
		New(Deps{API: f}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://gateway.test"+path, nil))
		if w.Code != http.StatusUnauthorized {
			t.Errorf("%s: status %d", path, w.Code)
		}
		has(t, path, w.Body.String(), "Open the console with a link", "export SPINE_URL=http://gateway.test\n", "spine link")
		if len(f.asked) != 1 {
			t.Errorf("%s: asked the API for %v", path, f.asked)
		}
	}
}

func TestALinkIsExchangedOnce(t *testing.T) {
	f := newAPI()
	f.answers["POST /sessions"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "spine_session", Value: "secret", HttpOnly: true, SameSite: http.SameSiteStrictMode, Path: "/"})
		httpkit.WriteJSON(w, http.StatusCreated, gateway.Session{CSRF: csrf})
	})
	w := visitTo(t, f, "/open?token=spl_abc")
	has(t, "the page", w.Body.String(), `http-equiv="refresh"`, `content="0;url=/"`)
	hasNot(t, "the page", w.Body.String(), "spl_abc")
	set := w.Header().Get("Set-Cookie")
	for _, want := range []string{"HttpOnly", "SameSite=Strict", "Path=/"} {
		if !strings.Contains(set, want) {
			t.Errorf("cookie %q lacks %s", set, want)
		}
	}
	if !strings.Contains(f.bodies[0], "spl_abc") {
		t.Errorf("asked %v", f.bodies)
	}
	// Whoever has the whole link may put it into the form.
	visitTo(t, f, "/open?token="+url.QueryEscape("http://gateway.test/open?token=spl_def"))
	if last := f.bodies[len(f.bodies)-1]; last != `{"token":"spl_def"}` {
		t.Errorf("a whole link: %s", last)
	}
	for name, change := range map[string]func(*http.Request){
		"HEAD":       func(r *http.Request) { r.Method = http.MethodHead },
		"a prefetch": func(r *http.Request) { r.Header.Set("Sec-Purpose", "prefetch;prerender") },
	} {
		f.asked = nil
		r := httptest.NewRequest(http.MethodGet, "http://gateway.test/open?token=spl_abc", nil)
		change(r)
		ask(f, r)
		if len(f.asked) != 0 {
			t.Errorf("%s used the token up", name)
		}
	}
}

func TestEmptyPagesTeach(t *testing.T) {
	f := newAPI()
	for path, want := range map[string]string{
		"/": "No message has come or gone yet", "/channels": "There is no channel yet", "/messages": "No message has come or gone yet", "/messages?direction=in": "No message fits these filters",
		"/files": "No file yet", "/events": "Nothing to report",
	} {
		w := visitTo(t, f, path)
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", path, w.Code)
		}
		has(t, path, w.Body.String(), want)
	}
}

func TestWhatTheAPIRefusesIsToldWithCodeAndHint(t *testing.T) {
	for path, call := range map[string]string{
		"/": "GET /overview", "/partners": "GET /overview", "/channels": "GET /channels", "/channels/hello": "GET /channels/hello", "/messages": "GET /log", "/messages/in/" + known: "GET /log/in/" + known,
		"/files": "GET /files", "/files/" + known: "GET /files/" + known, "/events": "GET /events",
	} {
		f := full()
		f.answers[call] = problem.New(http.StatusForbidden, "scope_missing", "the key is not good for this").WithHint("ask for the scope admin")
		w := visitTo(t, f, path)
		has(t, path, w.Body.String(), "scope_missing", "the key is not good for this", "ask for the scope admin")
	}
	f := full()
	f.answers["GET /identity"], f.answers["GET /contacts"] = problem.New(500, "internal", "internal error"), problem.New(500, "internal", "internal error")
	if w := visitTo(t, f, "/"); w.Code != http.StatusOK {
		t.Errorf("a page without names: %d", w.Code)
	}
}

func TestWhatChangesSomethingNeedsThePagesToken(t *testing.T) {
	c := New(Deps{API: newAPI()})
	for _, r := range c.Routes() {
		if r.Method == http.MethodGet {
			if r.Mutates {
				t.Errorf("%s changes something by GET", r.Path)
			}
			continue
		}
		path := strings.NewReplacer("{name}", "hello", "{id}", known).Replace(r.Path)
		f := full()
		f.answers["POST /messages"] = gateway.Accepted{ID: known, State: "accepted"}
		f.answers["DELETE /files/"+known], f.answers["DELETE /sessions/current"] = struct{}{}, struct{}{}
		in := url.Values{"op": {"send"}, "mode": {"json"}, "raw": {"{}"}, "channel": {"hello"}, "offered-on": {"hello"}, "offered": {"0"}, "all": {"1"}, "csrf": {"guessed"}}
		w := post(f, path, in, false)
		if w.Code != http.StatusForbidden {
			t.Errorf("%s with a wrong token: %d", path, w.Code)
		}
		has(t, path, w.Body.String(), "csrf")
		in.Set("csrf", csrf)
		if w := post(f, path, in, false); w.Code >= 400 {
			t.Errorf("%s with the token: %d", path, w.Code)
		}
	}
}

func TestSendingShowsProblemsByField(t *testing.T) {
	f := full()
	f.answers["GET /topics/hello.x"] = client.TopicRecord{Schema: json.RawMessage(`{"type":"object","required":["n"],"properties":{"n":{"type":"integer"},"list":{"type":"array","items":{"type":"object","properties":{"q":{"type":"number"}}}}}}`)}
	w := post(f, "/channels/hello/send", url.Values{"csrf": {csrf}, "mode": {"form"}, "op": {"send"}, "offered": {"0"}, "all": {"1"}, "/n": {"seven"}, "key": {"k1"}}, true)
	if w.Code != http.StatusUnprocessableEntity {
		t.Errorf("status %d", w.Code)
	}
	has(t, "the form", w.Body.String(), `aria-invalid="true"`, `aria-describedby="f/n-hint f/n-problem"`, "must be: integer", ", at <code>/n</code>", `value="seven"`, `code <code>schema</code>`)
	hasNot(t, "the form", w.Body.String(), "<html")
	var d gateway.Draft
	if err := json.Unmarshal([]byte(f.bodies[len(f.bodies)-2]), &d); err != nil || string(d.Body) != `{"n":"seven"}` || d.IdempotencyKey != "k1" {
		t.Errorf("sent %+v, %v", d, err)
	}

	f.answers["POST /messages"] = problem.New(http.StatusUnprocessableEntity, "schema", "lacks: n").With("pointer", "").With("keyword", "required")
	w = post(f, "/channels/hello/send", url.Values{"csrf": {csrf}, "mode": {"form"}, "op": {"send"}, "offered": {"0"}, "all": {"1"}}, false)
	has(t, "the page", w.Body.String(), "<html", "is needed", `aria-invalid="true"`)

	f.answers["POST /messages"] = gateway.Accepted{ID: known, State: gateway.StateAccepted}
	w = post(f, "/channels/hello/send", url.Values{"csrf": {csrf}, "mode": {"form"}, "op": {"send"}, "/n": {"7"}, "to": {other}}, true)
	has(t, "the form", w.Body.String(), "Sent", "/messages/out/"+known, "curl", "$SPINE_API_KEY", "spine send --channel")

	// Nothing is sent by the buttons that only change the form.
	for _, op := range []string{"add:/list", "remove:/list/0", "sample", "json", "form", "example:0", "example:x", "add:/nowhere"} {
		f.asked = nil
		w := post(f, "/channels/hello/send", url.Values{"mode": {"form"}, "op": {op}, "/n": {"7"}, "/list/0/q": {"1"}}, true)
		for _, a := range f.asked {
			if !strings.HasPrefix(a, "GET ") {
				t.Errorf("%s asked for %s", op, a)
			}
		}
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", op, w.Code)
		}
		if got := strings.Count(w.Body.String(), `name="/list/`); op == "add:/list" && got != 2 || op == "remove:/list/0" && got != 0 {
			t.Errorf("%s: %d inputs in the list", op, got)
		}
	}
}

func TestFindGoesToWhatAnIdNames(t *testing.T) {
	for q, want := range map[string]string{known: "/messages/in/" + known, strings.ToUpper(known): "/messages/in/" + known, other: "/messages?partner=" + url.QueryEscape(other), "//evil.example": "/messages", hostile: "/messages"} {
		if got := visitTo(t, full(), "/find?q="+url.QueryEscape(q)).Header().Get("Location"); got != want {
			t.Errorf("%s: %s", q, got)
		}
	}
}

func TestEveryRouteStandsOnDocumentedOperations(t *testing.T) {
	b, err := os.ReadFile("../docs/openapi/gateway.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, methods := range doc.Paths {
		for method, op := range methods {
			documented[op.OperationID] = method
		}
	}
	for _, r := range New(Deps{API: newAPI()}).Routes() {
		changes := false
		for _, op := range r.Operations {
			method, ok := documented[op]
			if !ok {
				t.Errorf("%s %s stands on %s, which the API does not document", r.Method, r.Path, op)
			}
			changes = changes || ok && method != "get"
		}
		if changes != r.Mutates {
			t.Errorf("%s %s: changes something %t, by its operations %t", r.Method, r.Path, r.Mutates, changes)
		}
	}
	// What the elements in the browser call by themselves.
	for _, op := range []string{"live", "begin-upload", "head-upload", "patch-upload", "end-upload", "get-content"} {
		if documented[op] == "" {
			t.Errorf("an element calls %s, which the API does not document", op)
		}
	}
}

func TestVendoredFilesAreAsListed(t *testing.T) {
	for _, dir := range []string{"static/lib/", "../test/browser/testdata/"} {
		list, err := os.ReadFile(dir + "VENDOR.md")
		if err != nil {
			t.Fatal(err)
		}
		rows := regexp.MustCompile(`(?m)^\| (\S+\.(?:js|css|woff2)) \|.*\| ([0-9a-f]{64}) \|$`).FindAllStringSubmatch(string(list), -1)
		if len(rows) == 0 {
			t.Errorf("%sVENDOR.md lists nothing", dir)
		}
		found := map[string]bool{"VENDOR.md": true}
		for _, row := range rows {
			b, err := os.ReadFile(dir + row[1])
			if err != nil {
				t.Fatal(err)
			}
			if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != row[2] {
				t.Errorf("%s%s is not what VENDOR.md says", dir, row[1])
			}
			found[row[1]] = true
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !found[e.Name()] {
				t.Errorf("%s%s is not listed in VENDOR.md", dir, e.Name())
			}
		}
	}
}

func TestAPageIsLight(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for name, file := range loadAssets().files {
		w := io.Writer(z)
		if strings.HasSuffix(name, ".woff2") { // compressed already
			w = &b
		}
		if _, err := w.Write(file); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 120_000 {
		t.Errorf("all that any page loads is %d bytes compressed, more than 120 kB", b.Len())
	}
	t.Logf("all that any page loads: %d bytes compressed", b.Len())
}

func TestStaticFilesCanBeKept(t *testing.T) {
	c := New(Deps{API: newAPI()})
	get := func(path, tag string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "http://gateway.test"+path, nil)
		r.Header.Set("If-None-Match", tag)
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		return w
	}
	w := get(c.assets.url("console.css"), "")
	if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/css") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := get("/static/console.css", w.Header().Get("ETag")); w.Code != http.StatusNotModified {
		t.Errorf("with its tag: %d", w.Code)
	}
	for _, p := range []string{"/static/", "/static/none.js", "/static/../console.go", "/static/lib"} {
		if w := get(p, ""); w.Code == http.StatusOK {
			t.Errorf("%s: %d", p, w.Code)
		}
	}
}
