package intake

import (
	"container/list"
	"time"

	"golang.org/x/time/rate"
)

// Budgets of section 12 of docs/protocol.md.
const (
	grantsPerMinute  = 60
	grantBurst       = 200
	maxOpen          = 256 // open sessions of one sender
	strangersPerSec  = 20
	failedPerMinute  = 100
	asksPerMinute    = 10 // to strangers
	rememberedPeers  = 10_000
	muteFor          = time.Minute
	fullFor          = 1000 // ms; then one that may go is looked for again
	parkedPerSender  = 4 << 20
	parkedPerMailbox = 32 << 20
	parkedFor        = 60 * time.Second
)

// peer is what is remembered of a sender's mailbox address: its budgets and,
// for receipts, how many it may still get. It is dropped when too many newer
// ones came, which only refills its budgets.
type peer struct {
	addr    string
	grants  *rate.Limiter
	failed  *rate.Limiter
	receipt *rate.Limiter
	muted   time.Time // messages are dropped unread until then
	dropped int       // since the last throttled event
	told    time.Time // last throttled event
	known   bool      // a grant of it passed once
}

// peers is a bounded memory of senders, least recently heard of dropped.
type peers struct {
	byAddr    map[string]*list.Element
	order     *list.List
	strangers *rate.Limiter
	asks      *rate.Limiter
	receipts  rate.Limit
}

// newPeers makes the memory; receipts is the mean number a second that one
// sender may be sent (cap / 4R).
func newPeers(receipts float64) *peers {
	return &peers{
		byAddr: make(map[string]*list.Element), order: list.New(),
		strangers: rate.NewLimiter(strangersPerSec, strangersPerSec),
		asks:      rate.NewLimiter(rate.Limit(asksPerMinute)/60, asksPerMinute),
		receipts:  rate.Limit(receipts),
	}
}

// of returns the peer of an address, making it where it is new.
func (p *peers) of(addr string) *peer {
	if e, ok := p.byAddr[addr]; ok {
		p.order.MoveToFront(e)
		return e.Value.(*peer)
	}
	if p.order.Len() >= rememberedPeers {
		e := p.order.Back()
		p.order.Remove(e)
		delete(p.byAddr, e.Value.(*peer).addr)
	}
	x := &peer{
		addr:    addr,
		grants:  rate.NewLimiter(rate.Limit(grantsPerMinute)/60, grantBurst),
		failed:  rate.NewLimiter(rate.Limit(failedPerMinute)/60, failedPerMinute),
		receipt: rate.NewLimiter(p.receipts, 1000),
	}
	p.byAddr[addr] = p.order.PushFront(x)
	return x
}

// fail counts a failed check; above the budget the sender is muted for a minute.
func (x *peer) fail(now time.Time) {
	if !x.failed.AllowN(now, 1) {
		x.muted = now.Add(muteFor)
	}
}

// grant reports whether a grant of this sender may be looked at now.
func (p *peers) grant(x *peer, now time.Time) bool {
	if !x.grants.AllowN(now, 1) {
		return false
	}
	return x.known || p.strangers.AllowN(now, 1)
}
