package main

import (
	"errors"
	"math"
	"time"

	"github.com/digital-spine/spine/participant/fleet"
	"github.com/digital-spine/spine/participant/market"
)

// benchFleet measures the simulation of an aggregator's fleet.
type benchFleet struct {
	Devices int           `default:"100000" help:"Devices of the fleet."`
	Hours   int           `default:"12" help:"Simulated hours, from sunrise on."`
	Most    time.Duration `hidden:"" default:"60s" help:"Real time after which it ends early."`
}

// Help is shown by spine bench fleet --help.
func (benchFleet) Help() string {
	return `Simulates solar panels, batteries and charging vehicles in steps of a minute,
a tenth of their connection points held by operating envelopes, and writes the
telemetry document of every device for every interval of five minutes. The
real-time factor is how much faster than the clock this goes; nothing is sent.`
}

// fleetFigures are the result.
type fleetFigures struct {
	Devices  int     `json:"devices"`
	Simulate float64 `json:"simulated_s"`
	Wall     float64 `json:"wall_s"`
	Factor   float64 `json:"realtime_factor"`
}

// Run measures.
func (c *benchFleet) Run(a *app) error {
	if c.Devices < 1 || c.Devices > 1_000_000 || c.Hours < 1 || c.Hours > 24*365 {
		return errors.New("--devices is not within 1 to 1000000, or --hours not within 1 to 8760")
	}
	start := market.RoundStart(0).Add(-3 * time.Hour)
	f := market.Fleet{Size: c.Devices, Seed: 1}.Simulate(start)
	end := start.Add(time.Duration(c.Hours) * time.Hour)
	begin := time.Now()
	var doc []byte
	for f.Now().Before(end) && time.Since(begin) < c.Most && a.ctx.Err() == nil {
		for n := 0; n < f.Sites(); n += 10 {
			if err := f.Limit(n, fleet.Limit{From: f.Now(), Until: f.Now().Add(market.Interval), Min: -2, Max: 6}); err != nil {
				return err
			}
		}
		f.Step(market.Interval)
		for n := range f.Devices() {
			doc = market.Telemetry(doc[:0], f.Reading(n))
		}
	}
	if err := a.ctx.Err(); err != nil {
		return err
	}
	wall := time.Since(begin).Seconds()
	simulated := f.Now().Sub(start).Seconds()
	out := fleetFigures{c.Devices, simulated, math.Round(1000*wall) / 1000, math.Round(simulated / wall)}
	return a.print(out, "%d devices: %.0f s simulated in %.1f s, %.0f times real time\n%s\n", out.Devices, out.Simulate, out.Wall, out.Factor, machine())
}
