// Package client is the Go SDK of a participant system: it talks to the
// participant's own gateway over its REST and WebSocket API.
//
// It holds no keys but an API key and knows nothing of the broker, the hub or
// the message protocol: all of that is the gateway's work.
package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/httpkit"
)

// Client calls one gateway. Its methods may be called from many goroutines.
// Errors of the gateway have its stable codes (ErrorCode).
type Client struct {
	base string
	key  string
	http *http.Client
}

// New returns a client of the gateway at baseURL, such as
// http://127.0.0.1:8080, that shows apiKey with every call.
func New(baseURL, apiKey string) *Client {
	return &Client{base: strings.TrimSuffix(baseURL, "/") + "/api/v1", key: apiKey, http: httpkit.Client(0)}
}

// call sends one request; see httpkit.DoJSON for its errors.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	return httpkit.DoJSON(ctx, c.http, method, c.base+path, c.key, in, out)
}

// Send hands one message over. State "accepted" means that it is with the
// broker, "waiting" that it will be: in both cases it is durable.
func (c *Client) Send(ctx context.Context, d gateway.Draft) (gateway.Accepted, error) {
	var a gateway.Accepted
	err := c.call(ctx, http.MethodPost, "/messages", d, &a)
	return a, err
}

// Result is the answer to one draft of a batch.
type Result struct {
	gateway.Accepted
	Problem *Problem `json:"problem,omitempty"`
}

// Problem says why a draft of a batch was not accepted.
type Problem struct {
	Code   string `json:"code"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Hint   string `json:"hint"`
}

// Error implements error.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// ErrorCode returns the stable code.
func (p *Problem) ErrorCode() string { return p.Code }

// SendBatch hands over up to gateway.MaxBatch messages. Entry i of the result
// belongs to draft i; an error means that nothing is known about any of them.
func (c *Client) SendBatch(ctx context.Context, drafts []gateway.Draft) ([]Result, error) {
	var out struct {
		Results []Result `json:"results"`
	}
	in := struct {
		Messages []gateway.Draft `json:"messages"`
	}{drafts}
	err := c.call(ctx, http.MethodPost, "/messages/batch", in, &out)
	return out.Results, err
}

// Status tells what became of a message that was sent.
func (c *Client) Status(ctx context.Context, id string) (*gateway.MessageStatus, error) {
	var s gateway.MessageStatus
	return &s, c.call(ctx, http.MethodGet, "/messages/"+url.PathEscape(id), nil, &s)
}

// Receive are the parameters of a pull.
type Receive struct {
	Channel  string        // empty: all channels
	Consumer string        // empty: gateway.DefaultConsumer
	Max      int           // 0: the gateway's default
	Wait     time.Duration // how long to wait for the first message
}

func (r Receive) query() string {
	q := url.Values{}
	if r.Channel != "" {
		q.Set("channel", r.Channel)
	}
	if r.Consumer != "" {
		q.Set("consumer", r.Consumer)
	}
	if r.Max > 0 {
		q.Set("max", strconv.Itoa(r.Max))
	}
	if r.Wait > 0 {
		q.Set("wait", r.Wait.String())
	}
	return "?" + q.Encode()
}

// Receive returns the next messages, none when there are none within r.Wait.
// What is not acknowledged comes again, marked as redelivered.
func (c *Client) Receive(ctx context.Context, r Receive) ([]gateway.Message, error) {
	var out struct {
		Messages []gateway.Message `json:"messages"`
	}
	err := c.call(ctx, http.MethodGet, "/messages"+r.query(), nil, &out)
	return out.Messages, err
}

// Ack acknowledges messages by their tokens; durable when it returns nil.
func (c *Client) Ack(ctx context.Context, tokens ...string) error {
	if len(tokens) == 0 {
		return nil
	}
	return c.call(ctx, http.MethodPost, "/acks", map[string]any{"acks": tokens}, nil)
}

// Events returns the events after number after, waiting for the first, and the
// number to go on from. An empty kind means all.
func (c *Client) Events(ctx context.Context, after int64, wait time.Duration, kind string) ([]gateway.Event, int64, error) {
	q := url.Values{"after": {strconv.FormatInt(after, 10)}}
	if wait > 0 {
		q.Set("wait", wait.String())
	}
	if kind != "" {
		q.Set("kind", kind)
	}
	var out struct {
		Events []gateway.Event `json:"events"`
		Next   int64           `json:"next"`
	}
	err := c.call(ctx, http.MethodGet, "/events?"+q.Encode(), nil, &out)
	return out.Events, out.Next, err
}
