package httpkit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
)

type in struct {
	Body struct {
		Name string `json:"name" minLength:"3"`
	}
}
type out struct {
	Body struct {
		OK bool `json:"ok"`
	}
}

func start(t *testing.T, sticky string) *Server {
	t.Helper()
	s := New(Options{Title: "t", Version: "1", Log: testkit.Logger(t), MaxBody: 1000, Ready: func(context.Context) error { return errors.New("x") }})
	huma.Post(s.API, "/thing", func(_ context.Context, i *in) (*out, error) {
		switch i.Body.Name {
		case "gone":
			return nil, problem.New(410, "thing_gone", "it went").WithHint("make another").With("pointer", "/name")
		case "fail":
			return nil, errors.New("password=hunter2")
		case "panic":
			panic("odd")
		}
		return &out{}, nil
	})
	if err := s.Listen(t.Context(), "127.0.0.1:0", sticky); err != nil {
		t.Fatal(err)
	}
	go s.Serve()
	t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

func TestProblems(t *testing.T) {
	s := start(t, "")
	hc := Client(5 * time.Second)
	for _, tc := range []struct {
		method, path, body, code string
		status                   int
	}{
		{"POST", "/thing", `{"name":"fine"}`, "", 200},
		{"POST", "/thing", `{"name":"gone"}`, "thing_gone", 410},
		{"POST", "/thing", `{"name":"fail"}`, "internal", 500},
		{"POST", "/thing", `{"name":"panic"}`, "internal", 500},
		{"POST", "/thing", `{"name":"x"}`, "request_invalid", 422},
		{"POST", "/thing", `{"name":"` + strings.Repeat("x", 2000) + `"}`, "body_too_large", 413},
		{"GET", "/nothing", "", "not_found", 404},
		{"DELETE", "/healthz", "", "method_not_allowed", 405},
		{"GET", "/readyz", "", "not_ready", 503},
		{"GET", "/healthz", "", "", 200},
	} {
		var body []byte
		if tc.body != "" {
			body = []byte(tc.body)
		}
		_, err := Do(t.Context(), hc, tc.method, s.URL()+tc.path, "", "application/json", body)
		if code := problem.CodeOf(err); code != tc.code {
			t.Errorf("%s %s %.30s: code %q, want %q", tc.method, tc.path, tc.body, code, tc.code)
		}
		if err != nil {
			p := problem.From(err)
			if p.Status != tc.status {
				t.Errorf("%s %s: status %d, want %d", tc.method, tc.path, p.Status, tc.status)
			}
			if strings.Contains(p.Message, "hunter2") || strings.Contains(p.Message, "xxxx") {
				t.Errorf("answer repeats what it must not: %s", p.Message)
			}
			if tc.code == "thing_gone" && (p.Hint != "make another" || p.Details["pointer"] != "/name") {
				t.Errorf("hint or details lost: %+v", p)
			}
		}
	}
	resp, err := hc.Get(s.URL() + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 200 || !strings.Contains(string(b), `"3.1.0"`) {
		t.Fatalf("openapi: %d %.80s", resp.StatusCode, b)
	}
}

// TestTooLargeIsAnswered sends as a client that does not read before it wrote
// everything.
func TestTooLargeIsAnswered(t *testing.T) {
	s := New(Options{Title: "t", Version: "1"})
	s.Router.Post("/raw", func(w http.ResponseWriter, r *http.Request) {
		if _, err := ReadBody(r, 1000); err != nil {
			WriteProblem(w, r, err)
		}
	})
	if err := s.Listen(t.Context(), "127.0.0.1:0", ""); err != nil {
		t.Fatal(err)
	}
	go s.Serve()
	t.Cleanup(func() { s.Close(context.Background()) })
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const size = 11_000_000
	fmt.Fprintf(conn, "POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size)
	if _, err := conn.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if p := DecodeProblem(resp.StatusCode, b); p.Status != 413 || p.Code != "body_too_large" {
		t.Fatalf("answered %d %s", p.Status, b)
	}
}

func TestReadBody(t *testing.T) {
	for _, tc := range []struct{ body, code string }{{"", "body_empty"}, {"12345", "body_too_large"}, {"1234", ""}} {
		r, _ := http.NewRequest("POST", "/", io.NopCloser(strings.NewReader(tc.body)))
		b, err := ReadBody(r, 4)
		if problem.CodeOf(err) != tc.code || (err == nil && string(b) != tc.body) {
			t.Errorf("ReadBody(%q) = %q, %v", tc.body, b, err)
		}
	}
}

func TestStickyPort(t *testing.T) {
	file := filepath.Join(t.TempDir(), "d", "addr")
	s := start(t, file)
	first := s.Addr()
	s.Close(context.Background())
	if again := start(t, file).Addr(); again != first {
		t.Fatalf("came back at %s, was at %s", again, first)
	}
	if other := start(t, file).Addr(); other == first { // the port is taken now
		t.Fatalf("two servers on %s", other)
	}
}

func TestListensOnLoopbackOnly(t *testing.T) {
	for addr, ok := range map[string]bool{
		"127.0.0.1:0": true, "localhost:0": true, "[::1]:0": true,
		"0.0.0.0:0": false, ":0": false, "[::]:0": false, "192.0.2.1:0": false, "127.0.0.1.example:0": false,
	} {
		ln, err := ListenSticky(t.Context(), addr, "")
		if ln != nil {
			ln.Close()
		}
		if code := problem.CodeOf(err); (code == "listen_plain") == ok {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

func TestFallbackLeavesTheAPIAlone(t *testing.T) {
	s := New(Options{Title: "t", Version: "1"})
	s.Fallback(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for path, want := range map[string]int{"/": http.StatusTeapot, "/channels/x": http.StatusTeapot, "/api/v1/nothing": http.StatusNotFound, "/healthz": http.StatusOK} {
		w := httptest.NewRecorder()
		s.Router.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
	w := httptest.NewRecorder()
	s.Router.ServeHTTP(w, httptest.NewRequest(http.MethodDelete, "/healthz", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("another method: %d", w.Code)
	}
}
