package inbox

import (
	"context"
	"fmt"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// frames returns the opened frames of a row.
func (x *Inbox) frames(ctx context.Context, row *Row) ([]envelope.Frame, error) {
	if f := x.contents.get(row.ID); f != nil {
		return f, nil
	}
	body, err := x.store.Body(ctx, row.ID)
	if err != nil {
		return nil, fmt.Errorf("read content: %w", err)
	}
	if body == nil {
		return nil, nil
	}
	plain, err := x.vault.Open(row.Key, EntryAAD(row.ID), body)
	if err != nil {
		return nil, fmt.Errorf("open stored content: %w", err)
	}
	_, raw, err := Unpack(plain)
	if err != nil {
		return nil, err
	}
	frames := make([]envelope.Frame, len(raw))
	for i, b := range raw {
		f, err := envelope.ParseFrame(b)
		if err != nil {
			return nil, fmt.Errorf("stored frame %d: %w", i, err)
		}
		frames[i] = *f
	}
	x.contents.put(row.ID, frames)
	return frames, nil
}

// session returns what is known of a session, nil when it is forgotten.
func (x *Inbox) session(ctx context.Context, id int64) (*SessionInfo, error) {
	x.mu.Lock()
	info := x.sessions[id]
	x.mu.Unlock()
	if info != nil {
		return info, nil
	}
	info, err := x.store.SessionInfo(ctx, id)
	if err != nil || info == nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.sessions) >= maxSessions {
		clear(x.sessions)
	}
	x.sessions[id] = info
	return info, nil
}

// channel returns the local channel that admits a session's messages and that
// the consumer reads: the named one, or any for "". nil when there is none.
func (x *Inbox) channel(name string, info *SessionInfo) *gateway.Channel {
	if info == nil {
		return nil
	}
	if name != "" {
		ch, err := x.channels.Channel(name)
		if err != nil || !Admits(ch, info) {
			return nil
		}
		return ch
	}
	all := x.channels.ForTopic(info.Topic)
	for i := range all {
		if Admits(&all[i], info) {
			return &all[i]
		}
	}
	return nil
}

// Admits reports whether a channel takes messages of a session: its topic, its
// version where it names one, and the sender's DID or a verified role (G10).
func Admits(ch *gateway.Channel, info *SessionInfo) bool {
	return ch.Topic == info.Topic && (ch.Version == "" || ch.Version == info.Version) && ch.Receive.Admits(info.From, info.Roles...)
}

// checks are what every message handed over has passed, by name. A message
// that failed any of them is not in the inbox.
func checks() map[string]string {
	return map[string]string{
		"signature": "ok", // E6, of the envelope, under a certificate that passed C1 to C5
		"session":   "ok", // G1 to G8, E3, E7, E8
		"role":      "ok", // G9, G10
		"topic":     "ok", // G7, T1 to T5
		"sequence":  "ok", // E5, E9, G11
		"seal":      "ok", // E10, E11
		"content":   "ok", // E12
		"schema":    "ok", // E13
	}
}

// message builds what the application gets.
func (x *Inbox) message(ctx context.Context, consumer int64, channel string, row *Row, info *SessionInfo, frame int, f *envelope.Frame, again bool) gateway.Message {
	m := gateway.Message{
		ID: gateway.FormatID(f.ID), From: info.From, Channel: channel, Topic: info.Topic, Version: info.Version,
		Type: f.Type, Body: f.Body, At: f.At, Sent: row.T, Re: optionalID(f.Re), Corr: f.Corr, Txn: f.Txn, Attrs: f.Attrs,
		Checks: checks(), Redelivered: again, Late: row.Late, Ack: token(consumer, row.Pos, frame),
	}
	x.attach(ctx, &m, row, frame, f)
	return m
}

// optionalID returns the text of an id, empty for none.
func optionalID(id envelope.ID) string {
	if id.IsZero() {
		return ""
	}
	return gateway.FormatID(id)
}
