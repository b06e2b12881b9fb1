package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/digital-spine/spine/gateway"
)

// TestPlainErrors: also what other people's code refuses is a problem.
func TestPlainErrors(t *testing.T) {
	f := startFiles(t)
	resp, b := f.do(t, "POST", "files?name=a.csv", bytes.NewReader([]byte("abc")))
	var up gateway.Uploaded
	if err := json.Unmarshal(b, &up); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", resp.StatusCode, b)
	}
	content := "files/" + up.File.ID + "/content"
	resp, b = f.do(t, "GET", content, nil, "Range", "bytes=3-")
	refused(t, resp, b, http.StatusRequestedRangeNotSatisfiable, "range")
	if r, d := resp.Header.Get("Content-Range"), resp.Header.Get("Content-Disposition"); r != "bytes */3" || d != "" {
		t.Errorf("Content-Range %q, Content-Disposition %q", r, d)
	}
	resp, b = f.do(t, "GET", content, nil, "If-Match", `"other"`)
	refused(t, resp, b, http.StatusPreconditionFailed, "precondition_failed")
	if resp, b = f.do(t, "HEAD", content, nil, "If-Match", `"other"`); resp.StatusCode != http.StatusPreconditionFailed || len(b) != 0 {
		t.Errorf("HEAD: %d %s", resp.StatusCode, b)
	}
	if resp, b = f.do(t, "GET", content, nil, "If-Match", "*"); resp.StatusCode != http.StatusOK || string(b) != "abc" {
		t.Errorf("any: %d %s", resp.StatusCode, b)
	}

	resp, b = f.do(t, "GET", "stream", nil)
	refused(t, resp, b, http.StatusUpgradeRequired, "upgrade_required")
	handshake := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
	resp, b = f.do(t, "GET", "stream", nil, append(handshake, "Sec-WebSocket-Version", "12")...)
	refused(t, resp, b, http.StatusBadRequest, "handshake_invalid")
	resp, b = f.do(t, "GET", "stream", nil, append(handshake, "Sec-WebSocket-Version", "13", "Origin", "https://elsewhere.example")...)
	refused(t, resp, b, http.StatusForbidden, "csrf")
}
