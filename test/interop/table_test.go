package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/participant/market"
)

// sink takes a download in memory.
type sink struct{ bytes.Buffer }

func (s *sink) WriteAt(b []byte, at int64) (int, error) {
	if at != int64(s.Len()) {
		return 0, errors.New("not in order")
	}
	return s.Write(b)
}

// TestTable sends network models of 20,000 nodes: one arrives as it was, one
// with a single wrong cell is refused by row, column and reason before anything
// of it leaves, however it is handed over.
func TestTable(t *testing.T) {
	ctx := testkit.Context(t)
	s, gateways := startMarket(t, t.TempDir())
	from, to := gateways[market.NetworkOperator], gateways[market.MarketOperator]
	if topic, err := from.ShowTopic(ctx, market.TopicName("network"), ""); err != nil || topic.Kind != "csv" {
		t.Errorf("the topic is shown as %+v, %v", topic, err)
	}
	var good bytes.Buffer
	if err := market.WriteNetworkModel(&good, 20_000, 1); err != nil {
		t.Fatal(err)
	}
	o := client.UploadOptions{Name: "network.csv", Type: "text/csv", Channel: "network", Send: true}

	lines := bytes.Split(bytes.Clone(good.Bytes()), []byte("\r\n"))
	const row, column = 13_457, 9 // rated (kVA)
	cells := bytes.Split(lines[row-1], []byte(","))
	at := len(cells) - (17 - column) // names before it may hold commas
	cells[at] = bytes.Replace(cells[at], []byte("."), []byte(","), 1)
	cells[at] = append([]byte(`"`), append(cells[at], '"')...)
	lines[row-1] = bytes.Join(cells, []byte(","))
	bad := bytes.Join(lines, []byte("\r\n"))

	_, _, err := from.Upload(ctx, bytes.NewReader(bad), int64(len(bad)), o)
	if problem.CodeOf(err) != "schema" {
		t.Errorf("a table with a wrong cell: %v", err)
	}
	// The same in one request, to see all of the answer.
	status, doc := post(ctx, t, s.Gateways[slices.Index(market.Parties, market.NetworkOperator)].URL(), s.Gateways[slices.Index(market.Parties, market.NetworkOperator)].APIKey(), bad)
	var p struct {
		Code, Column, Reason string
		Row                  int
	}
	if err := json.Unmarshal(doc, &p); err != nil {
		t.Fatal(err)
	}
	if status != http.StatusUnprocessableEntity || p.Code != "schema" || p.Row != row || p.Column != "rated_kva" || p.Reason != "must be a decimal number" {
		t.Errorf("%d %s", status, doc)
	}
	for _, dir := range []string{gateway.Out, "stored"} {
		list, _, err := from.Files(ctx, client.FileFilter{Direction: dir})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			if len(f.Messages) > 0 {
				t.Errorf("the table that was refused is on its way: %+v", f)
			}
		}
	}

	f, sent, err := from.Upload(ctx, bytes.NewReader(good.Bytes()), int64(good.Len()), o)
	if err != nil {
		t.Fatal(err)
	}
	ms, err := to.Receive(ctx, client.Receive{Channel: "network", Wait: 60 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if len(ms) != 1 || sent == nil || ms[0].ID != sent.ID || ms[0].File == nil || ms[0].File.SHA256 != f.SHA256 || ms[0].Checks["schema"] != "ok" {
		t.Fatalf("sent %+v, received %+v", sent, ms)
	}
	var got sink
	if _, err := to.Download(ctx, ms[0].File.ID, &got, client.DownloadOptions{}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), good.Bytes()) {
		t.Error("another table arrived")
	}
	if err := to.Ack(ctx, ms[0].Ack); err != nil {
		t.Fatal(err)
	}
}

// post sends a file in one request and returns the answer.
func post(ctx context.Context, t *testing.T, base, key string, content []byte) (int, []byte) {
	t.Helper()
	q := url.Values{"channel": {"network"}, "name": {"network.csv"}, "send": {"true"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("%s/api/v1/files?%s", base, q.Encode()), bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "text/csv")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	doc, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, doc
}
