package files

import (
	"context"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/envelope"
)

// pushEarly begins with a part of a file that is still being uploaded. If it
// fails, pushing all of it does what is left.
func (b *Box) pushEarly(r *Row, h envelope.Digest, size int64) {
	if b.remote == nil {
		return
	}
	b.mu.Lock()
	p := b.pushing[r.ID]
	if p == nil {
		p = &push{}
		b.pushing[r.ID] = p
	}
	if p.left == 0 {
		p.early = make(chan struct{})
	}
	if p.there == nil {
		p.there = make(map[blob.Hash]int64)
	}
	p.left++
	b.mu.Unlock()
	until := b.now() + 2*b.retain
	b.crew.run(func(ctx context.Context) {
		select {
		case b.window <- struct{}{}:
			err := b.put(ctx, h, size, until)
			<-b.window
			if err != nil {
				b.log.Debug("a part was not pushed early", "code", codeOf(err))
				break
			}
			p.through.Add(size)
			b.mu.Lock()
			p.there[h] = until
			b.mu.Unlock()
		case <-ctx.Done():
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if p.left--; p.left == 0 {
			close(p.early)
		}
	})
}

// allThere reports whether the broker took every part while the file was being
// uploaded, for long enough. It holds once: whoever asks again, asks the broker.
func (b *Box) allThere(p *push, hashes [][32]byte, until int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	there := p.there
	p.there = nil
	for _, h := range hashes {
		if t, ok := there[h]; !ok || t < until {
			return false
		}
	}
	return true
}
