package gateway

import (
	"context"
	"time"
)

// Sender accepts messages and says what became of them; the outbox is one.
type Sender interface {
	// Send accepts drafts. Both results have the length of drafts: entry i of
	// the second is nil when draft i was accepted durably. Codes: schema,
	// json_*, body_empty, channel_unknown, recipient_not_admitted,
	// no_recipient, outbox_full, too_large, idempotency_conflict.
	Send(ctx context.Context, drafts []Draft) ([]Accepted, []error)
	// Status returns a message's state; code message_unknown.
	Status(ctx context.Context, id string) (*MessageStatus, error)
}

// Consumer is an application's cursor over received messages. It is made by
// the first pull that names it.
type Consumer struct {
	Name    string // 1 to 64 bytes; "default" when empty
	Channel string // only this channel; empty: all
	AutoAck bool   // acknowledged as soon as handed over
}

// DefaultConsumer is the name of the consumer of a pull that names none.
const DefaultConsumer = "default"

// Receiver hands received messages to applications; the intake is one.
type Receiver interface {
	// Pull returns up to max messages in order, waiting up to wait for the
	// first; none is not an error.
	Pull(ctx context.Context, c Consumer, max int, wait time.Duration) ([]Message, error)
	// Ack acknowledges messages by their tokens, durably; code ack_unknown
	// for a token this gateway did not give. Acknowledging twice is fine.
	Ack(ctx context.Context, tokens []string) error
	// Return takes back messages that nobody will acknowledge, because who got
	// them is gone: they are handed over again at once, marked, and in front of
	// what comes after them. A token that means nothing any more is passed over.
	Return(tokens []string)
}

// Channels are the local channels.
type Channels interface {
	// Channel returns a channel by name; code channel_unknown.
	Channel(name string) (*Channel, error)
	// ForTopic returns the channels of a topic, sorted by name.
	ForTopic(topic string) []Channel
	// Changed returns a channel that is closed at the next change of any
	// channel; ask again after it closed.
	Changed() <-chan struct{}
}

// Events takes what the operator should know. Emit never blocks for long and
// never fails; what cannot be stored is logged.
type Events interface {
	Emit(ctx context.Context, e Event)
}
