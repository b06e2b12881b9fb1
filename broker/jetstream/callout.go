package jetstream

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/bus"
)

// Admitter decides connection attempts; *broker.Broker does.
type Admitter interface {
	Admit(broker.Connecting) (*broker.Session, error)
}

// Callout answers the bus server's question who a client is. Every broker
// process runs one; the server asks any of them.
type Callout struct {
	nc     *nats.Conn
	admit  Admitter
	issuer nkeys.KeyPair
	curve  nkeys.KeyPair
	log    *slog.Logger
}

// StartCallout begins to answer; it stops with Close.
func StartCallout(srv *bus.Server, admit Admitter, log *slog.Logger) (*Callout, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	nc, err := srv.Connect(bus.AccountAuth)
	if err != nil {
		return nil, err
	}
	c := &Callout{nc: nc, admit: admit, issuer: srv.Issuer(), curve: srv.Curve(), log: log}
	if _, err := nc.QueueSubscribe("$SYS.REQ.USER.AUTH", "callout", func(m *nats.Msg) {
		// Each on its own: one attempt costs two signatures.
		go c.answer(m)
	}); err != nil {
		nc.Close()
		return nil, fmt.Errorf("callout: %w", err)
	}
	if err := nc.Flush(); err != nil {
		nc.Close()
		return nil, fmt.Errorf("callout: %w", err)
	}
	return c, nil
}

// Close stops answering; new connections are refused, existing ones live on.
func (c *Callout) Close() { c.nc.Close() }

// answer handles one request. Requests are encrypted, so that tokens are not
// visible to others in the account.
func (c *Callout) answer(m *nats.Msg) {
	data, server := m.Data, m.Header.Get("Nats-Server-Xkey")
	var err error
	if server != "" {
		if data, err = c.curve.Open(m.Data, server); err != nil {
			c.log.Warn("callout request does not open", "err", err)
			return
		}
	}
	rc, err := jwt.DecodeAuthorizationRequestClaims(string(data))
	if err != nil {
		c.log.Warn("callout request does not parse", "err", err)
		return
	}
	resp := jwt.NewAuthorizationResponseClaims(rc.UserNkey)
	resp.Audience = rc.Server.ID
	if resp.Jwt, err = c.user(rc); err != nil {
		// The client only learns that it was refused; the reason is for here.
		c.log.Info("connection refused", "host", rc.ClientInformation.Host, "name", rc.ConnectOptions.Name, "err", err)
		resp.Error = "refused"
	}
	out, err := resp.Encode(c.issuer)
	if err != nil {
		c.log.Error("callout answer", "err", err)
		return
	}
	b := []byte(out)
	if server != "" {
		if b, err = c.curve.Seal(b, server); err != nil {
			c.log.Error("callout answer", "err", err)
			return
		}
	}
	if err := m.Respond(b); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		c.log.Warn("callout answer not sent", "err", err)
	}
}

// user makes the credentials of an admitted connection: they end with the token.
func (c *Callout) user(rc *jwt.AuthorizationRequestClaims) (string, error) {
	o := rc.ConnectOptions
	s, err := c.admit.Admit(broker.Connecting{Token: o.Token, NKey: o.Nkey, Nonce: rc.ClientInformation.Nonce, Sig: o.SignedNonce})
	if err != nil {
		return "", err
	}
	uc := jwt.NewUserClaims(rc.UserNkey)
	uc.Audience = bus.AccountGateway // the account a user is placed in
	uc.Name = s.Addr                 // shown as authorized_user
	uc.Expires = time.UnixMilli(s.Expire).Unix()
	perm := s.Permissions()
	uc.Permissions.Pub.Allow = perm.Publish
	uc.Permissions.Sub.Allow = perm.Subscribe
	return uc.Encode(c.issuer)
}
