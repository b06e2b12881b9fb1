package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/internal/system"
	"github.com/digital-spine/spine/participant/market"
)

type demoCmd struct {
	Once      bool   `help:"Three rounds and all attacks in a temporary directory, then a summary; exit status 0 only if all held."`
	Devices   int    `default:"1000" help:"Devices of the aggregator's fleet."`
	Data      string `help:"Data directory; a second start on it continues (default ./spine-data, with --once a temporary one)." placeholder:"DIR"`
	Endpoints string `help:"Write addresses and keys to a file once ready." placeholder:"FILE"`
	FileMB    int    `name:"file-mb" default:"100" help:"With --once: megabytes of a file that is sent beside the messages; 0 sends none."`
	Rounds    int    `default:"-1" help:"Rounds to trade: 0 is no market traffic, -1 goes on until Ctrl-C."`
	Verbose   bool   `short:"v" help:"Show the systems' logs."`
}

// roundEvery is the real time between two simulated intervals.
const roundEvery = 5 * time.Second

// Help is shown by spine demo --help.
func (demoCmd) Help() string {
	return `Starts a whole spine in this process, on embedded parts: a development chain,
an SSI-Hub, a message broker and three client gateways, and a small flexibility
market of three participants that trade through their gateways. Nothing needs
to be installed, and nothing leaves this machine.`
}

// demo is a running demonstration.
type demo struct {
	*system.Spine
	gateways     map[string]*client.Client
	participants map[string]*market.Participant
	readyMS      int64
	stop         context.CancelFunc
	wg           sync.WaitGroup
}

// Run starts the demonstration.
func (c *demoCmd) Run(a *app) (err error) {
	dir := c.Data
	if dir == "" {
		dir = "spine-data"
		if c.Once {
			tmp, err := os.MkdirTemp("", "spine-demo-")
			if err != nil {
				return err
			}
			defer os.RemoveAll(tmp)
			dir = tmp
		}
	}
	if c.Devices < 1 || c.Devices > 1_000_000 {
		return errors.New("--devices is not within 1 to 1000000")
	}
	if c.FileMB < 0 || c.FileMB > 10_000 {
		return errors.New("--file-mb is not within 0 to 10000")
	}
	// Nine systems share this process: memory is worth more here than the time of
	// collecting it twice as often.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	logs := slog.New(slog.DiscardHandler)
	if c.Verbose {
		logs = slog.New(slog.NewTextHandler(a.stderr, nil))
	}
	d, err := startDemo(a.ctx, dir, c.Devices, logs)
	if err != nil {
		return err
	}
	defer func() {
		if stop := d.close(); stop != nil {
			fmt.Fprintln(a.stderr, "spine:", stop)
			if err == nil {
				err = &exitError{status: 1}
			}
		}
	}()
	if c.Endpoints != "" {
		if err := d.writeEndpoints(c.Endpoints); err != nil {
			return err
		}
	}
	if c.Once {
		return d.once(a, c.FileMB)
	}
	if err := d.welcome(a); err != nil {
		return err
	}
	return d.trade(a, c.Rounds)
}

// startDemo starts the spine, sets the market up on it and has the
// participants listen.
func startDemo(ctx context.Context, dir string, devices int, log *slog.Logger) (*demo, error) {
	s, err := system.StartSpine(ctx, dir, market.Parties, system.Base{Log: log})
	if err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(ctx)
	d := &demo{Spine: s, gateways: make(map[string]*client.Client), participants: make(map[string]*market.Participant), stop: stop}
	for _, g := range s.Gateways {
		d.gateways[g.Name()] = client.New(g.URL(), g.APIKey())
	}
	setup, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	chain := market.Chain{RPC: s.Chain.URL(), Contracts: s.Network.Contracts, Root: s.Chain.Faucet()}
	if err := market.Setup(setup, chain, d.gateways); err != nil {
		return nil, errors.Join(err, d.close())
	}
	d.readyMS = sinceProcessStart().Milliseconds()
	for _, p := range market.Parties {
		ledger, err := market.OpenLedger(filepath.Join(dir, "participants", p, "ledger.jsonl"))
		if err != nil {
			return nil, errors.Join(err, d.close())
		}
		party := &market.Participant{Party: p, Gateway: d.gateways[p], Ledger: ledger, Log: log, Fleet: market.Fleet{Size: devices, Seed: 1}}
		d.participants[p] = party
		d.wg.Go(func() { _ = party.Run(run) })
	}
	return d, nil
}

// close stops the participants, then the spine. The error is that of systems
// which had failed or did not stop in order.
func (d *demo) close() error {
	d.stop()
	d.wg.Wait()
	var errs []error
	for _, p := range d.participants {
		errs = append(errs, p.Ledger.Close())
	}
	return errors.Join(append(errs, d.Spine.Close())...)
}

// endpoint is one gateway in the file of --endpoints.
type endpoint struct {
	Name   string `json:"name"`
	DID    string `json:"did"`
	URL    string `json:"url"`
	APIKey string `json:"apiKey"`
}

// writeEndpoints writes what a program needs to use this spine. The file holds
// keys, so only its owner may read it.
func (d *demo) writeEndpoints(path string) error {
	list := make([]endpoint, len(d.Spine.Gateways))
	for i, g := range d.Spine.Gateways {
		list[i] = endpoint{g.Name(), g.DID(), g.URL(), g.APIKey()}
	}
	b, err := json.Marshal(map[string]any{
		"rpc": d.Chain.URL(), "chainId": d.Network.ChainID, "contracts": d.Network.Contracts, "faucetKey": system.FaucetHex(d.Chain.Faucet()),
		"hub": d.Hub.URL(), "broker": d.Broker.URL(), "nats": d.Broker.NATSURL(), "gateways": list,
	})
	if err != nil {
		return err
	}
	return config.WriteFile(path, append(b, '\n'), 0o600)
}

// welcome says what runs where and what to try.
func (d *demo) welcome(a *app) error {
	first := d.Spine.Gateways[0]
	link, err := d.gateways[first.Name()].Link(a.ctx, nil, "demo")
	if err != nil {
		return err
	}
	w := func(format string, args ...any) { fmt.Fprintf(a.stdout, format+"\n", args...) }
	w("A digital spine runs in this process, ready after %d ms. Data: %s", d.readyMS, d.Data)
	w("")
	w("  %-16s %s", "chain", d.Chain.URL())
	w("  %-16s %s", "SSI-Hub", d.Hub.URL())
	w("  %-16s %s, %s", "message broker", d.Broker.URL(), d.Broker.NATSURL())
	for _, g := range d.Spine.Gateways {
		w("  %-16s %s   %s", g.Name(), g.URL(), g.DID())
	}
	w("")
	w("Look at it in a browser, as the %s (this link works once, within ten minutes; spine link makes another):", first.Name())
	w("")
	w("  %s", link.URL)
	w("")
	from, to := d.Spine.Gateways[0], d.Spine.Gateways[len(d.Spine.Gateways)-1]
	w("Send a first message from the %s to the %s, and take it at the other side:", from.Name(), to.Name())
	w("")
	w("  curl -sd '{\"channel\":\"hello\",\"to\":[\"%s\"],\"body\":{\"n\":1}}' \\", to.DID())
	w("    -H 'Content-Type: application/json' -H 'Authorization: Bearer %s' %s/api/v1/messages", from.APIKey(), from.URL())
	w("  curl -s -H 'Authorization: Bearer %s' '%s/api/v1/messages?channel=hello&wait=10s'", to.APIKey(), to.URL())
	w("")
	w("Keys of the gateways are in encrypted files below %s, their keys beside them (*.key): this is a demonstration.", d.Data)
	w("Ctrl-C stops. Start again with the same data to continue.")
	w("")
	return nil
}

// trade runs rounds and prints a line a second.
func (d *demo) trade(a *app, rounds int) error {
	ctx, cancel := context.WithCancel(a.ctx)
	round := 0
	counter := filepath.Join(d.Data, "round")
	if b, err := os.ReadFile(counter); err == nil {
		fmt.Sscan(string(b), &round)
	}
	trading := make(chan error, 1)
	var wg sync.WaitGroup
	defer wg.Wait() // what it uses is closed next
	defer cancel()
	wg.Go(func() {
		for n := 0; (rounds < 0 || n < rounds) && ctx.Err() == nil; n++ {
			begin := time.Now()
			round++
			if err := d.round(ctx, round); err != nil {
				trading <- err
				return
			}
			if err := config.WriteFile(counter, fmt.Appendln(nil, round), 0o600); err != nil {
				trading <- err
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(roundEvery - time.Since(begin)):
			}
		}
	})
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last := ""
	for {
		select {
		case <-a.ctx.Done():
			fmt.Fprintln(a.stdout, "\nStopping.")
			return nil
		case err := <-trading:
			if a.ctx.Err() != nil {
				continue
			}
			return err
		case <-d.Failed():
			return errors.New("a system of the spine ended by itself")
		case <-tick.C:
			c, lat := d.counts(), d.latencies()
			line := fmt.Sprintf("%d sent   %d delivered   %d verified   %d under way   p50 %.1f ms   p99 %.1f ms", c.Sent, c.Received, c.Verified,
				max(0, c.Sent-c.Received), percentile(lat, 50), percentile(lat, 99))
			if f := d.participants[market.Aggregator].FleetTotals(); f.Bound > 0 {
				line += fmt.Sprintf("   sun %.0f kW of %.0f possible, %d homes under an envelope, %d outside it", -f.PV, f.Possible, f.Bound, f.Breaches)
			}
			if line != last { // nothing new is not worth a line
				fmt.Fprintln(a.stdout, time.Now().Format("15:04:05"), " ", line)
				last = line
			}
		}
	}
}

// round has every party do its part of one interval.
func (d *demo) round(ctx context.Context, n int) error {
	errs := make([]error, len(market.Parties))
	var wg sync.WaitGroup
	for i, p := range market.Parties {
		wg.Go(func() {
			if err := d.participants[p].Round(ctx, fmt.Sprintf("r%d", n), n, market.RoundStart(n)); err != nil {
				errs[i] = fmt.Errorf("round %d, %s: %w", n, p, err)
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return errors.Join(errs...)
}

// counts sums the participants' ledgers.
func (d *demo) counts() (c market.Counts) {
	for _, p := range d.participants {
		c = c.Add(p.Ledger.Counts())
	}
	return c
}

// latencies are the times from request to handing over, in milliseconds.
func (d *demo) latencies() []float64 {
	ledgers := make([]*market.Ledger, 0, len(d.participants))
	for _, p := range d.participants {
		ledgers = append(ledgers, p.Ledger)
	}
	return market.Latencies(ledgers...)
}

// drainFor bounds the wait for messages under way.
const drainFor = 20 * time.Second

// drain waits until everything sent was delivered, for drainFor at most. The
// error is that of a demonstration which ended meanwhile.
func (d *demo) drain(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(drainFor)
	for {
		if c := d.counts(); c.Received >= c.Sent {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-d.Failed():
			return errors.New("a system of the spine ended by itself")
		case <-end:
			return nil
		case <-tick.C:
		}
	}
}
