// Package bus is the data plane: how sealed messages travel over NATS
// JetStream between gateways that trust neither the broker nor one another.
//
// It holds the subject grammar shared by broker and gateway, an embedded server
// with the account split that keeps gateways away from JetStream's management,
// the gateway's connection, a publisher that gathers messages into atomic
// batches, and a pull that acknowledges message by message.
//
// It knows nothing of what a message says: bytes go in and come out. It does
// not decide who may connect (package broker does) and it keeps no outbox: an
// error of Publish means that the caller sends the same bytes again.
package bus

import (
	"errors"
	"fmt"
)

// Names of the accounts of the server configuration. Gateways live in GW, which
// has no JetStream; streams live in SPINE, which has no users but the broker.
const (
	AccountSpine   = "SPINE"
	AccountGateway = "GW"
)

// Limits of the data plane.
const (
	MaxPayload  = 1 << 20 // bytes of a NATS message with its headers
	MaxBatch    = 1000    // messages of an atomic batch, a bound of the server
	maxSubs     = 8       // subscriptions of one gateway connection
	batchBytes  = 8 << 20 // bytes gathered into one round at most
	ackTimeout  = 10      // seconds until an unanswered publish counts as unconfirmed
	defaultPull = 500     // messages asked for at once
)

// Code is the stable code of an Error.
type Code string

// Codes of publishing and pulling.
const (
	CodeUnconfirmed  Code = "publish_unconfirmed" // no answer: stored or not, send the same bytes again
	CodeDisconnected Code = "bus_disconnected"    // the connection went away before the answer: as above
	CodeMailboxFull  Code = "mailbox_full"        // the subject holds its number of messages: back off for this mailbox only
	CodeNoMailbox    Code = "mailbox_unknown"     // no stream takes this subject: wrong partition or invented mailbox
	CodeStreamFull   Code = "stream_full"         // the partition holds its bytes: back off for the partition
	CodeTooLarge     Code = "too_large"           // above the stream's message size, or the server's payload limit
	CodeNotPermitted Code = "not_permitted"       // the server refuses this subject to this login
	CodeRefused      Code = "publish_refused"     // any other answer of the stream
	CodeBadAck       Code = "publish_bad_ack"     // an acknowledgement that does not fit: wrong stream, duplicate, older sequence
	CodeNoConsumer   Code = "consumer_missing"    // nothing answers the pull: the broker must make the consumer again
	CodeClosed       Code = "bus_closed"          // Close was called
	CodeBadSubject   Code = "bad_subject"         // not a subject of this grammar
)

// Error says why a message was not stored or a pull failed.
type Error struct {
	Code Code
	// Server is the JetStream error code, 0 when the server gave none.
	Server int
	Text   string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Server != 0 {
		return fmt.Sprintf("%s: %s (%d)", e.Code, e.Text, e.Server)
	}
	return string(e.Code) + ": " + e.Text
}

// ErrorCode returns the stable code.
func (e *Error) ErrorCode() string { return string(e.Code) }

// Is compares codes, so that errors.Is(err, &Error{Code: CodeMailboxFull}) works.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// CodeOf returns the code of err, "" when it is not an Error of this package.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// Backoff reports whether err concerns one mailbox only and going on with the
// others makes sense.
func Backoff(err error) bool {
	switch CodeOf(err) {
	case CodeMailboxFull, CodeNoMailbox, CodeTooLarge, CodeNotPermitted, CodeBadSubject:
		return true
	}
	return false
}

func fail(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Text: fmt.Sprintf(format, args...)}
}
