package attack

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/system"
	"github.com/digital-spine/spine/internal/testkit"
)

// sentinel is in every hostile text: no refusal may repeat what was sent.
const sentinel = "zx9-do-not-repeat"

// texts are what a hostile client puts where a text is expected.
var texts = []string{
	sentinel, "", "null", "-1", "0", "9223372036854775808", "18446744073709551616", "1e400", "..", "../../../etc/passwd", "a/b;c//", "\x00", "\xff\xfe",
	"' OR 1=1 --", "%00%2f", "\U0001F4A9", strings.Repeat("0", 64), "00000000-0000-4000-8000-000000000000", "did:ethr:0x539:0x0000000000000000000000000000000000000000",
	strings.Repeat(sentinel, 200), // longer than every name may be
}

// bodies are what it sends where a JSON document is expected.
var bodies = []string{
	"", " ", "null", "true", "1", `"` + sentinel + `"`, "[]", "{}", "{", `{"a":`, "{} {}", "\xef\xbb\xbf{}", "\xff", "{\"\x00\":1}", `{"` + sentinel + `":"\ud800"}`,
	`{"token":"a","token":1,"Token":[]}`, strings.Repeat("[", 20_000), strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000),
	strings.Repeat("[", 1000) + strings.Repeat("]", 1000),
}

// values are what it puts where the description has a member.
var values = []string{
	"null", "true", "-1", "0", "1.5", "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "1e400", "[]", "{}", "[null]", `[["` + sentinel + `"]]`,
	`""`, `"` + sentinel + `"`, `"\u0000"`, `"` + strings.Repeat(sentinel, 200) + `"`, `{"a":{"a":{"a":[1]}}}`,
}

// api is one system's API, as its OpenAPI document describes it.
type api struct {
	url   string
	Paths map[string]map[string]struct {
		OperationID string
		Parameters  []struct{ Name, In string }
		RequestBody *struct {
			Content map[string]struct{ Schema shape }
		}
	}
	Components struct{ Schemas map[string]shape }
}

type shape struct {
	Ref        string `json:"$ref"`
	Type       any
	Properties map[string]shape
	Required   []string
}

func describedBy(t *testing.T, url string) *api {
	t.Helper()
	doc, err := httpkit.Do(t.Context(), httpkit.Client(10*time.Second), http.MethodGet, url+"/openapi.json", "", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	a := &api{url: url}
	if err := json.Unmarshal(doc, a); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *api) resolve(s shape) shape {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return a.Components.Schemas[name]
	}
	return s
}

// plausible is a value of a shape, without much thought.
func (a *api) plausible(s shape, depth int) string {
	s = a.resolve(s)
	kind, _ := s.Type.(string)
	if list, ok := s.Type.([]any); ok && len(list) > 0 {
		kind, _ = list[0].(string)
	}
	switch kind {
	case "string":
		return `"x"`
	case "integer", "number":
		return "1"
	case "boolean":
		return "true"
	case "array":
		return "[]"
	case "object":
		if depth < 4 {
			return a.object(s, "", "", depth+1)
		}
	}
	return "{}"
}

// object is an object of a shape with one member replaced.
func (a *api) object(s shape, member, value string, depth int) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		v := value
		if name != member {
			if !slices.Contains(s.Required, name) {
				continue
			}
			v = a.plausible(s.Properties[name], depth)
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + name + `":` + v)
	}
	return "{" + b.String() + "}"
}

// attempt is one request.
type attempt struct {
	method, path, kind, body string
	header                   map[string]string
}

// attempts are all requests to an operation: in each, one thing is hostile.
func (a *api) attempts(path, method string) []attempt {
	op := a.Paths[path][method]
	plain := map[string]string{}
	for _, p := range op.Parameters {
		plain[p.Name] = "1"
	}
	make := func(name, value string) attempt {
		at := attempt{method: strings.ToUpper(method), path: path, header: map[string]string{}}
		query := url.Values{}
		for _, p := range op.Parameters {
			v := plain[p.Name]
			if p.Name == name {
				v = value
			}
			switch {
			case p.In == "path":
				at.path = strings.ReplaceAll(at.path, "{"+p.Name+"}", url.PathEscape(v))
			case p.In == "query" && p.Name == name:
				query.Set(p.Name, v)
			case p.Name == "Tus-Resumable" && p.Name != name:
				at.header[p.Name] = "1.0.0"
			case p.In == "header" && p.Name == name && p.Name != "Authorization" && !strings.ContainsAny(v, "\x00\r\n"):
				at.header[p.Name] = v
			}
		}
		if len(query) > 0 {
			at.path += "?" + query.Encode()
		}
		return at
	}
	out := []attempt{make("", "")}
	for _, p := range op.Parameters {
		for _, v := range texts {
			out = append(out, make(p.Name, v))
		}
	}
	if op.RequestBody == nil {
		odd := make("", "")
		odd.kind, odd.body = "application/json", "{}" // where nothing is expected
		return append(out, odd)
	}
	for kind, content := range op.RequestBody.Content {
		with := func(body string) {
			at := make("", "")
			at.kind, at.body = strings.ReplaceAll(kind, "*/*", "text/csv"), body
			out = append(out, at)
		}
		for _, b := range bodies {
			with(b)
		}
		s := a.resolve(content.Schema)
		for name := range s.Properties {
			for _, v := range values {
				with(a.object(s, name, v, 0))
			}
		}
		other := make("", "")
		other.kind, other.body = "application/x-"+sentinel, "{}"
		out = append(out, other)
	}
	return out
}

// strike makes a request and demands an answer that a client can live with. It
// returns the status.
func strike(t *testing.T, hc *http.Client, base, bearer string, at attempt) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel() // a stream ends with it
	req, err := http.NewRequestWithContext(ctx, at.method, base+at.path, bytes.NewReader([]byte(at.body)))
	if err != nil {
		t.Fatalf("%s %.200s: %v", at.method, at.path, err)
	}
	if at.kind != "" {
		req.Header.Set("Content-Type", at.kind)
	}
	for name, v := range at.header {
		req.Header[http.CanonicalHeaderKey(name)] = []string{v}
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := hc.Do(req)
	if err != nil {
		t.Errorf("%s %.200s %q: no answer: %v", at.method, at.path, at.header, err)
		return 0
	}
	defer resp.Body.Close()
	if resp.StatusCode < 400 {
		return resp.StatusCode
	}
	doc, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		t.Errorf("%s %.200s: the answer broke off: %v", at.method, at.path, err)
	}
	told := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s %.300s %q %s %.300q: %d %.400s: "+format, append([]any{at.method, at.path, at.header, at.kind, at.body, resp.StatusCode, doc}, args...)...)
	}
	switch resp.StatusCode {
	case http.StatusNotImplemented, http.StatusServiceUnavailable, http.StatusInsufficientStorage:
	default:
		if resp.StatusCode >= 500 {
			told("a client's fault became the server's")
		}
	}
	if at.method == http.MethodHead {
		return resp.StatusCode
	}
	var p struct {
		Status int
		Code   string
	}
	switch err := json.Unmarshal(doc, &p); {
	case resp.Header.Get("Content-Type") != "application/problem+json":
		told("not a problem but %q", resp.Header.Get("Content-Type"))
	case err != nil:
		told("no JSON: %v", err)
	case p.Code == "" || p.Status != resp.StatusCode:
		told("code %q, status %d", p.Code, p.Status)
	case bearer != "" && bytes.Contains(doc, []byte(bearer)):
		told("the caller's key is repeated")
	case strings.Contains(at.body+at.path, sentinel) && bytes.Contains(doc, []byte(strings.Repeat(sentinel, 20))):
		told("what was sent is repeated at length")
	}
	return resp.StatusCode
}

// TestHostileClient calls every operation of hub, broker and gateway with what
// no client in its right mind would send: without a key, as a stranger who
// logged in, with the operator's key, with an API key that may do everything.
func TestHostileClient(t *testing.T) {
	ctx := testkit.Context(t)
	s, err := system.StartSpine(ctx, t.TempDir(), []string{"gateway"}, system.Base{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	hc := httpkit.Client(0)
	testkit.Eventually(t, ctx, "the gateway to be connected", func() bool {
		_, err := httpkit.Do(ctx, hc, http.MethodGet, s.Gateways[0].URL()+"/readyz", "", "", nil)
		return err == nil
	})
	key := func(system string) string {
		b, err := os.ReadFile(filepath.Join(s.Data, system, "admin.key"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(b))
	}
	own := s.Gateways[0].APIKey()
	for _, sys := range []struct{ name, url, user, operator string }{
		{"hub", s.Hub.URL(), logIn(t, s.Network, s.Hub.URL()), key("hub")}, {"broker", s.Broker.URL(), logIn(t, s.Network, s.Broker.URL()), key("broker")},
		{"gateway", s.Gateways[0].URL(), own, own},
	} {
		t.Run(sys.name, func(t *testing.T) {
			a := describedBy(t, sys.url)
			answers := map[int]int{}
			for _, path := range slices.Sorted(maps.Keys(a.Paths)) {
				for _, method := range slices.Sorted(maps.Keys(a.Paths[path])) {
					bearer := sys.user
					if strings.Contains(path, "/admin/") {
						bearer = sys.operator
					}
					for i, at := range a.attempts(path, method) {
						answers[strike(t, hc, sys.url, bearer, at)]++
						if i%5 == 0 {
							answers[strike(t, hc, sys.url, "", at)]++
						}
					}
				}
			}
			t.Log(answers)
			if answers[http.StatusOK] == 0 || answers[http.StatusUnauthorized] == 0 || answers[http.StatusUnprocessableEntity] == 0 {
				t.Errorf("these are not the answers of an API: %v", answers)
			}
			if _, err := httpkit.Do(ctx, hc, http.MethodGet, sys.url+"/readyz", "", "", nil); err != nil && sys.name != "gateway" {
				t.Error("afterwards:", err)
			}
		})
	}
}
