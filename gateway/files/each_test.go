package files

import (
	"context"
	"errors"
	"testing"
)

// TestATransferThatFailsLeavesItsPlace: however the end of one meets the
// beginning of the next, the window is as wide afterwards as before.
func TestATransferThatFailsLeavesItsPlace(t *testing.T) {
	broken := errors.New("broken")
	for range 200 {
		window := make(chan struct{}, 4)
		err := each(t.Context(), window, make([]int, 8), func(context.Context, int) error { return broken })
		if !errors.Is(err, broken) || len(window) != 0 {
			t.Fatalf("%v, %d places are not given back", err, len(window))
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err = each(ended, window, make([]int, 8), func(context.Context, int) error { return nil }); err == nil || len(window) != 0 {
			t.Fatalf("after the end: %v, %d places are not given back", err, len(window))
		}
	}
}
