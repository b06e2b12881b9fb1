package market

import (
	"context"
	"fmt"
	"time"

	"github.com/digital-spine/spine/gateway"
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
		if err := p.telemetry(ctx, name, start); err != nil {
			return fmt.Errorf("telemetry: %w", err)
		}
		if err := p.bid(ctx, name, start); err != nil {
			return fmt.Errorf("bids: %w", err)
		}
	case NetworkOperator:
		drafts := make([]gateway.Draft, EnvelopesPerRound)
		for i := range drafts {
			body, err := operatingEnvelope(n, i, start)
			if err != nil {
				return err
			}
			drafts[i] = gateway.Draft{Channel: "envelope", Body: body, IdempotencyKey: fmt.Sprintf("%s-envelope-%d", name, i)}
		}
		if err := p.Send(ctx, drafts...); err != nil {
			return fmt.Errorf("operating envelopes: %w", err)
		}
	}
	return nil
}

func (p *Participant) telemetry(ctx context.Context, name string, start time.Time) error {
	for from := 0; from < p.Fleet.Size; from += batch {
		drafts := make([]gateway.Draft, 0, batch)
		for i := from; i < min(from+batch, p.Fleet.Size); i++ {
			body, err := p.Fleet.Reading(i, start)
			if err != nil {
				return err
			}
			drafts = append(drafts, gateway.Draft{Channel: "telemetry", Body: body, IdempotencyKey: fmt.Sprintf("%s-telemetry-%d", name, i)})
		}
		if err := p.Send(ctx, drafts...); err != nil {
			return err
		}
	}
	return nil
}

func (p *Participant) bid(ctx context.Context, name string, start time.Time) error {
	drafts := make([]gateway.Draft, BidsPerRound)
	for i := range drafts {
		id := fmt.Sprintf("bid-%s-%d", name, i)
		body, err := bid(id, start)
		if err != nil {
			return err
		}
		drafts[i] = gateway.Draft{Channel: "bid", Body: body, Corr: id, IdempotencyKey: fmt.Sprintf("%s-bid-%d", name, i)}
	}
	return p.Send(ctx, drafts...)
}
