package intake

import (
	"fmt"
	"testing"
	"time"
)

// TestPeersAreBounded has many thousand senders come by, each with a grant: a
// bounded number is remembered, and strangers share one budget.
func TestPeersAreBounded(t *testing.T) {
	p, now, passed := newPeers(1), time.UnixMilli(1767225600000), 0
	for i := range 3 * rememberedPeers {
		if p.grant(p.of(fmt.Sprint("stranger ", i)), now) {
			passed++
		}
	}
	if p.order.Len() != rememberedPeers || len(p.byAddr) != rememberedPeers {
		t.Errorf("%d and %d senders are remembered", p.order.Len(), len(p.byAddr))
	}
	if passed != strangersPerSec {
		t.Errorf("%d grants of strangers were looked at within a moment", passed)
	}
	// Who is known is not held up by strangers, and has a budget of its own.
	known := p.of("known")
	known.known = true
	passed = 0
	for range 1_000_000 {
		if p.grant(known, now) {
			passed++
		}
	}
	if passed != grantBurst {
		t.Errorf("%d grants of one sender were looked at within a moment", passed)
	}
}
