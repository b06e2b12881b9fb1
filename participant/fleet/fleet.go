// Package fleet simulates what an aggregator looks after: households with
// solar panels, batteries and chargers of electric vehicles, under one weather.
// Sun, cloud, panels, charging losses, states of charge, trips and the limits of
// each connection point are modelled simply and consistently: energy is
// conserved, nothing charges beyond full, nothing is fed in at night.
//
// It is deterministic (the same Config and the same calls give the same
// readings), runs as fast as it is asked to, and knows nothing of markets or
// messages. It is not a tool for planning networks: there is no power flow, and
// voltages come from each house's own line alone.
package fleet

import (
	"runtime"
	"sync"
	"time"
)

// Kind is what a device is.
type Kind uint8

// Kinds of devices.
const (
	PV Kind = iota
	Battery
	Charger
)

// String returns the kind's name in telemetry.
func (k Kind) String() string { return [...]string{"pv", "battery", "ev"}[k] }

// Config says which fleet.
type Config struct {
	Devices int           // at least 1
	Seed    uint64        // of the houses, their people and the weather
	Start   time.Time     // when the simulation begins
	Inner   time.Duration // length of one computed step; 0 means 1 minute

	// Where it is, in degrees; 0, 0 means Albury, where Project EDGE ran.
	Latitude, Longitude float64
}

// Limit is what an operating envelope allows at a connection point, in kW:
// positive is drawn from the grid, negative fed in.
type Limit struct {
	From, Until time.Time
	Min, Max    float64 // Min <= 0 <= Max is what can always be obeyed by feeding in
}

// Limits without any operating envelope, and those that hold where one was
// received before but none covers the time, as when the line to the network
// operator is down.
var (
	Agreement = Limit{Min: -10, Max: 15}
	Fallback  = Limit{Min: -1.5, Max: 15}
)

// Fleet is a running simulation. Its methods must not be called by several
// goroutines at once.
type Fleet struct {
	cfg   Config
	now   time.Time
	last  time.Duration // length of the last Step
	sites []site
	w     weather
}

// block is the pattern in which devices belong to houses: four houses with
// eight devices.
var block = [...]struct {
	site int
	kind Kind
}{{0, PV}, {0, Battery}, {0, Charger}, {1, PV}, {2, PV}, {2, Charger}, {3, PV}, {3, Battery}}

// New makes a fleet at its start.
func New(c Config) *Fleet {
	if c.Inner <= 0 {
		c.Inner = time.Minute
	}
	if c.Latitude == 0 && c.Longitude == 0 {
		c.Latitude, c.Longitude = -36.08, 146.92
	}
	c.Devices = max(c.Devices, 1)
	f := &Fleet{cfg: c, now: c.Start.UTC()}
	f.w = weather{seed: c.Seed, lat: c.Latitude, lon: c.Longitude}
	f.sites = make([]site, Sites(c.Devices))
	for n := range c.Devices {
		f.sites[f.Site(n)].has[f.Kind(n)] = true
	}
	towards := 1.0
	if c.Latitude > 0 {
		towards = -1
	}
	for i := range f.sites {
		f.sites[i].build(c.Seed, i, towards, f.w.local(f.now))
	}
	return f
}

// Devices returns how many devices there are.
func (f *Fleet) Devices() int { return f.cfg.Devices }

// Sites returns how many connection points there are.
func (f *Fleet) Sites() int { return len(f.sites) }

// Site returns the connection point of device n, 0 to Devices-1.
func (f *Fleet) Site(n int) int { return siteOf(n) }

func siteOf(n int) int { return n/len(block)*4 + block[n%len(block)].site }

// Sites returns how many connection points a fleet of so many devices has.
func Sites(devices int) int { return siteOf(max(devices, 1)-1) + 1 }

// Kind returns what device n is.
func (f *Fleet) Kind(n int) Kind { return block[n%len(block)].kind }

// Now returns the simulated time.
func (f *Fleet) Now() time.Time { return f.now }

// parallel is from how many sites on a step is shared among processors.
const parallel = 2_000

// Step moves the simulation on. Readings are means over the last Step.
func (f *Fleet) Step(d time.Duration) {
	for i := range f.sites {
		f.sites[i].sum = sums{}
	}
	f.last = d
	for d > 0 {
		dt := min(d, f.cfg.Inner)
		// The middle of the step stands for it.
		sky := f.w.at(f.now.Add(dt / 2))
		f.each(func(s *site) { s.step(&sky, f.now, dt) })
		f.now = f.now.Add(dt)
		d -= dt
	}
}

func (f *Fleet) each(fn func(*site)) {
	workers := min(runtime.GOMAXPROCS(0), 1+len(f.sites)/parallel)
	if workers == 1 {
		for i := range f.sites {
			fn(&f.sites[i])
		}
		return
	}
	var wg sync.WaitGroup
	size := (len(f.sites) + workers - 1) / workers
	for from := 0; from < len(f.sites); from += size {
		part := f.sites[from:min(from+size, len(f.sites))]
		wg.Go(func() {
			for i := range part {
				fn(&part[i])
			}
		})
	}
	wg.Wait()
}
