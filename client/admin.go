package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/digital-spine/spine/gateway"
)

// Identity is who a gateway is.
type Identity struct {
	DID         string `json:"did"`
	Inst        uint64 `json:"inst"`
	Addr        string `json:"addr"`    // address of its mailbox
	Address     string `json:"address"` // chain account of its DID
	Certificate string `json:"certificate"`
	Package     string `json:"package"`
	Ready       bool   `json:"ready"` // it can send and receive
}

// Identity returns who the gateway is.
func (c *Client) Identity(ctx context.Context) (*Identity, error) {
	var id Identity
	return &id, c.call(ctx, http.MethodGet, "/identity", nil, &id)
}

// PutChannel makes or changes a channel.
func (c *Client) PutChannel(ctx context.Context, ch gateway.Channel) error {
	return c.call(ctx, http.MethodPut, "/channels/"+url.PathEscape(ch.Name), ch, nil)
}

// Topic is what a topic's owner publishes: a schema under a version.
type Topic struct {
	Version string          `json:"version"`
	Kind    string          `json:"kind,omitempty"`  // json (default), csv or binary
	Schema  json.RawMessage `json:"schema"`          // JSON Schema, table metadata, or media types
	Order   string          `json:"order,omitempty"` // strict (default) or prompt
}

// PutTopic signs and publishes a topic under the gateway's DID.
func (c *Client) PutTopic(ctx context.Context, name string, t Topic) error {
	return c.call(ctx, http.MethodPut, "/topics/"+url.PathEscape(name), t, nil)
}

// Name is what stands under a name on the chain.
type Name struct {
	Kind       string          `json:"kind"` // organisation, application, role
	Definition json.RawMessage `json:"definition,omitempty"`
}

// PutName makes or changes a name, by transactions of the gateway's DID.
func (c *Client) PutName(ctx context.Context, name string, n Name) error {
	return c.call(ctx, http.MethodPut, "/names/"+url.PathEscape(name), n, nil)
}

// Enrolment is a request for a role and what became of it.
type Enrolment struct {
	ID      string `json:"id"`
	Role    string `json:"role"`
	Subject string `json:"subject"`
	Status  string `json:"status"` // requested, issued, rejected
	Digest  string `json:"digest,omitempty"`
}

// Enrol asks for a role in the name of the gateway's DID.
func (c *Client) Enrol(ctx context.Context, role string) (*Enrolment, error) {
	var e Enrolment
	return &e, c.call(ctx, http.MethodPost, "/enrolments", map[string]string{"role": role}, &e)
}

// Enrolments lists requests by role, subject, issuer and status; empty ones do
// not filter.
func (c *Client) Enrolments(ctx context.Context, role, subject, issuer, status string) ([]Enrolment, error) {
	q := url.Values{}
	for k, v := range map[string]string{"role": role, "subject": subject, "issuer": issuer, "status": status} {
		if v != "" {
			q.Set(k, v)
		}
	}
	var out struct {
		Enrolments []Enrolment `json:"enrolments"`
	}
	err := c.call(ctx, http.MethodGet, "/enrolments?"+q.Encode(), nil, &out)
	return out.Enrolments, err
}

// Credential is a role credential known to the gateway.
type Credential struct {
	Digest     string `json:"digest"`
	Role       string `json:"role"`
	Subject    string `json:"subject"`
	Issuer     string `json:"issuer"`
	ValidUntil int64  `json:"validUntil,omitempty"` // ms since 1970, 0: no end
	Revoked    int64  `json:"revoked,omitempty"`    // ms since 1970, 0: not
}

// Issue grants a request: the gateway signs the credential with its DID's key
// and publishes it at the hub.
func (c *Client) Issue(ctx context.Context, enrolment string) (*Credential, error) {
	var out Credential
	return &out, c.call(ctx, http.MethodPost, "/enrolments/"+url.PathEscape(enrolment)+"/issue", map[string]any{}, &out)
}

// Credentials are the credentials a gateway knows.
type Credentials struct {
	Held   []Credential `json:"held"`   // of its own DID
	Issued []Credential `json:"issued"` // by its own DID
}

// Credentials lists the credentials that the gateway's DID holds and issued.
func (c *Client) Credentials(ctx context.Context) (*Credentials, error) {
	var out Credentials
	return &out, c.call(ctx, http.MethodGet, "/credentials", nil, &out)
}

// Holders lists who holds a role, by credentials that the gateway verified.
func (c *Client) Holders(ctx context.Context, role string) ([]Credential, error) {
	var out struct {
		Holders []Credential `json:"holders"`
	}
	err := c.call(ctx, http.MethodGet, "/roles/"+url.PathEscape(role)+"/holders", nil, &out)
	return out.Holders, err
}

// Revoke ends a credential that this gateway issued.
func (c *Client) Revoke(ctx context.Context, digest, reason string) error {
	return c.call(ctx, http.MethodPost, "/credentials/"+url.PathEscape(digest)+"/revoke", map[string]string{"reason": reason}, nil)
}
