// Package upstream is what a gateway's clients of the hub and of the broker have
// in common: the login by certificate and its bearer, the server's clock, and
// how answers that are not as documented are refused.
//
// It knows no operation but the login; gateway/hubclient and
// gateway/brokerclient have those. Nothing here believes a server.
package upstream

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
)

// ErrNoLogin says that no bearer is known yet for a call that needs one.
var ErrNoLogin = problem.New(http.StatusServiceUnavailable, "not_ready", "the gateway is not logged in there yet").WithHint("try again in a moment; the gateway logs in by itself")

// Network are the constants a server tells at login. They must equal those of
// the network file.
type Network struct {
	RetentionMS int64 `json:"retention_ms"`
	StatusTTLMS int64 `json:"status_ttl_ms"`
	Wire        int64 `json:"wire"`
	Cap         int64 `json:"cap"`
}

// Login is what a server answers to a login.
type Login struct {
	Token   string
	Expires time.Time
	Network Network
}

// Client calls one server's API /api/v1. Its methods may be called from many
// goroutines.
type Client struct {
	system   string // in errors
	base     string
	notFound error
	hc       *http.Client
	date     dated
	token    atomic.Pointer[string]
	refused  atomic.Pointer[func()]
}

// New returns a client of a system ("hub") at base, the URL of the network file
// without trailing slash. An answer 404 becomes notFound. hc is copied; it
// bounds connections and time.
func New(system, base string, notFound error, hc *http.Client) *Client {
	c := &Client{system: system, base: base, notFound: notFound}
	own := *hc
	c.date.next = own.Transport
	if c.date.next == nil {
		c.date.next = http.DefaultTransport
	}
	own.Transport = &c.date
	c.hc = &own
	return c
}

// URL is the server's base URL, the origin of logins.
func (c *Client) URL() string { return c.base }

// HTTP is the client that calls go through.
func (c *Client) HTTP() *http.Client { return c.hc }

// ServerTime is the server's clock as its newest answer told it, to the second;
// zero before the first one.
func (c *Client) ServerTime() time.Time { return c.date.time() }

// OnUnauthorized has fn called when the server refuses the bearer: it ended, or
// the server lost it. fn must not block.
func (c *Client) OnUnauthorized(fn func()) { c.refused.Store(&fn) }

// SetToken sets the bearer of later calls; Login sets it too.
func (c *Client) SetToken(token string) { c.token.Store(&token) }

// Bearer is the token of calls, "" before a login.
func (c *Client) Bearer() string {
	if t := c.token.Load(); t != nil {
		return *t
	}
	return ""
}

// LoggedIn returns ErrNoLogin, as an error of what was to be done, while no
// bearer is known.
func (c *Client) LoggedIn(what string) error {
	if c.Bearer() == "" {
		return fmt.Errorf("%s: %s: %w", c.system, what, ErrNoLogin)
	}
	return nil
}

// Failed makes a 404 recognisable by errors.Is and tells of a 401.
func (c *Client) Failed(err error) error {
	var p *problem.Error
	if !errors.As(err, &p) {
		return err
	}
	switch p.Status {
	case http.StatusNotFound:
		return fmt.Errorf("%w: %w", c.notFound, err)
	case http.StatusUnauthorized:
		if fn := c.refused.Load(); fn != nil && c.Bearer() != "" {
			(*fn)()
		}
	}
	return err
}

// Call sends in as JSON and decodes the answer into out, see httpkit.DoJSON.
func (c *Client) Call(ctx context.Context, method, path string, in, out any) error {
	if err := httpkit.DoJSON(ctx, c.hc, method, c.base+"/api/v1/"+path, c.Bearer(), in, out); err != nil {
		return fmt.Errorf("%s: %s %s: %w", c.system, method, path, c.Failed(err))
	}
	return nil
}

// Do sends bytes, or nothing when body is nil, and returns those of the answer.
func (c *Client) Do(ctx context.Context, method, path, contentType string, body []byte) ([]byte, error) {
	raw, err := httpkit.Do(ctx, c.hc, method, c.base+"/api/v1/"+path, c.Bearer(), contentType, body)
	if err != nil {
		return nil, fmt.Errorf("%s: %s %s: %w", c.system, method, path, c.Failed(err))
	}
	return raw, nil
}

// Invalid is the error of an answer that is not as documented, code
// answer_invalid.
func (c *Client) Invalid(what string) error {
	return fmt.Errorf("%s: %w", c.system, problem.New(http.StatusBadGateway, "answer_invalid", "the "+c.system+"'s answer is not what it documents: "+what))
}

// Digest reads 64 hexadecimal digits of an answer.
func (c *Client) Digest(s string) (d [32]byte, err error) {
	if len(s) != 2*len(d) {
		return d, c.Invalid("not a digest")
	}
	if _, err := hex.Decode(d[:], []byte(s)); err != nil {
		return d, c.Invalid("not a digest")
	}
	return d, nil
}

// Challenge asks for a nonce, good for one login within 60 s.
func (c *Client) Challenge(ctx context.Context) (nonce [32]byte, err error) {
	var out struct {
		Nonce string `json:"nonce"`
	}
	if err := c.Call(ctx, http.MethodPost, "challenge", struct{}{}, &out); err != nil {
		return nonce, err
	}
	raw, err := base64.RawURLEncoding.DecodeString(out.Nonce)
	if err != nil || len(raw) != len(nonce) {
		return nonce, c.Invalid("the nonce is not 32 bytes of base64url")
	}
	return [32]byte(raw), nil
}

// Login presents a certificate and a spine/login structure signed by its key,
// and keeps the bearer for later calls. What else the server answers is decoded
// into more, which may be nil.
func (c *Client) Login(ctx context.Context, certificate, login []byte, more any) (*Login, error) {
	in := map[string]string{
		"certificate": base64.RawURLEncoding.EncodeToString(certificate),
		"login":       base64.RawURLEncoding.EncodeToString(login),
	}
	var answer json.RawMessage
	if err := c.Call(ctx, http.MethodPost, "login", in, &answer); err != nil {
		return nil, err
	}
	var out struct {
		Token   string  `json:"token"`
		Expires int64   `json:"expires"`
		Network Network `json:"network"`
	}
	err := json.Unmarshal(answer, &out)
	if err == nil && more != nil {
		err = json.Unmarshal(answer, more)
	}
	if err != nil || out.Token == "" || out.Expires <= 0 {
		return nil, c.Invalid("no login")
	}
	c.SetToken(out.Token)
	return &Login{Token: out.Token, Expires: time.UnixMilli(out.Expires), Network: out.Network}, nil
}
