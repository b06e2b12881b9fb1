package market

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/problem"
	"github.com/digital-spine/spine/participant/fleet"
)

// Participant is one party's own system. It takes what arrives, answers what
// its party answers, and keeps a ledger.
type Participant struct {
	Party   string
	Gateway *client.Client
	Ledger  *Ledger
	Log     *slog.Logger
	Fleet   Fleet // of the aggregator; the network operator knows its connection points

	envelopes  atomic.Int64
	bids       atomic.Int64
	dispatched atomic.Int64 // answers to own bids
	models     atomic.Int64 // of the network
	sim        simulation   // of the aggregator
}

// Stats say how the market goes for a participant.
type Stats struct{ Envelopes, Bids, Dispatched, Models int64 }

// Stats returns the counts since the start.
func (p *Participant) Stats() Stats {
	return Stats{p.envelopes.Load(), p.bids.Load(), p.dispatched.Load(), p.models.Load()}
}

// FleetTotals returns what the aggregator's fleet did in its last interval:
// nothing before the first.
func (p *Participant) FleetTotals() fleet.Totals {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	return p.sim.totals
}

// receives tells which channels a party listens on.
func receives(party string) (names []string) {
	for _, c := range Channels(party) {
		if c.Receive != nil {
			names = append(names, c.Name)
		}
	}
	return names
}

// Run listens on every channel but hello and files, which are left to whoever
// tries the spine out, until ctx ends. What was not acknowledged comes again.
func (p *Participant) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, ch := range receives(p.Party) {
		if ch == "hello" || ch == "files" {
			continue
		}
		// Both ways of receiving are shown: the aggregator's messages come over
		// WebSocket, the others' are asked for.
		listen := p.listen
		if p.Party == Aggregator {
			listen = p.stream
		}
		wg.Go(func() { listen(ctx, ch) })
	}
	wg.Wait()
	return nil
}

// pull is how many messages are taken, looked at and acknowledged together.
const pull = 500

func (p *Participant) listen(ctx context.Context, channel string) {
	for ctx.Err() == nil {
		ms, err := p.Gateway.Receive(ctx, client.Receive{Channel: channel, Max: pull, Wait: 20 * time.Second})
		if err == nil && len(ms) > 0 {
			err = p.take(ctx, ms, p.Gateway.Ack)
		}
		if err != nil && ctx.Err() == nil {
			p.Log.Debug("gateway does not answer, trying again", "party", p.Party, "channel", channel, "err", err)
			pause(ctx, 200*time.Millisecond)
		}
	}
}

// stream takes messages as they come over a WebSocket, and opens it again when
// it breaks.
func (p *Participant) stream(ctx context.Context, channel string) {
	for ctx.Err() == nil {
		err := func() error {
			s, err := p.Gateway.Stream(ctx, client.Receive{Channel: channel})
			if err != nil {
				return err
			}
			defer s.Close()
			for {
				m, err := s.Next(ctx)
				if err != nil {
					return err
				}
				if err := p.take(ctx, []gateway.Message{*m}, s.Ack); err != nil {
					return err
				}
			}
		}()
		if err != nil && ctx.Err() == nil {
			p.Log.Debug("stream broke, opening it again", "party", p.Party, "channel", channel, "err", err)
			pause(ctx, 200*time.Millisecond)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// take records messages, answers them and acknowledges them with ack.
func (p *Participant) take(ctx context.Context, ms []gateway.Message, ack func(context.Context, ...string) error) error {
	now := time.Now().UnixMicro()
	entries := make([]Entry, len(ms))
	tokens := make([]string, len(ms))
	acked := make([]Entry, len(ms))
	for i := range ms {
		m := &ms[i]
		entries[i] = Entry{Do: "received", ID: m.ID, Who: m.From, Verified: verified(m), Redelivered: m.Redelivered, At: now}
		acked[i] = Entry{Do: "acked", ID: m.ID}
		tokens[i] = m.Ack
	}
	if err := p.Ledger.add(entries...); err != nil {
		return err
	}
	for i := range ms {
		if err := p.answer(ctx, &ms[i]); err != nil {
			return err
		}
	}
	if err := ack(ctx, tokens...); err != nil {
		return err
	}
	return p.Ledger.add(acked...)
}

// verified reports whether the gateway shows every check of a message as made
// and held.
func verified(m *gateway.Message) bool {
	for _, verdict := range m.Checks {
		if verdict != "ok" {
			return false
		}
	}
	return len(m.Checks) > 0
}

// answer does what the party's business is.
func (p *Participant) answer(ctx context.Context, m *gateway.Message) error {
	switch m.Channel {
	case "envelope":
		if err := p.sim.take(m.Body); err != nil {
			return fmt.Errorf("envelope %s: %w", m.ID, err)
		}
		p.envelopes.Add(1)
	case "dispatch":
		p.dispatched.Add(1)
	case "network":
		return p.study(ctx, m)
	case "bid":
		body, err := dispatch(m.Body)
		if err != nil {
			return fmt.Errorf("bid %s: %w", m.ID, err)
		}
		// The key makes a bid that comes again be answered once.
		if err := p.Send(ctx, gateway.Draft{Channel: "dispatch", To: []string{m.From}, Body: body, Re: m.ID, Corr: m.Corr,
			IdempotencyKey: "dispatch-" + m.ID}); err != nil {
			return err
		}
		p.bids.Add(1)
	}
	return nil
}

// Send hands messages over in one batch, recording each that was answered 2xx.
// A call that broke off is repeated: drafts have a key, so that none is sent
// twice, and hold nothing that a repeated call would say in another way.
func (p *Participant) Send(ctx context.Context, drafts ...gateway.Draft) error {
	at := time.Now().UnixMicro()
	for {
		results, err := p.Gateway.SendBatch(ctx, drafts)
		if err == nil {
			return p.sent(drafts, results, at)
		}
		if code := problem.CodeOf(err); ctx.Err() != nil || (code != "unreachable" && code != "internal" && code != "not_ready") {
			return err
		}
		pause(ctx, 200*time.Millisecond)
	}
}

func (p *Participant) sent(drafts []gateway.Draft, results []client.Result, at int64) error {
	if len(results) != len(drafts) {
		return fmt.Errorf("the gateway answered %d of %d messages", len(results), len(drafts))
	}
	var first error
	entries := make([]Entry, 0, len(results))
	for i, r := range results {
		if r.Problem != nil {
			if r.Problem.Code == gateway.CodeIdempotencyConflict {
				// A round is repeated by a participant that was set up otherwise
				// meanwhile: what was sent first stands.
				p.Log.Warn("sent before, with other content", "party", p.Party, "channel", drafts[i].Channel)
				continue
			}
			if first == nil {
				first = fmt.Errorf("channel %s: %w", drafts[i].Channel, r.Problem)
			}
			continue
		}
		e := Entry{Do: "sent", ID: r.ID, To: p.recipients(drafts[i]), At: at}
		if drafts[i].File != "" {
			e.At = 0 // a file's way takes as long as it is large
		}
		entries = append(entries, e)
	}
	if err := p.Ledger.add(entries...); err != nil {
		return err
	}
	return first
}

// recipients are those a draft goes to: the named ones, else the one holder of
// each role that the channel sends to.
func (p *Participant) recipients(d gateway.Draft) []string {
	if len(d.To) > 0 {
		return d.To
	}
	return flows[d.Channel].to
}
