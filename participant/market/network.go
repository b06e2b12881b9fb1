package market

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"
)

// ModelRows is how many nodes the network model of the sample market has.
const ModelRows = 2_000

// conductors are what lines are made of, with ohms a kilometre and amperes.
var conductors = []struct {
	name    string
	r, x    float64
	amperes float64
}{
	{"LVABC 4x95, aluminium", 0.320, 0.085, 245}, {"LVABC 4x150, aluminium", 0.206, 0.083, 305},
	{`7/3.00 AAC "Leo"`, 0.579, 0.300, 195}, {"185 mm2 Cu, underground", 0.099, 0.072, 390},
}

// WriteNetworkModel writes a network model of so many nodes as the table that
// the topic network asks for: feeders of a transformer with three branches, on
// which every second node is a connection point of the fleet. The same seed
// gives the same bytes.
func WriteNetworkModel(w io.Writer, rows int, seed uint64) error {
	const perFeeder = 120
	b := bufio.NewWriterSize(w, 64<<10)
	fmt.Fprint(b, "feeder,node,parent,kind,phases,conductor,length (m),R (ohm),X (ohm),rated (kVA),nominal (V),lowest (V),highest (V),connection point,latitude,longitude,commissioned\r\n")
	rng := rand.New(rand.NewPCG(seed, 0x6e6574))
	var last [3]int // node at the end of each branch
	point := 0
	area := [...]string{"ALB", "WOD", "BEE"}
	var head struct {
		lat, lon float64
		built    time.Time
	}
	for n := range rows {
		k := n % perFeeder
		feeder := fmt.Sprintf("%s-%03d", area[n/perFeeder%len(area)], n/perFeeder%1000)
		if k == 0 {
			head.lat, head.lon = -36.05-0.15*rng.Float64(), 146.85+0.2*rng.Float64()
			head.built = time.Date(1962+rng.IntN(58), time.January, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rng.IntN(365))
			kva := [...]int{100, 200, 315, 500}[rng.IntN(4)]
			last = [3]int{n, n, n}
			fmt.Fprintf(b, "%s,N%08d,,transformer,ABC,,,%.4f,%.4f,%d,433,415.0,458.0,,%.5f,%.5f,%s\r\n", feeder, n,
				0.017*433*433/1000/float64(kva), 0.04*433*433/1000/float64(kva), kva, head.lat, head.lon, head.built.Format(time.DateOnly))
			continue
		}
		branch := k % 3
		lat, lon := head.lat+0.0002*float64(k)*(rng.Float64()-0.4), head.lon+0.0003*float64(branch-1)*float64(k/3)
		parent := last[branch]
		if k%2 == 0 { // the service of a house
			c := conductors[0]
			length := 8 + 25*rng.Float64()
			fmt.Fprintf(b, "%s,N%08d,N%08d,service,%c,%s,%.1f,%.5f,%.5f,%.1f,230,216.2,253.0,%s,%.5f,%.5f,%s\r\n", feeder, n, parent, "ABC"[point%3], quote(c.name),
				length, c.r*length/1000, c.x*length/1000, 14.7, ConnectionPoint(point), lat, lon, head.built.AddDate(rng.IntN(30), rng.IntN(12), 0).Format(time.DateOnly))
			point++
			continue
		}
		c := conductors[rng.IntN(len(conductors))]
		length := 25 + 40*rng.Float64()
		fmt.Fprintf(b, "%s,N%08d,N%08d,line,ABC,%s,%.1f,%.5f,%.5f,%.1f,400,374.5,438.2,,%.5f,%.5f,%s\r\n", feeder, n, parent, quote(c.name),
			length, c.r*length/1000, c.x*length/1000, c.amperes*0.4*1.732, lat, lon, head.built.AddDate(0, rng.IntN(60), 0).Format(time.DateOnly))
		last[branch] = n
	}
	return b.Flush()
}

// quote writes a cell as RFC 4180 asks.
func quote(s string) string {
	if !strings.ContainsAny(s, ",\"\r\n") {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}
