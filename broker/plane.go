package broker

import (
	"context"
	"time"
)

// Plane is what the broker does with the message bus; broker/jetstream
// implements it.
type Plane interface {
	// Open makes stream, subject and consumer of a mailbox where they are missing.
	Open(ctx context.Context, pp int, addr string) error
	// Remake makes the consumer again, so that it delivers from sequence seq.
	Remake(ctx context.Context, pp int, addr string, seq uint64) error
	// State tells what waits in a mailbox; ErrNotFound without a consumer.
	State(ctx context.Context, pp int, addr string) (MailboxState, error)

	// The following are an operator's powers; gateways detect their misuse.

	// Messages lists up to limit stored messages of a mailbox with sequences above after.
	Messages(ctx context.Context, pp int, addr string, after uint64, limit int) ([]Stored, error)
	// Pause stops delivery for a time; zero resumes.
	Pause(ctx context.Context, pp int, addr string, d time.Duration) error
	// Delete removes one stored message of the mailbox.
	Delete(ctx context.Context, pp int, addr string, seq uint64) error
	// Publish stores bytes under any subject.
	Publish(ctx context.Context, subject string, data []byte) (seq uint64, err error)
	// Purge removes the messages of a sender from a mailbox, or from the whole
	// partition when addr is "*".
	Purge(ctx context.Context, pp int, addr, sender string) (removed uint64, err error)
	// Kick closes the connections of an address.
	Kick(ctx context.Context, addr string) (closed int, err error)
	// Traffic returns what open connections have published so far.
	Traffic(ctx context.Context) ([]Traffic, error)
	Health(ctx context.Context) error
}

// MailboxState is what waits in a mailbox.
type MailboxState struct {
	Pending     uint64 `json:"pending" doc:"messages not delivered yet"`
	AckPending  int    `json:"ack_pending" doc:"messages delivered and not acknowledged"`
	Redelivered int    `json:"redelivered" doc:"messages delivered more than once and not acknowledged"`
	Delivered   uint64 `json:"delivered_seq" doc:"highest stream sequence delivered"`
	AckFloor    uint64 `json:"ack_floor_seq" doc:"stream sequence up to which all is acknowledged"`
	First       uint64 `json:"first_seq" doc:"lowest sequence the partition holds"`
	Last        uint64 `json:"last_seq" doc:"highest sequence the partition holds"`
	PausedMS    int64  `json:"paused_ms,omitempty" doc:"delivery is paused for so long"`
}

// Stored is a message as the broker holds it.
type Stored struct {
	Seq     uint64
	Subject string
	Data    []byte
	Time    int64 // ms
}

// Traffic is one connection's count.
type Traffic struct {
	Conn  string // unique over servers and time
	Addr  string
	Msgs  int64
	Bytes int64
}
