package fault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/participant/market"
	"github.com/digital-spine/spine/test/processes"
)

// TestKillWhileFilesAreOnTheirWay kills, at random moments, whoever moves a
// file: the command that sends it, the sender's gateway, the broker; then the
// command that saves it, the recipient's gateway, the broker. Each is started
// again, and goes on where it was; the file that is saved is the one that was
// sent. SPINE_TEST_FILE_MB sets the size of the files.
func TestKillWhileFilesAreOnTheirWay(t *testing.T) {
	size := int64(48)
	if s := os.Getenv("SPINE_TEST_FILE_MB"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 1 {
			t.Fatalf("SPINE_TEST_FILE_MB: %q", s)
		}
		size = n
	}
	ctx, cancel := context.WithTimeout(testkit.Context(t), 8*time.Minute)
	defer cancel()
	rng := seeded(t)
	m := processes.StartMarket(ctx, t, 10)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(m.Dir, "cache"))
	endpoints := writeEndpoints(t, m)
	out := filepath.Join(m.Dir, "saved")

	up, down := kills(10, 3), kills(10, 3)
	for n := 0; up > 0 || down > 0; n++ {
		name := fmt.Sprintf("model-%d.bin", n)
		sum := writeRandom(t, filepath.Join(m.Dir, name), size<<20, rng)
		send := command(t, m, "send-"+strconv.Itoa(n), "send", "--endpoints", endpoints, "--as", market.NetworkOperator,
			"--channel", "files", "--to", market.MarketOperator, "--file", filepath.Join(m.Dir, name))
		up -= harass(ctx, t, rng, up, send, func() bool { return send.Ended() == nil },
			m.Gateways[market.NetworkOperator], m.Broker)
		// A consumer of its own sees every message again: what was half saved by
		// one that was killed is gone on with at once.
		tries := 0
		var receive *processes.Process
		again := func() *processes.Process {
			tries++
			receive = command(t, m, fmt.Sprintf("receive-%d-%d", n, tries), "receive", "--endpoints", endpoints, "--as", market.MarketOperator,
				"--channel", "files", "--consumer", fmt.Sprintf("fault-%d-%d", n, tries), "--out", out, "--wait", "60s")
			return receive
		}
		saved := func() bool {
			got, err := os.Open(filepath.Join(out, name))
			if err != nil {
				return false
			}
			defer got.Close()
			h := sha256.New()
			if _, err := io.Copy(h, got); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(h.Sum(nil), sum) {
				t.Fatalf("%s is saved, and is another file than was sent", name)
			}
			return true
		}
		down -= harassEach(ctx, t, rng, down, again, saved, m.Gateways[market.MarketOperator], m.Broker)
		if !testing.Short() {
			t.Logf("%s is there; %d kills of senders and %d of receivers are left to make", name, up, down)
		}
		_ = os.Remove(filepath.Join(m.Dir, name))
	}
	left, err := filepath.Glob(filepath.Join(out, ".spine-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("half files were left: %v, %v", left, err)
	}
}

// harass runs a command until done, killing it or one of the servers at most
// most times meanwhile, and returns how often it did.
func harass(ctx context.Context, t *testing.T, rng *rand.Rand, most int, cmd *processes.Process, done func() bool, servers ...*processes.Process) int {
	t.Helper()
	return harassEach(ctx, t, rng, most, func() *processes.Process { return cmd }, done, servers...)
}

// harassEach is harass for commands of which each start is a new one.
func harassEach(ctx context.Context, t *testing.T, rng *rand.Rand, most int, next func() *processes.Process, done func() bool, servers ...*processes.Process) (n int) {
	t.Helper()
	for ctx.Err() == nil {
		cmd := next()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for n < most && cmd.Running() {
			moment(rng, 700*time.Millisecond)
			if !cmd.Running() {
				break
			}
			n++
			i := rng.IntN(len(servers) + 1)
			if i == len(servers) {
				t.Logf("kill %s", cmd.Name)
				cmd.Kill()
				break
			}
			t.Logf("kill %s", servers[i].Name)
			if !servers[i].Kill() {
				t.Fatal(servers[i].Failed())
			}
			if err := servers[i].Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := servers[i].Ready(ctx); err != nil {
				t.Fatal(err)
			}
		}
		cmd.Wait(ctx)
		if done() {
			return n
		}
	}
	t.Fatalf("not done in time, after %d kills", n)
	return n
}

// command describes a run of the binary that is not a system.
func command(t *testing.T, m *processes.Market, name string, args ...string) *processes.Process {
	t.Helper()
	return processes.NewProcess(t, name, "", filepath.Join(m.Dir, name+".log"), args...)
}

// writeEndpoints writes the file that commands find the gateways in.
func writeEndpoints(t *testing.T, m *processes.Market) string {
	t.Helper()
	type endpoint struct {
		Name   string `json:"name"`
		DID    string `json:"did"`
		URL    string `json:"url"`
		APIKey string `json:"apiKey"`
	}
	var list []endpoint
	for did, party := range m.DIDs {
		key, err := os.ReadFile(filepath.Join(m.Gateways[party].Data, "api.key"))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, endpoint{party, did, m.URLs[party], string(bytes.TrimSpace(key))})
	}
	b, err := json.Marshal(map[string]any{"gateways": list})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(m.Dir, "endpoints.json")
	if err := config.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// writeRandom writes a file and returns its SHA-256.
func writeRandom(t *testing.T, path string, size int64, rng *rand.Rand) []byte {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(rng.Uint32())
	}
	h := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(f, h), rand.NewChaCha8(seed), size); err != nil {
		t.Fatal(err)
	}
	return h.Sum(nil)
}
