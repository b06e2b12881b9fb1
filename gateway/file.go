package gateway

import (
	"context"
	"strings"
)

// File is an object at this gateway: a body of any size that travels in sealed
// parts beside its message (protocol section 21). Its content is read with
// GET files/{id}/content.
type File struct {
	ID     string `json:"id" doc:"the file's id at this gateway, a UUID"`
	Name   string `json:"name,omitempty" doc:"file name as its sender gave it, at most 255 bytes, never a path"`
	Type   string `json:"type" doc:"media type"`
	Size   int64  `json:"size" doc:"bytes"`
	SHA256 string `json:"sha256,omitempty" doc:"SHA-256 of the content, hexadecimal"`
}

// MaxBody is the longest body of a message in bytes. One that is too long for an
// envelope travels as an object.
const MaxBody = 1 << 20

// IsBody reports whether an object is a body that was too long for an envelope,
// not a file: JSON without a name. Whoever sends it and whoever receives it need
// not know that it travelled apart.
func (f *File) IsBody() bool {
	t, _, _ := strings.Cut(f.Type, ";")
	t = strings.TrimSpace(t)
	return f.Name == "" && f.Size <= MaxBody && (t == TypeJSON || strings.HasSuffix(t, "+json"))
}

// CodeUploading says that a message waits for its file's parts to reach the
// broker's blob store.
const CodeUploading = "uploading"

// CodeDownloading says that a received message waits for its file's parts.
const CodeDownloading = "downloading"

// Step is one thing that happened to a message, for its timeline.
type Step struct {
	At   int64  `json:"at" doc:"when, ms since 1970"`
	Name string `json:"name" doc:"what happened: at the sender queued, uploaded, sealed, published, delivered, refused, unconfirmed, undelivered, resent; at the recipient received, verified, fetched, handed over, acknowledged, refused"`
	Note string `json:"note,omitempty" doc:"whom it concerns, or why; without content"`
}

// Check is one check that was made on a received message, with its evidence.
type Check struct {
	Name     string            `json:"name" doc:"which check" example:"signature"`
	Result   string            `json:"result" doc:"ok, or the code of the refusal"`
	Rule     string            `json:"rule,omitempty" doc:"the protocol's name of the check" example:"E6"`
	Says     string            `json:"says" doc:"what was checked, in a sentence"`
	Evidence map[string]string `json:"evidence,omitempty" doc:"what it rests on: digests, keys, credentials, windows; never content"`
}

// Entry is a line of the log of messages: one that was sent or received here.
type Entry struct {
	ID        string   `json:"id"`
	Direction string   `json:"direction" enum:"in,out"`
	Channel   string   `json:"channel"`
	Topic     string   `json:"topic,omitempty"`
	Type      string   `json:"type,omitempty"`
	From      string   `json:"from,omitempty" doc:"sender of a received message"`
	To        []string `json:"to,omitempty" doc:"recipients of a sent message, at most the first 20"`
	Count     int      `json:"recipients,omitempty" doc:"number of recipient instances of a sent message"`
	State     State    `json:"state" doc:"of a sent message its state; of a received one verified, waiting or refused"`
	Code      string   `json:"code,omitempty" doc:"why it waits or was refused"`
	At        int64    `json:"at" doc:"handed over by the sender's application, ms since 1970"`
	Here      int64    `json:"here,omitempty" doc:"taken into custody here, ms since 1970"`
	Size      int64    `json:"size,omitempty" doc:"bytes of the body or file"`
	Re        string   `json:"re,omitempty" doc:"id of the message that this one answers, as far as its content or a note of it is kept"`
	File      *File    `json:"file,omitempty"`
	Cursor    string   `json:"-"`
}

// Directions of an Entry.
const (
	In  = "in"
	Out = "out"
)

// EntryFilter selects entries, newest first; empty members do not filter.
type EntryFilter struct {
	Channel string
	Partner string // DID
	Before  string // an Entry's Cursor: only older ones
	Max     int    // 1 to 200
}

// Trace is all that this gateway knows about one message.
type Trace struct {
	Entry
	Sent     *MessageStatus    `json:"sent,omitempty" doc:"sender's side: state per recipient"`
	Steps    []Step            `json:"steps" doc:"what happened here, in order"`
	Checks   []Check           `json:"checks,omitempty" doc:"recipient's side: every check made, with its evidence"`
	Corr     string            `json:"corr,omitempty"`
	Txn      string            `json:"txn,omitempty"`
	Attrs    map[string]string `json:"attrs,omitempty"`
	Body     []byte            `json:"body,omitempty" doc:"content, base64; absent where this gateway no longer holds it, or where it is a file"`
	Protocol map[string]string `json:"protocol,omitempty" doc:"raw form: session, seq, prev, digest, certificate, record, signature, header, in hexadecimal"`
}

// Logbook lists messages and tells what is known of one; outbox and inbox each
// are one, for their direction.
type Logbook interface {
	// Entries returns entries, newest first.
	Entries(ctx context.Context, f EntryFilter) ([]Entry, error)
	// Trace returns what is known of a message; code message_unknown.
	Trace(ctx context.Context, id string) (*Trace, error)
}

// Activity is told of every message that this gateway sent or received and of
// every event, for live views. Its methods never block and keep nothing of the
// content; stats.Meter is one. State changes of a sent message come again with
// the same id.
type Activity interface {
	Message(e Entry)
	// Latency is the time from the sender's application to this gateway's
	// custody (in), or to the recipient's receipt (out), in ms.
	Latency(direction string, ms int64)
	Transfer(t Transfer)
}

// Transfer is the progress of a file in one direction.
type Transfer struct {
	File  File   `json:"file"`
	Phase string `json:"phase" doc:"upload (from the participant), push (to the broker), pull (from the broker), done, failed" enum:"upload,push,pull,done,failed"`
	Bytes int64  `json:"bytes" doc:"bytes of the phase that are through"`
	Code  string `json:"code,omitempty" doc:"why it failed"`
	At    int64  `json:"at" doc:"ms since 1970"`
}
