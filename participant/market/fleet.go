package market

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Interval is the length of a simulated trading interval.
const Interval = 5 * time.Minute

// Fleet makes the readings of an aggregator's devices: solar, batteries,
// chargers and heat pumps. The same seed gives the same fleet and readings.
type Fleet struct {
	Size int
	Seed uint64
}

var kinds = []string{"pv", "battery", "ev", "heatpump"}

type quantity struct {
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

type window struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

type reading struct {
	Device          string    `json:"device"`
	ConnectionPoint string    `json:"connectionPoint"`
	Kind            string    `json:"kind"`
	Interval        window    `json:"interval"`
	ActivePower     quantity  `json:"activePower"`
	ReactivePower   quantity  `json:"reactivePower"`
	Voltage         quantity  `json:"voltage"`
	StateOfCharge   *quantity `json:"stateOfCharge,omitempty"`
	Status          string    `json:"status"`
}

// Reading returns the telemetry of device n, 0 to Size-1, for the interval that
// starts at start.
func (f Fleet) Reading(n int, start time.Time) (json.RawMessage, error) {
	rng := rand.New(rand.NewPCG(f.Seed, uint64(n)<<32^uint64(start.Unix())))
	kind := kinds[n%len(kinds)]
	hour := float64(start.UTC().Hour()) + float64(start.UTC().Minute())/60
	sun := math.Max(0, math.Sin((hour-6)/12*math.Pi))
	var kw float64
	switch kind {
	case "pv":
		kw = -5 * sun * (0.7 + 0.3*rng.Float64())
	case "battery":
		kw = 4 * (sun - 0.5 + 0.1*rng.NormFloat64())
	case "ev":
		if rng.Float64() < 0.3 {
			kw = 7.4
		}
	case "heatpump":
		kw = 1 + 2*rng.Float64()
	}
	r := reading{
		Device: fmt.Sprintf("der-%06d", n), ConnectionPoint: fmt.Sprintf("NMI%08d", n), Kind: kind,
		Interval:      window{start.UTC(), start.Add(Interval).UTC()},
		ActivePower:   quantity{round(kw, 3), "kW"},
		ReactivePower: quantity{round(kw*0.1, 3), "kvar"},
		Voltage:       quantity{round(230+3*rng.NormFloat64(), 1), "V"},
		Status:        "online",
	}
	if kind == "battery" || kind == "ev" {
		r.StateOfCharge = &quantity{round(20+60*rng.Float64(), 1), "%"}
	}
	return json.Marshal(r)
}

func round(v float64, digits int) float64 {
	p := math.Pow(10, float64(digits))
	return math.Round(v*p) / p
}
