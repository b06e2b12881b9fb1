package httpapi

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/access"
	"github.com/digital-spine/spine/gateway/sqlstore"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/sqlkit"
	"github.com/digital-spine/spine/internal/testkit"
)

// browser is a signed-in visitor of a test.
type browser struct {
	cookie string
	csrf   string
}

// signIn follows a link.
func (f *fixture) signIn(t testing.TB, scopes ...string) browser {
	t.Helper()
	ctx := testkit.Context(t)
	l, err := client.New(f.url, f.admin).Link(ctx, scopes, "me")
	if err != nil {
		t.Fatal(err)
	}
	s, cookies, err := client.NewWithTransport(f.url, http.DefaultTransport).OpenSession(ctx, l.Token)
	if err != nil || len(cookies) != 1 {
		t.Fatal(err, cookies)
	}
	return browser{cookie: cookies[0].Name + "=" + cookies[0].Value, csrf: s.CSRF}
}

// ask sends a request with headers and returns status and code. It reads no
// more of an endless answer than its beginning.
func (f *fixture) ask(t testing.TB, method, path, doc string, headers map[string]string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(testkit.Context(t), method, f.url+path, strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	if doc != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := httpkit.Client(0).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 == 2 {
		return resp.StatusCode, ""
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	var p struct{ Code string }
	_ = json.Unmarshal(b, &p)
	return resp.StatusCode, p.Code
}

func TestSignIn(t *testing.T) {
	clock := clockwork.NewFakeClock()
	f, ctx := startWith(t, clock, nil), testkit.Context(t)
	admin, visitor := client.New(f.url, f.admin), client.NewWithTransport(f.url, http.DefaultTransport)
	l, err := admin.Link(ctx, []string{"receive"}, "control room")
	if err != nil || l.URL != f.url+"/open?token="+l.Token || l.Expires != clock.Now().Add(access.LinkFor).UnixMilli() {
		t.Fatal(err, l)
	}
	s, cookies, err := visitor.OpenSession(ctx, l.Token)
	if err != nil || len(cookies) != 1 {
		t.Fatal(err, cookies)
	}
	c := cookies[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || c.Secure || !strings.HasPrefix(c.Name, gateway.SessionCookie+"_") {
		t.Fatalf("cookie %+v", c)
	}
	if s.Name != "control room" || len(s.Scopes) != 1 || s.CSRF == "" || strings.Contains(c.Value, s.CSRF) || s.Expires != clock.Now().Add(access.SessionFor).UnixMilli() {
		t.Fatalf("session %+v", s)
	}
	headers := map[string]string{"Cookie": c.Name + "=" + c.Value}
	for _, step := range []struct {
		name, method, path, doc string
		status                  int
		code                    string
	}{
		{"the token again", "POST", "sessions", `{"token":"` + l.Token + `"}`, 401, "session_invalid"},
		{"a guess", "POST", "sessions", `{"token":"spl_` + strings.Repeat("A", 43) + `"}`, 401, "session_invalid"},
		{"the session", "GET", "sessions/current", "", 200, ""},
		{"in scope", "GET", "identity", "", 200, ""},
		{"out of scope", "GET", "keys", "", 403, "scope_missing"},
		{"no more power by a link", "POST", "sessions/links", `{}`, 403, "scope_missing"},
	} {
		h := map[string]string{"Cookie": headers["Cookie"], gateway.HeaderCSRF: s.CSRF}
		if status, code := f.ask(t, step.method, "/api/v1/"+step.path, step.doc, h); status != step.status || code != step.code {
			t.Errorf("%s: %d %s, want %d %s", step.name, status, code, step.status, step.code)
		}
	}
	// The session ends by itself, and by its key.
	clock.Advance(access.IdleFor)
	if status, code := f.ask(t, "GET", "/api/v1/identity", "", headers); status != 401 || code != "session_invalid" {
		t.Fatal(status, code)
	}
	late, err := admin.Link(ctx, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	clock.Advance(access.LinkFor)
	if _, _, err := visitor.OpenSession(ctx, late.Token); problem.CodeOf(err) != "session_invalid" {
		t.Fatal(err)
	}
}

func TestSignOut(t *testing.T) {
	f := start(t)
	b := f.signIn(t)
	full := map[string]string{"Cookie": b.cookie, gateway.HeaderCSRF: b.csrf}
	if status, code := f.ask(t, "DELETE", "/api/v1/sessions/current", "", map[string]string{"Cookie": b.cookie}); code != "csrf" {
		t.Fatal(status, code)
	}
	if status, code := f.ask(t, "DELETE", "/api/v1/sessions/current", "", full); status != 204 {
		t.Fatal(status, code)
	}
	if _, code := f.ask(t, "GET", "/api/v1/identity", "", full); code != "session_invalid" {
		t.Fatal(code)
	}
	// An API key beside the cookie counts alone.
	if status, code := f.ask(t, "GET", "/api/v1/identity", "", map[string]string{"Cookie": b.cookie, "Authorization": "Bearer " + f.receive}); status != 200 {
		t.Fatal(status, code)
	}
	b = f.signIn(t)
	if _, code := f.ask(t, "GET", "/api/v1/identity", "", map[string]string{"Cookie": b.cookie, "Authorization": "Bearer x"}); code != "key_invalid" {
		t.Fatal("a session stood in for a bad key:", code)
	}
	// What a proxy in front says for itself does not stand in the way.
	if status, code := f.ask(t, "GET", "/api/v1/identity", "", map[string]string{"Cookie": b.cookie, "Authorization": "Basic eDp5"}); status != 200 {
		t.Fatal(status, code)
	}
	// Who signs in anew in the same browser leaves no session behind.
	l, err := client.New(f.url, f.admin).Link(testkit.Context(t), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if status, code := f.ask(t, "POST", "/api/v1/sessions", `{"token":"`+l.Token+`"}`, map[string]string{"Cookie": b.cookie}); status != 201 {
		t.Fatal(status, code)
	}
	if _, code := f.ask(t, "GET", "/api/v1/identity", "", map[string]string{"Cookie": b.cookie}); code != "session_invalid" {
		t.Fatal(code)
	}
}

// TestOverTLS: behind a proxy that speaks TLS, the cookie is for this host and
// TLS only, and the link says https.
func TestOverTLS(t *testing.T) {
	f := start(t)
	tls := map[string]string{"X-Forwarded-Proto": "https", "Authorization": "Bearer " + f.admin}
	status, out := f.callWith(t, "POST", "/api/v1/sessions/links", `{}`, tls)
	if status != 201 || !strings.HasPrefix(out["url"].(string), "https://") {
		t.Fatal(status, out)
	}
	req, err := http.NewRequest("POST", f.url+"/api/v1/sessions", strings.NewReader(`{"token":"`+out["token"].(string)+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Forwarded-Proto", "https")
	resp, err := httpkit.Client(0).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if len(resp.Cookies()) != 1 {
		t.Fatal(resp.Status, resp.Cookies())
	}
	c := resp.Cookies()[0]
	if !c.Secure || !strings.HasPrefix(c.Name, "__Host-"+gateway.SessionCookie) {
		t.Fatalf("cookie %+v", c)
	}
	// A planted cookie of the plain name does not win, and does not count alone.
	plain := strings.TrimPrefix(c.Name, "__Host-")
	ask := func(cookie string) (int, string) {
		return f.ask(t, "GET", "/api/v1/identity", "", map[string]string{"X-Forwarded-Proto": "https", "Cookie": cookie})
	}
	if status, code := ask(plain + "=planted; " + c.Name + "=" + c.Value); status != 200 {
		t.Fatal(status, code)
	}
	if status, code := ask(plain + "=" + c.Value); status != 401 {
		t.Fatal(status, code)
	}
}

// TestOtherSites sends what another site can make a browser send.
func TestOtherSites(t *testing.T) {
	f := start(t)
	b := f.signIn(t)
	host := strings.TrimPrefix(f.url, "http://")
	send := `{"channel":"t","body":{"device":"a","unit":"V"}}`
	for name, tc := range map[string]struct {
		method, path, doc string
		headers           map[string]string
		code              string
	}{
		"own page":                       {"POST", "messages", send, map[string]string{"X-CSRF-Token": b.csrf, "Sec-Fetch-Site": "same-origin", "Origin": f.url}, ""},
		"own page, old browser":          {"POST", "messages", send, map[string]string{"X-CSRF-Token": b.csrf, "Origin": f.url}, ""},
		"typed by the user":              {"GET", "identity", "", map[string]string{"Sec-Fetch-Site": "none"}, ""},
		"no token":                       {"POST", "messages", send, map[string]string{"Sec-Fetch-Site": "same-origin"}, "csrf"},
		"token of another session":       {"POST", "messages", send, map[string]string{"X-CSRF-Token": access.CSRF("sps_x"), "Sec-Fetch-Site": "same-origin"}, "csrf"},
		"empty token":                    {"POST", "messages", send, map[string]string{"X-CSRF-Token": ""}, "csrf"},
		"cross-site with token":          {"POST", "messages", send, map[string]string{"X-CSRF-Token": b.csrf, "Sec-Fetch-Site": "cross-site"}, "csrf"},
		"another port of this host":      {"POST", "messages", send, map[string]string{"X-CSRF-Token": b.csrf, "Sec-Fetch-Site": "same-site"}, "csrf"},
		"foreign origin":                 {"POST", "messages", send, map[string]string{"X-CSRF-Token": b.csrf, "Origin": "http://evil.example"}, "csrf"},
		"origin of another port":         {"POST", "messages", send, map[string]string{"X-CSRF-Token": b.csrf, "Origin": "http://127.0.0.1:1"}, "csrf"},
		"origin null":                    {"POST", "messages", send, map[string]string{"X-CSRF-Token": b.csrf, "Origin": "null"}, "csrf"},
		"origin of user information":     {"POST", "messages", send, map[string]string{"X-CSRF-Token": b.csrf, "Origin": "http://" + host + "@evil.example"}, "csrf"},
		"odd Sec-Fetch-Site":             {"POST", "messages", send, map[string]string{"X-CSRF-Token": b.csrf, "Sec-Fetch-Site": "x"}, "csrf"},
		"reading messages away":          {"GET", "messages?autoack=true", "", map[string]string{"Sec-Fetch-Site": "same-site"}, "csrf"},
		"an image of another site":       {"GET", "log", "", map[string]string{"Sec-Fetch-Site": "cross-site"}, "csrf"},
		"fetch of another origin":        {"GET", "log", "", map[string]string{"Origin": "http://evil.example"}, "csrf"},
		"live stream of another origin":  {"GET", "live", "", map[string]string{"Sec-Fetch-Site": "same-site"}, "csrf"},
		"a form that deletes":            {"DELETE", "channels/t", "", map[string]string{"Sec-Fetch-Site": "cross-site"}, "csrf"},
		"signing somebody else in":       {"POST", "sessions", `{"token":"x"}`, map[string]string{"Sec-Fetch-Site": "cross-site"}, "csrf"},
		"signing out from another site":  {"DELETE", "sessions/current", "", map[string]string{"X-CSRF-Token": b.csrf, "Origin": "http://evil.example"}, "csrf"},
		"a cookie of another name":       {"GET", "identity", "", map[string]string{"Cookie": gateway.SessionCookie + strings.TrimLeft(b.cookie, "spine_o0123456789abcdf")}, "key_missing"},
		"a cookie that is too long":      {"GET", "identity", "", map[string]string{"Cookie": b.cookie + strings.Repeat("A", 4000)}, "session_invalid"},
		"method override does not exist": {"POST", "messages", send, map[string]string{"X-HTTP-Method-Override": "GET"}, "csrf"},
	} {
		h := map[string]string{"Cookie": b.cookie}
		for k, v := range tc.headers {
			h[k] = v
		}
		status, code := f.ask(t, tc.method, "/api/v1/"+tc.path, tc.doc, h)
		if code != tc.code || code == "csrf" && status != 403 || code == "" && status/100 != 2 {
			t.Errorf("%s: %d %q, want %q", name, status, code, tc.code)
		}
	}
}

func TestStreamWithCookie(t *testing.T) {
	f, ctx := start(t), testkit.Context(t)
	b := f.signIn(t)
	for name, tc := range map[string]struct {
		headers http.Header
		code    string
	}{
		"own page":         {http.Header{"Origin": {f.url}, "Sec-Fetch-Site": {"same-origin"}}, ""},
		"own, old browser": {http.Header{"Origin": {f.url}}, ""},
		"foreign":          {http.Header{"Origin": {"http://evil.example"}}, "csrf"},
		"other port":       {http.Header{"Origin": {"http://127.0.0.1:1"}}, "csrf"},
		"lies about site":  {http.Header{"Origin": {"http://evil.example"}, "Sec-Fetch-Site": {"same-origin"}}, "csrf"},
		"null":             {http.Header{"Origin": {"null"}}, "csrf"},
		"none":             {http.Header{}, "csrf"},
		"two":              {http.Header{"Origin": {f.url, "http://evil.example"}}, "csrf"},
		"cross-site":       {http.Header{"Origin": {f.url}, "Sec-Fetch-Site": {"cross-site"}}, "csrf"},
	} {
		tc.headers.Set("Cookie", b.cookie)
		c, resp, err := websocket.Dial(ctx, f.url+"/api/v1/stream", &websocket.DialOptions{HTTPHeader: tc.headers})
		if err == nil {
			c.CloseNow()
		}
		if tc.code == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var p struct{ Code string }
		if resp != nil {
			body, _ := io.ReadAll(resp.Body)
			_ = json.Unmarshal(body, &p)
		}
		if err == nil || resp == nil || resp.StatusCode != 403 || p.Code != tc.code {
			t.Errorf("%s: %v %q", name, err, p.Code)
		}
	}
}

// TestStreamEnds: a stream does not outlive the session or key that opened it.
func TestStreamEnds(t *testing.T) {
	clock := clockwork.NewFakeClock()
	f, ctx := startWith(t, clock, nil), testkit.Context(t)
	b := f.signIn(t)
	_, made := f.call(t, "POST", "/api/v1/keys", f.admin, "", `{"name":"k","scopes":["receive"]}`)
	for name, tc := range map[string]struct {
		headers http.Header
		end     func()
	}{
		"session": {http.Header{"Cookie": {b.cookie}, "Origin": {f.url}}, func() {
			f.ask(t, "DELETE", "/api/v1/sessions/current", "", map[string]string{"Cookie": b.cookie, gateway.HeaderCSRF: b.csrf})
		}},
		"key": {http.Header{"Authorization": {"Bearer " + made["apiKey"].(string)}}, func() {
			f.call(t, "DELETE", "/api/v1/keys/"+made["id"].(string), f.admin, "", "")
		}},
	} {
		c, _, err := websocket.Dial(ctx, f.url+"/api/v1/stream", &websocket.DialOptions{HTTPHeader: tc.headers})
		if err != nil {
			t.Fatal(name, err)
		}
		tc.end()
		over := make(chan error, 1)
		go func() { _, _, err := c.Read(ctx); over <- err }()
		testkit.Eventually(t, ctx, name+": the stream ends", func() bool {
			clock.Advance(streamPing)
			select {
			case err := <-over:
				return err != nil
			default:
				return false
			}
		})
		c.CloseNow()
	}
}

// callWith is call with headers.
func (f *fixture) callWith(t testing.TB, method, path, doc string, headers map[string]string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequest(method, f.url+path, strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := httpkit.Client(0).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, out
}

// TestSessionWithABody sends a body where none is expected; nothing reads it.
func TestSessionWithABody(t *testing.T) {
	f := start(t)
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		if status, code := f.ask(t, method, "/api/v1/sessions/current", `{}`, nil); status != http.StatusUnauthorized || code != "session_invalid" {
			t.Errorf("%s with a body and no session: %d %s", method, status, code)
		}
	}
}

// TestSessionsOutliveTheServer: a browser goes on with its cookie and token
// after the gateway was started again, until everybody is signed out.
func TestSessionsOutliveTheServer(t *testing.T) {
	ctx := testkit.Context(t)
	st, err := sqlstore.Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "g.db"), sqlkit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	admin := ""
	again := func() *fixture {
		f := startWith(t, clockwork.NewRealClock(), func(d *Deps) {
			if d.Keys, err = access.Open(ctx, st.Keys(), d.Clock); err != nil {
				t.Fatal(err)
			}
			if admin == "" {
				if _, admin, err = d.Keys.Create(ctx, "admin", []access.Scope{access.Admin}); err != nil {
					t.Fatal(err)
				}
			}
			if d.Sessions, err = access.OpenSessions(ctx, st.Sessions(), d.Keys, d.Clock); err != nil {
				t.Fatal(err)
			}
		})
		f.admin = admin
		return f
	}
	b := again().signIn(t)
	f := again()
	auth := map[string]string{"Cookie": b.cookie, gateway.HeaderCSRF: b.csrf}
	if status, code := f.ask(t, "POST", "/api/v1/sessions/links", `{}`, auth); status != 201 {
		t.Fatal(status, code)
	}
	narrow := f.signIn(t, "receive")
	if status, code := f.ask(t, "DELETE", "/api/v1/sessions", "", map[string]string{"Cookie": narrow.cookie, gateway.HeaderCSRF: narrow.csrf}); status != 403 || code != "scope_missing" {
		t.Fatal(status, code)
	}
	if err := client.New(f.url, admin).EndSessions(ctx); err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]*fixture{"here": f, "after a restart": again()} {
		if status, code := at.ask(t, "GET", "/api/v1/sessions/current", "", auth); status != 401 || code != "session_invalid" {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
}
