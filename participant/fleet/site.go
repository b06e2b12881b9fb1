package fleet

import (
	"math"
	"time"
)

// site is a house behind one connection point. Powers are in kW, energies in
// kWh.
type site struct {
	has [3]bool // by Kind

	// What it is made of.
	key      uint64     // of everything random about it
	lag      float64    // seconds until the region's clouds are here
	load     float64    // mean consumption
	ohm      float64    // of its line
	panels   float64    // kW at 1000 W/m2 and 25 °C
	plane    [3]float64 // where they look
	inverter float64    // kW at most
	store    tank       // battery
	car      tank       // of the vehicle
	early    bool       // the car charges as soon as it is home
	trades   bool       // the battery buys and sells

	// Where it stands.
	away  bool
	plan  []Limit // envelopes received, oldest first
	bound bool    // it ever had one
	sum   sums    // of the last Step
}

// tank holds energy.
type tank struct {
	size, power float64 // kWh, kW at its terminals
	low         float64 // kWh that stay in it
	in, out     float64 // efficiency of charging and discharging
	energy      float64 // kWh in it now
}

// sums are over one Step: energies in kWh and extremes of the net power.
type sums struct {
	power    [3]float64 // by Kind, positive is drawn
	load     float64
	possible float64 // what the panels could have given, positive
	low      float64 // lowest and highest net power
	high     float64
	breach   float64 // kWh outside the limits, that could not be avoided
	some     bool
	limited  [3]bool // by an envelope
}

// build makes the house of a number; towards is 1 where the sun stands in the
// north, -1 where it stands in the south.
func (s *site) build(seed uint64, n int, towards float64, local time.Time) {
	s.key = mix(seed ^ mix(uint64(n)+0x51ed270b))
	pick := func(what uint64, low, high float64) float64 { return low + (high-low)*chance(s.key, 100, what) }
	s.lag = pick(1, 0, 1500)
	s.load = 0.35 + 0.9*pick(2, 0, 1)*pick(3, 0.4, 1)
	s.ohm = pick(4, 0.08, 0.35)
	if s.has[PV] {
		s.panels = pick(5, 3.5, 10.5)
		s.inverter = math.Ceil(s.panels/1.25*2) / 2
		tilt, turn := pick(6, 10, 30)*math.Pi/180, pick(7, -80, 80)*math.Pi/180
		st, ct := math.Sincos(tilt)
		sn, cs := math.Sincos(turn)
		s.plane = [3]float64{st * sn, st * cs * towards, ct}
	}
	if s.has[Battery] {
		sizes := [...]float64{6.5, 9.8, 10, 13.5}
		size := sizes[int(pick(8, 0, 3.999))]
		s.store = tank{size: size, power: min(5, size/2), low: size / 10, in: 0.95, out: 0.95}
		s.store.energy = size * pick(9, 0.15, 0.6)
		s.trades = pick(14, 0, 1) < 0.5
	}
	if s.has[Charger] {
		sizes := [...]float64{40, 52, 60, 77}
		size := sizes[int(pick(10, 0, 3.999))]
		s.car = tank{size: size, power: [...]float64{3.6, 7.4, 7.4, 11}[int(pick(11, 0, 3.999))], low: size / 20, in: 0.9, out: 1}
		s.car.energy = size * pick(12, 0.35, 0.9)
		s.early = pick(13, 0, 1) < 0.5
		d := dayOf(local)
		hour := float64(local.Hour()) + float64(local.Minute())/60
		s.away = s.gone(d, hour, local.Weekday() == time.Saturday || local.Weekday() == time.Sunday)
	}
}

func dayOf(local time.Time) int64 { return int64(math.Floor(float64(local.Unix()) / 86400)) }

// hours is consumption by the hour of the day, 1 is the mean.
var hours = [24]float64{0.62, 0.55, 0.52, 0.5, 0.52, 0.62, 0.9, 1.2, 1.15, 0.95, 0.85, 0.85,
	0.9, 0.85, 0.82, 0.9, 1.15, 1.6, 1.9, 1.85, 1.65, 1.4, 1.05, 0.75}

// consumption is what the house itself draws.
func (s *site) consumption(k *sky) float64 {
	h := int(k.hour) % 24
	f := k.hour - float64(h)
	shape := hours[h]*(1-f) + hours[(h+1)%24]*f
	own := 0.55 + 0.9*noise(s.key, 4, k.unix/900)
	return s.load * shape * own
}

// trip returns when the car leaves and comes back on a day, in hours, and how
// much it takes; from is 24 on days at home.
func (s *site) trip(day int64, weekend bool) (from, to, energy float64) {
	c := func(what uint64) float64 { return chance(s.key, 200+what, uint64(day)) }
	stay := 0.2
	if weekend {
		stay = 0.4
	}
	if c(0) < stay {
		return 24, 24, 0
	}
	from = 6.5 + 1.5*(c(1)+c(2))
	to = 15 + 2*(c(3)+c(4)+c(5)-0.5)
	if weekend {
		from, to = 9+4*c(1), 14+6*c(2)
	}
	return from, to, 3 + 20*c(6)*c(7)
}

func (s *site) gone(day int64, hour float64, weekend bool) bool {
	from, to, _ := s.trip(day, weekend)
	return hour >= from && hour < to
}

// step moves the house on by dt, a part of an hour.
func (s *site) step(k *sky, now time.Time, d time.Duration) {
	dt := d.Hours()
	load := s.consumption(k)
	light := 0.0
	if s.has[PV] {
		light = s.sunlit(k)
	}
	highCar := s.carRange(k, dt)
	lowStore, highStore := s.store.span(dt)

	// What people and devices want.
	car := s.carWish(k, highCar)
	solar := light
	store := s.storeWish(k, solar-load-car, lowStore, highStore)

	// What the connection point may do: first what costs nobody anything.
	limit := s.limit(now)
	if over := load + car + store - solar - limit.Max; over > 1e-9 {
		store, over = lower(store, lowStore, over, &s.sum.limited[Battery])
		car, over = lower(car, 0, over, &s.sum.limited[Charger])
		s.sum.breach += over * dt
	} else if under := limit.Min - (load + car + store - solar); under > 1e-9 {
		was := store
		store = min(highStore, store+under)
		s.sum.limited[Battery] = s.sum.limited[Battery] || store > was
		under -= store - was
		was = car
		car = min(highCar, car+under)
		s.sum.limited[Charger] = s.sum.limited[Charger] || car > was
		under -= car - was
		solar, under = lower(solar, 0, under, &s.sum.limited[PV])
		s.sum.breach += under * dt
	}

	s.store.move(store, dt)
	s.car.move(car, dt)
	s.sum.add(load, solar, store, car, light, dt)
}

// storeWish is what the battery does by itself: it uses up the own sun; that of
// people who trade sells in the evening and buys by night, when it is cheap.
func (s *site) storeWish(k *sky, surplus, low, high float64) float64 {
	switch {
	case s.trades && k.hour >= 17 && k.hour < 20 && s.store.energy > 0.3*s.store.size:
		return low
	case s.trades && k.hour >= 2 && k.hour < 5 && s.store.energy < 0.6*s.store.size:
		return high
	case math.Abs(surplus) < 0.05:
		return 0
	}
	return min(max(surplus, low), high)
}

// lower takes want off a power down to low and returns what is still wanted.
func lower(p, low, want float64, limited *bool) (left, rest float64) {
	take := min(max(p-low, 0), want)
	if take > 0 {
		*limited = true
	}
	return p - take, want - take
}

func (m *sums) add(load, solar, store, car, light, dt float64) {
	m.load += load * dt
	m.possible += light * dt
	m.power[PV] -= solar * dt
	m.power[Battery] += store * dt
	m.power[Charger] += car * dt
	net := load + store + car - solar
	if !m.some {
		m.low, m.high, m.some = net, net, true
	}
	m.low, m.high = min(m.low, net), max(m.high, net)
}

// sunlit is what the panels could give.
func (s *site) sunlit(k *sky) float64 {
	g := k.light(s.plane, s.lag)
	if g <= 0 {
		return 0
	}
	cell := k.temperature + g*25/800 // a nominal operating temperature of 45 °C
	return min(s.inverter, s.panels*g/1000*(1-0.0037*(cell-25))*0.9)
}

// span is the power a tank can take for dt hours: from giving to taking.
func (t *tank) span(dt float64) (low, high float64) {
	if t.size == 0 {
		return 0, 0
	}
	room, rest := max(0, t.size-t.energy), max(0, t.energy-t.low)
	return -min(t.power, rest*t.out/dt), min(t.power, room/t.in/dt)
}

// move takes a power for dt hours; it is within span.
func (t *tank) move(p, dt float64) {
	if p >= 0 {
		t.energy += p * t.in * dt
	} else {
		t.energy += p / t.out * dt
	}
	t.energy = min(t.energy, t.size)
}

// carRange moves the car between road and house and returns what it can take.
func (s *site) carRange(k *sky, dt float64) float64 {
	if !s.has[Charger] {
		return 0
	}
	_, _, used := s.trip(k.day, k.weekend)
	away := s.gone(k.day, k.hour, k.weekend)
	if s.away && !away {
		s.car.energy = max(s.car.low, s.car.energy-used)
	}
	if s.away = away; away {
		return 0
	}
	_, high := s.car.span(dt)
	// The last fifth is charged ever slower.
	if soc := s.car.energy / s.car.size; soc > 0.8 {
		high = min(high, s.car.power*max(0.08, (1-soc)/0.2))
	}
	return high
}

// carWish is what the car asks for: everything at once, or only by night unless
// it is nearly empty.
func (s *site) carWish(k *sky, high float64) float64 {
	if s.early || s.car.energy < 0.3*s.car.size || k.hour < 6 || k.hour >= 22 {
		return high
	}
	return 0
}
