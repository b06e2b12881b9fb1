package market

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/internal/config"
)

// Config is the configuration of a participant process.
type Config struct {
	Party      string        `yaml:"party" doc:"Which party of the sample market this is: marketoperator, networkoperator or aggregator."`
	Gateway    string        `yaml:"gateway" doc:"Base URL of the party's gateway."`
	APIKeyFile string        `yaml:"api_key_file" doc:"File with the gateway's API key."`
	Data       string        `yaml:"data" default:"./participant-data" doc:"Folder of the ledger and of ready.json."`
	Devices    int           `yaml:"devices" default:"1000" doc:"Devices of the aggregator's fleet."`
	Seed       uint64        `yaml:"seed" default:"1" doc:"Seed of the fleet's readings."`
	Rounds     int           `yaml:"rounds" default:"0" doc:"Trading intervals to take part in; 0 goes on until it is stopped."`
	Every      time.Duration `yaml:"every" default:"5s" doc:"Real time between two simulated intervals of five minutes."`
}

// Open makes the participant of a configuration.
func Open(cfg Config, log *slog.Logger) (*Participant, error) {
	if Roles[cfg.Party] == "" {
		return nil, fmt.Errorf("party %q is not one of %s", cfg.Party, strings.Join(Parties, ", "))
	}
	key, err := os.ReadFile(cfg.APIKeyFile)
	if err != nil {
		return nil, fmt.Errorf("read the gateway's API key: %w", err)
	}
	ledger, err := OpenLedger(filepath.Join(cfg.Data, "ledger.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	return &Participant{Party: cfg.Party, Gateway: client.New(cfg.Gateway, strings.TrimSpace(string(key))), Ledger: ledger, Log: log,
		Fleet: Fleet{Size: cfg.Devices, Seed: cfg.Seed}}, nil
}

// Trade takes part in rounds until ctx ends, or until cfg.Rounds of them were
// done; it goes on listening. Rounds are counted in a file, so that a process
// that was killed repeats the round it was in, under the same keys.
func (p *Participant) Trade(ctx context.Context, cfg Config) error {
	if err := (config.Ready{System: "participant", URL: cfg.Gateway, Extra: map[string]string{"party": cfg.Party}}).Write(cfg.Data); err != nil {
		return err
	}
	listening := make(chan error, 1)
	go func() { listening <- p.Run(ctx) }()
	counter := filepath.Join(cfg.Data, "round")
	done := 0
	if b, err := os.ReadFile(counter); err == nil {
		fmt.Sscan(string(b), &done)
	}
	for n := done + 1; ctx.Err() == nil && (cfg.Rounds == 0 || n <= cfg.Rounds); n++ {
		begin := time.Now()
		if err := p.Round(ctx, fmt.Sprintf("r%d", n), n, RoundStart(n)); err != nil {
			if ctx.Err() != nil {
				break
			}
			// The gateway or the market may not be there yet: the same round again.
			p.Log.Warn("round", "party", p.Party, "round", n, "err", err)
			n--
			pause(ctx, time.Second)
			continue
		}
		if err := config.WriteFile(counter, fmt.Appendln(nil, n), 0o600); err != nil {
			return err
		}
		pause(ctx, cfg.Every-time.Since(begin))
	}
	return <-listening
}

// RoundStart is the simulated time at which a round's interval starts: rounds
// begin in the morning of a summer's day in Victoria, where soon more is fed in
// than the network can bear.
func RoundStart(n int) time.Time {
	return time.Date(2026, 1, 14, 23, 0, 0, 0, time.UTC).Add(time.Duration(n) * Interval)
}

// sunTime is how much later it is by the sun, there.
const sunTime = 10 * time.Hour
