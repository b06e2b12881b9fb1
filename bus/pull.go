package bus

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Times of a pull request.
const (
	pullExpires   = 30 * time.Second
	pullHeartbeat = 5 * time.Second
)

// PullConfig names the mailbox's consumer; stream, consumer and inbox come from
// the login answer.
type PullConfig struct {
	Stream, Consumer string
	Inbox            string // prefix; the connection's own when empty
	// Batch is the number of messages asked for at once (500 when zero), MaxBytes
	// their bytes (8 MiB when zero, at least 4 MiB): together they bound what is
	// held here, since nothing is sent that was not asked for.
	Batch, MaxBytes int
}

// Delivery is one message of the mailbox. Its headers are not looked at: a
// sender chooses them.
type Delivery struct {
	Subject     string
	Data        []byte
	StreamSeq   uint64
	ConsumerSeq uint64
	Redelivered bool
	Created     int64  // ms since 1970, the broker's word
	Pending     uint64 // messages of the mailbox behind this one, the broker's word
	reply       string
	nc          *nats.Conn
}

// Ack tells the broker that the message is in custody. It is sent without
// waiting: an acknowledgement that gets lost costs a redelivery.
func (d *Delivery) Ack() error { return d.nc.Publish(d.reply, nil) }

// Pull reads one mailbox. One goroutine uses it.
type Pull struct {
	c       *Conn
	cfg     PullConfig
	ch      chan *nats.Msg
	wake    chan struct{} // the connection went or came
	ackHead string

	mu    sync.Mutex
	sub   *nats.Subscription // nil: to be made anew
	inbox string             // prefix of the requests' reply subjects

	subject string
	reqs    []request
	next    uint64
}

// request is a fetch the server has not finished.
type request struct {
	id   uint64
	left int
}

// Pull opens a reader. There is one per mailbox; a second one would share its
// messages.
func (c *Conn) Pull(cfg PullConfig) (*Pull, error) {
	if cfg.Inbox == "" {
		cfg.Inbox = c.cfg.InboxPrefix
	}
	if cfg.Batch <= 0 {
		cfg.Batch = defaultPull
	}
	cfg.Batch = max(cfg.Batch, 2)
	cfg.MaxBytes = max(cfg.MaxBytes, 4*MaxPayload)
	p := &Pull{c: c, cfg: cfg, wake: make(chan struct{}, 1),
		// Room for everything that was asked for, and statuses.
		ch:      make(chan *nats.Msg, 2*cfg.Batch+256),
		ackHead: "$JS.ACK." + cfg.Stream + "." + cfg.Consumer + ".",
		subject: "$JS.API.CONSUMER.MSG.NEXT." + cfg.Stream + "." + cfg.Consumer}
	if err := p.attach(); err != nil {
		return nil, fmt.Errorf("open mailbox reader: %w", err)
	}
	c.mu.Lock()
	c.pulls[p] = struct{}{}
	c.mu.Unlock()
	return p, nil
}

// Close ends the reader; messages not acknowledged come again.
func (p *Pull) Close() error {
	p.c.mu.Lock()
	delete(p.c.pulls, p)
	p.c.mu.Unlock()
	p.detach()
	return nil
}

// attach subscribes under a subject that was never used before. Requests outlive
// the connection they came on; behind an account import their answers do not.
// With the same subject again the server would take the old requests for alive,
// and hand them messages that reach nobody until the acknowledgement is overdue.
func (p *Pull) attach() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sub != nil {
		return nil
	}
	p.inbox = p.cfg.Inbox + ".d." + randomID() + "."
	sub, err := p.c.nc.ChanSubscribe(p.inbox+"*", p.ch)
	if err == nil {
		p.sub, p.reqs = sub, p.reqs[:0]
	}
	return err
}

// detach ends the subscription; what it delivered stays in the channel.
func (p *Pull) detach() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sub != nil {
		_ = p.sub.Unsubscribe() // of a connection that is gone or going
		p.sub = nil
	}
}

func (p *Pull) reset() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Next waits for messages and returns all that have arrived, oldest first. An
// empty result without error says that the mailbox was empty for 30 s. It fails
// with CodeNoConsumer when the broker has no such consumer (any more), with
// CodeClosed after Close of the connection, and with ctx's error; while the
// connection is away it waits. Every delivery is to be acknowledged on its own
// once it is in custody: an acknowledgement of all up to a number would cover
// messages that a broken pull never showed.
func (p *Pull) Next(ctx context.Context) ([]Delivery, error) {
	if err := p.ask(); err != nil {
		return nil, err
	}
	idle := p.c.clock.NewTimer(2 * pullHeartbeat)
	defer idle.Stop()
	for {
		select {
		case m := <-p.ch:
			out, empty, err := p.gather(m)
			if err != nil || len(out) > 0 || empty {
				return out, err
			}
			idle.Reset(2 * pullHeartbeat)
		case <-p.wake:
			p.reqs = p.reqs[:0] // the server forgot them with the connection
		case <-idle.Chan():
			p.reqs = p.reqs[:0] // no message and no heartbeat: nobody serves them
			idle.Reset(2 * pullHeartbeat)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if err := p.ask(); err != nil {
			return nil, err
		}
	}
}

// gather takes m and what else is there.
func (p *Pull) gather(m *nats.Msg) (out []Delivery, empty bool, err error) {
	out = make([]Delivery, 0, min(p.cfg.Batch, 1+len(p.ch)))
	for {
		if a, ok := parseAck(p.ackHead, m.Reply); ok {
			out = append(out, Delivery{Subject: m.Subject, Data: m.Data, StreamSeq: a.stream, ConsumerSeq: a.consumer,
				Redelivered: a.delivered > 1, Created: a.created / int64(time.Millisecond), Pending: a.pending, reply: m.Reply, nc: p.c.nc})
			p.count()
		} else {
			var e bool
			if e, err = p.status(m); err != nil {
				return out, false, err
			}
			empty = empty || e
		}
		if len(out) >= p.cfg.Batch {
			break
		}
		select {
		case m = <-p.ch:
			continue
		default:
		}
		break
	}
	// The next request goes out before the caller works on these messages.
	return out, empty, p.ask()
}

// count notes one delivery for the oldest open request.
func (p *Pull) count() {
	for i := range p.reqs {
		if p.reqs[i].left > 0 {
			if p.reqs[i].left--; p.reqs[i].left == 0 {
				p.reqs = append(p.reqs[:i], p.reqs[i+1:]...)
			}
			return
		}
	}
}

// status handles what is not a delivery. A status belongs to a request by its
// reply subject and ends it, except for heartbeats.
func (p *Pull) status(m *nats.Msg) (empty bool, err error) {
	_, tail, _ := strings.Cut(m.Subject, p.inbox)
	id, perr := strconv.ParseUint(tail, 10, 64)
	if perr != nil {
		return false, nil // a message somebody put into the inbox
	}
	at := -1
	for i := range p.reqs {
		if p.reqs[i].id == id {
			at = i
		}
	}
	if at < 0 {
		return false, nil
	}
	left := p.reqs[at].left
	switch m.Header.Get("Status") {
	case "100":
		return false, nil
	case "503":
		p.reqs = p.reqs[:0]
		return false, fail(CodeNoConsumer, "nothing serves %s", p.cfg.Consumer)
	case "409":
		text := m.Header.Get("Description")
		if strings.Contains(text, "Deleted") || strings.Contains(text, "Does Not Exist") {
			p.reqs = p.reqs[:0]
			return false, fail(CodeNoConsumer, "%s", text)
		}
	case "404", "408":
		empty = left == p.cfg.Batch/2
	}
	p.reqs = append(p.reqs[:at], p.reqs[at+1:]...)
	return empty, nil
}

// ask keeps two requests of half the size open, so that the server always has
// one to serve while the other's messages are worked on.
func (p *Pull) ask() error {
	if p.c.nc.IsClosed() {
		return fail(CodeClosed, "the connection was closed")
	}
	if !p.c.nc.IsConnected() {
		return nil // the wake-up of the reconnect asks again
	}
	if err := p.attach(); err != nil {
		return nil // disconnected meanwhile
	}
	for len(p.reqs) < 2 && len(p.ch) < p.cfg.Batch {
		p.next++
		body := fmt.Appendf(nil, `{"batch":%d,"max_bytes":%d,"expires":%d,"idle_heartbeat":%d}`,
			p.cfg.Batch/2, p.cfg.MaxBytes/2, pullExpires.Nanoseconds(), pullHeartbeat.Nanoseconds())
		if err := p.c.nc.PublishRequest(p.subject, p.inbox+strconv.FormatUint(p.next, 10), body); err != nil {
			if p.c.nc.IsClosed() {
				return fail(CodeClosed, "the connection was closed")
			}
			return nil
		}
		p.reqs = append(p.reqs, request{id: p.next, left: p.cfg.Batch / 2})
	}
	return nil
}
