package problem

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

type coded struct{}

func (coded) Error() string     { return "no such thing" }
func (coded) ErrorCode() string { return "thing_absent" }
func (coded) ErrorStatus() int  { return 404 }

func TestFrom(t *testing.T) {
	base := New(409, "conflict", "already there")
	for _, tc := range []struct {
		err    error
		code   string
		status int
	}{
		{fmt.Errorf("outer: %w", base.Wrap(errors.New("cause"))), "conflict", 409},
		{fmt.Errorf("outer: %w", coded{}), "thing_absent", 404},
		{errors.New("secret detail"), "internal", 500},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), "timeout", 504},
	} {
		got := From(tc.err)
		if got.Code != tc.code || got.Status != tc.status {
			t.Errorf("From(%v) = %s %d, want %s %d", tc.err, got.Code, got.Status, tc.code, tc.status)
		}
		if CodeOf(tc.err) != tc.code {
			t.Errorf("CodeOf(%v) = %s, want %s", tc.err, CodeOf(tc.err), tc.code)
		}
	}
	if m := From(errors.New("secret detail")).Message; m != "internal error" {
		t.Errorf("an unknown error told its text: %q", m)
	}
	if !errors.Is(base.WithHint("h").With("k", 1), base) {
		t.Error("a copy no longer matches its origin")
	}
	if base.Hint != "" || base.Details != nil {
		t.Error("WithHint or With changed the original")
	}
}
