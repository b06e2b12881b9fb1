package market

import (
	"encoding/json"
	"fmt"
	"time"
)

// object is a JSON object in the making.
type object = map[string]any

func span(start, end time.Time) object { return object{"start": start.UTC(), "end": end.UTC()} }

func coded(value string) object { return object{"value": value, "codingScheme": "NAT"} }

// operatingEnvelope is what the network operator allows one connection point
// for the interval that starts at start.
func operatingEnvelope(round, n int, start time.Time) (json.RawMessage, error) {
	point := fmt.Sprintf("NMI%08d", n)
	end := start.Add(Interval)
	return json.Marshal(object{
		"MessageDocumentHeader": object{
			"creationDateTime": start.UTC(),
			"MetaInformation": object{
				"documentType": "min-max-envelope", "regionCountry": "AU",
				"Asset": object{"type": "CONNECTION-AGREEMENT-POINT", "operatorId": "EDGE-DNSP", "meterId": point},
			},
		},
		"MarketDocument": object{
			"mRID": fmt.Sprintf("doe-%d-%d", start.Unix(), n), "revisionNumber": "1", "lastModifiedDateTime": start.UTC(),
			"description":                   fmt.Sprintf("Round %d", round),
			"sender_MarketParticipant.mRID": coded("EDGE-DNSP"), "sender_MarketParticipant.marketRole.type": "A56",
			"receiver_MarketParticipant.mRID": coded("EDGE-AGG"), "receiver_MarketParticipant.marketRole.type": "A13",
			"process.processType": "A14", "period.timeInterval": span(start, end),
			"TimeSeries_Series": []object{{
				"mRID": "series-1", "businessType": "C76", "curveType": "A01", "flowDirection.direction": "A03",
				"registeredResource.mRID": coded(point),
				"Series": []object{{"Period": []object{{
					"resolution": "PT5M", "timeInterval": span(start, end),
					"Point": []object{{"position": 1, "min_Quantity.quantity": -5 - n%3, "max_Quantity.quantity": 7 + n%4}},
				}}}},
			}},
		},
	})
}

// bid offers flexibility for the interval that starts at start.
func bid(id string, start time.Time) (json.RawMessage, error) {
	step := func(kw, price float64) object {
		return object{"quantity": quantity{kw, "kW"}, "price": object{"value": price, "currency": "AUD"}}
	}
	return json.Marshal(object{"bid": id, "interval": span(start, start.Add(Interval)), "direction": "lower",
		"steps": []object{step(250, 80), step(400, 140), step(150, 300)}})
}

// dispatch answers a bid.
func dispatch(id string) (json.RawMessage, error) {
	return json.Marshal(object{"bid": id, "decision": "partial", "quantity": quantity{650, "kW"},
		"price": object{"value": 140, "currency": "AUD"}})
}
