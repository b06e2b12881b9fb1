package gateway

import (
	"net/http"

	"github.com/digital-spine/spine/internal/problem"
)

// Codes of the gateway's API that are not the protocol's.
const (
	CodeChannelInvalid       = "channel_invalid"
	CodeChannelUnknown       = "channel_unknown"
	CodeDraftInvalid         = "draft_invalid"
	CodeMessageUnknown       = "message_unknown"
	CodeAckUnknown           = "ack_unknown"
	CodeRecipientNotAdmitted = "recipient_not_admitted"
	CodeIdempotencyConflict  = "idempotency_conflict"
	CodeNotSending           = "channel_not_sending"
)

// ChannelInvalid says which member of a channel is not as it should be.
func ChannelInvalid(member, message string) error {
	return problem.New(http.StatusUnprocessableEntity, CodeChannelInvalid, message).With("member", member)
}

// ChannelUnknown says that there is no such channel.
func ChannelUnknown(name string) error {
	return problem.New(http.StatusNotFound, CodeChannelUnknown, "there is no such channel here").
		With("channel", clip(name)).WithHint("make it with PUT /api/v1/channels/{name}")
}

// NotSending says that a channel has no condition for sending.
func NotSending(name string) error {
	return problem.New(http.StatusUnprocessableEntity, CodeNotSending, "this channel only receives").
		With("channel", clip(name)).WithHint("give the channel a send condition")
}

// DraftInvalid says which member of a draft is not as it should be.
func DraftInvalid(member, message string) error {
	e := problem.New(http.StatusUnprocessableEntity, CodeDraftInvalid, message)
	if member != "" {
		e = e.With("pointer", "/"+member)
	}
	return e
}

// BodyEmpty says that a message has no body.
func BodyEmpty() error {
	return problem.New(http.StatusBadRequest, "body_empty", "the message has no body").WithHint("give it a JSON body")
}

// TooLarge says that a message's body is above the limit, in bytes; bodies
// above it need file transfer.
func TooLarge(limit int) error {
	return problem.New(http.StatusRequestEntityTooLarge, "too_large", "the message's body is above the limit of this network").
		With("limit", limit).WithHint("send large content as a file, or in parts")
}

// MessageUnknown says that this gateway sent no message of that id, or has
// forgotten it.
func MessageUnknown(id string) error {
	return problem.New(http.StatusNotFound, CodeMessageUnknown, "no message of that id was sent from here").With("id", clip(id))
}

// AckUnknown says that a token was not given by this gateway.
func AckUnknown() error {
	return problem.New(http.StatusUnprocessableEntity, CodeAckUnknown, "an acknowledgement token is not one that this gateway gave").
		WithHint("send the ack member of a received message as it is")
}

// RecipientNotAdmitted says that a channel's send condition does not admit did.
func RecipientNotAdmitted(did string) error {
	return problem.New(http.StatusUnprocessableEntity, CodeRecipientNotAdmitted, "the channel does not admit this recipient").
		With("did", clip(did)).WithHint("check the channel's send condition and the recipient's role credentials")
}

// NoRecipient says that nobody is admitted who can be reached.
func NoRecipient(channel string) error {
	return problem.New(http.StatusUnprocessableEntity, "no_recipient", "nobody whom the channel admits can be reached").
		With("channel", clip(channel)).WithHint("check who holds the channel's roles, and that their gateways have come up once")
}

// OutboxFull says that the local quota of unsent messages is used up.
func OutboxFull() error {
	return problem.New(http.StatusTooManyRequests, "outbox_full", "the outbox is full").WithHint("try again later")
}

// IdempotencyConflict says that an idempotency key was used for other content.
func IdempotencyConflict() error {
	return problem.New(http.StatusConflict, CodeIdempotencyConflict, "this idempotency key was used for another message").
		WithHint("use a new key for new content")
}

// clip keeps a client's text short in errors.
func clip(s string) string {
	if len(s) > 256 {
		return s[:256]
	}
	return s
}
