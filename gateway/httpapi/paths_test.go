package httpapi

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/httpkit"
)

// nobody owns nothing and issues nothing.
type nobody struct{}

func (nobody) PutTopic(context.Context, string, TopicSpec) (*Topic, error) { return nil, errNotWired }
func (nobody) Topic(context.Context, string, string) (*Topic, error)       { return nil, errNotWired }
func (nobody) PutName(context.Context, string, NameSpec) (*Name, error)    { return nil, errNotWired }
func (nobody) Name(context.Context, string) (*Name, error)                 { return nil, errNotWired }
func (nobody) Request(context.Context, string) (*Enrolment, error)         { return nil, errNotWired }
func (nobody) Enrolments(context.Context, EnrolmentFilter) ([]Enrolment, error) {
	return nil, errNotWired
}
func (nobody) Issue(context.Context, string, int64) (*Credential, error) { return nil, errNotWired }
func (nobody) Reject(context.Context, string, string) error              { return errNotWired }
func (nobody) Revoke(context.Context, string, string) error              { return errNotWired }
func (nobody) Credentials(context.Context) (held, issued []Credential, err error) {
	return nil, nil, errNotWired
}
func (nobody) Holders(context.Context, string) ([]Credential, error) { return nil, errNotWired }

// public are the paths that ask nobody for a key, and how they answer then.
var public = map[string]string{
	"POST /api/v1/sessions":           "session_invalid",
	"GET /api/v1/sessions/current":    "session_invalid",
	"DELETE /api/v1/sessions/current": "session_invalid",
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// TestEveryPath asks every route of the server, also those that are not
// described, as nobody, with an API key, with a session, and as other sites
// would.
func TestEveryPath(t *testing.T) {
	f := startWith(t, clockwork.NewRealClock(), func(d *Deps) { d.Owner, d.Roles = nobody{}, nobody{} })
	n := 0
	err := chi.Walk(f.api.Router, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		path := parameter.ReplaceAllString(strings.TrimSuffix(route, "/*"), "in")
		if !strings.HasPrefix(path, "/api/") || method == http.MethodOptions {
			return nil // what uploads can do is no secret
		}
		n++
		at := method + " " + route
		doc := ""
		if unsafe(method) && method != http.MethodDelete {
			doc = `{"token":"x"}`
		}
		want := "key_missing"
		if c, ok := public[method+" "+route]; ok {
			want = c
		}
		if status, code := f.ask(t, method, path, doc, nil); status != 401 || code != want && method != http.MethodHead {
			t.Errorf("%s as nobody: %d %q, want 401 %q", at, status, code, want)
		}
		if _, open := public[method+" "+route]; !open {
			if status, code := f.ask(t, method, path, doc, map[string]string{"Authorization": "Bearer " + f.admin}); status == 401 || status == 403 {
				t.Errorf("%s with a key: %d %q", at, status, code)
			}
		}
		if method+" "+route == "POST /api/v1/sessions" {
			return nil // it needs no session
		}
		b := f.signIn(t) // DELETE sessions/current ends it
		if unsafe(method) {
			if status, code := f.ask(t, method, path, doc, map[string]string{"Cookie": b.cookie}); status != 403 || code != "csrf" {
				t.Errorf("%s without the token: %d %q, want 403 csrf", at, status, code)
			}
		}
		if status, code := f.ask(t, method, path, doc, map[string]string{"Cookie": b.cookie, gateway.HeaderCSRF: b.csrf, "Sec-Fetch-Site": "cross-site"}); status != 403 || code != "csrf" && method != http.MethodHead {
			t.Errorf("%s from another site: %d %q, want 403 csrf", at, status, code)
		}
		if status, code := f.ask(t, method, path, doc, map[string]string{"Cookie": b.cookie, gateway.HeaderCSRF: b.csrf}); status == 401 || status == 403 {
			t.Errorf("%s with a session: %d %q", at, status, code)
		}
		return nil
	})
	if err != nil || n < 35 {
		t.Fatal(n, err)
	}
}

// TestNoSecretsInLinks: what identifies a session never stands in an answer
// but in its cookie.
func TestNoSecretsInLinks(t *testing.T) {
	f := start(t)
	b := f.signIn(t)
	_, secret, _ := strings.Cut(b.cookie, "=")
	for _, path := range []string{"sessions/current", "keys", "identity", "overview"} {
		req, err := http.NewRequest("GET", f.url+"/api/v1/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Cookie", b.cookie)
		resp, err := httpkit.Client(0).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 || strings.Contains(string(body), secret) || strings.Contains(string(body), url.QueryEscape(f.admin)) {
			t.Errorf("%s: %s: %.200s", path, resp.Status, body)
		}
		if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: headers %v", path, resp.Header)
		}
	}
}
