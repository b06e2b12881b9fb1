package hub

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
)

func bare() *Hub {
	c := clockwork.NewFakeClockAt(time.UnixMilli(1767225600000))
	return &Hub{clock: c, secret: [32]byte{1}, writes: newLimiter(c, WritesPerSecond, WriteBurst)}
}

func TestChallenge(t *testing.T) {
	h := bare()
	n := h.Challenge()
	if err := h.challenged(n); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		bad := n
		bad[i] ^= 1
		if err := h.challenged(bad); !errors.Is(err, ErrNonce) {
			t.Fatalf("byte %d is not covered", i)
		}
	}
	other := bare()
	other.secret[0]++
	if err := other.challenged(n); !errors.Is(err, ErrNonce) {
		t.Error("a nonce of another hub was taken")
	}
	// One from the future has a good MAC only when the clock went back.
	h.clock.(*clockwork.FakeClock).Advance(61 * time.Second)
	if err := h.challenged(n); !errors.Is(err, ErrNonce) {
		t.Error("an old nonce was taken")
	}
	if at := int64(binary.BigEndian.Uint64(n[:])); at != 1767225600000 {
		t.Errorf("made at %d", at)
	}
}

// A limiter forgets the callers it has not heard of for long.
func TestLimiterIsBounded(t *testing.T) {
	l := newLimiter(clockwork.NewFakeClock(), 1, 1)
	for i := range 2 * limitedDIDs {
		if err := l.allow(string(binary.BigEndian.AppendUint32(nil, uint32(i)))); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.m) != limitedDIDs || l.order.Len() != limitedDIDs {
		t.Errorf("%d callers remembered", len(l.m))
	}
}

func FuzzSession(f *testing.F) {
	f.Add(bare().seal(Session{DID: "did:x", Expires: 1}))
	f.Add("e30.e30")
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := bare().Session(t.Context(), token); !errors.Is(err, ErrUnauthorized) {
			t.Fatalf("invented token: %v", err)
		}
	})
}
