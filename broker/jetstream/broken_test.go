package jetstream

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	js "github.com/nats-io/nats.go/jetstream"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/internal/testkit"
)

// breaking is a JetStream of which one call breaks off.
type breaking struct {
	js.JetStream
	left  int  // calls until the one that breaks off
	after bool // it is made before
}

func call[T any](b *breaking, made func() (T, error)) (out T, err error) {
	if b.left--; b.left != 0 {
		return made()
	}
	if b.after {
		if _, err := made(); err != nil {
			return out, err
		}
	}
	return out, context.DeadlineExceeded
}

func (b *breaking) Stream(ctx context.Context, name string) (js.Stream, error) {
	return call(b, func() (js.Stream, error) { return b.JetStream.Stream(ctx, name) })
}

func (b *breaking) CreateOrUpdateStream(ctx context.Context, c js.StreamConfig) (js.Stream, error) {
	return call(b, func() (js.Stream, error) { return b.JetStream.CreateOrUpdateStream(ctx, c) })
}

func (b *breaking) CreateConsumer(ctx context.Context, stream string, c js.ConsumerConfig) (js.Consumer, error) {
	return call(b, func() (js.Consumer, error) { return b.JetStream.CreateConsumer(ctx, stream, c) })
}

func (b *breaking) DeleteConsumer(ctx context.Context, stream, consumer string) error {
	_, err := call(b, func() (struct{}, error) { return struct{}{}, b.JetStream.DeleteConsumer(ctx, stream, consumer) })
	return err
}

// TestMailboxesAreCompleted has each call to JetStream break off while mailboxes
// of one partition are opened and made again. Who asks again has a mailbox, and
// what was made for one is not taken back when the next one is opened.
func TestMailboxesAreCompleted(t *testing.T) {
	ctx := testkit.Context(t)
	srv, err := bus.Embed(ctx, bus.EmbedConfig{StoreDir: filepath.Join(t.TempDir(), "nats"), Listen: "127.0.0.1:0", Log: testkit.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	addr := func(i int) string { return fmt.Sprintf("%026d", i) }
	pp := 0
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			pp++ // a partition of its own for each round
			p, err := New(srv, Config{Retention: time.Hour, Wire: 1 << 10, Cap: 10, MaxBytes: 1 << 20, Log: testkit.Logger(t)})
			if err != nil {
				t.Fatal(err)
			}
			b := &breaking{JetStream: p.js, left: n, after: after}
			p.js = b
			var failed []func() error
			ask := func(f func() error) {
				if err := f(); errors.Is(err, context.DeadlineExceeded) {
					failed = append(failed, f)
				} else if err != nil {
					t.Fatalf("call %d, made %v: %v", n, after, err)
				}
			}
			subjects := map[string]bool{}
			for i := range 3 {
				ask(func() error { return p.Open(ctx, pp, addr(i)) })
				// Another's answer is lost, and it does not ask again at once.
				s, err := b.JetStream.Stream(ctx, bus.Stream(pp))
				if err != nil {
					continue // not made yet
				}
				now := map[string]bool{}
				for _, subject := range s.CachedInfo().Config.Subjects {
					now[subject] = true
				}
				for subject := range subjects {
					if !now[subject] {
						t.Errorf("call %d, made %v: %s was taken back", n, after, subject)
					}
				}
				subjects = now
			}
			ask(func() error { return p.Remake(ctx, pp, addr(1), 0) })
			for _, f := range failed {
				if err := f(); err != nil {
					t.Fatalf("call %d, made %v, asked again: %v", n, after, err)
				}
			}
			broke := b.left <= 0
			p.js = b.JetStream
			for i := range 3 {
				if _, err := p.Publish(ctx, bus.Subject(pp, addr(i), addr(9)), []byte("x")); err != nil {
					t.Errorf("call %d, made %v, mailbox %d: %v", n, after, i, err)
				}
				if _, err := p.State(ctx, pp, addr(i)); err != nil {
					t.Errorf("call %d, made %v, consumer %d: %v", n, after, i, err)
				}
			}
			if p.Close(); !broke {
				break
			}
		}
	}
}
