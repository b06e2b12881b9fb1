package httpapi

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
)

// TestClient has the SDK and the API talk to each other.
func TestClient(t *testing.T) {
	f, ctx := start(t), testkit.Context(t)
	admin := client.New(f.url, f.admin)
	good := func(device string) gateway.Draft {
		return gateway.Draft{Channel: "t", Body: json.RawMessage(`{"device":"` + device + `","unit":"V"}`), Corr: "c"}
	}
	a, err := admin.Send(ctx, good("one"))
	if err != nil || a.State != gateway.StateAccepted {
		t.Fatal(err, a)
	}
	if st, err := admin.Status(ctx, a.ID); err != nil || st.State != gateway.StateDelivered {
		t.Fatal(err, st)
	}
	if _, err := admin.Status(ctx, "x"); problem.CodeOf(err) != gateway.CodeMessageUnknown {
		t.Fatal(err)
	}
	bad := good("two")
	bad.Body = json.RawMessage(`{}`)
	results, err := admin.SendBatch(ctx, []gateway.Draft{good("two"), bad})
	if err != nil || len(results) != 2 || results[0].ID == "" || results[1].Problem == nil || results[1].Problem.Code != "schema" {
		t.Fatal(err, results)
	}
	list, err := admin.Receive(ctx, client.Receive{Channel: "t", Max: 1, Wait: time.Second})
	if err != nil || len(list) != 1 || list[0].Corr != "c" || string(list[0].Body) != string(good("one").Body) {
		t.Fatal(err, list)
	}
	if err := admin.Ack(ctx, list[0].Ack); err != nil {
		t.Fatal(err)
	}
	s, err := admin.Stream(ctx, client.Receive{Channel: "t"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m, err := s.Next(ctx)
	if err != nil || string(m.Body) != string(good("two").Body) {
		t.Fatal(err, m)
	}
	if err := s.Ack(ctx, m.Ack); err != nil {
		t.Fatal(err)
	}
	if _, err := client.New(f.url, "x").Receive(ctx, client.Receive{}); problem.CodeOf(err) != "key_invalid" {
		t.Fatal(err)
	}
	if id, err := admin.Identity(ctx); err != nil || id.DID != "did:me" {
		t.Fatal(err, id)
	}
}

// TestStreamThatBreaksGivesBack: what nobody will acknowledge comes back at
// once, and what was acknowledged does not.
func TestStreamThatBreaksGivesBack(t *testing.T) {
	f := start(t)
	ctx := testkit.Context(t)
	c := client.New(f.url, f.admin)
	s, err := c.Stream(ctx, client.Receive{Channel: "t"})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 3 {
		if _, err := c.Send(ctx, gateway.Draft{Channel: "t", Body: json.RawMessage(`{"device":"a","unit":"V"}`)}); err != nil {
			t.Fatal(err)
		}
		m, err := s.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if i != 1 {
			want = append(want, m.Ack)
		} else if err := s.Ack(ctx, m.Ack); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	testkit.Eventually(t, ctx, "both come back", func() bool {
		f.loop.mu.Lock()
		defer f.loop.mu.Unlock()
		slices.Sort(f.loop.back)
		return slices.Equal(f.loop.back, want)
	})
}
