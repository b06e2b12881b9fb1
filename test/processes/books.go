package processes

import (
	"fmt"
	"slices"

	"github.com/digital-spine/spine/participant/market"
)

// Delivery is one message for one recipient.
type Delivery struct{ ID, Party string }

// Books are what the participants' ledgers say together.
type Books struct {
	Sent     map[Delivery]bool // answered 2xx
	Received map[Delivery]bool
	ByParty  map[string]int // distinct messages a party sent

	Again      int        // handed over more than once
	Violations []Delivery // handed over after their acknowledgement was answered
	Unmarked   []Delivery // handed over again without being marked
	Unverified []Delivery // handed over with a check that did not hold
	Strange    []string   // recipients that are no party
}

// ReadBooks reads the ledgers of the parties. dids gives the party of a DID.
func ReadBooks(ledgers, dids map[string]string) (*Books, error) {
	b := &Books{Sent: make(map[Delivery]bool), Received: make(map[Delivery]bool), ByParty: make(map[string]int)}
	parties := make(map[string]string)
	for party, role := range market.Roles {
		parties[role] = party
	}
	for did, party := range dids {
		parties[did] = party
	}
	for party, file := range ledgers {
		acked, sent := make(map[string]bool), make(map[string]bool)
		err := market.ReadLedger(file, func(e market.Entry) {
			d := Delivery{e.ID, party}
			switch e.Do {
			case "sent":
				sent[e.ID] = true
				for _, to := range e.To {
					if parties[to] == "" {
						b.Strange = append(b.Strange, to)
					}
					b.Sent[Delivery{e.ID, parties[to]}] = true
				}
			case "received":
				if acked[e.ID] {
					b.Violations = append(b.Violations, d)
				}
				if b.Received[d] {
					b.Again++
					if !e.Redelivered {
						b.Unmarked = append(b.Unmarked, d)
					}
				}
				if !e.Verified {
					b.Unverified = append(b.Unverified, d)
				}
				b.Received[d] = true
			case "acked":
				acked[e.ID] = true
			}
		})
		if err != nil {
			return nil, fmt.Errorf("ledger of the %s: %w", party, err)
		}
		b.ByParty[party] = len(sent)
	}
	return b, nil
}

// Lost returns what was sent and not delivered.
func (b *Books) Lost() []Delivery { return without(b.Sent, b.Received) }

// Stray returns what was delivered although nobody's ledger says that it was
// sent. A sender that was killed between answer and ledger leaves such until it
// repeats its round.
func (b *Books) Stray() []Delivery { return without(b.Received, b.Sent) }

func without(a, b map[Delivery]bool) (out []Delivery) {
	for d := range a {
		if !b[d] {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(x, y Delivery) int { return slices.Compare([]string{x.Party, x.ID}, []string{y.Party, y.ID}) })
	return out
}

// String counts.
func (b *Books) String() string {
	return fmt.Sprintf("%d sent, %d delivered, %d lost, %d stray, %d handed over again, %d of them unmarked, %d after their acknowledgement, %d unverified",
		len(b.Sent), len(b.Received), len(b.Lost()), len(b.Stray()), b.Again, len(b.Unmarked), len(b.Violations), len(b.Unverified))
}
