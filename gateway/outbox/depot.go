package outbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/envelope"
)

// Bounds of the depot.
const (
	bodyTimeout = 60 * time.Second // of one body on its way
	maxBodies   = 4                // on their way at a time, for recipients that are behind
	maxParcels  = 4_096            // bodies of which it is remembered that they are there
)

// depot brings the bodies of envelopes for many recipients to the broker's blob
// store, once each, so that a notice is all that every recipient gets. An
// envelope and its notice have one signature and one D: which of the two went
// out is not kept anywhere, and is decided again from the size of the session.
type depot struct {
	store Bodies // nil: every recipient gets the envelope
	clock clockwork.Clock
	log   *slog.Logger
	spawn func(func(context.Context)) bool
	poke  func() // the pump may go on

	mu      sync.Mutex
	parcels map[bodyKey]*parcel
	busy    int
}

type bodyKey struct {
	sid [32]byte
	seq int64
}

// parcel is one body.
type parcel struct {
	notice []byte
	there  bool
	busy   bool
	until  time.Time // not tried again before
	delay  time.Duration
}

// noticed reports whether an envelope goes out as a notice.
func (d *depot) noticed(e *envelope.Envelope, recipients int) bool {
	return d.store != nil && recipients >= envelope.NoticeRecipients && len(e.Ciphertext) > envelope.NoticeSize
}

// put brings the body of an envelope to the broker, where it stays until a time
// in ms.
func (d *depot) put(ctx context.Context, e *envelope.Envelope, until int64) error {
	ctx, cancel := within(ctx, d.clock, bodyTimeout)
	defer cancel()
	ct := e.Ciphertext
	return d.store.PutBlob(ctx, e.CiphertextHash(), int64(len(ct)), until, func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(ct)), nil
	})
}

// sent remembers that a body is there.
func (d *depot) sent(e *envelope.Envelope, notice []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.parcelLocked(bodyKey{e.Session, int64(e.Seq)})
	p.notice, p.there = notice, true
}

func (d *depot) parcelLocked(key bodyKey) *parcel {
	p := d.parcels[key]
	if p == nil {
		if len(d.parcels) >= maxParcels {
			for k, old := range d.parcels { // any: another upload is all it costs
				if !old.busy {
					delete(d.parcels, k)
				}
				if len(d.parcels) < maxParcels/2 {
					break
				}
			}
		}
		p = &parcel{}
		d.parcels[key] = p
	}
	return p
}

// form returns the wire message for stored envelope bytes, for a session of
// this size whose bodies have to be kept until a time in ms. It is nil while
// the body is not at the broker yet: the depot takes it there and pokes.
func (d *depot) form(env *Envelope, recipients int, until int64) ([]byte, error) {
	if d.store == nil || recipients < envelope.NoticeRecipients || len(env.Bytes) <= envelope.NoticeSize {
		return env.Bytes, nil
	}
	key := bodyKey{env.SID, env.Seq}
	d.mu.Lock()
	p := d.parcels[key]
	if p != nil && p.there {
		d.mu.Unlock()
		return p.notice, nil
	}
	d.mu.Unlock()
	e, err := envelope.ParseEnvelope(env.Bytes)
	if err != nil {
		return nil, err
	}
	if !d.noticed(e, recipients) {
		return env.Bytes, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	p = d.parcelLocked(key)
	if p.there {
		return p.notice, nil
	}
	if p.busy || d.busy >= maxBodies || d.clock.Now().Before(p.until) {
		return nil, nil
	}
	p.busy = true
	d.busy++
	if !d.spawn(func(ctx context.Context) { d.carry(ctx, e, p, until) }) {
		p.busy = false
		d.busy--
	}
	return nil, nil
}

// carry is one try to bring a body to the broker.
func (d *depot) carry(ctx context.Context, e *envelope.Envelope, p *parcel, until int64) {
	err := d.put(ctx, e, until)
	d.mu.Lock()
	d.busy--
	p.busy = false
	if err == nil {
		p.notice, p.there = e.Notice().Bytes(), true
	} else {
		p.delay = min(max(2*p.delay, backoffMin), backoffMax)
		p.until = d.clock.Now().Add(p.delay)
		if !errors.Is(err, context.Canceled) {
			d.log.Info("body not at the broker", "session", e.Session, "seq", e.Seq, "again_in", p.delay, "err", err)
		}
		d.clock.AfterFunc(p.delay, d.poke)
	}
	d.mu.Unlock()
	d.poke()
}
