package brokerclient

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

// FuzzAnswers has a broker answer anything to everything.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"instances":[{"did":"did:x","inst":1,"addr":"a","pp":3,"cert":"0000000000000000000000000000000000000000000000000000000000000000","pkg":""}]}`))
	f.Add([]byte(`{"records":[{"version":"1.0.0","revision":1,"rec":"00"}],"nonce":"AA","token":"t","expires":1,"pending":-1}`))
	f.Add([]byte(`{"nats":{"pp":"x"},"network":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := New("http://broker", &http.Client{Transport: answers(b)})
		list, err := c.Instances(ctx, "did:x")
		if err == nil && len(list) > MaxInstances {
			t.Fatal("too many instances")
		}
		recs, err := c.Records(ctx, "a.b")
		if err == nil && len(recs) > MaxRecords {
			t.Fatal("too many records")
		}
		if raw, err := c.Object(ctx, KindSchema, [32]byte{}); err == nil && len(raw) > MaxObject {
			t.Fatal("object too large")
		}
		_, _ = c.Challenge(ctx)
		_, _ = c.Login(ctx, b, b)
		_, _ = c.Mailbox(ctx)
		_ = c.ServerTime()
	})
}
