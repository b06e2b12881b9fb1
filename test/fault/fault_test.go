package fault

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/digital-spine/spine/test/processes"
)

func TestMain(m *testing.M) {
	status := m.Run()
	processes.Remove()
	os.Exit(status)
}

// seeded returns the test's source of random moments.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("SPINE_TEST_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("SPINE_TEST_SEED: %v", err)
		}
		seed = n
	}
	t.Logf("SPINE_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// moment waits for a random time below most. What runs meanwhile is the
// subject of the test: there is nothing to wait for.
func moment(rng *rand.Rand, most time.Duration) {
	time.Sleep(time.Duration(rng.Int64N(int64(most))))
}

// kills is how often something is killed.
func kills(full, short int) int {
	if testing.Short() {
		return short
	}
	return full
}

// judge fails the test for whatever the ledgers show that was promised not to
// happen.
func judge(t *testing.T, b *processes.Books) {
	t.Helper()
	show := func(what string, list []processes.Delivery) {
		if len(list) > 0 {
			t.Errorf("%d %s, such as %v", len(list), what, list[:min(len(list), 5)])
		}
	}
	show("messages were answered 2xx and not delivered", b.Lost())
	show("messages were delivered that nobody sent", b.Stray())
	show("messages came again after their acknowledgement was answered", b.Violations)
	show("messages came again without being marked", b.Unmarked)
	show("messages came with a check that did not hold", b.Unverified)
	if len(b.Strange) > 0 {
		t.Errorf("messages were sent to nobody that is known: %v", b.Strange)
	}
}
