package house

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
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

var update = flag.Bool("update", false, "write docs/openapi anew from what the servers serve")

// TestOpenAPI compares what hub, broker and gateway serve with docs/openapi, so
// that a change of an API is seen in review, and checks that every operation
// says what it does and how it fails.
func TestOpenAPI(t *testing.T) {
	ctx, cancel := context.WithTimeout(testkit.Context(t), 5*time.Minute)
	defer cancel()
	s, err := system.StartSpine(ctx, t.TempDir(), []string{"gateway"}, system.Base{Log: testkit.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, url := range map[string]string{"hub": s.Hub.URL(), "broker": s.Broker.URL(), "gateway": s.Gateways[0].URL()} {
		t.Run(name, func(t *testing.T) {
			served, err := httpkit.Do(ctx, httpkit.Client(time.Minute), "GET", url+"/openapi.json", "", "", nil)
			if err != nil {
				t.Fatal(err)
			}
			var doc document
			if err := json.Unmarshal(served, &doc); err != nil {
				t.Fatal(err)
			}
			doc.check(t)
			var b bytes.Buffer
			if err := json.Indent(&b, served, "", "  "); err != nil {
				t.Fatal(err)
			}
			b.WriteByte('\n')
			file := filepath.Join(root, "docs", "openapi", name+".json")
			if *update {
				if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			kept, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(kept, b.Bytes()) {
				t.Errorf("docs/openapi/%s.json is not what the %s serves: run go test ./test/house -run OpenAPI -update and review the change", name, name)
			}
		})
	}
}

// document is the part of an OpenAPI document that is checked.
type document struct {
	OpenAPI string
	Info    struct{ Title, Version, Description string }
	Paths   map[string]map[string]json.RawMessage
}

type operation struct {
	OperationID string
	Summary     string
	Responses   map[string]struct {
		Description string
		Content     map[string]json.RawMessage
	}
}

func (d *document) check(t *testing.T) {
	t.Helper()
	if !strings.HasPrefix(d.OpenAPI, "3.1.") || d.Info.Title == "" || d.Info.Version == "" || d.Info.Description == "" {
		t.Errorf("OpenAPI %q of %+v", d.OpenAPI, d.Info)
	}
	ids := make(map[string]string)
	for path, methods := range d.Paths {
		for method, raw := range methods {
			if !slices.Contains([]string{"get", "put", "post", "delete", "patch", "head", "options"}, method) {
				continue
			}
			var op operation
			if err := json.Unmarshal(raw, &op); err != nil {
				t.Fatal(err)
			}
			at := method + " " + path
			if op.OperationID == "" || op.Summary == "" {
				t.Errorf("%s has no operationId or no summary", at)
			}
			if before := ids[op.OperationID]; before != "" {
				t.Errorf("%s has the operationId of %s", at, before)
			}
			ids[op.OperationID] = at
			good, fails := false, false
			for status, r := range op.Responses {
				good = good || strings.HasPrefix(status, "2") || status == "101"
				fails = fails || r.Content["application/problem+json"] != nil
			}
			if !good || !fails {
				t.Errorf("%s does not say how it answers (%t) or how it fails (%t)", at, good, fails)
			}
		}
	}
	if len(ids) < 10 {
		t.Errorf("%d operations only", len(ids))
	}
}
