package hubclient

import (
	"bytes"
	"io"
	"net/http"
	"testing"
)

// answers is a server that always answers with the same bytes.
type answers []byte

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{"Date": {string(a[:min(len(a), 40)])}}, Body: io.NopCloser(bytes.NewReader(a)), Request: r}, nil
}

// FuzzAnswers has a hub answer anything to everything.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"holders":[{"did":"did:x","credential":"0000000000000000000000000000000000000000000000000000000000000000"}]}`))
	f.Add([]byte(`{"credentials":[{"digest":"00","role":"r"}],"list":"AA","freshness":"AA","certificate":"AA"}`))
	f.Add([]byte(`{"events":[{"n":1,"type":"role"}],"next":18446744073709551615,"reset":true}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := New("http://hub", &http.Client{Transport: answers(b)})
		if list, err := c.Holders(ctx, "a.roles.b"); err == nil && len(list) > MaxHolders {
			t.Fatal("too many holders")
		}
		if list, err := c.CredentialsOf(ctx, "did:x"); err == nil && len(list) > MaxHolders {
			t.Fatal("too many credentials")
		}
		if raw, err := c.Credential(ctx, [32]byte{}); err == nil && (len(raw) == 0 || len(raw) > MaxCredential) {
			t.Fatal("credential out of bounds")
		}
		if s, err := c.Status(ctx, "l"); err == nil && (len(s.List) == 0 || len(s.List) > MaxStatusList) {
			t.Fatal("status list out of bounds")
		}
		if news, err := c.Feed(ctx, 0, 0); err == nil && len(news.Events) > MaxEvents {
			t.Fatal("too many events")
		}
		_, _ = c.Challenge(ctx)
		_, _ = c.Login(ctx, b, b)
		_, _ = c.Enrolments(ctx, EnrolmentFilter{})
		_ = c.ServerTime()
	})
}
