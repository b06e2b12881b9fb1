// Package link is the gateway's connection to the data plane: it waits for the
// broker's login, connects, stays connected for ever, publishes for the outbox
// and reads the mailbox for the intake. While the broker is away publishing
// fails with ErrDown, which the outbox takes as "later", and reading waits.
//
// It looks at no message; what it carries is judged by outbox and intake.
package link

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/gateway/identity"
	"github.com/digital-spine/spine/gateway/intake"
	"github.com/digital-spine/spine/internal/problem"
)

// ErrDown says that the broker is not connected now.
var ErrDown = problem.New(http.StatusServiceUnavailable, "broker_down", "the broker is not connected").WithHint("messages wait in the outbox meanwhile")

// Consumers makes the mailbox's consumer anew, from a stream sequence on;
// *brokerclient.Client is one.
type Consumers interface {
	Consumer(ctx context.Context, seq uint64) error
}

// Deps are what a Link needs.
type Deps struct {
	Self      *identity.Self
	Consumers Consumers
	Name      string
	Clock     clockwork.Clock
	Log       *slog.Logger
}

// Link is the connection. Its methods may be called from many goroutines, Next
// from one.
type Link struct {
	d Deps

	mu     sync.Mutex
	conn   *bus.Conn
	pull   *bus.Pull
	stream string
	ready  chan struct{} // closed while connected
}

// New makes a link that is not connected; Run connects it.
func New(d Deps) *Link { return &Link{d: d, ready: make(chan struct{})} }

// retry is the pause between attempts at the first connection; later ones are
// the bus's own affair.
const retry = 500 * time.Millisecond

// Run connects and holds the connection until ctx ends.
func (l *Link) Run(ctx context.Context) error {
	for {
		err := l.connect(ctx)
		if err == nil {
			break
		}
		if errors.Is(err, identity.ErrMismatch) {
			return err
		}
		l.d.Log.Debug("data plane not connected yet", "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-l.d.Clock.After(retry):
		}
	}
	<-ctx.Done()
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.pull.Close()
	l.conn.Close()
	return nil
}

func (l *Link) connect(ctx context.Context) error {
	login, err := l.d.Self.Session(ctx)
	if err != nil {
		return err
	}
	conn, err := bus.Connect(ctx, bus.ConnConfig{
		URL: login.NATSURL, Token: login.NATSToken, NKey: login.NKey, Sign: login.Sign, InboxPrefix: login.Inbox,
		Name: l.d.Name, Log: l.d.Log, Clock: l.d.Clock,
		OnError: func(err error) { l.d.Log.Warn("data plane", "err", err) },
		OnState: func(up bool) {
			l.d.Log.Debug("data plane", "up", up)
			if !up {
				l.d.Self.Refresh()
			}
		},
	})
	if err != nil {
		return err
	}
	pull, err := conn.Pull(bus.PullConfig{Stream: login.Stream, Consumer: login.Consumer, Inbox: login.Inbox})
	if err != nil {
		conn.Close()
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn, l.pull, l.stream = conn, pull, login.Stream
	close(l.ready)
	return nil
}

// Connected reports whether messages can be published now.
func (l *Link) Connected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn != nil && l.conn.Connected()
}

// Publish implements outbox.Bus.
func (l *Link) Publish(ctx context.Context, msgs []bus.Msg) []error {
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if conn == nil || !conn.Connected() {
		errs := make([]error, len(msgs))
		for i := range errs {
			errs[i] = ErrDown
		}
		return errs
	}
	return conn.Publish(ctx, msgs)
}

// Next implements intake.Mailbox.
func (l *Link) Next(ctx context.Context) ([]intake.Delivery, error) {
	select {
	case <-l.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ds, err := l.pull.Next(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]intake.Delivery, len(ds))
	for i := range ds {
		d := &ds[i]
		out[i] = intake.Delivery{Subject: d.Subject, Data: d.Data, Stream: l.stream, Seq: d.StreamSeq, Redelivered: d.Redelivered, Ack: d.Ack}
	}
	return out, nil
}

// Rewind implements intake.Rewinder.
func (l *Link) Rewind(ctx context.Context, seq uint64) error {
	return l.d.Consumers.Consumer(ctx, seq)
}
