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

// Stream is an open WebSocket that messages arrive on.
type Stream struct{ conn *websocket.Conn }

// Stream opens a stream of messages. One goroutine may call Next while others
// acknowledge.
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
	return &Stream{conn}, nil
}

// Next waits for the next message.
func (s *Stream) Next(ctx context.Context) (*gateway.Message, error) {
	for {
		_, b, err := s.conn.Read(ctx)
		if err != nil {
			return nil, fmt.Errorf("read stream: %w", err)
		}
		var m gateway.Message
		if err := json.Unmarshal(b, &m); err != nil {
			return nil, fmt.Errorf("read stream: %w", err)
		}
		if m.ID != "" && m.Ack != "" { // others are answers to acknowledgements
			return &m, nil
		}
	}
}

// Ack acknowledges messages on the stream. The gateway answers on the stream
// when it is durable; a caller that must know uses Client.Ack.
func (s *Stream) Ack(ctx context.Context, tokens ...string) error {
	b, err := json.Marshal(map[string]any{"ack": tokens})
	if err != nil {
		return err
	}
	return s.conn.Write(ctx, websocket.MessageText, b)
}

// Close ends the stream.
func (s *Stream) Close() error { return s.conn.Close(websocket.StatusNormalClosure, "") }
