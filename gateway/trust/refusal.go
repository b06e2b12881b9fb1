package trust

import (
	"context"
	"errors"
	"fmt"

	"github.com/digital-spine/spine/envelope"
)

// absent makes an error of a code that the caller waits for and asks again.
func absent(code envelope.Code, what string, cause error) error {
	if cause == nil {
		return code.Errorf("%s: %w", what, ErrAbsent)
	}
	if errors.Is(cause, ErrAbsent) {
		return code.Errorf("%s: %w", what, cause)
	}
	return code.Errorf("%s: %w", what, errors.Join(ErrAbsent, cause))
}

// isRefusal reports whether an error is a verdict, that is, not for want of an
// answer.
func isRefusal(err error) bool {
	if err == nil || errors.Is(err, ErrAbsent) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return false
	}
	switch envelope.CodeOf(err) {
	case "", envelope.DIDStale, envelope.StatusStale:
		return false
	}
	return true
}

// store wraps a failure of the own store: the caller waits for it, too.
func store(what string, err error) error {
	return fmt.Errorf("trust: %s: %w", what, errors.Join(ErrAbsent, err))
}
