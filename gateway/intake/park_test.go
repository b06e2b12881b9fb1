package intake

import (
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/envelope"
)

// TestManyStrangers: so many unknown sessions are remembered and no more. That
// all of them are new is found out once a second, not for every message.
func TestManyStrangers(t *testing.T) {
	clock := clockwork.NewFakeClockAt(time.UnixMilli(1767225600000))
	x := &Intake{now: func() int64 { return clock.Now().UnixMilli() }, strange: make(map[strangerKey]*named)}
	it := &item{sender: "them"}
	name := func(i int) envelope.Digest { return envelope.Sum([]byte{byte(i), byte(i >> 8)}) }
	for i := range maxStrange {
		if x.remember(it, name(i), 0) == nil {
			t.Fatalf("session %d is not remembered", i)
		}
	}
	if x.remember(it, name(maxStrange), 0) != nil {
		t.Fatalf("%d are remembered", len(x.strange))
	}
	x.strange[strangerKey{name(7), it.sender}].since -= 2 * parkedFor.Milliseconds()
	if x.remember(it, name(maxStrange), 0) != nil {
		t.Error("all of them are looked at for each message")
	}
	clock.Advance(time.Second)
	if x.remember(it, name(maxStrange), 0) == nil || len(x.strange) != maxStrange {
		t.Error("an old one makes no room")
	}
}
