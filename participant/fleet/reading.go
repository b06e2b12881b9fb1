package fleet

import "time"

// Reading is what a device measured over the last Step.
type Reading struct {
	Device, Site int
	Kind         Kind
	From, Until  time.Time
	KW           float64 // mean, positive is drawn
	KVar         float64
	Volts        float64 // at the connection point, one phase
	Stores       bool    // it has a state of charge
	SoC          float64 // 0 to 100 at the end
	Limited      bool    // an operating envelope held it back, or made it help
}

// Reading returns the reading of device n, 0 to Devices-1.
func (f *Fleet) Reading(n int) Reading {
	s := &f.sites[f.Site(n)]
	k := f.Kind(n)
	h := max(f.last.Hours(), 1e-9)
	r := Reading{Device: n, Site: f.Site(n), Kind: k, From: f.now.Add(-f.last), Until: f.now,
		KW: s.sum.power[k] / h, Limited: s.sum.limited[k]}
	net := (s.sum.load + s.sum.power[PV] + s.sum.power[Battery] + s.sum.power[Charger]) / h
	// The line raises the voltage when power is fed in. Inverters answer as
	// AS/NZS 4777.2 asks: above 240 V they draw reactive power, up to 60 % of
	// what they feed in at 258 V.
	const rated = 230
	r.Volts = rated*1.02 - net*1000*s.ohm/rated
	if k != Charger && r.KW < 0 {
		r.KVar = -r.KW * 0.6 * min(max((r.Volts-240)/18, 0), 1)
	}
	switch k {
	case Battery:
		r.Stores, r.SoC = true, 100*s.store.energy/s.store.size
	case Charger:
		r.Stores, r.SoC = !s.away, 100*s.car.energy/s.car.size
	}
	return r
}

// Point is what one connection point did over the last Step: mean powers in
// kW, and the extremes of its net power.
type Point struct {
	Load, PV, Battery, Charger float64 // PV and what a battery gives are negative
	Net, Low, High             float64
	Possible                   float64 // what the panels could have given, positive
	Breach                     float64 // kWh outside the limits that no device could prevent
	Limit                      Limit   // that holds at its end
}

// Point returns what connection point n did.
func (f *Fleet) Point(n int) Point {
	s := &f.sites[n]
	h := max(f.last.Hours(), 1e-9)
	m := &s.sum
	p := Point{Load: m.load / h, PV: m.power[PV] / h, Battery: m.power[Battery] / h, Charger: m.power[Charger] / h,
		Low: m.low, High: m.high, Possible: m.possible / h, Breach: m.breach, Limit: s.limit(f.now.Add(-1))}
	p.Net = p.Load + p.PV + p.Battery + p.Charger
	return p
}

// Totals are sums over the whole fleet and the last Step.
type Totals struct {
	Load, PV, Battery, Charger, Net float64 // mean kW
	Possible                        float64 // mean kW the panels could have given
	Stored                          float64 // kWh in the batteries
	Limited                         int     // devices held back or made to help
	Bound                           int     // connection points under an envelope
	Breaches                        int     // connection points outside their limits
}

// Totals returns the sums.
func (f *Fleet) Totals() (t Totals) {
	for n := range f.sites {
		p, s := f.Point(n), &f.sites[n]
		t.Load, t.PV, t.Battery, t.Charger, t.Net = t.Load+p.Load, t.PV+p.PV, t.Battery+p.Battery, t.Charger+p.Charger, t.Net+p.Net
		t.Possible += p.Possible
		t.Stored += s.store.energy
		for k, limited := range s.sum.limited {
			if limited && s.has[k] {
				t.Limited++
			}
		}
		if s.bound {
			t.Bound++
		}
		if p.Breach > 0 {
			t.Breaches++
		}
	}
	return t
}
