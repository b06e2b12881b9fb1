package fleet

import (
	"math"
	"reflect"
	"runtime"
	"testing"
	"time"
)

// midnight of a summer's day in Victoria, by the sun.
var midnight = time.Date(2026, 1, 14, 14, 12, 0, 0, time.UTC)

const interval = 5 * time.Minute

// day runs a fleet over so many hours and calls fn after each interval.
func day(f *Fleet, hours int, fn func()) {
	for range hours * 12 {
		f.Step(interval)
		fn()
	}
}

// TestEnergyIsConserved: what the devices, the house and the grid exchange sums
// up, and what a battery or a vehicle holds is what went in and out of it.
func TestEnergyIsConserved(t *testing.T) {
	f := New(Config{Devices: 400, Seed: 7, Start: midnight})
	h := interval.Hours()
	day(f, 48, func() {
		total := f.Totals()
		sum := 0.0
		for n := range f.Sites() {
			p := f.Point(n)
			sum += p.Net
			if got := p.Load + p.PV + p.Battery + p.Charger; math.Abs(got-p.Net) > 1e-9 || p.Load <= 0 || p.PV > 0 || p.Charger < 0 || -p.PV > p.Possible+1e-9 {
				t.Fatalf("%v point %d: %+v", f.Now(), n, p)
			}
			if mean := p.Net; mean < p.Low-1e-9 || mean > p.High+1e-9 {
				t.Fatalf("point %d: mean %v outside %v to %v", n, mean, p.Low, p.High)
			}
		}
		if math.Abs(sum-total.Net) > 1e-6 {
			t.Fatalf("the points sum up to %v kW, the fleet says %v", sum, total.Net)
		}
	})
	// Tanks alone: in, out and the losses between.
	tk := tank{size: 10, power: 5, low: 1, in: 0.9, out: 0.8, energy: 3}
	in, out := 0.0, 0.0
	for k := range 1000 {
		low, high := tk.span(h)
		p := low + (high-low)*chance(1, 2, uint64(k))
		tk.move(p, h)
		in, out = in+max(0, p)*h, out+max(0, -p)*h
		if tk.energy < tk.low-1e-9 || tk.energy > tk.size+1e-9 {
			t.Fatalf("the tank holds %v kWh", tk.energy)
		}
	}
	if got := 3 + in*0.9 - out/0.8; math.Abs(got-tk.energy) > 1e-6 {
		t.Errorf("the tank holds %v kWh, the sums give %v", tk.energy, got)
	}
}

// TestBatteriesKeepTheirBooks compares states of charge with measured powers.
func TestBatteriesKeepTheirBooks(t *testing.T) {
	f := New(Config{Devices: 80, Seed: 3, Start: midnight, Inner: interval})
	before := make([]float64, f.Sites())
	for n := range before {
		before[n] = f.sites[n].store.energy
	}
	moved := false
	day(f, 48, func() {
		for n := range before {
			s := &f.sites[n]
			if !s.has[Battery] {
				continue
			}
			p := f.Point(n).Battery * interval.Hours()
			want := before[n] + p*s.store.in
			if p < 0 {
				want = before[n] + p/s.store.out
			}
			if math.Abs(want-s.store.energy) > 1e-6 {
				t.Fatalf("point %d holds %v kWh, its power gives %v", n, s.store.energy, want)
			}
			if s.store.energy < s.store.low-1e-9 || s.store.energy > s.store.size+1e-9 {
				t.Fatalf("point %d: %v of %v kWh", n, s.store.energy, s.store.size)
			}
			moved = moved || p != 0
			before[n] = s.store.energy
		}
	})
	if !moved {
		t.Error("no battery did anything")
	}
}

// TestSunAndPeople: nothing is fed in at night, most at midday, more in summer
// than in winter; people draw most in the evening; vehicles leave and come home.
func TestSunAndPeople(t *testing.T) {
	yield := func(start time.Time) (total float64, byHour [24]float64, load [24]float64, away, home int) {
		f := New(Config{Devices: 800, Seed: 1, Start: start})
		day(f, 24, func() {
			h := f.w.local(f.Now().Add(-interval)).Hour()
			tot := f.Totals()
			total += tot.Possible * interval.Hours()
			byHour[h] += tot.Possible
			load[h] += tot.Load
			for n := range f.sites {
				if f.sites[n].has[Charger] {
					if f.sites[n].away {
						away++
					} else {
						home++
					}
				}
			}
		})
		return
	}
	summer, hours, load, away, home := yield(midnight)
	winter, _, _, _, _ := yield(midnight.AddDate(0, 6, 0))
	for _, h := range []int{0, 1, 2, 3, 21, 22, 23} {
		if hours[h] != 0 {
			t.Errorf("%v kW of sun at %d o'clock", hours[h], h)
		}
	}
	if hours[12] < 2*hours[7] || hours[12] < 2*hours[17] {
		t.Errorf("midday is not the best time: %v", hours)
	}
	if winter > 0.7*summer || winter < 0.1*summer {
		t.Errorf("%v kWh on a winter's day, %v on a summer's", winter, summer)
	}
	// 400 systems of about 7 kW: 3 to 7 kWh a kW on a summer's day with some cloud.
	if per := summer / 400 / 7; per < 2 || per > 8 {
		t.Errorf("%v kWh a kW and day", per)
	}
	if load[18] < 1.5*load[3] {
		t.Errorf("people draw no more in the evening: %v", load)
	}
	if away == 0 || home == 0 || away > home {
		t.Errorf("vehicles: %d times away, %d times at home", away, home)
	}
	// North of the equator it is the other way round.
	f := New(Config{Devices: 80, Seed: 1, Start: time.Date(2026, 6, 21, 0, 0, 0, 0, time.UTC), Latitude: 48, Longitude: 16})
	best := 0.0
	day(f, 24, func() { best = max(best, f.Totals().Possible) })
	if best < 40*2 {
		t.Errorf("%v kW at most in Vienna in June", best)
	}
}

// TestEnvelopesAreObeyed: where an envelope holds, the net power stays within
// it in every step, and this costs panels, batteries and chargers something.
func TestEnvelopesAreObeyed(t *testing.T) {
	const low, high = -1.0, 5.0
	cfg := Config{Devices: 800, Seed: 2, Start: midnight}
	free, held := New(cfg), New(cfg)
	limited, curtailed, outside := [3]int{}, 0.0, 0
	day(held, 48, func() {
		free.Step(interval)
		for n := range held.Sites() {
			p := held.Point(n)
			if n%2 == 0 && held.Now().Sub(midnight) > interval {
				if p.Low < low-1e-9 || p.High > high+1e-9 && p.Breach == 0 {
					t.Fatalf("%v point %d: %+v", held.Now(), n, p)
				}
				if p.Breach > 0 && p.Charger+max(0, p.Battery) > 0.5 && p.High-high > 0.5 {
					t.Fatalf("point %d charges above its limit: %+v", n, p)
				}
				curtailed += p.Possible + p.PV
			} else if q := free.Point(n); n%2 == 1 && p != q {
				t.Fatalf("point %d has no envelope and behaves otherwise: %+v, %+v", n, p, q)
			}
			if q := free.Point(n); q.Low < low-0.1 || q.High > high+0.1 {
				outside++
			}
		}
		for n := range held.Devices() {
			if r := held.Reading(n); r.Limited {
				limited[r.Kind]++
			}
		}
		for n := 0; n < held.Sites(); n += 2 {
			if err := held.Limit(n, Limit{From: held.Now(), Until: held.Now().Add(interval), Min: low, Max: high}); err != nil {
				t.Fatal(err)
			}
		}
	})
	if outside == 0 || curtailed < 10 || limited[PV] == 0 || limited[Battery] == 0 || limited[Charger] == 0 {
		t.Errorf("the envelopes change nothing: %d times outside without them, %v kW curtailed, limited %v", outside, curtailed, limited)
	}
}

func TestLimits(t *testing.T) {
	f := New(Config{Devices: 8, Seed: 1, Start: midnight})
	at := func(m int) time.Time { return midnight.Add(time.Duration(m) * time.Minute) }
	for _, l := range []Limit{{at(0), at(0), -1, 1}, {at(5), at(0), -1, 1}, {at(0), at(5), 2, 1}, {at(0), at(5), math.NaN(), 1}} {
		if f.Limit(0, l) == nil {
			t.Errorf("%+v is taken", l)
		}
	}
	if f.Limit(-1, Limit{at(0), at(5), -1, 1}) == nil || f.Limit(f.Sites(), Limit{at(0), at(5), -1, 1}) == nil {
		t.Error("a connection point that is not there is taken")
	}
	s := &f.sites[0]
	if s.limit(at(0)) != Agreement {
		t.Error("without envelopes the agreement holds")
	}
	one, two := Limit{at(0), at(10), -1, 1}, Limit{at(5), at(15), -2, 2}
	_ = f.Limit(0, one)
	_ = f.Limit(0, two)
	for m, want := range map[int]Limit{0: one, 4: one, 5: two, 9: two, 14: two, 15: Fallback} {
		if got := s.limit(at(m)); got != want {
			t.Errorf("minute %d: %+v", m, got)
		}
	}
	for m := range 1000 {
		_ = f.Limit(0, Limit{at(m), at(m + 5), -1, 1})
	}
	if len(s.plan) > maxPlan {
		t.Errorf("%d envelopes are kept", len(s.plan))
	}
}

// TestSameSeedSameReadings: also on one processor, also after Save and Load.
func TestSameSeedSameReadings(t *testing.T) {
	run := func(f *Fleet, n int) (out []Reading) {
		for range n {
			_ = f.Limit(1, Limit{From: f.Now(), Until: f.Now().Add(interval), Min: -1, Max: 3})
			f.Step(interval)
		}
		for i := range f.Devices() {
			out = append(out, f.Reading(i))
		}
		return out
	}
	cfg := Config{Devices: 5001, Seed: 9, Start: midnight.Add(10 * time.Hour)}
	f := New(cfg)
	want := run(f, 20)
	before := runtime.GOMAXPROCS(1)
	got := run(New(cfg), 20)
	runtime.GOMAXPROCS(before)
	if !reflect.DeepEqual(got, want) {
		t.Error("the same seed gave other readings")
	}
	other := cfg
	other.Seed++
	if reflect.DeepEqual(run(New(other), 20), want) {
		t.Error("another seed gave the same readings")
	}
	half := New(cfg)
	run(half, 10)
	state := half.Save()
	on := New(cfg)
	if err := on.Load(state); err != nil {
		t.Fatal(err)
	}
	if got := run(on, 10); !reflect.DeepEqual(got, want) {
		t.Error("a fleet that was saved goes on otherwise")
	}
	if again := half.Save(); !reflect.DeepEqual(again, state) {
		t.Error("saving changes the fleet")
	}
	for name, bad := range map[string][]byte{"nothing": nil, "cut": state[:len(state)-1], "longer": append(append([]byte{}, state...), 0), "version": append([]byte{9}, state[1:]...)} {
		if on.Load(bad) == nil {
			t.Errorf("%s: is loaded", name)
		}
	}
	if New(other).Load(state) == nil {
		t.Error("the state of another fleet is loaded")
	}
	// Of a fleet of another size, what both have goes on as it was.
	for _, devices := range []int{2501, 6000} {
		c := cfg
		c.Devices = devices
		sized := New(c)
		if err := sized.Load(state); err != nil {
			t.Fatal(err)
		}
		common := min(devices, cfg.Devices) / len(block) * len(block) // whole blocks
		if got := run(sized, 10); !reflect.DeepEqual(got[:common], want[:common]) {
			t.Errorf("a fleet of %d devices goes on otherwise", devices)
		}
	}
}

// FuzzLoad reads states that nobody saved.
func FuzzLoad(f *testing.F) {
	cfg := Config{Devices: 9, Seed: 1, Start: midnight}
	fl := New(cfg)
	_ = fl.Limit(0, Limit{From: midnight, Until: midnight.Add(time.Hour), Min: -1, Max: 1})
	f.Add(fl.Save())
	f.Fuzz(func(t *testing.T, state []byte) {
		fl := New(cfg)
		if fl.Load(state) == nil {
			fl.Step(interval)
		}
	})
}

func TestReadings(t *testing.T) {
	f := New(Config{Devices: 808, Seed: 4, Start: midnight.Add(11 * time.Hour)})
	kinds := map[Kind]int{}
	day(f, 6, func() {
		for n := range f.Devices() {
			r := f.Reading(n)
			kinds[r.Kind]++
			if r.Site != f.Site(n) || !f.sites[r.Site].has[r.Kind] || !r.Until.Equal(f.Now()) || r.Until.Sub(r.From) != interval {
				t.Fatalf("%+v", r)
			}
			if math.IsNaN(r.KW) || math.Abs(r.KW) > 20 || r.Volts < 207 || r.Volts > 276 || math.Abs(r.KVar) > math.Abs(r.KW) || r.SoC < 0 || r.SoC > 100+1e-9 {
				t.Fatalf("%+v", r)
			}
			if r.Kind == PV && (r.KW > 0 || r.Stores) || r.Kind == Battery && !r.Stores {
				t.Fatalf("%+v", r)
			}
		}
	})
	if kinds[PV] == 0 || kinds[Battery] == 0 || kinds[Charger] == 0 {
		t.Errorf("%v", kinds)
	}
	for devices, want := range map[int]int{1: 1, 3: 1, 4: 2, 5: 3, 6: 3, 7: 4, 8: 4, 9: 5} {
		if got := New(Config{Devices: devices, Start: midnight}).Sites(); got != want || Sites(devices) != want {
			t.Errorf("%d devices have %d connection points", devices, got)
		}
	}
}

func BenchmarkStep(b *testing.B) {
	f := New(Config{Devices: 10_000, Seed: 1, Start: midnight.Add(10 * time.Hour)})
	b.ReportAllocs()
	for b.Loop() {
		f.Step(interval)
	}
}
