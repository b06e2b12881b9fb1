// Package jetstream keeps the broker's mailboxes on NATS JetStream: one stream
// per partition, one subject and one durable consumer per mailbox, and the
// answer to the bus server's question who may connect.
//
// It implements broker.Plane with the broker's own connection. Nothing of a
// message's way is here: gateways publish and pull on their own.
package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/bus"
)

// Config are the constants of the streams.
type Config struct {
	Retention time.Duration // R
	Wire      int64         // W, bytes
	Cap       int64         // messages per subject within R
	// MaxBytes is what one partition may hold; the sum over partitions is reserved.
	MaxBytes int64
	Log      *slog.Logger
}

// headroom is kept above the wire limit for the headers of an atomic batch.
const headroom = 1024

// Plane is the message bus as the broker sees it.
type Plane struct {
	cfg   Config
	srv   *bus.Server
	spine *nats.Conn
	js    js.JetStream
	log   *slog.Logger

	mu      sync.Mutex
	streams map[int]*partition
}

var _ broker.Plane = (*Plane)(nil)

// partition is what is known of a stream; its lock orders changes of it, which
// are read-modify-write.
type partition struct {
	mu       sync.Mutex
	loaded   bool
	subjects []string
}

// New opens the broker's connection to the server. No stream is made before a
// mailbox needs it.
func New(srv *bus.Server, cfg Config) (*Plane, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	spine, err := srv.Connect()
	if err != nil {
		return nil, err
	}
	j, err := js.New(spine, js.WithDefaultTimeout(10*time.Second))
	if err != nil {
		spine.Close()
		return nil, fmt.Errorf("jetstream: %w", err)
	}
	return &Plane{cfg: cfg, srv: srv, spine: spine, js: j, log: cfg.Log, streams: make(map[int]*partition)}, nil
}

// Close closes the broker's connection.
func (p *Plane) Close() { p.spine.Close() }

// Health returns nil while the bus works.
func (p *Plane) Health(context.Context) error { return p.srv.Health() }

func (p *Plane) partition(pp int) *partition {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.streams[pp]
	if t == nil {
		t = new(partition)
		p.streams[pp] = t
	}
	return t
}

// streamConfig is the configuration of a partition. Everything a sender could
// reach with a header is off: roll-up, TTL, schedules, counters. There is no
// wildcard for the mailbox, so an invented one has no responders.
func (p *Plane) streamConfig(pp int, subjects []string) js.StreamConfig {
	return js.StreamConfig{
		Name: bus.Stream(pp), Subjects: subjects,
		Retention: js.LimitsPolicy, Discard: js.DiscardNew, DiscardNewPerSubject: true,
		MaxAge: p.cfg.Retention, MaxMsgsPerSubject: p.cfg.Cap, MaxBytes: p.cfg.MaxBytes,
		MaxMsgSize: int32(min(p.cfg.Wire+headroom, bus.MaxPayload)),
		Storage:    js.FileStorage, Replicas: 1,
		// Message ids are never used; the window is the smallest there is.
		Duplicates:         100 * time.Millisecond,
		AllowAtomicPublish: true,
		// The limits per consumer that matter stand in its configuration; the number
		// of consumers is one per mailbox.
		MaxConsumers: 5000,
	}
}

// Open makes what is missing of a mailbox. It asks each time, so that a consumer
// that went is there again after the next login.
func (p *Plane) Open(ctx context.Context, pp int, addr string) error {
	t := p.partition(pp)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := p.subject(ctx, t, pp, addr); err != nil {
		return fmt.Errorf("mailbox %s: %w", addr, err)
	}
	if _, err := p.js.CreateConsumer(ctx, bus.Stream(pp), consumerConfig(pp, addr, 0)); err != nil && !errors.Is(err, js.ErrConsumerExists) {
		return fmt.Errorf("consumer of %s: %w", addr, err)
	}
	return nil
}

// subject adds the mailbox to its stream; t is locked.
func (p *Plane) subject(ctx context.Context, t *partition, pp int, addr string) error {
	if !t.loaded {
		s, err := p.js.Stream(ctx, bus.Stream(pp))
		switch {
		case errors.Is(err, js.ErrStreamNotFound):
			t.subjects = nil
		case err != nil:
			return err
		default:
			t.subjects = s.CachedInfo().Config.Subjects
		}
		t.loaded = true
	}
	subject := bus.MailboxSubject(pp, addr)
	if slices.Contains(t.subjects, subject) {
		return nil
	}
	next := append(slices.Clone(t.subjects), subject)
	if _, err := p.js.CreateOrUpdateStream(ctx, p.streamConfig(pp, next)); err != nil {
		t.loaded = false // it may be made, and the next change must not take it back
		return err
	}
	t.subjects = next
	return nil
}

// consumerConfig is a mailbox's consumer: explicit acknowledgements, delivered
// again after 10 s for ever, and bounded against hostile readers.
func consumerConfig(pp int, addr string, from uint64) js.ConsumerConfig {
	c := js.ConsumerConfig{
		Durable: bus.Consumer(addr), FilterSubject: bus.MailboxSubject(pp, addr),
		AckPolicy: js.AckExplicitPolicy, AckWait: 10 * time.Second, MaxDeliver: -1,
		MaxAckPending: 2000, MaxWaiting: 8, Replicas: 1,
		DeliverPolicy: js.DeliverAllPolicy,
	}
	if from > 0 {
		c.DeliverPolicy, c.OptStartSeq = js.DeliverByStartSequencePolicy, from
	}
	return c
}

// Remake deletes the consumer and makes it again from a sequence. Changing its
// filter or position in place would skip messages for good.
func (p *Plane) Remake(ctx context.Context, pp int, addr string, seq uint64) error {
	t := p.partition(pp)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := p.subject(ctx, t, pp, addr); err != nil {
		return fmt.Errorf("mailbox %s: %w", addr, err)
	}
	stream := bus.Stream(pp)
	if err := p.js.DeleteConsumer(ctx, stream, bus.Consumer(addr)); err != nil && !errors.Is(err, js.ErrConsumerNotFound) {
		return fmt.Errorf("consumer of %s: %w", addr, err)
	}
	if _, err := p.js.CreateConsumer(ctx, stream, consumerConfig(pp, addr, seq)); err != nil {
		return fmt.Errorf("consumer of %s: %w", addr, err)
	}
	return nil
}

// State tells what waits.
func (p *Plane) State(ctx context.Context, pp int, addr string) (broker.MailboxState, error) {
	var out broker.MailboxState
	c, err := p.js.Consumer(ctx, bus.Stream(pp), bus.Consumer(addr))
	if errors.Is(err, js.ErrConsumerNotFound) || errors.Is(err, js.ErrStreamNotFound) {
		return out, broker.ErrNotFound
	}
	if err != nil {
		return out, fmt.Errorf("consumer of %s: %w", addr, err)
	}
	i := c.CachedInfo()
	s, err := p.js.Stream(ctx, bus.Stream(pp))
	if err != nil {
		return out, fmt.Errorf("partition of %s: %w", addr, err)
	}
	st := s.CachedInfo().State
	out = broker.MailboxState{Pending: i.NumPending, AckPending: i.NumAckPending, Redelivered: i.NumRedelivered,
		Delivered: i.Delivered.Stream, AckFloor: i.AckFloor.Stream, First: st.FirstSeq, Last: st.LastSeq}
	if i.Paused {
		out.PausedMS = i.PauseRemaining.Milliseconds()
	}
	return out, nil
}

// missing reports whether err says that stream or message is not there.
func missing(err error) bool {
	return errors.Is(err, js.ErrStreamNotFound) || errors.Is(err, js.ErrMsgNotFound) || (err != nil && strings.Contains(err.Error(), "no message found"))
}
