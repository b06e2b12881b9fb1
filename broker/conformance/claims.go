package conformance

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/internal/testkit"
)

func hash(n byte) blob.Hash { return blob.Hash{n, 1} }

func info(n byte, size int64) blob.Info { return blob.Info{Hash: hash(n), Size: size} }

// claims are charged once, the longest counts, and what ended is given back.
func claims(t *testing.T, s broker.Store) {
	ctx := testkit.Context(t)
	claim := func(did string, until int64, blobs ...blob.Info) error {
		return s.Claim(ctx, did, until, 100_000, blobs)
	}
	usage := func(did string, want int64) {
		t.Helper()
		if got, err := s.BlobUsage(ctx, did, blob.Hash{}); err != nil || got != want {
			t.Fatalf("%s is charged %d, want %d: %v", did, got, want, err)
		}
	}
	usage("a", 0)
	if err := errors.Join(claim("a", 50, info(1, 60_000), info(2, 10)), claim("a", 20, info(1, 60_000)), claim("b", 70, info(1, 60_000))); err != nil {
		t.Fatal(err)
	}
	usage("a", 60_000+broker.Charge(10))
	usage("b", 60_000)
	if got, err := s.BlobUsage(ctx, "a", hash(1)); err != nil || got != broker.Charge(10) {
		t.Fatal(got, err)
	}
	if err := claim("a", 60, info(3, 10), info(4, 40_000)); !errors.Is(err, broker.ErrBlobQuota) {
		t.Fatalf("above the share: %v", err)
	}
	usage("a", 60_000+broker.Charge(10))
	if err := claim("a", 60, info(2, 10)); err != nil { // longer, and not charged again
		t.Fatal(err)
	}
	until, err := s.Claimed(ctx, []blob.Hash{hash(1), hash(2), hash(3)})
	if err != nil || !slices.Equal(until, []int64{70, 60, 0}) {
		t.Fatal(until, err)
	}
	for _, step := range []struct {
		now       int64
		removed   int
		unclaimed []blob.Hash
	}{{50, 0, nil}, {51, 1, nil}, {61, 1, []blob.Hash{hash(2)}}, {61, 0, nil}, {71, 1, []blob.Hash{hash(1)}}} {
		n, gone, err := s.ExpireClaims(ctx, step.now, 10)
		if err != nil || n != step.removed || !slices.Equal(gone, step.unclaimed) {
			t.Fatalf("at %d: %d, %x, %v", step.now, n, gone, err)
		}
	}
	usage("a", 0)
	usage("b", 0)
	if err := claim("a", 90, info(5, 100_000)); err != nil {
		t.Fatalf("the whole share again: %v", err)
	}
}

// claimsTogether has many uploads reach for the rest of a share at once.
func claimsTogether(t *testing.T, s broker.Store) {
	ctx := testkit.Context(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	taken := 0
	for i := range byte(20) {
		wg.Go(func() {
			err := s.Claim(ctx, "a", 10, 50_000, []blob.Info{info(i, 10_000)})
			if err != nil && !errors.Is(err, broker.ErrBlobQuota) {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				taken++
			}
		})
	}
	wg.Wait()
	if used, err := s.BlobUsage(ctx, "a", blob.Hash{}); err != nil || taken != 5 || used != 50_000 {
		t.Fatal(taken, used, err)
	}
	total := 0
	for {
		n, gone, err := s.ExpireClaims(ctx, 11, 2)
		if err != nil || n != len(gone) {
			t.Fatal(n, gone, err)
		}
		if total += n; n < 2 {
			break
		}
	}
	if total != 5 {
		t.Fatal(total)
	}
}
