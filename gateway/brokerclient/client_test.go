package brokerclient

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
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
		if s, ok := v.(string); ok {
			fmt.Fprint(w, s)
			return
		}
		_ = json.NewEncoder(w).Encode(v)
	}
}

func TestLoginSetsTheBearer(t *testing.T) {
	nonce := [32]byte{1, 2, 3}
	var bearer, put string
	c := serve(t, map[string]http.HandlerFunc{
		"POST /api/v1/challenge": answer(map[string]string{"nonce": base64.RawURLEncoding.EncodeToString(nonce[:])}),
		"POST /api/v1/login": answer(`{"token":"tok","expires":1767225600000,"network":{"retention_ms":1,"status_ttl_ms":2,"wire":3,"cap":4},
			"nats":{"url":"nats://x","token":"n","stream":"MB_01","consumer":"i-a","inbox":"_INBOX_a","pp":1,"addr":"a"}}`),
		"PUT /api/v1/objects/{digest}": func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			bearer, put = r.Header.Get("Authorization"), r.URL.Query().Get("kind")+" "+r.PathValue("digest")[:2]+" "+string(b)
		},
	})
	if !c.ServerTime().IsZero() {
		t.Fatal("a time before the first answer")
	}
	if _, err := c.Mailbox(ctx); !errors.Is(err, ErrNoLogin) {
		t.Fatal(err)
	}
	got, err := c.Challenge(ctx)
	if err != nil || got != nonce {
		t.Fatal(got, err)
	}
	l, err := c.Login(ctx, []byte("cert"), []byte("login"))
	if err != nil || l.Network != (Network{RetentionMS: 1, StatusTTLMS: 2, Wire: 3, Cap: 4}) || l.NATS.PP != 1 || l.NATS.Stream != "MB_01" || l.Expires.UnixMilli() != 1767225600000 {
		t.Fatalf("%+v, %v", l, err)
	}
	if err := c.PutObject(ctx, KindPackage, [32]byte{0xab}, []byte("raw")); err != nil {
		t.Fatal(err)
	}
	if bearer != "Bearer tok" || put != "package ab raw" {
		t.Fatal(bearer, put)
	}
	if d := time.Since(c.ServerTime()); d < -2*time.Second || d > 3*time.Second {
		t.Fatal("server time is off by", d)
	}
}

func TestDirectory(t *testing.T) {
	d := [32]byte{7}
	h := hex.EncodeToString(d[:])
	c := serve(t, map[string]http.HandlerFunc{
		"GET /api/v1/instances": answer(map[string]any{"instances": []any{map[string]any{"did": "did:x", "inst": 2, "addr": "a", "pp": 3, "cert": h, "pkg": ""}}}),
		"GET /api/v1/records":   answer(map[string]any{"records": []any{map[string]any{"version": "1.0.0", "revision": 4, "rec": h}}}),
		"GET /api/v1/objects/{digest}": func(w http.ResponseWriter, r *http.Request) {
			if r.PathValue("digest") == h {
				_, _ = w.Write([]byte("bytes"))
				return
			}
			w.WriteHeader(404)
			fmt.Fprint(w, `{"code":"object_unknown","detail":"no such object"}`)
		},
	})
	list, err := c.Instances(ctx, "did:x")
	if err != nil || len(list) != 1 || list[0].Certificate != d || list[0].Package != ([32]byte{}) || list[0].PP != 3 || list[0].Inst != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	recs, err := c.Records(ctx, "a.b")
	if err != nil || len(recs) != 1 || recs[0] != (Record{"1.0.0", 4, d}) {
		t.Fatalf("%+v, %v", recs, err)
	}
	if raw, err := c.Object(ctx, KindCertificate, d); err != nil || string(raw) != "bytes" {
		t.Fatal(err)
	}
	_, err = c.Object(ctx, KindCertificate, [32]byte{1})
	if !errors.Is(err, ErrNotFound) || problem.CodeOf(err) != "object_unknown" {
		t.Fatal(err)
	}
}

func TestAnswersThatAreNoAnswers(t *testing.T) {
	many := strings.Repeat(`{"cert":"`+strings.Repeat("0", 64)+`"},`, MaxInstances+1)
	for name, body := range map[string]string{
		"not JSON": "<html>", "digest": `{"instances":[{"cert":"xyz"}]}`, "upper": `{"instances":[{"cert":"` + strings.Repeat("g", 64) + `"}]}`,
		"too many": `{"instances":[` + strings.TrimSuffix(many, ",") + `]}`,
	} {
		c := serve(t, map[string]http.HandlerFunc{"GET /api/v1/instances": answer(body)})
		if _, err := c.Instances(ctx, "did:x"); problem.CodeOf(err) != "answer_invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := serve(t, map[string]http.HandlerFunc{"GET /api/v1/objects/{digest}": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, MaxObject+1))
	}})
	if _, err := c.Object(ctx, KindSchema, [32]byte{}); problem.CodeOf(err) != "answer_too_large" {
		t.Error(err)
	}
	c = New("http://127.0.0.1:1", httpkit.Client(time.Second))
	if _, err := c.Instances(ctx, "did:x"); problem.CodeOf(err) != "unreachable" {
		t.Error(err)
	}
}
