package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"testing"

	"github.com/digital-spine/spine/internal/problem"
)

func TestPortTaken(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var out, says strings.Builder
	status := run([]string{"chain", "--data", t.TempDir(), "--listen", ln.Addr().String()}, strings.NewReader(""), &out, &says)
	if status != 1 || !strings.Contains(says.String(), "\nhint: another program listens there") {
		t.Errorf("status %d: %s", status, says.String())
	}
}

func TestHintOf(t *testing.T) {
	own := problem.New(400, "unreachable", "").WithHint("its own")
	for _, tc := range []struct {
		err  error
		want string
	}{
		{own, "its own"},
		{fmt.Errorf("x: %w", fs.ErrPermission), "no rights there"},
		{&advised{errors.New("x"), "so"}, "so"},
		{errors.New("x"), ""},
		{problem.New(400, "http_415", ""), "a gateway?"},
	} {
		if got := hintOf(tc.err, problem.From(tc.err)); !strings.Contains(got, tc.want) || (tc.want == "") != (got == "") {
			t.Errorf("%v: %q, want %q", tc.err, got, tc.want)
		}
	}
}

// What a server says about a failure cannot steer the terminal.
func TestFailPrintable(t *testing.T) {
	var says strings.Builder
	a := &app{ctx: t.Context(), stderr: &says}
	status := a.fail(errors.Join(problem.New(400, "x", "red \x1b[31m").WithHint("bell \a"), errors.New("two")))
	if want := "spine: x: red \\u001b[31m\nspine: two\nhint: bell \\u0007\n"; status != 1 || says.String() != want {
		t.Errorf("status %d: %q", status, says.String())
	}
}
