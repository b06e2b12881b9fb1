package brokerclient

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"time"
)

// Network are the constants a server tells at login. They must equal those of
// the network file.
type Network struct {
	RetentionMS int64 `json:"retention_ms"`
	StatusTTLMS int64 `json:"status_ttl_ms"`
	Wire        int64 `json:"wire"`
	Cap         int64 `json:"cap"`
}

// NATS says where the data plane is and what of it this mailbox may use.
type NATS struct {
	URL      string `json:"url"`
	Token    string `json:"token"` // bound to the user key named in the login
	Stream   string `json:"stream"`
	Consumer string `json:"consumer"`
	Inbox    string `json:"inbox"` // prefix of reply subjects, unguessable
	PP       int    `json:"pp"`    // the mailbox's partition
	Addr     string `json:"addr"`
}

// Login is the broker's answer to a login.
type Login struct {
	Token   string
	Expires time.Time
	Network Network
	NATS    NATS
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
	in := map[string]string{
		"certificate": base64.RawURLEncoding.EncodeToString(certificate),
		"login":       base64.RawURLEncoding.EncodeToString(login),
	}
	var out struct {
		Token   string  `json:"token"`
		Expires int64   `json:"expires"`
		Network Network `json:"network"`
		NATS    NATS    `json:"nats"`
	}
	if err := c.call(ctx, http.MethodPost, "login", in, &out); err != nil {
		return nil, err
	}
	if out.Token == "" || out.Expires <= 0 {
		return nil, fmt.Errorf("login: %w", invalid("no token"))
	}
	c.SetToken(out.Token)
	return &Login{Token: out.Token, Expires: time.UnixMilli(out.Expires), Network: out.Network, NATS: out.NATS}, nil
}
