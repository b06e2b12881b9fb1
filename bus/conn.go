package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/nats-io/nats.go"
)

// ConnConfig is what a gateway needs to use the data plane; the broker's login
// answer holds all of it but the key.
type ConnConfig struct {
	URL string
	// Token returns the broker's newest token; it is asked at every connect and
	// reconnect, so a refresh needs no new connection object.
	Token func() (string, error)
	// NKey is the public user key that the token is bound to, and Sign its
	// signature over the server's nonce: a stolen token alone opens nothing.
	NKey string
	Sign func(nonce []byte) ([]byte, error)
	// InboxPrefix is the prefix of the login answer, without trailing dot. The
	// broker gives the same prefix to the same key, so it outlives tokens.
	InboxPrefix string
	Name        string // shown to the broker's operator
	Log         *slog.Logger
	Clock       clockwork.Clock
	// OnError is told of everything the server says asynchronously: refused
	// subjects, slow consumers. A refusal never closes the connection.
	OnError func(error)
	// OnState is told when the connection comes (true) and goes (false).
	OnState func(up bool)
	// MinBatch is the number of gathered messages from which an atomic batch is
	// used; DefaultMinBatch when zero. MaxBatch bounds a batch, 1,000 when zero.
	MinBatch, MaxBatch int
}

// Conn is a gateway's connection: it reconnects for ever. Its methods may be
// called from many goroutines.
type Conn struct {
	cfg   ConnConfig
	nc    *nats.Conn
	log   *slog.Logger
	clock clockwork.Clock
	pub   *publisher

	mu    sync.Mutex
	pulls map[*Pull]struct{}
}

// Connect opens the connection; the first attempt must succeed within ctx and 5 s.
func Connect(ctx context.Context, cfg ConnConfig) (*Conn, error) {
	if cfg.InboxPrefix == "" || strings.ContainsAny(cfg.InboxPrefix, ".*> ") {
		return nil, errors.New("connect: the inbox prefix of the login answer is missing or not one token")
	}
	if cfg.Clock == nil {
		cfg.Clock = clockwork.NewRealClock()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Conn{cfg: cfg, log: cfg.Log, clock: cfg.Clock, pulls: make(map[*Pull]struct{})}
	c.pub = newPublisher(c)
	timeout := 5 * time.Second
	if d, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(d))
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o := []nats.Option{
		nats.Name(cfg.Name), nats.Timeout(timeout), nats.CustomInboxPrefix(cfg.InboxPrefix),
		nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(), nats.CustomReconnectDelay(reconnectDelay),
		nats.ReconnectBufSize(-1), // what is sent while disconnected fails at once; the outbox sends it again
		nats.PingInterval(20 * time.Second), nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { c.down(err) }),
		nats.ReconnectHandler(func(*nats.Conn) { c.up() }),
		nats.ErrorHandler(c.asyncError),
	}
	if cfg.Token != nil {
		o = append(o, nats.TokenHandler(func() string {
			t, err := cfg.Token()
			if err != nil {
				c.report(fmt.Errorf("token for the message bus: %w", err))
			}
			return t
		}))
	}
	if cfg.NKey != "" {
		o = append(o, nats.Nkey(cfg.NKey, cfg.Sign))
	}
	nc, err := nats.Connect(cfg.URL, o...)
	if err != nil {
		return nil, fmt.Errorf("connect to the message bus: %w", err)
	}
	c.nc = nc
	if err := c.pub.subscribe(); err != nil {
		nc.Close()
		return nil, fmt.Errorf("connect to the message bus: %w", err)
	}
	if cfg.OnState != nil {
		cfg.OnState(true)
	}
	return c, nil
}

// reconnectDelay grows from 20 ms to 2 s, with a random part so that gateways do
// not all come back at once.
func reconnectDelay(attempts int) time.Duration {
	d := 20 * time.Millisecond << min(max(attempts-1, 0), 7)
	d = min(d, 2*time.Second)
	return d/2 + rand.N(d/2+1)
}

// Connected reports whether the connection is up now.
func (c *Conn) Connected() bool { return c.nc.IsConnected() }

// Refresh reconnects with the newest token, before the old one runs out. What
// was in flight fails with CodeDisconnected.
func (c *Conn) Refresh() error {
	c.detach()
	return c.nc.ForceReconnect()
}

// Flush waits until the server has everything written so far.
func (c *Conn) Flush(ctx context.Context) error { return c.nc.FlushWithContext(ctx) }

// Close ends the connection; publishes in flight fail with CodeClosed.
func (c *Conn) Close() {
	c.pub.close()
	c.nc.Close()
	c.wake()
}

func (c *Conn) down(err error) {
	c.pub.interrupt()
	c.detach()
	c.wake()
	c.log.Debug("message bus disconnected", "err", err)
	if c.cfg.OnState != nil {
		c.cfg.OnState(false)
	}
}

func (c *Conn) up() {
	c.wake()
	c.log.Debug("message bus connected again")
	if c.cfg.OnState != nil {
		c.cfg.OnState(true)
	}
}

// detach makes every pull forget its subscription before the client library
// brings it back.
func (c *Conn) detach() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := range c.pulls {
		p.detach()
	}
}

// wake makes every pull look at the connection again.
func (c *Conn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := range c.pulls {
		p.reset()
	}
}

func (c *Conn) asyncError(_ *nats.Conn, _ *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrPermissionViolation) {
		if subject := quoted(err.Error(), `ublish to "`); subject != "" {
			c.pub.refused(subject)
		}
	}
	c.report(err)
}

func (c *Conn) report(err error) {
	c.log.Warn("message bus", "err", err)
	if c.cfg.OnError != nil {
		c.cfg.OnError(err)
	}
}

// quoted returns the text between after and the next quote.
func quoted(s, after string) string {
	_, rest, ok := strings.Cut(s, after)
	if !ok {
		return ""
	}
	subject, _, _ := strings.Cut(rest, `"`)
	return subject
}
