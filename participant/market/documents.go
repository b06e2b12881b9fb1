package market

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// object is a JSON object in the making.
type object = map[string]any

func span(start, end time.Time) object { return object{"start": start.UTC(), "end": end.UTC()} }

func coded(value string) object { return object{"value": value, "codingScheme": "NAT"} }

// Bounds of the operating envelopes that the network operator sends.
const (
	// managed is how many connection points lie behind the feeder that is short
	// of capacity: they get envelopes, the others have their agreement.
	managed = 250
	// ahead is how many intervals an envelope covers, so that one that is late
	// leaves nobody without.
	ahead = 3
)

// operatingEnvelope is what the network operator allows the points of a round's
// n-th document, from the interval after start on.
func operatingEnvelope(round, n int, points []int, start time.Time) (json.RawMessage, error) {
	from := start.Add(Interval)
	until := from.Add(ahead * Interval)
	series := make([]object, len(points))
	for i, point := range points {
		steps := make([]object, ahead)
		for k := range steps {
			low, high := capacity(point, from.Add(time.Duration(k)*Interval))
			steps[k] = object{"position": k + 1, "min_Quantity.quantity": low, "max_Quantity.quantity": high}
		}
		series[i] = object{
			"mRID": fmt.Sprintf("series-%d", i+1), "businessType": "C76", "curveType": "A01", "flowDirection.direction": "A03",
			"registeredResource.mRID": coded(ConnectionPoint(point)),
			"Series": []object{{"Period": []object{{
				"resolution": "PT5M", "timeInterval": span(from, until), "Point": steps,
			}}}},
		}
	}
	return json.Marshal(object{
		"MessageDocumentHeader": object{
			"creationDateTime": start.UTC(),
			"MetaInformation": object{
				"documentType": "min-max-envelope", "regionCountry": "AU",
				"Asset": object{"type": "CONNECTION-AGREEMENT-POINT", "operatorId": "EDGE-DNSP", "meterId": ConnectionPoint(points[0])},
			},
		},
		"MarketDocument": object{
			"mRID": fmt.Sprintf("doe-%d-%d", start.Unix(), n), "revisionNumber": "1", "lastModifiedDateTime": start.UTC(),
			"description":                   fmt.Sprintf("Round %d", round),
			"sender_MarketParticipant.mRID": coded("EDGE-DNSP"), "sender_MarketParticipant.marketRole.type": "A56",
			"receiver_MarketParticipant.mRID": coded("EDGE-AGG"), "receiver_MarketParticipant.marketRole.type": "A13",
			"process.processType": "A14", "period.timeInterval": span(from, until),
			"TimeSeries_Series": series,
		},
	})
}

// pointsOf returns the connection points of a round's n-th document, for a
// network with so many of them.
func pointsOf(n, sites int) (points []int) {
	for p := n; p < min(max(sites, EnvelopesPerRound), managed); p += EnvelopesPerRound {
		points = append(points, p)
	}
	return points
}

// capacity is what a feeder can bear at one connection point and time, in kW: at
// midday it cannot take all that roofs feed in, in the evening not give all that
// vehicles ask for.
func capacity(point int, at time.Time) (low, high float64) {
	local := at.UTC().Add(sunTime)
	hour := float64(local.Hour()) + float64(local.Minute())/60
	sun := math.Max(0, math.Sin((hour-6)/12*math.Pi))
	low = -round(4-2.5*sun+0.5*float64(point%3), 1)
	high = 9 + float64(point%4)
	if hour >= 16 && hour < 22 {
		high -= 3.5
	}
	return low, high
}

// step is a part of what an aggregator can take off the grid in an interval.
type step struct {
	KW    float64
	Price float64 // AUD a MWh
}

// offers divides what a fleet could lower, in kW, into steps of rising price.
func offers(kw float64) []step {
	return []step{{max(1, round(kw*0.3, 0)), 80}, {max(1, round(kw*0.5, 0)), 140}, {max(1, round(kw*0.2, 0)), 300}}
}

// bid offers flexibility for the interval that starts at start.
func bid(id string, start time.Time, steps []step) (json.RawMessage, error) {
	list := make([]object, len(steps))
	for i, s := range steps {
		list[i] = object{"quantity": quantity{s.KW, "kW"}, "price": object{"value": s.Price, "currency": "AUD"}}
	}
	return json.Marshal(object{"bid": id, "interval": span(start, start.Add(Interval)), "direction": "lower", "steps": list})
}

type quantity struct {
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// price is above which the market operator takes no flexibility, in AUD a MWh.
const price = 150

// dispatch answers a bid: with all steps that are cheap enough.
func dispatch(doc []byte) (json.RawMessage, error) {
	var b struct {
		Bid   string `json:"bid"`
		Steps []struct {
			Quantity quantity                `json:"quantity"`
			Price    struct{ Value float64 } `json:"price"`
		} `json:"steps"`
	}
	if err := json.Unmarshal(doc, &b); err != nil {
		return nil, fmt.Errorf("read bid: %w", err)
	}
	kw, highest, all := 0.0, 0.0, true
	for _, s := range b.Steps {
		if s.Price.Value > price {
			all = false
			continue
		}
		kw, highest = kw+s.Quantity.Value, max(highest, s.Price.Value)
	}
	decision := "partial"
	switch {
	case kw == 0:
		decision = "rejected"
	case all:
		decision = "accepted"
	}
	return json.Marshal(object{"bid": b.Bid, "decision": decision, "quantity": quantity{kw, "kW"},
		"price": object{"value": highest, "currency": "AUD"}})
}
