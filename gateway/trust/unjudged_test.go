package trust

import (
	"errors"
	"testing"
	"time"

	"github.com/digital-spine/spine/gateway/hubclient"
)

func (c *fakeChain) away(is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stale = is
}

// TestChainAwayAtTheStart asks while the chain does not answer a book that has
// judged nothing yet: who cannot be judged is no reason to say that nobody
// holds a role, nor to send without the own credentials.
func TestChainAwayAtTheStart(t *testing.T) {
	w := newWorld(t)
	i := w.issuer(1)
	me, b := party(t, 99), party(t, 2)
	i.issue(me.did, 1, time.Time{})
	i.issue(b.did, 2, time.Time{})
	w.chain.away(true)
	var some *Unjudged
	holders, err := w.book.Holders(ctx, roleName)
	if !errors.As(err, &some) || !errors.Is(err, ErrAbsent) || len(holders) != 0 || some.Roles[0] != roleName {
		t.Fatalf("%v, %v", holders, err)
	}
	own, err := w.book.Own(ctx)
	if !errors.As(err, &some) || isRefusal(err) || len(own) != 0 || some.Roles[0] != roleName {
		t.Fatalf("%v, %v", own, err)
	}
	// However long it takes.
	w.clock.Advance(unjudgedFor)
	i.freshen()
	if holders, err = w.book.Holders(ctx, roleName); !errors.As(err, &some) || len(holders) != 0 {
		t.Fatalf("%v, %v", holders, err)
	}
	w.chain.away(false)
	w.clock.Advance(absentMax)
	i.freshen()
	if holders, err = w.book.Holders(ctx, roleName); err != nil || len(holders) != 2 {
		t.Fatalf("%v, %v", holders, err)
	}
	if own, err = w.book.Own(ctx); err != nil || len(own) != 1 {
		t.Fatalf("%v, %v", own, err)
	}
	// What held is shown on while it cannot be judged: the recipient judges.
	w.chain.away(true)
	w.clock.Advance(2 * chainFor)
	i.freshen()
	if own, err = w.book.Own(ctx); err != nil || len(own) != 1 {
		t.Fatalf("%v, %v", own, err)
	}
}

// TestOneHolderCannotBeJudged has the hub list a credential that it does not
// serve.
func TestOneHolderCannotBeJudged(t *testing.T) {
	w := newWorld(t)
	i := w.issuer(1)
	b := party(t, 2)
	i.issue(b.did, 1, time.Time{})
	w.hub.holders[roleName] = append(w.hub.holders[roleName], hubclient.Holder{DID: party(t, 3).did, Credential: [32]byte{7}})
	var some *Unjudged
	holders, err := w.book.Holders(ctx, roleName)
	if !errors.As(err, &some) || len(holders) != 1 || holders[0].DID != b.did {
		t.Fatalf("%v, %v", holders, err)
	}
	// It holds up the others no longer than that.
	w.clock.Advance(unjudgedFor)
	i.freshen()
	if holders, err = w.book.Holders(ctx, roleName); err != nil || len(holders) != 1 {
		t.Fatalf("%v, %v", holders, err)
	}
}

// TestHubAwayAfterItTold has the hub go away after it told of a first own
// credential, before that could be judged: the empty list of before is no
// answer.
func TestHubAwayAfterItTold(t *testing.T) {
	w := newWorld(t)
	i := w.issuer(1)
	me := party(t, 99)
	if own, err := w.book.Own(ctx); err != nil || len(own) != 0 {
		t.Fatal(own, err)
	}
	if holders, err := w.book.Holders(ctx, roleName); err != nil || len(holders) != 0 {
		t.Fatal(holders, err)
	}
	cred := i.issue(me.did, 1, time.Time{})
	w.book.credentialChanged(cred, me.did, roleName)
	w.chain.away(true)
	var some *Unjudged
	if _, err := w.book.Own(ctx); !errors.As(err, &some) {
		t.Fatal(err)
	}
	w.hub.set(true)
	w.clock.Advance(absentMax)
	if own, err := w.book.Own(ctx); !errors.Is(err, ErrAbsent) {
		t.Fatal(own, err)
	}
	if holders, err := w.book.Holders(ctx, roleName); !errors.Is(err, ErrAbsent) {
		t.Fatal(holders, err)
	}
	w.hub.set(false)
	w.chain.away(false)
	w.clock.Advance(absentMax)
	i.freshen()
	if own, err := w.book.Own(ctx); err != nil || len(own) != 1 {
		t.Fatal(own, err)
	}
}
