package market

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/participant/fleet"
)

// simulation is the aggregator's fleet as it runs. Envelopes that arrive hold
// from the next interval on. Its state is kept in a file before each interval,
// so that a process that was killed repeats the interval word for word: the
// messages have the same keys, and must say the same.
type simulation struct {
	fleet *fleet.Fleet // of Round alone
	begun time.Time    // the interval that was begun last, with the envelopes known then
	file  string       // "": state is not kept

	mu       sync.Mutex
	received []envelopeFor
	totals   fleet.Totals
}

// envelopeFor is what an envelope says about one connection point and time.
type envelopeFor struct {
	site  int
	limit fleet.Limit
}

// maxReceived bounds the envelopes that wait for the next interval.
const maxReceived = 100_000

// take keeps what an operating envelope says until the next interval begins.
func (s *simulation) take(doc []byte) error {
	list, err := readEnvelope(doc)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.received)+len(list) > maxReceived {
		s.received = nil // the newest count
	}
	s.received = append(s.received, list...)
	return nil
}

// advance moves the fleet over the interval that begins at start, once for each
// start.
func (s *simulation) advance(f Fleet, start time.Time) error {
	if s.fleet == nil {
		s.fleet = f.Simulate(start)
		if err := s.load(); err != nil {
			return err
		}
	}
	behind := start.Sub(s.fleet.Now())
	switch {
	case behind == -Interval:
		return nil // the interval is done; it is asked for again
	case behind < 0 || behind > 7*24*time.Hour:
		s.fleet = f.Simulate(start)
	}
	for s.fleet.Now().Before(start) {
		s.fleet.Step(min(Interval, start.Sub(s.fleet.Now())))
	}
	// A state of this very interval was kept when it was first begun, and what
	// arrived since must not change it.
	if !s.begun.Equal(start) {
		s.apply()
		if s.file != "" {
			if err := config.WriteFile(s.file, s.fleet.Save(), 0o600); err != nil {
				return fmt.Errorf("keep the fleet's state: %w", err)
			}
		}
		s.begun = start
	}
	s.fleet.Step(Interval)
	t := s.fleet.Totals()
	s.mu.Lock()
	s.totals = t
	s.mu.Unlock()
	return nil
}

// load goes on with the state of an earlier process, if there is one that fits.
func (s *simulation) load() error {
	if s.file == "" {
		return nil
	}
	state, err := os.ReadFile(s.file)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the fleet's state: %w", err)
	}
	if s.fleet.Load(state) == nil { // one of another fleet is left aside
		s.begun = s.fleet.Now()
	}
	return nil
}

func (s *simulation) apply() {
	s.mu.Lock()
	list := s.received
	s.received = nil
	s.mu.Unlock()
	for _, e := range list {
		_ = s.fleet.Limit(e.site, e.limit) // for others' connection points it means nothing
	}
}

// stateFile is where the aggregator's fleet is kept: beside its ledger.
func stateFile(l *Ledger) string {
	if l == nil || l.file == nil {
		return ""
	}
	return filepath.Join(filepath.Dir(l.file.Name()), "fleet.state")
}

// readEnvelope returns what an operating envelope says, point by point.
func readEnvelope(doc []byte) ([]envelopeFor, error) {
	var d struct {
		MarketDocument struct {
			Series []struct {
				Resource struct {
					Value string `json:"value"`
				} `json:"registeredResource.mRID"`
				Series []struct {
					Period []struct {
						Resolution string `json:"resolution"`
						Interval   struct {
							Start time.Time `json:"start"`
							End   time.Time `json:"end"`
						} `json:"timeInterval"`
						Point []struct {
							Position int     `json:"position"`
							Min      float64 `json:"min_Quantity.quantity"`
							Max      float64 `json:"max_Quantity.quantity"`
						} `json:"Point"`
					} `json:"Period"`
				} `json:"Series"`
			} `json:"TimeSeries_Series"`
		} `json:"MarketDocument"`
	}
	if err := json.Unmarshal(doc, &d); err != nil {
		return nil, fmt.Errorf("read operating envelope: %w", err)
	}
	var out []envelopeFor
	for _, t := range d.MarketDocument.Series {
		n := siteOf(t.Resource.Value)
		if n < 0 {
			continue
		}
		for _, s := range t.Series {
			for _, p := range s.Period {
				step, ok := resolutions[p.Resolution]
				if !ok {
					continue
				}
				for _, at := range p.Point {
					from := p.Interval.Start.Add(time.Duration(at.Position-1) * step)
					if at.Position < 1 || !from.Before(p.Interval.End) {
						continue
					}
					out = append(out, envelopeFor{n, fleet.Limit{From: from, Until: from.Add(step), Min: at.Min, Max: at.Max}})
				}
			}
		}
	}
	return out, nil
}

// resolutions are the lengths of an envelope's periods that are understood.
var resolutions = map[string]time.Duration{"PT5M": 5 * time.Minute, "PT15M": 15 * time.Minute, "PT30M": 30 * time.Minute, "PT1H": time.Hour, "P1D": 24 * time.Hour}
