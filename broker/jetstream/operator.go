package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	js "github.com/nats-io/nats.go/jetstream"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/bus"
)

// Messages lists stored messages of a mailbox.
func (p *Plane) Messages(ctx context.Context, pp int, addr string, after uint64, limit int) ([]broker.Stored, error) {
	s, err := p.js.Stream(ctx, bus.Stream(pp))
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("partition of %s: %w", addr, err)
	}
	out := make([]broker.Stored, 0, min(limit, 64))
	for seq := after + 1; len(out) < limit; {
		m, err := s.GetMsg(ctx, seq, js.WithGetMsgSubject(bus.MailboxSubject(pp, addr)))
		if missing(err) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("message of %s: %w", addr, err)
		}
		out = append(out, broker.Stored{Seq: m.Sequence, Subject: m.Subject, Data: m.Data, Time: m.Time.UnixMilli()})
		seq = m.Sequence + 1
	}
	return out, nil
}

// Pause stops delivery for a time, which runs on the bus server's clock.
func (p *Plane) Pause(ctx context.Context, pp int, addr string, d time.Duration) error {
	var err error
	if d > 0 {
		_, err = p.js.PauseConsumer(ctx, bus.Stream(pp), bus.Consumer(addr), time.Now().Add(d))
	} else {
		_, err = p.js.ResumeConsumer(ctx, bus.Stream(pp), bus.Consumer(addr))
	}
	if errors.Is(err, js.ErrConsumerNotFound) || errors.Is(err, js.ErrStreamNotFound) {
		return broker.ErrNotFound
	}
	return err
}

// Delete removes a stored message, after a look that it is this mailbox's.
func (p *Plane) Delete(ctx context.Context, pp int, addr string, seq uint64) error {
	s, err := p.js.Stream(ctx, bus.Stream(pp))
	if err == nil {
		var m *js.RawStreamMsg
		if m, err = s.GetMsg(ctx, seq); err == nil && !strings.HasPrefix(m.Subject, strings.TrimSuffix(bus.MailboxSubject(pp, addr), "*")) {
			return broker.ErrNotFound
		}
	}
	if missing(err) {
		return broker.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("message %d of %s: %w", seq, addr, err)
	}
	return s.SecureDeleteMsg(ctx, seq)
}

// Publish stores bytes under a subject, as whoever owns the streams can.
func (p *Plane) Publish(ctx context.Context, subject string, data []byte) (uint64, error) {
	a, err := p.js.Publish(ctx, subject, data, js.WithRetryAttempts(0))
	if errors.Is(err, js.ErrNoStreamResponse) {
		return 0, broker.ErrNotFound.WithHint("no partition has this mailbox")
	}
	if err != nil {
		return 0, fmt.Errorf("publish: %w", err)
	}
	return a.Sequence, nil
}

// Purge removes a sender's messages.
func (p *Plane) Purge(ctx context.Context, pp int, addr, sender string) (uint64, error) {
	s, err := p.js.Stream(ctx, bus.Stream(pp))
	if missing(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("partition of %s: %w", addr, err)
	}
	before := s.CachedInfo().State.Msgs
	if err := s.Purge(ctx, js.WithPurgeSubject(bus.Subject(pp, addr, sender))); err != nil {
		return 0, fmt.Errorf("purge %s: %w", addr, err)
	}
	i, err := s.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("purge %s: %w", addr, err)
	}
	return before - min(before, i.State.Msgs), nil
}

// Kick closes the connections of an address.
func (p *Plane) Kick(_ context.Context, addr string) (int, error) {
	all, err := p.srv.Clients()
	if err != nil {
		return 0, err
	}
	n := 0
	for _, c := range all {
		if c.Name == addr && p.srv.Disconnect(c.ID) {
			n++
		}
	}
	return n, nil
}

// Traffic returns the counts of open connections.
func (p *Plane) Traffic(context.Context) ([]broker.Traffic, error) {
	all, err := p.srv.Clients()
	if err != nil {
		return nil, err
	}
	out := make([]broker.Traffic, len(all))
	for i, c := range all {
		out[i] = broker.Traffic{Conn: fmt.Sprintf("%s/%d", p.srv.ID(), c.ID), Addr: c.Name, Msgs: c.InMsgs, Bytes: c.InBytes}
	}
	return out, nil
}
