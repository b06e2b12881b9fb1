package market

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/digital-spine/spine/participant/fleet"
)

// telemetryOf returns what a simulation would send.
func telemetryOf(s *simulation) string {
	var b []byte
	for n := range s.fleet.Devices() {
		b = Telemetry(b, s.fleet.Reading(n))
	}
	return string(b)
}

// deliver hands a round's envelopes to a simulation.
func deliver(t *testing.T, s *simulation, n int) {
	t.Helper()
	for i := range EnvelopesPerRound {
		doc, err := operatingEnvelope(n, i, pointsOf(i, s.fleet.Sites()), RoundStart(n))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.take(doc); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRoundIsRepeatedWordForWord: a process that is killed within a round says
// the same when it repeats it, whatever arrived meanwhile, and goes on as if
// nothing had happened.
func TestRoundIsRepeatedWordForWord(t *testing.T) {
	f := Fleet{Size: 64, Seed: 5}
	file := filepath.Join(t.TempDir(), "fleet.state")
	want := make(map[int]string)
	through := simulation{file: filepath.Join(t.TempDir(), "other.state")}
	for n := 1; n <= 12; n++ {
		if err := through.advance(f, RoundStart(n)); err != nil {
			t.Fatal(err)
		}
		want[n] = telemetryOf(&through)
		deliver(t, &through, n)
	}
	if !strings.Contains(want[12], `"status":"limited"`) {
		t.Error("no device is limited")
	}
	s := &simulation{file: file}
	for n := 1; n <= 12; n++ {
		for try := range 3 {
			if try == 2 && n%2 == 0 { // killed: memory is gone
				s = &simulation{file: file}
			}
			if err := s.advance(f, RoundStart(n)); err != nil {
				t.Fatal(err)
			}
			if got := telemetryOf(s); got != want[n] {
				t.Fatalf("round %d, try %d: other telemetry", n, try)
			}
			if try == 0 {
				deliver(t, s, n) // arrives while the round is not done
			}
		}
		if n%2 == 0 {
			deliver(t, s, n) // comes again, as it was not acknowledged
		}
	}
}

func TestSimulationStarts(t *testing.T) {
	f := Fleet{Size: 16, Seed: 1}
	file := filepath.Join(t.TempDir(), "fleet.state")
	if err := os.WriteFile(file, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &simulation{file: file}
	for _, start := range []time.Time{RoundStart(5), RoundStart(9), RoundStart(2), RoundStart(100_000)} { // also back, and far ahead
		if err := s.advance(f, start); err != nil {
			t.Fatal(err)
		}
		if !s.fleet.Now().Equal(start.Add(Interval)) {
			t.Errorf("at %v the fleet is at %v", start, s.fleet.Now())
		}
	}
	in := simulation{file: filepath.Join(file, "below a file")}
	if err := in.advance(f, RoundStart(1)); err == nil {
		t.Error("a state that cannot be kept is no error")
	}
}

func TestReadEnvelope(t *testing.T) {
	doc, err := operatingEnvelope(1, 3, pointsOf(3, 40), RoundStart(1))
	if err != nil {
		t.Fatal(err)
	}
	list, err := readEnvelope(doc)
	if err != nil || len(list) != 4*ahead {
		t.Fatalf("%v, %v", list, err)
	}
	for i, e := range list {
		low, high := capacity(e.site, e.limit.From)
		from := RoundStart(2 + i%ahead)
		if want := (fleet.Limit{From: from, Until: from.Add(Interval), Min: low, Max: high}); e.site != 3+10*(i/ahead) || !e.limit.From.Equal(from) || e.limit != want {
			t.Errorf("%d: %+v, want %+v", i, e, want)
		}
	}
	for _, bad := range []string{``, `[]`, `{"MarketDocument":{"TimeSeries_Series":[{"registeredResource.mRID":{"value":5}}]}}`} {
		if _, err := readEnvelope([]byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
	if list, err := readEnvelope([]byte(strings.ReplaceAll(string(doc), "NMI0", "QB10"))); err != nil || len(list) != 0 {
		t.Errorf("others' connection points: %v, %v", list, err)
	}
	// Fleets may be smaller or larger than what the network operator manages.
	for sites, want := range map[int]int{0: 1, 1: 1, 10: 1, 11: 2, 249: 25, 250: 25, 5000: 25} {
		if got := len(pointsOf(0, sites)); got != want {
			t.Errorf("%d points: the first document covers %d", sites, got)
		}
	}
}
