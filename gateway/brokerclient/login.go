package brokerclient

import (
	"context"
	"time"

	"github.com/digital-spine/spine/gateway/upstream"
)

// Network are the constants a server tells at login.
type Network = upstream.Network

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

// Login presents a certificate and a spine/login structure signed by its key,
// and keeps the bearer for later calls.
func (c *Client) Login(ctx context.Context, certificate, login []byte) (*Login, error) {
	var more struct {
		NATS NATS `json:"nats"`
	}
	l, err := c.Client.Login(ctx, certificate, login, &more)
	if err != nil {
		return nil, err
	}
	return &Login{Token: l.Token, Expires: l.Expires, Network: l.Network, NATS: more.NATS}, nil
}
