package outbox

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/envelope"
)

// replyTimeout bounds the sending of one receipt; a lost one is healed by the
// next.
const replyTimeout = 5 * time.Second

// partitions remembers where mailboxes are, for a while.
type partitions struct {
	mu sync.Mutex
	m  map[string]place
}

type place struct {
	pp int
	at time.Time
}

const (
	placeLife = 10 * time.Minute
	maxPlaces = 10_000
)

// Reply publishes a receipt to the mailbox of an instance.
func (o *Outbox) Reply(ctx context.Context, did string, inst uint64, wire []byte) error {
	return o.ReplyAddr(ctx, envelope.Address(did, inst), wire)
}

// ReplyAddr publishes a receipt to a mailbox of which only the address is
// known. The directory says in which partition it is.
func (o *Outbox) ReplyAddr(ctx context.Context, addr string, wire []byte) error {
	ctx, cancel := within(ctx, o.clock, replyTimeout)
	defer cancel()
	pp, err := o.partition(ctx, addr)
	if err != nil {
		return err
	}
	err = o.pub.bus.Publish(ctx, []bus.Msg{{Subject: bus.Subject(pp, addr, o.self.Addr()), Data: wire}})[0]
	if bus.CodeOf(err) == bus.CodeNoMailbox {
		o.parts.forget(addr)
	}
	return err
}

// partition asks the directory where a mailbox is.
func (o *Outbox) partition(ctx context.Context, addr string) (int, error) {
	now := o.clock.Now()
	o.parts.mu.Lock()
	p, ok := o.parts.m[addr]
	o.parts.mu.Unlock()
	if ok && now.Sub(p.at) < placeLife {
		return p.pp, nil
	}
	list, err := o.dir.InstanceAt(ctx, addr)
	if err != nil {
		return 0, err
	}
	for _, i := range list {
		if i.Addr == addr && i.PP >= 0 && i.PP < 100 {
			o.parts.remember(addr, place{i.PP, now})
			return i.PP, nil
		}
	}
	return 0, fmt.Errorf("outbox: the directory knows no mailbox %s", addr)
}

func (p *partitions) remember(addr string, at place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.m == nil || len(p.m) >= maxPlaces {
		p.m = make(map[string]place)
	}
	p.m[addr] = at
}

func (p *partitions) forget(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.m, addr)
}

// within returns a context that is cancelled after d of the outbox's clock.
// (clockwork's own contexts block in Err while they are open.)
func within(ctx context.Context, clock clockwork.Clock, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	timer := clock.AfterFunc(d, cancel)
	return ctx, func() {
		timer.Stop()
		cancel()
	}
}
