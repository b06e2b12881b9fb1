package console

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
)

// What the fake API's session looks like.
const (
	cookie = "spine_session=secret"
	csrf   = "token-of-the-session"
	self   = "did:ethr:0x539:0xf72645169fa4D07296888836bbFE26B40Fb8b43b"
	other  = "did:ethr:0x539:0x30cf445d793D5c5486F0af505dE7e47029D6125f"
	known  = "01890a5d-ac96-774b-bcce-b302099a8057"
)

// fakeAPI answers GET paths with what it was given, and everything that
// changes something only with the session's token.
type fakeAPI struct {
	answers map[string]any // by method, blank, path without /api/v1: a value, or an error
	asked   []string
	bodies  []string
}

func newAPI() *fakeAPI {
	return &fakeAPI{answers: map[string]any{
		"GET /sessions/current": gateway.Session{Name: "a visitor", CSRF: csrf, Scopes: []string{"send", "receive", "admin"}},
		"GET /identity":         client.Identity{DID: self, Ready: true},
		"GET /contacts":         map[string]any{"contacts": []gateway.Contact{{DID: other, Name: "Network operator"}}},
		"GET /overview":         overview(),
		"GET /log":              map[string]any{"entries": []gateway.Entry{}},
		"GET /channels":         map[string]any{"channels": []gateway.Channel{}},
		"GET /files":            map[string]any{"files": []gateway.StoredFile{}},
		"GET /events":           map[string]any{"events": []gateway.Event{}},
		"GET /codes":            map[string]any{"codes": []gateway.CodeInfo{}},
	}}
}

func overview() gateway.Overview {
	return gateway.Overview{Now: 1_800_000_000_000, From: 1_799_999_100_000, Step: 10_000, DID: self, Ready: true,
		Series: gateway.Series{In: make([]int64, 90), Out: make([]int64, 90), Refused: make([]int64, 90)}}
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/api/v1")
	f.asked = append(f.asked, r.Method+" "+path)
	b, _ := io.ReadAll(r.Body)
	f.bodies = append(f.bodies, string(b))
	if path != "/sessions" && r.Header.Get("Cookie") != cookie {
		httpkit.WriteProblem(w, r, problem.New(http.StatusUnauthorized, "session_invalid", "the session or link is not valid any more").WithHint("make a new link"))
		return
	}
	if r.Method != http.MethodGet && path != "/sessions" && r.Header.Get(gateway.HeaderCSRF) != csrf {
		httpkit.WriteProblem(w, r, problem.New(http.StatusForbidden, "csrf", "the request does not come from this gateway's own pages"))
		return
	}
	switch v := f.answers[r.Method+" "+path].(type) {
	case nil:
		httpkit.WriteProblem(w, r, problem.New(http.StatusNotFound, "not_found", "there is nothing at this path"))
	case error:
		httpkit.WriteProblem(w, r, v)
	case http.HandlerFunc:
		v(w, r)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
}

// visitTo asks the console for a path with the session's cookie.
func visitTo(t *testing.T, f *fakeAPI, path string) *httptest.ResponseRecorder {
	t.Helper()
	return ask(f, httptest.NewRequest(http.MethodGet, "http://gateway.test"+path, nil))
}

// post sends a form with the session's cookie.
func post(f *fakeAPI, path string, in url.Values, script bool) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "http://gateway.test"+path, strings.NewReader(in.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if script {
		r.Header.Set("HX-Request", "true")
	}
	return ask(f, r)
}

func ask(f *fakeAPI, r *http.Request) *httptest.ResponseRecorder {
	r.Header.Set("Cookie", cookie)
	w := httptest.NewRecorder()
	New(Deps{API: f, Name: "marketoperator"}).ServeHTTP(w, r)
	return w
}

func has(t *testing.T, where, body string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(body, want) {
			t.Errorf("%s does not show %q", where, want)
		}
	}
}

func hasNot(t *testing.T, where, body string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if strings.Contains(body, want) {
			t.Errorf("%s shows %q", where, want)
		}
	}
}
