package market

import (
	"context"
	"fmt"
	"time"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/participant/fleet"
)

// Sizes of a round.
const (
	EnvelopesPerRound = 10
	BidsPerRound      = 10
	batch             = 500 // messages handed over in one call
)

// Round does a party's part of one trading interval. name makes the keys of the
// messages: the same party with the same name repeats, it does not send twice.
func (p *Participant) Round(ctx context.Context, name string, n int, start time.Time) error {
	switch p.Party {
	case Aggregator:
		if p.sim.fleet == nil {
			p.sim.file = stateFile(p.Ledger)
		}
		if err := p.sim.advance(p.Fleet, start); err != nil {
			return err
		}
		if err := p.telemetry(ctx, name); err != nil {
			return fmt.Errorf("telemetry: %w", err)
		}
		if err := p.bid(ctx, name, start); err != nil {
			return fmt.Errorf("bids: %w", err)
		}
	case NetworkOperator:
		drafts := make([]gateway.Draft, EnvelopesPerRound)
		sites := fleet.Sites(p.Fleet.Size)
		for i := range drafts {
			body, err := operatingEnvelope(n, i, pointsOf(i, sites), start)
			if err != nil {
				return err
			}
			drafts[i] = gateway.Draft{Channel: "envelope", Body: body, IdempotencyKey: fmt.Sprintf("%s-envelope-%d", name, i)}
		}
		if err := p.Send(ctx, drafts...); err != nil {
			return fmt.Errorf("operating envelopes: %w", err)
		}
		if err := p.model(ctx, name, n, start); err != nil {
			return fmt.Errorf("network model: %w", err)
		}
	}
	return nil
}

// telemetry reports what every device measured.
func (p *Participant) telemetry(ctx context.Context, name string) error {
	for from := 0; from < p.Fleet.Size; from += batch {
		drafts := make([]gateway.Draft, 0, batch)
		for i := from; i < min(from+batch, p.Fleet.Size); i++ {
			drafts = append(drafts, gateway.Draft{Channel: "telemetry", Body: Telemetry(make([]byte, 0, 420), p.sim.fleet.Reading(i)), IdempotencyKey: fmt.Sprintf("%s-telemetry-%d", name, i)})
		}
		if err := p.Send(ctx, drafts...); err != nil {
			return err
		}
	}
	return nil
}

func (p *Participant) bid(ctx context.Context, name string, start time.Time) error {
	drafts := make([]gateway.Draft, BidsPerRound)
	// Each bid offers its share of what batteries, vehicles and panels do now.
	t := p.FleetTotals()
	steps := offers((max(0, t.Battery) + t.Charger + 0.1*t.Possible) / BidsPerRound)
	for i := range drafts {
		id := fmt.Sprintf("bid-%s-%d", name, i)
		body, err := bid(id, start, steps)
		if err != nil {
			return err
		}
		drafts[i] = gateway.Draft{Channel: "bid", Body: body, Corr: id, IdempotencyKey: fmt.Sprintf("%s-bid-%d", name, i)}
	}
	return p.Send(ctx, drafts...)
}
