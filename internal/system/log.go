package system

import (
	"context"
	"errors"
	"log/slog"
)

// calm is a log in which work that was broken off, because the system stops or
// the asker went away, is neither an error nor a warning. Every part of a system
// logs what fails; none has to tell apart why its context ended.
type calm struct{ slog.Handler }

// Handle implements slog.Handler.
func (c calm) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn && brokenOff(r) {
		if r.Level = slog.LevelDebug; !c.Enabled(ctx, r.Level) {
			return nil
		}
	}
	return c.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (c calm) WithAttrs(a []slog.Attr) slog.Handler { return calm{c.Handler.WithAttrs(a)} }

// WithGroup implements slog.Handler.
func (c calm) WithGroup(name string) slog.Handler { return calm{c.Handler.WithGroup(name)} }

// brokenOff reports whether a record is about an error that says so.
func brokenOff(r slog.Record) (yes bool) {
	r.Attrs(func(a slog.Attr) bool {
		err, ok := a.Value.Any().(error)
		yes = ok && errors.Is(err, context.Canceled)
		return !yes
	})
	return yes
}
