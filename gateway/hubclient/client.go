// Package hubclient speaks the hub's HTTP API /api/v1 for a gateway: login,
// credentials and status lists by digest and id, holders of a role, enrolments
// and the feed of changes.
//
// It moves bytes and checks shapes and sizes, nothing else. The hub is a cache
// that is not trusted: gateway/trust verifies what comes from here by
// signatures and by the chain.
package hubclient

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/digital-spine/spine/internal/httpkit"
	"github.com/digital-spine/spine/internal/problem"
)

// Bounds on what the hub may answer with; more is refused.
const (
	MaxCredential = 16 << 10 // bytes of one role credential; its longest fields come to less
	MaxStatusList = 64 << 10 // bytes of one status list credential, as vc.MaxSize
	MaxHolders    = 20_000   // holders of one role, or credentials of one subject
	MaxEvents     = 10_000   // events of one answer of the feed
)

// ErrNotFound says that the hub has no such thing, or says so.
var ErrNotFound = errors.New("not at the hub")

// ErrNoLogin says that no bearer is known yet for a call that needs one.
var ErrNoLogin = errors.New("not logged in to the hub")

// Client calls one hub. Its methods may be called from many goroutines.
type Client struct {
	base    string
	hc      *http.Client
	date    dated
	token   atomic.Pointer[string]
	refused atomic.Pointer[func()]
}

// New returns a client of the hub at base, the URL of the network file without
// trailing slash. hc is copied; its timeout must leave room for the long poll
// of Feed.
func New(base string, hc *http.Client) *Client {
	c := &Client{base: base}
	own := *hc
	c.date.next = own.Transport
	if c.date.next == nil {
		c.date.next = http.DefaultTransport
	}
	own.Transport = &c.date
	c.hc = &own
	return c
}

// URL is the hub's base URL, the origin of logins.
func (c *Client) URL() string { return c.base }

// ServerTime is the server's clock as its newest answer told it, to the second;
// zero before the first one.
func (c *Client) ServerTime() time.Time { return c.date.time() }

// OnUnauthorized has fn called when the server refuses the bearer: it ended, or
// the server lost it. fn must not block.
func (c *Client) OnUnauthorized(fn func()) { c.refused.Store(&fn) }

// failed makes a 404 recognisable by errors.Is and tells of a 401.
func (c *Client) failed(err error) error {
	var p *problem.Error
	if !errors.As(err, &p) {
		return err
	}
	switch p.Status {
	case http.StatusNotFound:
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case http.StatusUnauthorized:
		if fn := c.refused.Load(); fn != nil && c.bearer() != "" {
			(*fn)()
		}
	}
	return err
}

// SetToken sets the bearer of later calls; Login sets it too.
func (c *Client) SetToken(token string) { c.token.Store(&token) }

func (c *Client) bearer() string {
	if t := c.token.Load(); t != nil {
		return *t
	}
	return ""
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	if err := httpkit.DoJSON(ctx, c.hc, method, c.base+"/api/v1/"+path, c.bearer(), in, out); err != nil {
		return fmt.Errorf("hub: %s %s: %w", method, path, c.failed(err))
	}
	return nil
}

// write is call for what needs the login.
func (c *Client) write(ctx context.Context, method, path string, in, out any) error {
	if c.bearer() == "" {
		return fmt.Errorf("hub: %s %s: %w", method, path, ErrNoLogin)
	}
	return c.call(ctx, method, path, in, out)
}

// Network are the constants a server tells at login. They must equal those of
// the network file.
type Network struct {
	RetentionMS int64 `json:"retention_ms"`
	StatusTTLMS int64 `json:"status_ttl_ms"`
	Wire        int64 `json:"wire"`
	Cap         int64 `json:"cap"`
}

// Login is the hub's answer to a login.
type Login struct {
	Token   string
	Expires time.Time
	Network Network
}

// Challenge asks for a nonce, good for one login within 60 s.
func (c *Client) Challenge(ctx context.Context) ([32]byte, error) {
	var out struct {
		Nonce string `json:"nonce"`
	}
	var nonce [32]byte
	if err := c.call(ctx, http.MethodPost, "challenge", struct{}{}, &out); err != nil {
		return nonce, err
	}
	raw, err := base64.RawURLEncoding.DecodeString(out.Nonce)
	if err != nil || len(raw) != len(nonce) {
		return nonce, invalid("the nonce is not 32 bytes of base64url")
	}
	copy(nonce[:], raw)
	return nonce, nil
}

// Login presents a certificate and a spine/login structure signed by its key,
// and keeps the bearer for later calls.
func (c *Client) Login(ctx context.Context, certificate, login []byte) (*Login, error) {
	in := map[string]string{"certificate": b64(certificate), "login": b64(login)}
	var out struct {
		Token   string  `json:"token"`
		Expires int64   `json:"expires"`
		Network Network `json:"network"`
	}
	if err := c.call(ctx, http.MethodPost, "login", in, &out); err != nil {
		return nil, err
	}
	if out.Token == "" || out.Expires <= 0 {
		return nil, fmt.Errorf("login: %w", invalid("no token"))
	}
	c.SetToken(out.Token)
	return &Login{Token: out.Token, Expires: time.UnixMilli(out.Expires), Network: out.Network}, nil
}

// Name returns what the hub's index says about a name, as JSON.
func (c *Client) Name(ctx context.Context, name string) (json.RawMessage, error) {
	var out json.RawMessage
	return out, c.call(ctx, http.MethodGet, "names/"+url.PathEscape(name), nil, &out)
}

// Role returns the hub's copy of a role definition, as JSON.
func (c *Client) Role(ctx context.Context, name string) (json.RawMessage, error) {
	var out json.RawMessage
	return out, c.call(ctx, http.MethodGet, "roles/"+url.PathEscape(name), nil, &out)
}

// Document returns the hub's copy of a DID document, as JSON.
func (c *Client) Document(ctx context.Context, did string) (json.RawMessage, error) {
	var out json.RawMessage
	return out, c.call(ctx, http.MethodGet, "dids/"+url.PathEscape(did), nil, &out)
}

// Holder says that a DID holds a role by a credential. It is a hint where to
// look, not a fact.
type Holder struct {
	DID        string
	Credential [32]byte // H of the credential's bytes
}

// Holders lists who holds a role, at most MaxHolders.
func (c *Client) Holders(ctx context.Context, role string) ([]Holder, error) {
	var out struct {
		Holders []struct {
			DID        string `json:"did"`
			Credential string `json:"credential"`
		} `json:"holders"`
	}
	if err := c.call(ctx, http.MethodGet, "roles/"+url.PathEscape(role)+"/holders?limit="+strconv.Itoa(MaxHolders), nil, &out); err != nil {
		return nil, err
	}
	if len(out.Holders) > MaxHolders {
		return nil, invalid("more holders than a role may have")
	}
	list := make([]Holder, 0, len(out.Holders))
	for _, h := range out.Holders {
		d, err := digest(h.Credential)
		if err != nil {
			return nil, err
		}
		list = append(list, Holder{DID: h.DID, Credential: d})
	}
	return list, nil
}

// Credential returns the bytes of a credential as they were issued, or
// ErrNotFound.
func (c *Client) Credential(ctx context.Context, dig [32]byte) ([]byte, error) {
	path := "credentials/" + hex.EncodeToString(dig[:])
	raw, err := httpkit.Do(ctx, c.hc, http.MethodGet, c.base+"/api/v1/"+path, c.bearer(), "", nil)
	if err != nil {
		return nil, fmt.Errorf("hub: get %s: %w", path, c.failed(err))
	}
	if len(raw) == 0 || len(raw) > MaxCredential {
		return nil, invalid("a credential is empty or too large")
	}
	return raw, nil
}

// Credential is what the hub lists about one credential of a subject.
type Credential struct {
	Digest [32]byte
	Role   string
	Issuer string
}

// CredentialsOf lists the credentials of a subject, at most MaxHolders.
func (c *Client) CredentialsOf(ctx context.Context, subject string) ([]Credential, error) {
	var out struct {
		Credentials []struct {
			Digest string `json:"digest"`
			Role   string `json:"role"`
			Issuer string `json:"issuer"`
		} `json:"credentials"`
	}
	if err := c.call(ctx, http.MethodGet, "credentials?subject="+url.QueryEscape(subject)+"&limit="+strconv.Itoa(MaxHolders), nil, &out); err != nil {
		return nil, err
	}
	if len(out.Credentials) > MaxHolders {
		return nil, invalid("more credentials than a subject may have")
	}
	list := make([]Credential, 0, len(out.Credentials))
	for _, e := range out.Credentials {
		d, err := digest(e.Digest)
		if err != nil {
			return nil, err
		}
		list = append(list, Credential{Digest: d, Role: e.Role, Issuer: e.Issuer})
	}
	return list, nil
}

// PublishCredential stores a credential that this gateway issued and returns
// its digest.
func (c *Client) PublishCredential(ctx context.Context, raw []byte) ([32]byte, error) {
	var zero [32]byte
	if c.bearer() == "" {
		return zero, fmt.Errorf("hub: publish credential: %w", ErrNoLogin)
	}
	answer, err := httpkit.Do(ctx, c.hc, http.MethodPost, c.base+"/api/v1/credentials", c.bearer(), "application/vc+json", raw)
	if err != nil {
		return zero, fmt.Errorf("hub: publish credential: %w", c.failed(err))
	}
	var out struct {
		Digest string `json:"digest"`
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		return zero, invalid("no digest")
	}
	return digest(out.Digest)
}

// Status is a status list credential with the newest signed freshness and the
// certificate of the key that signed the freshness, all as raw bytes.
type Status struct {
	List        []byte
	Freshness   []byte
	Certificate []byte
}

// Status returns a status list by its id, or ErrNotFound.
func (c *Client) Status(ctx context.Context, list string) (*Status, error) {
	var out struct {
		List        string `json:"list"`
		Freshness   string `json:"freshness"`
		Certificate string `json:"certificate"`
	}
	if err := c.call(ctx, http.MethodGet, "status?list="+url.QueryEscape(list), nil, &out); err != nil {
		return nil, err
	}
	var s Status
	for _, f := range []struct {
		to   *[]byte
		from string
	}{{&s.List, out.List}, {&s.Freshness, out.Freshness}, {&s.Certificate, out.Certificate}} {
		raw, err := base64.RawURLEncoding.DecodeString(f.from)
		if err != nil || len(raw) == 0 || len(raw) > MaxStatusList {
			return nil, invalid("a status list is not base64url, empty or too large")
		}
		*f.to = raw
	}
	return &s, nil
}

// PublishStatus stores a status list of this gateway with its freshness. An
// unchanged list is sent again with each new freshness.
func (c *Client) PublishStatus(ctx context.Context, s Status) error {
	return c.write(ctx, http.MethodPut, "status-lists", map[string]string{
		"list": b64(s.List), "freshness": b64(s.Freshness), "certificate": b64(s.Certificate)}, nil)
}

// Event is one line of the feed: something changed, look again. Fields that do
// not apply are empty.
type Event struct {
	N       uint64 `json:"n"`
	Type    string `json:"type"` // credential, revocation, status, role, did, name
	Subject string `json:"subject,omitempty"`
	Role    string `json:"role,omitempty"`
	Digest  string `json:"digest,omitempty"` // lower hex
	List    string `json:"list,omitempty"`
}

// End is a number that no event reaches: Feed after it returns at once, with
// the number of the newest event as Next.
const End uint64 = 1 << 53

// News is one answer of the feed.
type News struct {
	Events []Event
	Next   uint64 // to ask from next time
	Reset  bool   // the hub forgot events in between, or all: look everything up anew
}

// Feed returns the events after number after, waiting up to wait for the first
// one.
func (c *Client) Feed(ctx context.Context, after uint64, wait time.Duration) (*News, error) {
	var out struct {
		Events []Event `json:"events"`
		Next   uint64  `json:"next"`
		Reset  bool    `json:"reset"`
	}
	q := "feed?after=" + strconv.FormatUint(after, 10) + "&wait=" + url.QueryEscape(wait.String())
	if err := c.call(ctx, http.MethodGet, q, nil, &out); err != nil {
		return nil, err
	}
	if len(out.Events) > MaxEvents {
		return nil, invalid("more events than one answer may hold")
	}
	return &News{Events: out.Events, Next: out.Next, Reset: out.Reset}, nil
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func digest(s string) ([32]byte, error) {
	var d [32]byte
	if len(s) != 64 {
		return d, invalid("not a digest")
	}
	if _, err := hex.Decode(d[:], []byte(s)); err != nil {
		return d, invalid("not a digest")
	}
	return d, nil
}

func invalid(what string) error {
	return fmt.Errorf("hub: %w", problem.New(http.StatusBadGateway, "answer_invalid", "the hub's answer is not what it documents: "+what))
}

// dated remembers the Date of the newest answer and when it came, for the check
// of the own clock.
type dated struct {
	next http.RoundTripper
	last atomic.Pointer[heard]
}

type heard struct{ date, at time.Time }

func (d *dated) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.next.RoundTrip(r)
	if err == nil {
		if t, bad := http.ParseTime(resp.Header.Get("Date")); bad == nil {
			d.last.Store(&heard{date: t, at: time.Now()})
		}
	}
	return resp, err
}

// time adds what has passed since, by the monotonic clock, which nobody sets.
func (d *dated) time() time.Time {
	h := d.last.Load()
	if h == nil {
		return time.Time{}
	}
	return h.date.Add(time.Since(h.at))
}
