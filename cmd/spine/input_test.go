package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/digital-spine/spine/gateway"
)

// TestStrangersCannotSteerTheTerminal: whatever a sender writes, a line for
// people is one line of printable characters and of bounded length.
func TestStrangersCannotSteerTheTerminal(t *testing.T) {
	body, err := json.Marshal("\u009b31m\u202e\u2028" + strings.Repeat("ü", 5000))
	if err != nil {
		t.Fatal(err)
	}
	line := messageLine(&received{Message: &gateway.Message{Channel: "c", From: "did:\x1b[2J", Body: body, Corr: "a\nb\r", Type: "text/\u2066x",
		Checks: map[string]string{"seal": "ok", "role\x07": "not made"}, Redelivered: true, Late: true}})
	if printable(line) != line {
		t.Errorf("control characters in %q", line)
	}
	if len(line) > 1000 {
		t.Errorf("a line of %d bytes", len(line))
	}
	for _, want := range []string{`did:\u001b[2J`, `corr=a\u000ab\u000d`, "checks=1/2", "redelivered", "late", "unchecked=role"} {
		if !strings.Contains(line, want) {
			t.Errorf("%q lacks %s", line, want)
		}
	}
}

func TestClip(t *testing.T) {
	for _, c := range []struct {
		in   string
		max  int
		want string
	}{{"abc", 3, "abc"}, {"abcd", 3, "abc… (4 bytes)"}, {"aüb", 2, "a… (4 bytes)"}, {"", 0, ""}} {
		if got := clip(c.in, c.max); got != c.want {
			t.Errorf("clip(%q, %d) = %q, want %q", c.in, c.max, got, c.want)
		}
	}
}

// TestReadings: what cannot be a structure is refused, and nothing panics.
func TestReadings(t *testing.T) {
	for _, in := range []string{" ", "{", "{}", "0x", "0x8", "zz", "=", "\x80", "\xff\xff", "82", "gg==", strings.Repeat("8", 4096), strings.Repeat("\x81", 4096)} {
		if _, text, err := inspect([]byte(in)); err == nil {
			t.Errorf("%.20q is shown as %.40q", in, text)
		}
	}
}
