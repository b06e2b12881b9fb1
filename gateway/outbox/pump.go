package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/digital-spine/spine/bus"
)

// run publishes what is behind until ctx ends. It begins with what the store
// holds from an earlier run.
func (p *publisher) run(ctx context.Context) error {
	if err := p.load(ctx); err != nil {
		return err
	}
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
		defer cancel()
		p.save(last)
	}()
	for {
		wires, wait, err := p.round(ctx)
		if err != nil && ctx.Err() == nil {
			p.log.Error("outbox read failed", "err", err)
			wait = time.Second
		}
		if len(wires) > 0 {
			p.publish(ctx, wires)
			p.save(ctx)
			if ctx.Err() == nil {
				continue
			}
		}
		var again <-chan time.Time
		if wait > 0 {
			again = p.clock.After(wait)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.wake:
		case <-again:
		case <-p.due:
			p.save(ctx)
		}
	}
}

// load reads what an earlier run left unpublished.
func (p *publisher) load(ctx context.Context) error {
	list, err := p.store.Unpublished(ctx, loadPage)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = len(list) == loadPage
	for i := range list {
		m := &list[i]
		if d, ok := p.known[memberKey{m.SID, m.Addr}]; ok && !d.over {
			continue // of an open session, which knows better
		}
		d := p.deliveryLocked(m)
		d.want, d.over = max(d.want, m.Next+1), true
		if d.stored < d.want {
			p.fallLocked(d)
		}
	}
	return nil
}

// reload reads the store again when it has more, or something of which nobody
// was told. Who is behind for long, its mailbox being away, keeps no others
// waiting: the next page is read when half of this one is done.
func (p *publisher) reload(ctx context.Context) error {
	p.mu.Lock()
	unread, more := p.unread, p.lost && len(p.behind) <= loadPage/2
	p.unread = false
	p.mu.Unlock()
	if !unread && !more {
		return nil
	}
	err := p.load(ctx)
	if err != nil && unread {
		p.mu.Lock()
		p.unread = true
		p.mu.Unlock()
	}
	return err
}

// round reads the next messages of recipients that are behind. wait is the
// time until a closed gate opens, 0 when there is none. What it returns is
// under way, with an error too.
func (p *publisher) round(ctx context.Context) (wires []wire, wait time.Duration, err error) {
	if err := p.reload(ctx); err != nil {
		return nil, 0, err
	}
	p.mu.Lock()
	now := p.clock.Now()
	var ready []*delivery
	for d := range p.behind {
		if d.flying > 0 {
			continue // its landing pokes
		}
		if d.stored >= d.want {
			d.behind = false
			delete(p.behind, d)
			p.dropLocked(d)
			continue
		}
		if g := p.gates[d.addr]; g != nil && now.Before(g.until) {
			if left := g.until.Sub(now); wait == 0 || left < wait {
				wait = left
			}
			continue
		}
		ready = append(ready, d)
	}
	if p.lost && len(p.behind) == 0 {
		wait = time.Second // what is left is on its way already, or not told yet
	}
	p.mu.Unlock()
	size := 0
	for _, d := range ready {
		var got []wire
		if got, err = p.read(ctx, d); err != nil {
			break
		}
		for i := range got {
			size += len(got[i].data)
		}
		wires = append(wires, got...)
		if size >= pumpBytes || len(wires) >= bus.MaxBatch {
			break
		}
	}
	p.mu.Lock()
	for i := range wires {
		wires[i].to.flying++
	}
	p.mu.Unlock()
	return wires, wait, err
}

// read returns the next wire messages of d, skipping what is stored already
// and what is not needed any more.
func (p *publisher) read(ctx context.Context, d *delivery) ([]wire, error) {
	p.mu.Lock()
	from, want, astray := d.stored, d.want, d.astray
	p.mu.Unlock()
	if astray {
		// The mailbox was moved, or the directory was wrong when asked.
		if pp, err := p.where(ctx, d.addr); err == nil {
			p.mu.Lock()
			d.pp, d.astray = pp, false
			p.mu.Unlock()
		}
	}
	var wires []wire
	if from == 0 {
		m, err := p.store.Member(ctx, d.sid, d.addr)
		if errors.Is(err, ErrNoRow) || err == nil && len(m.Grant) == 0 {
			p.skip(d, from, want)
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		wires = append(wires, wire{d, 0, m.Grant})
		from = 1
	}
	list, err := p.store.Envelopes(ctx, d.sid, from-1, want-2, pumpMember)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	next := from
	for i := range list {
		e := &list[i]
		next = e.Seq + 2
		if _, ok := d.ahead[e.Seq+1]; ok {
			continue
		}
		if e.Bytes == nil { // receipted by all, or retired
			p.storedLocked(d, e.Seq+1)
			continue
		}
		data, err := p.depot.form(e, d.size, d.naf+p.retain)
		if err != nil {
			return nil, err
		}
		if data == nil {
			break // its body first
		}
		wires = append(wires, wire{d, e.Seq + 1, data})
	}
	if len(list) == 0 && next < want { // forgotten meanwhile
		d.stored = max(d.stored, want)
	}
	return wires, nil
}

func (p *publisher) skip(d *delivery, from, want int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d.stored == from {
		d.stored = max(d.stored, want)
	}
}

// save writes the cursors that moved.
func (p *publisher) save(ctx context.Context) {
	p.mu.Lock()
	list, moved := p.cursorsLocked()
	clear(p.dirty)
	p.mu.Unlock()
	if len(list) == 0 {
		return
	}
	err := p.store.Published(ctx, list)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range moved {
		if err != nil {
			p.dirtyLocked(d)
			continue
		}
		p.dropLocked(d)
	}
	if err != nil && ctx.Err() == nil { // who stops saves them once more, at last
		p.log.Error("outbox cursors not saved", "err", err)
	}
}

// cursorsLocked lists the cursors that moved. One stands for all members of a
// session that are equally far, as they are where nobody is held up.
func (p *publisher) cursorsLocked() (list []Cursor, moved []*delivery) {
	type level struct {
		sid    [32]byte
		stored int64
	}
	equal := make(map[level]int, 1)
	moved = make([]*delivery, 0, len(p.dirty))
	for d := range p.dirty {
		moved = append(moved, d)
		equal[level{d.sid, d.stored}]++
	}
	for _, d := range moved {
		c := Cursor{SID: d.sid, Addr: d.addr, Published: d.stored, At: d.moved}
		if d.size > 1 {
			l := level{d.sid, d.stored}
			switch n := equal[l]; {
			case n < 0:
				continue
			case n == d.size:
				c.Addr, equal[l] = "", -1
			}
		}
		list = append(list, c)
	}
	return list, moved
}
