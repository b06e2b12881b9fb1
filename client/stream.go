package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"github.com/digital-spine/spine/gateway"
)

// maxFrame bounds one WebSocket message, in bytes.
const maxFrame = 16 << 20

// Stream is an open WebSocket that messages arrive on. One goroutine uses it.
type Stream struct {
	conn  *websocket.Conn
	queue []gateway.Message // read while an answer was waited for
}

// Stream opens a stream of messages. The gateway stops handing over when many
// are not acknowledged, so a stream's messages are acknowledged on it.
func (c *Client) Stream(ctx context.Context, r Receive) (*Stream, error) {
	u := "ws" + strings.TrimPrefix(c.base, "http") + "/stream" + r.query()
	conn, resp, err := websocket.Dial(ctx, u, &websocket.DialOptions{
		HTTPClient: c.http, HTTPHeader: http.Header{"Authorization": {"Bearer " + c.key}},
	})
	if err != nil {
		if resp != nil {
			return nil, fmt.Errorf("open stream: the gateway answered %s: %w", resp.Status, err)
		}
		return nil, fmt.Errorf("open stream: %w", err)
	}
	conn.SetReadLimit(maxFrame)
	return &Stream{conn: conn}, nil
}

// frame is what the gateway sends: a message, or the answer to a request.
type frame struct {
	gateway.Message
	Acked   *int     `json:"acked"`
	Problem *Problem `json:"problem"`
}

func (s *Stream) read(ctx context.Context) (*frame, error) {
	_, b, err := s.conn.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("read stream: %w", err)
	}
	var f frame
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("read stream: %w", err)
	}
	return &f, nil
}

// Next waits for the next message.
func (s *Stream) Next(ctx context.Context) (*gateway.Message, error) {
	for {
		if len(s.queue) > 0 {
			m := s.queue[0]
			s.queue = s.queue[1:]
			return &m, nil
		}
		f, err := s.read(ctx)
		if err != nil {
			return nil, err
		}
		if f.ID != "" {
			return &f.Message, nil
		}
	}
}

// Ack acknowledges messages and waits for the answer; durable when it returns
// nil.
func (s *Stream) Ack(ctx context.Context, tokens ...string) error {
	b, err := json.Marshal(map[string]any{"ack": tokens})
	if err != nil {
		return err
	}
	if err := s.conn.Write(ctx, websocket.MessageText, b); err != nil {
		return fmt.Errorf("write stream: %w", err)
	}
	for {
		f, err := s.read(ctx)
		switch {
		case err != nil:
			return err
		case f.Problem != nil:
			return f.Problem
		case f.Acked != nil:
			return nil
		case f.ID != "":
			s.queue = append(s.queue, f.Message) // bounded by the gateway's window
		}
	}
}

// Close ends the stream.
func (s *Stream) Close() error { return s.conn.Close(websocket.StatusNormalClosure, "") }
