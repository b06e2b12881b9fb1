package envelope

import (
	"errors"
	"fmt"
)

// Error is a refusal under one code of section 18. Its text never holds
// content, keys or secrets.
type Error struct {
	// Code is the stable name.
	Code Code
	// Message says what did not hold, in lower case, its cause included.
	Message string
	// Err is the cause, nil when there is none.
	Err error
}

// Error implements error.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrorCode returns the code as text, for packages that do not import this
// one.
func (e *Error) ErrorCode() string { return string(e.Code) }

// Errorf makes an error of this code; %w keeps a cause.
func (c Code) Errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: c, Message: err.Error(), Err: errors.Unwrap(err)}
}

// ErrAhead is the cause of a time error that time itself heals: the peer's
// clock is ahead of ours by more than the skew allowed, so the object waits.
var ErrAhead = errors.New("ahead of the clock")

// CodeOf returns the code of an error anywhere in its chain, also of errors of
// other packages that have an ErrorCode method; "" when there is none.
func CodeOf(err error) Code {
	var coded interface{ ErrorCode() string }
	if errors.As(err, &coded) {
		return Code(coded.ErrorCode())
	}
	return ""
}

// fail makes an error of constant text.
func fail(c Code, message string) error { return &Error{Code: c, Message: message} }
