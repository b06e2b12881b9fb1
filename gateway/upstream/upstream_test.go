package upstream

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
)

var errAbsent = errors.New("not there")

// serve answers every path with one of the answers, by path.
func serve(t *testing.T, answers map[string]string) *Client {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := answers[r.URL.Path]
		switch {
		case !ok:
			w.WriteHeader(http.StatusNotFound)
		case a == "401":
			w.WriteHeader(http.StatusUnauthorized)
		default:
			fmt.Fprint(w, a)
		}
	}))
	t.Cleanup(srv.Close)
	return New("hub", srv.URL, errAbsent, httpkit.Client(10*time.Second))
}

func TestLogin(t *testing.T) {
	ctx := testkit.Context(t)
	nonce := [32]byte{1, 2, 3}
	c := serve(t, map[string]string{
		"/api/v1/challenge": `{"nonce":"` + base64.RawURLEncoding.EncodeToString(nonce[:]) + `"}`,
		"/api/v1/login":     `{"token":"tok","expires":1767225600000,"network":{"retention_ms":1,"status_ttl_ms":2,"wire":3,"cap":4},"extra":5}`,
		"/api/v1/ended":     "401",
	})
	refused := 0
	c.OnUnauthorized(func() { refused++ })
	if err := c.LoggedIn("x"); !errors.Is(err, ErrNoLogin) || !c.ServerTime().IsZero() {
		t.Fatal(err, c.ServerTime())
	}
	if err := c.Call(ctx, http.MethodGet, "ended", nil, nil); problem.CodeOf(err) != "http_401" || refused != 0 {
		t.Fatal("a refusal without a bearer is nobody's news", err, refused)
	}
	if got, err := c.Challenge(ctx); err != nil || got != nonce {
		t.Fatal(got, err)
	}
	var more struct{ Extra int }
	l, err := c.Login(ctx, []byte("cert"), []byte("login"), &more)
	if err != nil || l.Token != "tok" || l.Network != (Network{1, 2, 3, 4}) || l.Expires.UnixMilli() != 1767225600000 || more.Extra != 5 {
		t.Fatalf("%+v, %+v, %v", l, more, err)
	}
	if c.LoggedIn("x") != nil || c.Bearer() != "tok" {
		t.Fatal("the bearer was not kept")
	}
	if _, err := c.Do(ctx, http.MethodGet, "nothing", "", nil); !errors.Is(err, errAbsent) {
		t.Fatal(err)
	}
	if err := c.Call(ctx, http.MethodGet, "ended", nil, nil); err == nil || refused != 1 {
		t.Fatal("a refused bearer was not told", err, refused)
	}
	if d := time.Since(c.ServerTime()); d < -2*time.Second || d > 3*time.Second {
		t.Fatal("server time is off by", d)
	}
}

func TestAnswersThatAreNoAnswers(t *testing.T) {
	ctx := testkit.Context(t)
	c := serve(t, map[string]string{"/api/v1/challenge": `{"nonce":"AA"}`})
	_, err := c.Challenge(ctx)
	errs := []error{err}
	for _, a := range []string{`{}`, `[]`, `{"token":"t"}`, `{"token":"t","expires":1,"network":[]}`, `{"token":"t","expires":1,"extra":"x"}`} {
		var more struct{ Extra int }
		_, err := serve(t, map[string]string{"/api/v1/login": a}).Login(ctx, nil, nil, &more)
		errs = append(errs, err)
	}
	for _, d := range []string{"", "00", "zz00000000000000000000000000000000000000000000000000000000000000"} {
		_, err := c.Digest(d)
		errs = append(errs, err)
	}
	for i, err := range errs {
		if problem.CodeOf(err) != "answer_invalid" {
			t.Errorf("%d: %v", i, err)
		}
	}
}
