package access

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

// crossing is a store in which a new session is kept after the ending of all
// has looked for it, and before that has ended.
type crossing struct {
	*kept
	putting, looked, opened chan struct{}
	ending                  atomic.Bool
}

func (c *crossing) PutSession(ctx context.Context, id [32]byte, s Session) error {
	close(c.putting)
	<-c.looked
	return c.kept.PutSession(ctx, id, s)
}

func (c *crossing) DeleteSessions(ctx context.Context, ids ...[32]byte) error {
	err := c.kept.DeleteSessions(ctx, ids...)
	if !c.ending.Swap(true) {
		close(c.looked)
		<-c.opened
	}
	return err
}

// Who signs in while all are signed out does not come back after a restart.
func TestEndAllWhileOneSignsIn(t *testing.T) {
	_, keys, key, clock := held(t)
	c := &crossing{kept: &kept{list: map[[32]byte]Session{}}, putting: make(chan struct{}), looked: make(chan struct{}), opened: make(chan struct{})}
	s, err := OpenSessions(ctx, c.kept, keys, clock)
	if err != nil {
		t.Fatal(err)
	}
	s.store = c
	link := s.link(t, key)
	var secret string
	go func() {
		defer close(c.opened)
		secret, _, _ = s.Open(ctx, link)
	}()
	<-c.putting
	if err := s.EndAll(ctx); err != nil {
		t.Fatal(err)
	}
	code(t, s.Alive(ctx, secret), "session_invalid")
	if s = restarted(t, c.kept, keys, clock); len(s.sessions) != 0 {
		t.Fatal("a session outlived the end of all")
	}
}

// during does something else in the middle of keeping a session.
type during struct {
	*kept
	fn func() error
}

func (d *during) PutSession(ctx context.Context, id [32]byte, s Session) error {
	if err := d.fn(); err != nil {
		return err
	}
	return d.kept.PutSession(ctx, id, s)
}

// A link whose use breaks off is good again, unless all were ended meanwhile.
func TestLinkWhoseUseBreaksOff(t *testing.T) {
	for name, endAll := range map[string]bool{"alone": false, "with the end of all": true} {
		_, keys, key, clock := held(t)
		k := &kept{list: map[[32]byte]Session{}}
		s := restarted(t, k, keys, clock)
		s.store = &during{k, func() error {
			if endAll {
				if err := s.EndAll(ctx); err != nil {
					t.Error(err)
				}
			}
			return context.Canceled
		}}
		link := s.link(t, key)
		if _, _, err := s.Open(ctx, link); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		s.store = k
		if _, _, err := s.Open(ctx, link); (err == nil) == endAll {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Who signs in while the key of the link is deleted is not signed in, nor when
// a key of the same id is made again.
func TestKeyGoesWhileOneSignsIn(t *testing.T) {
	_, keys, key, clock := held(t)
	k := &kept{list: map[[32]byte]Session{}}
	s := restarted(t, k, keys, clock)
	s.store = &during{k, func() error { return keys.Delete(ctx, key.ID) }}
	_, _, err := s.Open(ctx, s.link(t, key))
	code(t, err, "session_invalid")
	if len(k.list) != 0 {
		t.Fatal("the session is kept")
	}
}
