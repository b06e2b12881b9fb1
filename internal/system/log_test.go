package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestWhatWasBrokenOffIsNoError(t *testing.T) {
	for level, want := range map[slog.Level]string{slog.LevelInfo: "", slog.LevelDebug: "level=DEBUG"} {
		var b bytes.Buffer
		log := Base{Log: slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: level}))}.withDefaults("hub").Log.WithGroup("part").With("n", 1)
		log.Error("not saved", "err", fmt.Errorf("write: %w", context.Canceled))
		log.Warn("not asked", "attempt", 1, "error", context.Canceled)
		if got := b.String(); strings.Contains(got, "WARN") || strings.Contains(got, "ERROR") || strings.Contains(got, "not saved") != (want != "") || !strings.Contains(got, want) {
			t.Errorf("at %s: %q", level, got)
		}
		b.Reset()
		log.Error("not saved", "err", errors.New("the disk is full"))
		log.Warn("late", "err", context.DeadlineExceeded)
		if got := b.String(); !strings.Contains(got, "level=ERROR") || !strings.Contains(got, "level=WARN") {
			t.Errorf("at %s, what failed by itself: %q", level, got)
		}
	}
}
