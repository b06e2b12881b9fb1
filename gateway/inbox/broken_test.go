package inbox_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/gateway/inbox"
	"github.com/digital-spine/spine/internal/testkit"
)

// breaking is a store of which one call breaks off, as it does for an
// application that goes away in the middle of its pull.
type breaking struct {
	inbox.Store
	left  int  // calls until the one that breaks off
	after bool // a commit breaks off after it was made
}

func (b *breaking) breaks() error {
	if b.left--; b.left == 0 {
		return context.Canceled
	}
	return nil
}

func (b *breaking) Ready(ctx context.Context, after int64, limit int) ([]inbox.Row, error) {
	if err := b.breaks(); err != nil {
		return nil, err
	}
	return b.Store.Ready(ctx, after, limit)
}

func (b *breaking) At(ctx context.Context, pos int64) (*inbox.Row, error) {
	if err := b.breaks(); err != nil {
		return nil, err
	}
	return b.Store.At(ctx, pos)
}

func (b *breaking) Body(ctx context.Context, id int64) ([]byte, error) {
	if err := b.breaks(); err != nil {
		return nil, err
	}
	return b.Store.Body(ctx, id)
}

func (b *breaking) SessionInfo(ctx context.Context, id int64) (*inbox.SessionInfo, error) {
	if err := b.breaks(); err != nil {
		return nil, err
	}
	return b.Store.SessionInfo(ctx, id)
}

func (b *breaking) Consumer(ctx context.Context, channel, name string) (*inbox.ConsumerRow, error) {
	if err := b.breaks(); err != nil {
		return nil, err
	}
	return b.Store.Consumer(ctx, channel, name)
}

func (b *breaking) Acks(ctx context.Context, consumer int64) ([]inbox.AckRow, error) {
	if err := b.breaks(); err != nil {
		return nil, err
	}
	return b.Store.Acks(ctx, consumer)
}

func (b *breaking) CommitCursors(ctx context.Context, c *inbox.Change) error {
	err := b.breaks()
	if err != nil && !b.after {
		return err
	}
	if failed := b.Store.CommitCursors(ctx, c); failed != nil {
		return failed
	}
	return err
}

// TestWhatBreaksOffIsHandedOverLater has each call to the store break off in
// turn, in a pull or an acknowledgement, with the process that goes on and with
// the next one: everything is handed over in the end, in order, what comes
// again is marked, and nothing comes again after its acknowledgement was
// answered.
func TestWhatBreaksOffIsHandedOverLater(t *testing.T) {
	d := newDesk(t)
	d.put(1, 2)
	d.put(2, 1) // a sender the channel does not admit
	d.put(3, 1) // another topic
	d.put(1, 3, 1)
	d.put(1, 1)
	want := []string{`{"at":"1/0"}`, `{"at":"1/1"}`, `{"at":"4/0"}`, `{"at":"4/2"}`, `{"at":"5/0"}`}
	for _, after := range []bool{false, true} {
		for _, restart := range []bool{false, true} {
			for n := 1; ; n++ {
				store := &breaking{Store: d.store.Inbox(), left: n, after: after}
				name := fmt.Sprintf("call %d, committed %v, restarted %v", n, after, restart)
				t.Run(name, func(t *testing.T) { breakOff(t, d, store, name, restart, want) })
				if store.left > 0 {
					break
				}
			}
		}
	}
}

// breakOff has a consumer of its own take everything.
func breakOff(t *testing.T, d *desk, store *breaking, name string, restart bool, want []string) {
	open := func(s inbox.Store) {
		d.in = inbox.New(inbox.Deps{Store: s, Vault: d.vault, Channels: d.channels, Clock: d.clock, Log: testkit.Logger(t)})
	}
	open(store)
	var first []string
	seen, acked := map[string]bool{}, map[string]bool{}
	turn := func() {
		got, err := d.in.Pull(d.ctx, gateway.Consumer{Name: name, Channel: "in"}, 2, 0)
		if err != nil {
			return
		}
		var tokens []string
		for _, m := range got {
			if acked[m.ID] {
				t.Errorf("%s came again after its acknowledgement was answered", m.Body)
			}
			if seen[m.ID] && !m.Redelivered {
				t.Errorf("%s came again and is not marked", m.Body)
			}
			if !seen[m.ID] {
				first = append(first, string(m.Body))
			}
			seen[m.ID] = true
			tokens = append(tokens, m.Ack)
		}
		if err := d.in.Ack(d.ctx, tokens); err != nil {
			return
		}
		for _, m := range got {
			acked[m.ID] = true
		}
	}
	for range 8 {
		turn()
		if restart && store.left <= 0 {
			restart = false
			open(d.store.Inbox())
		}
		d.clock.Advance(time.Minute) // what was handed over and not acknowledged is due again
	}
	if len(acked) != len(want) && !store.after { // an answer that is lost is not asked for again
		t.Errorf("%d of %d messages were acknowledged", len(acked), len(want))
	}
	if !slices.Equal(first, want) {
		t.Errorf("handed over were %v, expected %v", first, want)
	}
}
