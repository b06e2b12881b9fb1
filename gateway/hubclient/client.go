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
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/digital-spine/spine/gateway/upstream"
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
var ErrNoLogin = upstream.ErrNoLogin

// Network and Login are as at every server.
type (
	Network = upstream.Network
	Login   = upstream.Login
)

// Client calls one hub. Its methods may be called from many goroutines.
type Client struct{ *upstream.Client }

// New returns a client of the hub at base, the URL of the network file without
// trailing slash. hc is copied; its timeout must leave room for the long poll
// of Feed.
func New(base string, hc *http.Client) *Client {
	return &Client{upstream.New("hub", base, ErrNotFound, hc)}
}

// Login presents a certificate and a spine/login structure signed by its key,
// and keeps the bearer for later calls.
func (c *Client) Login(ctx context.Context, certificate, login []byte) (*Login, error) {
	return c.Client.Login(ctx, certificate, login, nil)
}

// write is Call for what needs the login.
func (c *Client) write(ctx context.Context, method, path string, in, out any) error {
	if err := c.LoggedIn(method + " " + path); err != nil {
		return err
	}
	return c.Call(ctx, method, path, in, out)
}

// Name returns what the hub's index says about a name, as JSON.
func (c *Client) Name(ctx context.Context, name string) (json.RawMessage, error) {
	var out json.RawMessage
	return out, c.Call(ctx, http.MethodGet, "names/"+url.PathEscape(name), nil, &out)
}

// Role returns the hub's copy of a role definition, as JSON.
func (c *Client) Role(ctx context.Context, name string) (json.RawMessage, error) {
	var out json.RawMessage
	return out, c.Call(ctx, http.MethodGet, "roles/"+url.PathEscape(name), nil, &out)
}

// Document returns the hub's copy of a DID document, as JSON.
func (c *Client) Document(ctx context.Context, did string) (json.RawMessage, error) {
	var out json.RawMessage
	return out, c.Call(ctx, http.MethodGet, "dids/"+url.PathEscape(did), nil, &out)
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
	if err := c.Call(ctx, http.MethodGet, "roles/"+url.PathEscape(role)+"/holders?limit="+strconv.Itoa(MaxHolders), nil, &out); err != nil {
		return nil, err
	}
	if len(out.Holders) > MaxHolders {
		return nil, c.Invalid("more holders than a role may have")
	}
	list := make([]Holder, 0, len(out.Holders))
	for _, h := range out.Holders {
		d, err := c.Digest(h.Credential)
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
	raw, err := c.Do(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return nil, err
	}
	if len(raw) == 0 || len(raw) > MaxCredential {
		return nil, c.Invalid("a credential is empty or too large")
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
	if err := c.Call(ctx, http.MethodGet, "credentials?subject="+url.QueryEscape(subject)+"&limit="+strconv.Itoa(MaxHolders), nil, &out); err != nil {
		return nil, err
	}
	if len(out.Credentials) > MaxHolders {
		return nil, c.Invalid("more credentials than a subject may have")
	}
	list := make([]Credential, 0, len(out.Credentials))
	for _, e := range out.Credentials {
		d, err := c.Digest(e.Digest)
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
	if err := c.LoggedIn("publish credential"); err != nil {
		return zero, err
	}
	answer, err := c.Do(ctx, http.MethodPost, "credentials", "application/vc+json", raw)
	if err != nil {
		return zero, err
	}
	var out struct {
		Digest string `json:"digest"`
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		return zero, c.Invalid("no digest")
	}
	return c.Digest(out.Digest)
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
	if err := c.Call(ctx, http.MethodGet, "status?list="+url.QueryEscape(list), nil, &out); err != nil {
		return nil, err
	}
	var s Status
	for _, f := range []struct {
		to   *[]byte
		from string
	}{{&s.List, out.List}, {&s.Freshness, out.Freshness}, {&s.Certificate, out.Certificate}} {
		raw, err := base64.RawURLEncoding.DecodeString(f.from)
		if err != nil || len(raw) == 0 || len(raw) > MaxStatusList {
			return nil, c.Invalid("a status list is not base64url, empty or too large")
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
	if err := c.Call(ctx, http.MethodGet, q, nil, &out); err != nil {
		return nil, err
	}
	if len(out.Events) > MaxEvents {
		return nil, c.Invalid("more events than one answer may hold")
	}
	return &News{Events: out.Events, Next: out.Next, Reset: out.Reset}, nil
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
