package hubclient

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
)

var ctx = context.Background()

func serve(t *testing.T, routes map[string]http.HandlerFunc) *Client {
	t.Helper()
	mux := http.NewServeMux()
	for pattern, h := range routes {
		mux.HandleFunc(pattern, h)
	}
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return New(srv.URL, httpkit.Client(10*time.Second))
}

func answer(v any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
}

func TestReads(t *testing.T) {
	d := [32]byte{7}
	h := hex.EncodeToString(d[:])
	text := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	var query string
	c := serve(t, map[string]http.HandlerFunc{
		"GET /api/v1/roles/{name}/holders": answer(map[string]any{"holders": []any{map[string]any{"did": "did:x", "credential": h}}}),
		"GET /api/v1/credentials":          answer(map[string]any{"credentials": []any{map[string]any{"digest": h, "role": "r", "issuer": "did:i"}}}),
		"GET /api/v1/credentials/{digest}": func(w http.ResponseWriter, r *http.Request) {
			if r.PathValue("digest") != h {
				w.WriteHeader(404)
				return
			}
			_, _ = w.Write([]byte(`{"vc":1}`))
		},
		"GET /api/v1/status": answer(map[string]string{"list": text("l"), "freshness": text("f"), "certificate": text("c")}),
		"GET /api/v1/feed": func(w http.ResponseWriter, r *http.Request) {
			query = r.URL.RawQuery
			fmt.Fprint(w, `{"events":[{"n":5,"type":"revocation","subject":"did:x","role":"r","digest":"`+h+`","list":"did:i/status/1","at":1}],"next":5,"reset":true}`)
		},
	})
	if list, err := c.Holders(ctx, "a.roles.b"); err != nil || len(list) != 1 || list[0] != (Holder{"did:x", d}) {
		t.Fatalf("%+v, %v", list, err)
	}
	if list, err := c.CredentialsOf(ctx, "did:x"); err != nil || len(list) != 1 || list[0] != (Credential{d, "r", "did:i"}) {
		t.Fatalf("%+v, %v", list, err)
	}
	if raw, err := c.Credential(ctx, d); err != nil || string(raw) != `{"vc":1}` {
		t.Fatal(err)
	}
	if _, err := c.Credential(ctx, [32]byte{1}); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if s, err := c.Status(ctx, "did:i/status/1"); err != nil || string(s.List) != "l" || string(s.Freshness) != "f" || string(s.Certificate) != "c" {
		t.Fatalf("%+v, %v", s, err)
	}
	news, err := c.Feed(ctx, 4, 20*time.Second)
	if err != nil || news.Next != 5 || !news.Reset || len(news.Events) != 1 || news.Events[0].List != "did:i/status/1" || query != "after=4&wait=20s" {
		t.Fatalf("%+v, %v, %s", news, err, query)
	}
}

func TestWritesNeedALogin(t *testing.T) {
	var body map[string]string
	var bearer string
	c := serve(t, map[string]http.HandlerFunc{
		"POST /api/v1/login": answer(map[string]any{"token": "tok", "expires": 1}),
		"POST /api/v1/enrolments": func(w http.ResponseWriter, r *http.Request) {
			bearer = r.Header.Get("Authorization")
			_ = json.NewDecoder(r.Body).Decode(&body)
			fmt.Fprint(w, `{"id":"e","role":"r","subject":"did:x","status":"requested","requested":3}`)
		},
		"PUT /api/v1/status-lists": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) },
		"GET /api/v1/enrolments":   func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(401) },
	})
	refused := 0
	c.OnUnauthorized(func() { refused++ })
	if _, err := c.RequestEnrolment(ctx, "r"); !errors.Is(err, ErrNoLogin) {
		t.Fatal(err)
	}
	if _, err := c.PublishCredential(ctx, []byte("{}")); !errors.Is(err, ErrNoLogin) {
		t.Fatal(err)
	}
	if _, err := c.Login(ctx, nil, nil); err != nil {
		t.Fatal(err)
	}
	e, err := c.RequestEnrolment(ctx, "r")
	if err != nil || e.ID != "e" || e.Requested != 3 || body["role"] != "r" || bearer != "Bearer tok" {
		t.Fatalf("%+v, %v, %v", e, err, body)
	}
	if err := c.PublishStatus(ctx, Status{List: []byte("l")}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Enrolments(ctx, EnrolmentFilter{Status: "issued"}); err == nil || refused != 1 {
		t.Fatal("a refused bearer was not told", err, refused)
	}
}

func TestAnswersThatAreNoAnswers(t *testing.T) {
	c := serve(t, map[string]http.HandlerFunc{
		"GET /api/v1/status":               answer(map[string]string{"list": "", "freshness": "", "certificate": ""}),
		"GET /api/v1/roles/{name}/holders": answer(map[string]any{"holders": []any{map[string]any{"did": "did:x", "credential": "zz"}}}),
		"GET /api/v1/credentials/{digest}": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, MaxCredential+1)) },
		"POST /api/v1/challenge":           answer(map[string]string{"nonce": "AA"}),
		"POST /api/v1/login":               answer(map[string]string{}),
	})
	_, err1 := c.Status(ctx, "l")
	_, err2 := c.Holders(ctx, "r")
	_, err3 := c.Credential(ctx, [32]byte{})
	_, err4 := c.Challenge(ctx)
	_, err5 := c.Login(ctx, nil, nil)
	for i, err := range []error{err1, err2, err3, err4, err5} {
		if problem.CodeOf(err) != "answer_invalid" {
			t.Errorf("%d: %v", i, err)
		}
	}
}
