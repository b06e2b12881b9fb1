package market

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/digital-spine/spine/participant/fleet"
)

// Interval is the length of a simulated trading interval.
const Interval = 5 * time.Minute

// Fleet says which devices an aggregator looks after: solar panels, batteries
// and chargers, as package fleet simulates them. The same seed gives the same
// fleet.
type Fleet struct {
	Size int
	Seed uint64
}

// Simulate returns the fleet as it is at a time.
func (f Fleet) Simulate(start time.Time) *fleet.Fleet {
	return fleet.New(fleet.Config{Devices: f.Size, Seed: f.Seed, Start: start})
}

// Reading returns the telemetry of device n, 0 to Size-1, for the interval that
// starts at start, of a fleet that begins then.
func (f Fleet) Reading(n int, start time.Time) (json.RawMessage, error) {
	if n < 0 || n >= f.Size {
		return nil, fmt.Errorf("there is no device %d", n)
	}
	sim := f.Simulate(start)
	sim.Step(Interval)
	return Telemetry(nil, sim.Reading(n)), nil
}

// ConnectionPoint returns the national identifier of a fleet's connection
// point.
func ConnectionPoint(site int) string { return fmt.Sprintf("NMI%08d", site) }

// site returns the number of a connection point, -1 when it is none.
func siteOf(point string) int {
	if len(point) != 11 || point[:3] != "NMI" {
		return -1
	}
	n, err := strconv.ParseUint(point[3:], 10, 31)
	if err != nil {
		return -1
	}
	return int(n)
}

// Telemetry appends a reading as a document of the topic telemetry.
func Telemetry(b []byte, r fleet.Reading) []byte {
	b = append(b, `{"device":"der-`...)
	b = digits(b, r.Device, 6)
	b = append(b, `","connectionPoint":"NMI`...)
	b = digits(b, r.Site, 8)
	b = append(b, `","kind":"`...)
	b = append(b, r.Kind.String()...)
	b = append(b, `","interval":{"start":"`...)
	b = r.From.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","end":"`...)
	b = r.Until.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `"},"activePower":{"value":`...)
	b = number(b, r.KW, 3)
	b = append(b, `,"unit":"kW"},"reactivePower":{"value":`...)
	b = number(b, r.KVar, 3)
	b = append(b, `,"unit":"kvar"},"voltage":{"value":`...)
	b = number(b, r.Volts, 1)
	b = append(b, `,"unit":"V"}`...)
	if r.Stores {
		b = append(b, `,"stateOfCharge":{"value":`...)
		b = number(b, r.SoC, 1)
		b = append(b, `,"unit":"%"}`...)
	}
	b = append(b, `,"status":"`...)
	if r.Limited {
		return append(b, `limited"}`...)
	}
	return append(b, `online"}`...)
}

// digits appends n with leading zeros to at least width digits.
func digits(b []byte, n, width int) []byte {
	least := 1
	for range width - 1 {
		least *= 10
	}
	for ; least > 1 && n < least; least /= 10 {
		b = append(b, '0')
	}
	return strconv.AppendInt(b, int64(n), 10)
}

// number appends v with so many digits behind the point at most.
func number(b []byte, v float64, places int) []byte {
	return strconv.AppendFloat(b, round(v, places)+0, 'f', -1, 64) // +0: there is no -0
}

func round(v float64, places int) float64 {
	p := math.Pow(10, float64(places))
	return math.Round(v*p) / p
}
