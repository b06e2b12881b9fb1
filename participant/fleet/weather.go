package fleet

import (
	"math"
	"time"
)

// weather is the sun over a place, and one moving cloud field.
type weather struct {
	seed     uint64
	lat, lon float64 // degrees
}

// sky is the weather at one time, before each house's own cloud.
type sky struct {
	w           *weather
	unix        float64
	local       time.Time  // mean solar time, for what people do
	hour        float64    // of local, 0 to 24
	sun         [3]float64 // towards the sun: east, north, up
	clear       float64    // W/m2 on the ground under a clear sky
	extra       float64    // W/m2 above the air, on the ground's plane
	temperature float64    // °C
	weekend     bool
	day         int64 // number of local's day
}

// local is the time by the sun: midday is when it is highest, within minutes.
func (w *weather) local(t time.Time) time.Time {
	return t.UTC().Add(time.Duration(w.lon / 15 * float64(time.Hour)))
}

// at returns the sky at a time. The sun's place follows the short formulas of
// NOAA's solar calculator, the clear sky Haurwitz (1945).
func (w *weather) at(t time.Time) sky {
	l := w.local(t)
	s := sky{w: w, unix: float64(t.UnixNano()) / 1e9, local: l}
	s.hour = float64(l.Hour()) + float64(l.Minute())/60 + float64(l.Second())/3600
	s.day = int64(math.Floor(float64(l.Unix()) / 86400))
	s.weekend = l.Weekday() == time.Saturday || l.Weekday() == time.Sunday

	year := 2 * math.Pi / 365.24 * (float64(l.YearDay()-1) + (s.hour-12)/24)
	sin, cos := math.Sincos(year)
	sin2, cos2 := math.Sincos(2 * year)
	minutes := 229.18 * (0.000075 + 0.001868*cos - 0.032077*sin - 0.014615*cos2 - 0.040849*sin2)
	declination := 0.006918 - 0.399912*cos + 0.070257*sin - 0.006758*cos2 + 0.000907*sin2
	angle := (s.hour + minutes/60 - 12) / 12 * math.Pi
	lat := w.lat * math.Pi / 180
	sd, cd := math.Sincos(declination)
	sl, cl := math.Sincos(lat)
	sa, ca := math.Sincos(angle)
	s.sun = [3]float64{-cd * sa, cl*sd - sl*cd*ca, sl*sd + cl*cd*ca}
	if up := s.sun[2]; up > 0.01 {
		s.clear = 1098 * up * math.Exp(-0.059/up)
		s.extra = 1361 * (1 + 0.033*math.Cos(year)) * up
	}

	warmest := 20.0 // day of the year, south of the equator
	if w.lat > 0 {
		warmest = 201
	}
	season := math.Cos(2 * math.Pi * (float64(l.YearDay()) - warmest) / 365)
	s.temperature = 15 + 9*season + (5+2*season)*math.Sin((s.hour-9)/12*math.Pi) + 4*(noise(w.seed, 3, s.unix/43_200)-0.5)
	return s
}

// light is what falls on a plane: its direction (east, north, up) in W/m2. lag,
// in seconds, says when the clouds of the region reach the place.
func (s *sky) light(plane [3]float64, lag float64) float64 {
	if s.clear <= 0 {
		return 0
	}
	t := s.unix - lag
	// Hours of fine or dull weather, and single clouds.
	cover := 1.5*noise(s.w.seed, 1, t/14_400) - 0.4 + 0.7*(noise(s.w.seed, 2, t/420)-0.5)
	cover = min(max(cover, 0), 1)
	// Kasten and Czeplak (1980).
	ground := s.clear * (1 - 0.75*cover*cover*cover*math.Sqrt(cover))
	// Erbs (1982): how much of it is scattered.
	kt := min(ground/s.extra, 1)
	scattered := 0.165
	switch {
	case kt <= 0.22:
		scattered = 1 - 0.09*kt
	case kt <= 0.8:
		scattered = 0.9511 - 0.1604*kt + 4.388*kt*kt - 16.638*kt*kt*kt + 12.336*kt*kt*kt*kt
	}
	beam := min(ground*(1-scattered)/s.sun[2], 1000)
	facing := max(0, plane[0]*s.sun[0]+plane[1]*s.sun[1]+plane[2]*s.sun[2])
	return beam*facing + ground*scattered*(1+plane[2])/2 + ground*0.2*(1-plane[2])/2
}

// noise is a smooth function of x with values from 0 to 1, another one for each
// seed and channel.
func noise(seed, channel uint64, x float64) float64 {
	whole := math.Floor(x)
	f := x - whole
	f *= f * (3 - 2*f)
	n := uint64(int64(whole))
	a, b := chance(seed, channel, n), chance(seed, channel, n+1)
	return a + (b-a)*f
}

// chance is a number from 0 to 1 that depends on its three arguments alone, so
// that nothing needs to be remembered (SplitMix64).
func chance(a, b, c uint64) float64 {
	x := mix(mix(mix(a+0x9e3779b97f4a7c15)^b) ^ c*0xd1342543de82ef95 + 1)
	return float64(x>>11) / (1 << 53)
}

func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
