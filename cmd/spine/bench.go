package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"
)

// benchCmd measures the whole path of a message beside JetStream alone.
type benchCmd struct {
	Throughput benchThroughput `cmd:"" help:"Messages a second: one by one, and in batches."`
	Latency    benchLatency    `cmd:"" help:"Time from the API request to the receiving participant, one message at a time."`
	Fanout     benchFanout     `cmd:"" help:"One long message to many gateways: its body stored once, or in every mailbox."`
	Fleet      benchFleet      `cmd:"" help:"The simulated fleet of the sample market."`
}

// Help is shown by spine bench --help.
func (benchCmd) Help() string {
	return `Measures bare NATS JetStream and a whole spine in one run, in this process, with
the same fsync (sync_interval: always) and the same 1 KB documents: a spine's
messages go over HTTP to the sender's gateway, are validated, sealed, signed,
put into the outbox, published, delivered, verified, put into the inbox, opened,
handed over by HTTP and acknowledged. On the bare side messages are published,
consumed and acknowledged. What counts is what the receiver acknowledged.

Every figure is the median of three. The ratio is what tells something; the
figures alone tell more about this machine. docs/performance.md says more.`
}

// benchFlags are common to both. Seconds and the profile are for developers.
type benchFlags struct {
	Seconds    float64 `hidden:"" default:"3" help:"Length of one measurement."`
	Runs       int     `hidden:"" default:"3" help:"Measurements of which the median is taken."`
	CPUProfile string  `hidden:"" name:"cpuprofile" placeholder:"FILE" help:"Write a profile of the spine's measurements, without the bare ones."`
	Only       string  `hidden:"" help:"Measure single or batch only."`
	Raw        bool    `hidden:"" help:"Write each measurement to standard error."`
}

// Bounds and loads of a benchmark.
const (
	benchLimit   = 115 * time.Second // of everything, so that a slow machine gets an error and no half figures
	benchCallers = 32                // of single messages
	batchCallers = 4                 // of batches, on both sides
	batchSize    = 500               // messages of one call of the batch API
	benchSamples = 300               // messages of one latency measurement, at most
)

// bareSizes are the atomic batches tried on the bare side; the best counts.
var bareSizes = []int{100, 500, 1000}

type benchThroughput struct{ benchFlags }

// pair is one way of sending on both sides.
type pair struct {
	Bare  float64 `json:"bare_per_s"`
	Ours  float64 `json:"ours_per_s"`
	Ratio float64 `json:"ratio"`
}

type throughput struct {
	Single  pair   `json:"single"`
	Batch   pair   `json:"batch"`
	Sync    string `json:"sync"`
	Machine string `json:"machine"`
}

// Run measures throughput.
func (c *benchThroughput) Run(a *app) error {
	b, err := startBench(a, c.benchFlags)
	if err != nil {
		return err
	}
	defer b.close()
	var bareSingle, oursSingle, oursBatch []float64
	bareBatch := make([][]float64, len(bareSizes))
	length := time.Duration(c.Seconds * float64(time.Second))
	for range c.Runs {
		if c.Only != "batch" {
			if err := b.add(&bareSingle, "single bare", b.bare.taken, func() (float64, error) { return b.bare.single(b.ctx, benchCallers, length) }); err != nil {
				return err
			}
			if err := b.profiled(&oursSingle, "single ours", func() (float64, error) { return b.ours.single(b.ctx, benchCallers, length) }); err != nil {
				return err
			}
		}
		if c.Only == "single" {
			continue
		}
		for i, size := range bareSizes {
			if err := b.add(&bareBatch[i], fmt.Sprintf("batch bare %d", size), b.bare.taken, func() (float64, error) { return b.bare.batches(b.ctx, batchCallers, size, length/2) }); err != nil {
				return err
			}
		}
		if err := b.profiled(&oursBatch, "batch ours", func() (float64, error) { return b.ours.batches(b.ctx, batchCallers, batchSize, length) }); err != nil {
			return err
		}
	}
	best := 0.0
	for _, runs := range bareBatch {
		best = max(best, median(runs))
	}
	out := throughput{newPair(median(bareSingle), median(oursSingle)), newPair(best, median(oursBatch)), benchSync, machine()}
	return a.print(out, `messages a second     bare       ours   ratio
  one by one    %10.0f %10.0f   %5.2f
  in batches    %10.0f %10.0f   %5.2f
sync %s, %s
`, out.Single.Bare, out.Single.Ours, out.Single.Ratio, out.Batch.Bare, out.Batch.Ours, out.Batch.Ratio, out.Sync, out.Machine)
}

type benchLatency struct{ benchFlags }

type latencies struct {
	Bare    latency `json:"bare_ms"`
	Ours    latency `json:"ours_ms"`
	Sync    string  `json:"sync"`
	Machine string  `json:"machine"`
}

// Run measures latency.
func (c *benchLatency) Run(a *app) error {
	b, err := startBench(a, c.benchFlags)
	if err != nil {
		return err
	}
	defer b.close()
	length := time.Duration(c.Seconds * float64(time.Second))
	var bare, ours [2][]float64 // p50 and p99 of each run
	add := func(to *[2][]float64, what string, one func() ([]float64, error)) error {
		all, err := one()
		if c.Raw {
			fmt.Fprintf(a.stderr, "%-18s %8.2f ms p50 %8.2f ms p99  %d messages\n", what, percentile(all, 50), percentile(all, 99), len(all))
		}
		to[0], to[1] = append(to[0], percentile(all, 50)), append(to[1], percentile(all, 99))
		return err
	}
	for range c.Runs {
		if err := add(&bare, "latency bare", func() ([]float64, error) { return b.bare.latencies(b.ctx, benchSamples, length) }); err != nil {
			return err
		}
		if err := b.profile(func() error {
			return add(&ours, "latency ours", func() ([]float64, error) { return b.ours.latencies(b.ctx, benchSamples, length) })
		}); err != nil {
			return err
		}
	}
	out := latencies{latency{median(bare[0]), median(bare[1])}, latency{median(ours[0]), median(ours[1])}, benchSync, machine()}
	return a.print(out, `milliseconds      p50      p99
  bare       %8.2f %8.2f
  ours       %8.2f %8.2f
sync %s, %s
`, out.Bare.P50, out.Bare.P99, out.Ours.P50, out.Ours.P99, out.Sync, out.Machine)
}

// bench is a running benchmark: both sides are up, and idle while the other is
// measured.
type bench struct {
	app     *app
	ctx     context.Context
	cancel  context.CancelFunc
	dir     string
	bare    *bareBench
	ours    *oursBench
	raw     bool
	profile func(func() error) error
}

func startBench(a *app, f benchFlags) (made *bench, err error) {
	if f.Seconds <= 0 || f.Seconds > 5 || f.Runs < 1 || f.Runs > 9 {
		return nil, fmt.Errorf("--seconds is not within 0 to 5, or --runs not within 1 to 9")
	}
	b := &bench{app: a, raw: f.Raw}
	if b.dir, err = os.MkdirTemp("", "spine-bench-"); err != nil {
		return nil, err
	}
	b.ctx, b.cancel = context.WithTimeoutCause(a.ctx, benchLimit, fmt.Errorf("the benchmark took longer than %s", benchLimit))
	defer func() {
		if err != nil {
			b.close()
			made = nil
		}
	}()
	if b.profile, err = profiler(f.CPUProfile); err != nil {
		return nil, err
	}
	if b.bare, err = startBare(b.ctx, b.dir); err != nil {
		return nil, fmt.Errorf("bare JetStream: %w", err)
	}
	if b.ours, err = startOurs(b.ctx, b.dir); err != nil {
		return nil, err
	}
	return b, nil
}

// profiled measures our side into runs, within the profile.
func (b *bench) profiled(runs *[]float64, what string, one func() (float64, error)) error {
	return b.profile(func() error { return b.add(runs, what, b.ours.taken, one) })
}

// add appends a measurement.
func (b *bench) add(runs *[]float64, what string, taken *counter, one func() (float64, error)) error {
	runtime.GC() // what the side measured before left is not this one's
	cpu, from := processCPU(), taken.n.Load()
	rate, err := one()
	*runs = append(*runs, rate)
	if n := taken.n.Load() - from; b.raw && n > 0 {
		fmt.Fprintf(b.app.stderr, "%-18s %8.0f /s %8.1f us of processor a message  %d messages\n", what, rate, float64((processCPU()-cpu).Nanoseconds())/1000/float64(n), n)
	}
	return err
}

func (b *bench) close() {
	b.cancel()
	if b.ours != nil {
		if err := b.ours.close(); err != nil {
			fmt.Fprintln(b.app.stderr, "spine:", err)
		}
	}
	if b.bare != nil {
		b.bare.close()
	}
	_ = os.RemoveAll(b.dir)
}

// profiler returns a function that adds what another does to a profile: the
// first call makes file, the n-th makes file.n, since one profile cannot be
// paused.
func profiler(file string) (func(func() error) error, error) {
	if file == "" {
		return func(f func() error) error { return f() }, nil
	}
	n := 0
	return func(f func() error) error {
		name := file
		if n++; n > 1 {
			name = fmt.Sprintf("%s.%d", file, n)
		}
		w, err := os.Create(name)
		if err != nil {
			return err
		}
		defer w.Close()
		if err := pprof.StartCPUProfile(w); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
		return f()
	}, nil
}

func newPair(bare, ours float64) pair {
	p := pair{Bare: math.Round(bare), Ours: math.Round(ours)}
	if bare > 0 {
		p.Ratio = math.Round(1000*ours/bare) / 1000
	}
	return p
}

// median returns the middle of an odd number of runs, 0 of none.
func median(runs []float64) float64 {
	if len(runs) == 0 {
		return 0
	}
	runs = slices.Sorted(slices.Values(runs))
	return runs[len(runs)/2]
}

// machine says in one line what the figures were measured on.
func machine() string {
	line := func(file, key string) string {
		b, err := os.ReadFile(file)
		if err != nil {
			return ""
		}
		for l := range strings.Lines(string(b)) {
			if k, v, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(k) == key {
				return strings.TrimSpace(v)
			}
		}
		return ""
	}
	memory := ""
	var kb int
	if _, err := fmt.Sscan(line("/proc/meminfo", "MemTotal"), &kb); err == nil {
		memory = fmt.Sprintf(", %d GB", (kb+1<<19)>>20)
	}
	return fmt.Sprintf("%s, %d cores%s, %s/%s, %s", cmp.Or(line("/proc/cpuinfo", "model name"), "processor unknown"),
		runtime.GOMAXPROCS(0), memory, runtime.GOOS, runtime.GOARCH, runtime.Version())
}
