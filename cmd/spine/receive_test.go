package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/digital-spine/spine/gateway"
)

// TestReceiveLostFile: a message whose file is gone is printed with the reason
// and holds up none behind it; the exit status tells.
func TestReceiveLostFile(t *testing.T) {
	gone := &gateway.File{ID: "0c000000-0000-4000-8000-000000000001", Name: "gone.csv", Size: 5}
	var acked struct{ Acks []string }
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/messages", func(w http.ResponseWriter, _ *http.Request) {
		list := []gateway.Message{{ID: "m1", Ack: "a1", File: gone}, {ID: "m2", Ack: "a2", Type: gateway.TypeJSON, Body: json.RawMessage(`{}`)}}
		_ = json.NewEncoder(w).Encode(map[string]any{"messages": list})
	})
	mux.HandleFunc("GET /api/v1/files/{id}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"code":"file_unknown","title":"there is no such file here","status":404}`))
	})
	mux.HandleFunc("POST /api/v1/acks", func(_ http.ResponseWriter, r *http.Request) {
		_ = json.NewDecoder(r.Body).Decode(&acked)
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	t.Setenv("SPINE_URL", srv.URL)
	t.Setenv("SPINE_API_KEY", "k")
	dir := t.TempDir()
	var stdout, stderr bytes.Buffer
	if status := run([]string{"receive", "--out", dir, "--max", "2"}, nil, &stdout, &stderr); status != 1 {
		t.Fatalf("status %d: %s", status, &stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "lost=file_unknown") || strings.Contains(lines[0], "saved=") || strings.Contains(lines[1], "lost") {
		t.Fatal(&stdout)
	}
	if !strings.Contains(stderr.String(), "no longer at the gateway") {
		t.Fatal(&stderr)
	}
	if !slices.Equal(acked.Acks, []string{"a1", "a2"}) {
		t.Fatal(acked)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Fatal(left, err)
	}
}
