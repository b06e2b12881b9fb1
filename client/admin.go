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
	Schema  json.RawMessage `json:"schema"`          // JSON Schema 2020-12
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
	ID         string `json:"id"`
	Role       string `json:"role"`
	Subject    string `json:"subject"`
	Status     string `json:"status"`
	Credential string `json:"credential,omitempty"`
}

// Enrol asks for a role in the name of the gateway's DID.
func (c *Client) Enrol(ctx context.Context, role string) (*Enrolment, error) {
	var e Enrolment
	return &e, c.call(ctx, http.MethodPost, "/enrolments", map[string]string{"role": role}, &e)
}

// Enrolments lists requests: those of the gateway's DID (mine), or those
// that it may decide about as an issuer.
func (c *Client) Enrolments(ctx context.Context, mine bool) ([]Enrolment, error) {
	var out struct {
		Enrolments []Enrolment `json:"enrolments"`
	}
	path := "/enrolments?as=issuer"
	if mine {
		path = "/enrolments?as=subject"
	}
	err := c.call(ctx, http.MethodGet, path, nil, &out)
	return out.Enrolments, err
}

// Issue grants a request: the gateway signs the credential with its DID's key
// and publishes it at the hub.
func (c *Client) Issue(ctx context.Context, enrolment string) (*Enrolment, error) {
	var e Enrolment
	return &e, c.call(ctx, http.MethodPost, "/enrolments/"+url.PathEscape(enrolment)+"/issue", map[string]any{}, &e)
}

// Credential is a role credential known to the gateway.
type Credential struct {
	Digest     string `json:"digest"`
	Role       string `json:"role"`
	Subject    string `json:"subject"`
	Issuer     string `json:"issuer"`
	ValidUntil int64  `json:"validUntil"`
	Revoked    bool   `json:"revoked"`
}

// Credentials lists the credentials of the gateway's DID, or those it issued.
func (c *Client) Credentials(ctx context.Context, issued bool) ([]Credential, error) {
	var out struct {
		Credentials []Credential `json:"credentials"`
	}
	path := "/credentials?as=subject"
	if issued {
		path = "/credentials?as=issuer"
	}
	err := c.call(ctx, http.MethodGet, path, nil, &out)
	return out.Credentials, err
}

// Revoke ends a credential that this gateway issued.
func (c *Client) Revoke(ctx context.Context, digest, reason string) error {
	return c.call(ctx, http.MethodPost, "/credentials/"+url.PathEscape(digest)+"/revoke", map[string]string{"reason": reason}, nil)
}
