package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
)

// NewWithTransport returns a client without an API key, whose requests go
// through rt: a web console adds the visitor's own cookie and CSRF token there,
// or calls the API's handler in its own process.
func NewWithTransport(baseURL string, rt http.RoundTripper) *Client {
	hc := httpkit.Client(0)
	hc.Transport = rt
	return &Client{base: strings.TrimSuffix(baseURL, "/") + "/api/v1", http: hc}
}

// Link makes a link that opens the console once, within ten minutes. Empty
// scopes mean all; name is for people.
func (c *Client) Link(ctx context.Context, scopes []string, name string) (*gateway.Link, error) {
	in := struct {
		Scopes []string `json:"scopes,omitempty"`
		Name   string   `json:"name,omitempty"`
	}{scopes, name}
	var out gateway.Link
	return &out, c.call(ctx, http.MethodPost, "/sessions/links", in, &out)
}

// OpenSession exchanges the one-time token of a link for a session. The cookies
// are to be given to the browser as they are; code session_invalid.
func (c *Client) OpenSession(ctx context.Context, token string) (*gateway.Session, []*http.Cookie, error) {
	in, err := json.Marshal(map[string]string{"token": token})
	if err != nil {
		return nil, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/sessions", bytes.NewReader(in))
	if err != nil {
		return nil, nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, problem.New(http.StatusBadGateway, "unreachable", "the gateway cannot be reached").Wrap(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, nil, problem.New(http.StatusBadGateway, "unreachable", "the gateway's answer broke off").Wrap(err)
	}
	if resp.StatusCode/100 != 2 {
		return nil, nil, httpkit.DecodeProblem(resp.StatusCode, answer)
	}
	var s gateway.Session
	if err := json.Unmarshal(answer, &s); err != nil {
		return nil, nil, problem.New(http.StatusBadGateway, "answer_invalid", "the gateway's answer is not what it documents").Wrap(err)
	}
	return &s, resp.Cookies(), nil
}

// Session returns the session that the client's calls belong to; codes
// key_missing, session_invalid.
func (c *Client) Session(ctx context.Context) (*gateway.Session, error) {
	var s gateway.Session
	return &s, c.call(ctx, http.MethodGet, "/sessions/current", nil, &s)
}

// EndSession signs out.
func (c *Client) EndSession(ctx context.Context) error {
	return c.call(ctx, http.MethodDelete, "/sessions/current", nil, nil)
}

// EndSessions signs every browser out.
func (c *Client) EndSessions(ctx context.Context) error {
	return c.call(ctx, http.MethodDelete, "/sessions", nil, nil)
}
