package gateway

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of a message; the protocol's own are in package envelope.
const (
	MaxRecipients     = 10_000
	MaxAttrs          = 16
	MaxAttrBytes      = 4 << 10 // names and values together
	MaxType           = 128     // bytes
	MaxCorr           = 200     // bytes, also of txn
	MaxIdempotencyKey = 200     // bytes
	MaxBatch          = 1000    // drafts of one batch
	TypeJSON          = "application/json"
)

// Draft is a message as an application hands it over to be sent.
type Draft struct {
	Channel        string            `json:"channel"`
	To             []string          `json:"to,omitempty"`    // DIDs; empty: everybody whom the channel admits
	Body           json.RawMessage   `json:"body,omitempty"`  // sent as these bytes
	File           string            `json:"file,omitempty"`  // id of a file stored here, instead of a body
	Type           string            `json:"type,omitempty"`  // media type; empty: application/json
	Re             string            `json:"re,omitempty"`    // id of the message this one answers
	Corr           string            `json:"corr,omitempty"`  // correlation id, the application's own
	Txn            string            `json:"txn,omitempty"`   // transaction id, the application's own
	Attrs          map[string]string `json:"attrs,omitempty"` // free attributes
	IdempotencyKey string            `json:"idempotencyKey,omitempty"`
}

// Validate checks the draft's form (code draft_invalid or body_empty); the body
// is checked against the topic's schema by the outbox.
func (d *Draft) Validate() error {
	switch {
	case d.Channel == "":
		return DraftInvalid("channel", "name the channel to send on")
	case len(d.Channel) > MaxChannelName:
		return DraftInvalid("channel", "a channel's name has at most 64 bytes")
	case len(d.Body) == 0 && d.File == "":
		return BodyEmpty()
	case len(d.Body) != 0 && d.File != "":
		return DraftInvalid("file", "a message has a body or a file, not both")
	case d.File != "" && !ValidID(d.File):
		return DraftInvalid("file", "the id of a file is a UUID in lower case")
	case len(d.To) > MaxRecipients:
		return DraftInvalid("to", "at most 10000 recipients")
	case len(d.Type) > MaxType:
		return DraftInvalid("type", "a media type has at most 128 bytes")
	case len(d.Corr) > MaxCorr:
		return DraftInvalid("corr", "at most 200 bytes")
	case len(d.Txn) > MaxCorr:
		return DraftInvalid("txn", "at most 200 bytes")
	case len(d.IdempotencyKey) > MaxIdempotencyKey:
		return DraftInvalid("idempotencyKey", "at most 200 bytes")
	case len(d.Attrs) > MaxAttrs:
		return DraftInvalid("attrs", "at most 16 attributes")
	case d.Re != "" && !ValidID(d.Re):
		return DraftInvalid("re", "the id of a message is a UUID in lower case")
	case !utf8.ValidString(d.Type) || !utf8.ValidString(d.Corr) || !utf8.ValidString(d.Txn):
		return DraftInvalid("", "text must be UTF-8")
	}
	n := 0
	for k, v := range d.Attrs {
		n += len(k) + len(v)
	}
	if n > MaxAttrBytes {
		return DraftInvalid("attrs", "attributes have at most 4096 bytes together")
	}
	for _, to := range d.To {
		if len(to) > 256 || !strings.HasPrefix(to, "did:") {
			return DraftInvalid("to", "recipients are DIDs of at most 256 bytes")
		}
	}
	return nil
}

// MediaType returns the draft's media type, application/json by default.
func (d *Draft) MediaType() string {
	if d.Type == "" {
		return TypeJSON
	}
	return d.Type
}

// Accepted is the answer to a draft: the message's id and whether it is with
// the broker ("accepted") or still here ("waiting").
type Accepted struct {
	ID    string `json:"id"`
	State State  `json:"state"`
}

// State is what is known about a message or about one recipient of it.
type State string

// The states of protocol section 14.
const (
	StateWaiting     State = "waiting"     // not with the broker yet
	StateAccepted    State = "accepted"    // with the broker for every recipient
	StateDelivered   State = "delivered"   // in the recipient's custody, by its signed receipt
	StateRefused     State = "refused"     // refused by the recipient, by its signed receipt; a code says why
	StateUnconfirmed State = "unconfirmed" // no receipt after 15 minutes
	StateUndelivered State = "undelivered" // no receipt within the retention
)

// MessageStatus is what became of a sent message.
type MessageStatus struct {
	ID         string      `json:"id" doc:"the message's id"`
	Channel    string      `json:"channel,omitempty" doc:"the channel it was sent on"`
	State      State       `json:"state" doc:"the least advanced state of its recipients" enum:"waiting,accepted,delivered,refused,unconfirmed,undelivered"`
	Code       string      `json:"code,omitempty" doc:"why it waits or was refused"`
	At         int64       `json:"at,omitempty" doc:"when it was handed over, ms since 1970"`
	File       *File       `json:"file,omitempty" doc:"the file it carries"`
	Steps      []Step      `json:"steps,omitempty" doc:"what happened to it before it went out, in order"`
	Recipients []Recipient `json:"recipients" doc:"state per recipient instance"`
}

// Recipient is the state of a message for one recipient's instance.
type Recipient struct {
	DID   string `json:"did" doc:"the recipient"`
	Inst  uint64 `json:"inst" doc:"its gateway instance, 0 to 7"`
	State State  `json:"state" enum:"waiting,accepted,delivered,refused,unconfirmed,undelivered"`
	Code  string `json:"code,omitempty" doc:"why it waits or was refused"`
	Steps []Step `json:"steps,omitempty" doc:"what happened for this recipient, in order"`
}

// Message is a message as it is handed to an application.
type Message struct {
	ID          string            `json:"id"`
	From        string            `json:"from"`
	Channel     string            `json:"channel"`
	Topic       string            `json:"topic"`
	Version     string            `json:"version"`
	Type        string            `json:"type"`
	Body        json.RawMessage   `json:"body,omitempty"` // absent when it is a file
	File        *File             `json:"file,omitempty"` // the object that came with it
	At          int64             `json:"at"`             // when the sender's application handed it over, ms
	Sent        int64             `json:"sent,omitempty"` // when it was sealed, ms
	Re          string            `json:"re,omitempty"`
	Corr        string            `json:"corr,omitempty"`
	Txn         string            `json:"txn,omitempty"`
	Attrs       map[string]string `json:"attrs,omitempty"`
	Checks      map[string]string `json:"checks"`      // name of the check: "ok", or why it was not made
	Redelivered bool              `json:"redelivered"` // may have been handed over before
	Late        bool              `json:"late"`        // fills a hole that was already passed
	Ack         string            `json:"ack"`         // token to acknowledge it with
}

// ValidID reports whether id is a UUID in lower case text form.
func ValidID(id string) bool {
	_, err := ParseID(id)
	return err == nil
}

// FormatID returns the text form of a message's id, a UUID.
func FormatID(id [16]byte) string {
	const digits = "0123456789abcdef"
	var b [36]byte
	j := 0
	for i, v := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b[j] = '-'
			j++
		}
		b[j], b[j+1] = digits[v>>4], digits[v&15]
		j += 2
	}
	return string(b[:])
}

// ParseID reads a UUID in lower case text form.
func ParseID(s string) (id [16]byte, err error) {
	if len(s) != 36 {
		return id, fmt.Errorf("an id has 36 characters")
	}
	j := 0
	for i := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			if s[j] != '-' {
				return id, fmt.Errorf("an id has dashes after 8, 12, 16 and 20 digits")
			}
			j++
		}
		hi, lo := nibble(s[j]), nibble(s[j+1])
		if hi > 15 || lo > 15 {
			return id, fmt.Errorf("an id has lower case hexadecimal digits")
		}
		id[i] = hi<<4 | lo
		j += 2
	}
	return id, nil
}

func nibble(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}
