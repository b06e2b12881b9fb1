package broker

import (
	"fmt"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
)

func TestMeterCountsWithinTheRetention(t *testing.T) {
	const slot = 1000
	m := newMeter(slot*meterSlots, 100)
	add := func(now, bytes int64, conn string) []string {
		return m.add(now, []Traffic{{Conn: conn, Addr: "a", Bytes: bytes}})
	}
	if over := add(0, 60, "1"); len(over) > 0 {
		t.Fatal(over)
	}
	if over := add(500, 90, "1"); len(over) > 0 || m.used(500, "a") != 90 {
		t.Fatal(over, m.used(500, "a"))
	}
	// A new connection counts from zero; what the old one sent stays counted.
	if over := add(5*slot, 20, "2"); len(over) != 1 || !m.over(5*slot, "a") {
		t.Fatal(over, m.used(5*slot, "a"))
	}
	// The first slot leaves the window, the rest stays.
	if got := m.used(meterSlots*slot, "a"); got != 20 {
		t.Fatal(got)
	}
	if m.over(meterSlots*slot, "a") {
		t.Fatal("still over")
	}
	if got := m.used(1e9, "a"); got != 0 {
		t.Fatal(got)
	}
	if m.over(1e9, "a") || len(m.addrs) != 0 {
		t.Fatal("an idle sender is remembered")
	}
}

func TestLimiterIsBounded(t *testing.T) {
	clock := clockwork.NewFakeClock()
	l := newLimiter(clock, 1, 2)
	for i, want := range []bool{true, true, false} {
		if l.allow("a") != want {
			t.Fatal(i)
		}
	}
	clock.Advance(time.Second)
	if !l.allow("a") || l.allow("a") {
		t.Fatal("one a second")
	}
	for i := range maxLimited + 10 {
		l.allow(fmt.Sprint(i))
	}
	if len(l.m) > maxLimited {
		t.Fatal(len(l.m))
	}
	clock.Advance(time.Hour)
	if !l.allow("new") || len(l.m) > 10 {
		t.Fatalf("%d remembered after an hour", len(l.m))
	}
}
