package access

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/internal/problem"
)

var ctx = context.Background()

// memory is a Store of a test.
type memory struct {
	mu   sync.Mutex
	keys map[string]Key
}

func (m *memory) List(context.Context) ([]Key, error) { return nil, nil }

func (m *memory) Put(_ context.Context, k Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys[k.ID] = k
	return nil
}

func (m *memory) Delete(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.keys, id)
	return nil
}

func held(t *testing.T) (*Sessions, *Keys, *Key, *clockwork.FakeClock) {
	t.Helper()
	clock := clockwork.NewFakeClock()
	keys, err := Open(t.Context(), &memory{keys: map[string]Key{}}, clock)
	if err != nil {
		t.Fatal(err)
	}
	key, _, err := keys.Create(t.Context(), "k", []Scope{Admin})
	if err != nil {
		t.Fatal(err)
	}
	return NewSessions(keys, clock), keys, key, clock
}

func (s *Sessions) link(t *testing.T, key *Key, scopes ...Scope) string {
	t.Helper()
	token, _, err := s.Link(key.ID, scopes, "me")
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func code(t *testing.T, err error, want string) {
	t.Helper()
	if got := problem.CodeOf(err); got != want {
		t.Fatalf("code %q, want %q", got, want)
	}
}

func TestLinkOnce(t *testing.T) {
	s, _, key, clock := held(t)
	token := s.link(t, key)
	secret, first, err := s.Open(ctx, token)
	if err != nil || first.Name != "me" || len(first.Scopes) != 3 || !first.Ends.Equal(clock.Now().Add(SessionFor)) {
		t.Fatal(err, first)
	}
	if secret == token || strings.Contains(secret, token[4:]) {
		t.Fatal("the session's secret follows from the link")
	}
	_, _, err = s.Open(ctx, token)
	code(t, err, "session_invalid")
	if _, err := s.Check(ctx, secret, Admin); err != nil {
		t.Fatal("a link used twice must not end the session:", err)
	}
	// Of many who follow one link at once, one is signed in.
	token = s.link(t, key)
	var wg sync.WaitGroup
	good := make(chan bool, 50)
	for range 50 {
		wg.Go(func() { _, _, err := s.Open(ctx, token); good <- err == nil })
	}
	wg.Wait()
	close(good)
	n := 0
	for ok := range good {
		if ok {
			n++
		}
	}
	if n != 1 {
		t.Fatalf("%d were signed in by one link", n)
	}
}

func TestLinkExpires(t *testing.T) {
	s, _, key, clock := held(t)
	token := s.link(t, key)
	clock.Advance(LinkFor - time.Millisecond)
	late := s.link(t, key)
	if _, _, err := s.Open(ctx, token); err != nil {
		t.Fatal(err)
	}
	clock.Advance(LinkFor)
	_, _, err := s.Open(ctx, late)
	code(t, err, "session_invalid")
}

func TestGuesses(t *testing.T) {
	s, _, key, _ := held(t)
	token := s.link(t, key)
	secret, _, err := s.Open(ctx, s.link(t, key))
	if err != nil {
		t.Fatal(err)
	}
	for _, guess := range []string{"", "x", linkPrefix, token[:len(token)-1], token + "A", strings.ToUpper(token), linkPrefix + strings.Repeat("A", 43),
		sessionPrefix + token[4:], secret, linkPrefix + secret[4:], strings.Repeat("a", 1<<16)} {
		_, _, err := s.Open(ctx, guess)
		code(t, err, "session_invalid")
	}
	for _, guess := range []string{"", "x", token, sessionPrefix + token[4:], secret[:len(secret)-1], sessionPrefix + strings.Repeat("A", 43)} {
		_, err := s.Check(ctx, guess, "")
		code(t, err, "session_invalid")
		code(t, s.Alive(ctx, guess), "session_invalid")
		if err := s.End(ctx, guess); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.Open(ctx, token); err != nil {
		t.Fatal("guesses used the link up:", err)
	}
	if _, err := s.Check(ctx, secret, ""); err != nil {
		t.Fatal("guesses ended the session:", err)
	}
}

func TestIdleAndAbsoluteEnd(t *testing.T) {
	s, _, key, clock := held(t)
	idle, _, err := s.Open(ctx, s.link(t, key))
	if err != nil {
		t.Fatal(err)
	}
	busy, _, err := s.Open(ctx, s.link(t, key))
	if err != nil {
		t.Fatal(err)
	}
	clock.Advance(IdleFor - time.Second)
	if err := s.Alive(ctx, idle); err != nil { // looking is no use
		t.Fatal(err)
	}
	if _, err := s.Check(ctx, busy, ""); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Second)
	_, err = s.Check(ctx, idle, "")
	code(t, err, "session_invalid")
	for spent := IdleFor; spent < SessionFor-IdleFor/2; spent += IdleFor / 2 {
		if _, err := s.Check(ctx, busy, ""); err != nil {
			t.Fatal(spent, err)
		}
		clock.Advance(IdleFor / 2)
	}
	if _, err := s.Check(ctx, busy, ""); err != nil {
		t.Fatal(err)
	}
	clock.Advance(IdleFor / 2)
	_, err = s.Check(ctx, busy, "")
	code(t, err, "session_invalid")
}

func TestScopesAndEnds(t *testing.T) {
	s, keys, key, _ := held(t)
	secret, _, err := s.Open(ctx, s.link(t, key, Receive))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Check(ctx, secret, Receive); err != nil {
		t.Fatal(err)
	}
	_, err = s.Check(ctx, secret, Admin)
	code(t, err, "scope_missing")
	_, _, err = s.Link(key.ID, []Scope{"root"}, "")
	code(t, err, "key_spec_invalid")
	_, _, err = s.Link(key.ID, nil, strings.Repeat("x", 101))
	code(t, err, "key_spec_invalid")

	if err := s.End(ctx, secret); err != nil {
		t.Fatal(err)
	}
	code(t, s.Alive(ctx, secret), "session_invalid")

	// With the key go its links and sessions.
	secret, _, err = s.Open(ctx, s.link(t, key))
	if err != nil {
		t.Fatal(err)
	}
	token := s.link(t, key)
	if err := keys.Delete(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	_, err = s.Check(ctx, secret, "")
	code(t, err, "session_invalid")
	_, _, err = s.Open(ctx, token)
	code(t, err, "session_invalid")
}

func TestBounds(t *testing.T) {
	s, _, key, clock := held(t)
	for range MaxSessions {
		if _, _, err := s.Open(ctx, s.link(t, key)); err != nil {
			t.Fatal(err)
		}
	}
	token := s.link(t, key)
	_, _, err := s.Open(ctx, token)
	code(t, err, "sessions_full")
	for range MaxLinks - 1 {
		s.link(t, key)
	}
	_, _, err = s.Link(key.ID, nil, "")
	code(t, err, "sessions_full")
	clock.Advance(LinkFor - time.Second) // sessions are idle later than links
	if _, _, err := s.Open(ctx, token); !errors.Is(err, errSessionsFull) {
		t.Fatal("the link was used up although nobody was signed in:", err)
	}
	clock.Advance(IdleFor)
	s.link(t, key)
	if _, _, err := s.Open(ctx, s.link(t, key)); err != nil {
		t.Fatal(err)
	}
	if len(s.links) > MaxLinks || len(s.sessions) != 1 {
		t.Fatalf("%d links, %d sessions are kept", len(s.links), len(s.sessions))
	}
}

func TestCSRFToken(t *testing.T) {
	a, b := secret(sessionPrefix), secret(sessionPrefix)
	if !CheckCSRF(a, CSRF(a)) || CheckCSRF(a, CSRF(b)) || CheckCSRF(a, "") || CheckCSRF(a, a) || strings.Contains(a, CSRF(a)) {
		t.Fatal("the token is not that of its session alone")
	}
}

// FuzzSession: a cookie comes from whoever can reach the API.
func FuzzSession(f *testing.F) {
	f.Add(linkPrefix + strings.Repeat("A", 43))
	f.Add("sps_")
	keys := &Keys{byID: map[string]*Key{}}
	s := NewSessions(keys, clockwork.NewFakeClock())
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := s.Check(ctx, text, ""); err == nil {
			t.Fatal("no session is open")
		}
		if _, _, err := s.Open(ctx, text); err == nil {
			t.Fatal("no link was made")
		}
		if err := s.End(ctx, text); err != nil {
			t.Fatal(err)
		}
	})
}

// kept is a SessionStore of a test, which may fail.
type kept struct {
	mu   sync.Mutex
	list map[[32]byte]Session
	fail error
	puts int
	uses int
}

func (k *kept) Sessions(context.Context) (map[[32]byte]Session, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.list), k.fail
}

func (k *kept) PutSession(_ context.Context, id [32]byte, s Session) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.puts++; k.fail == nil {
		s.noted = time.Time{}
		k.list[id] = s
	}
	return k.fail
}

func (k *kept) UseSession(_ context.Context, id [32]byte, used time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.uses++
	if s, ok := k.list[id]; ok && k.fail == nil {
		s.Used = used
		k.list[id] = s
	}
	return k.fail
}

func (k *kept) DeleteSessions(_ context.Context, ids ...[32]byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail == nil {
		for _, id := range ids {
			delete(k.list, id)
		}
	}
	return k.fail
}

// restarted are the sessions after a restart.
func restarted(t *testing.T, k *kept, keys *Keys, clock clockwork.Clock) *Sessions {
	t.Helper()
	s, err := OpenSessions(ctx, k, keys, clock)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSessionsOutliveARestart(t *testing.T) {
	_, keys, key, clock := held(t)
	k := &kept{list: map[[32]byte]Session{}}
	s := restarted(t, k, keys, clock)
	sign := func(scopes ...Scope) string {
		t.Helper()
		secret, _, err := s.Open(ctx, s.link(t, key, scopes...))
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	first, narrow, out, late := sign(), sign(Receive), sign(), s.link(t, key)
	for id, x := range k.list {
		for _, secret := range []string{first, narrow, out} {
			if strings.Contains(fmt.Sprintf("%q %+v", id, x), secret[len(sessionPrefix):]) {
				t.Fatal("a secret is at rest")
			}
		}
	}
	if err := s.End(ctx, out); err != nil {
		t.Fatal(err)
	}
	s = restarted(t, k, keys, clock)
	got, err := s.Check(ctx, first, Admin)
	if err != nil || got.Name != "me" || got.Key != key.ID || !got.Ends.Equal(clock.Now().Add(SessionFor)) {
		t.Fatal(err, got)
	}
	_, err = s.Check(ctx, narrow, Admin)
	code(t, err, "scope_missing")
	code(t, s.Alive(ctx, out), "session_invalid") // signed out stays signed out
	_, _, err = s.Open(ctx, late)
	code(t, err, "session_invalid") // links are in memory

	// Use is noted once a minute, and time without a call goes on counting.
	clock.Advance(noteEvery)
	for range 10 {
		if _, err := s.Check(ctx, first, ""); err != nil {
			t.Fatal(err)
		}
	}
	if k.uses != 1 {
		t.Fatalf("use was noted %d times", k.uses)
	}
	clock.Advance(IdleFor - noteEvery)
	s = restarted(t, k, keys, clock)
	code(t, s.Alive(ctx, narrow), "session_invalid")
	if err := s.Alive(ctx, first); err != nil {
		t.Fatal(err)
	}
	if len(k.list) != 1 {
		t.Fatalf("%d sessions are kept, of which one lasts", len(k.list))
	}
	clock.Advance(noteEvery)
	s = restarted(t, k, keys, clock)
	code(t, s.Alive(ctx, first), "session_invalid")

	// A key that is gone takes its sessions along, also while nothing runs.
	s = restarted(t, k, keys, clock)
	first = sign()
	if err := keys.Delete(ctx, key.ID); err != nil {
		t.Fatal(err)
	}
	s = restarted(t, k, keys, clock)
	code(t, s.Alive(ctx, first), "session_invalid")
	if len(k.list) != 0 {
		t.Fatal("the session is still kept")
	}
}

func TestEndAll(t *testing.T) {
	_, keys, key, clock := held(t)
	k := &kept{list: map[[32]byte]Session{}}
	s := restarted(t, k, keys, clock)
	a, _, err := s.Open(ctx, s.link(t, key))
	if err != nil {
		t.Fatal(err)
	}
	link := s.link(t, key)
	if err := s.EndAll(ctx); err != nil {
		t.Fatal(err)
	}
	code(t, s.Alive(ctx, a), "session_invalid")
	_, _, err = s.Open(ctx, link)
	code(t, err, "session_invalid")
	code(t, restarted(t, k, keys, clock).Alive(ctx, a), "session_invalid")
	if b, _, err := s.Open(ctx, s.link(t, key)); err != nil || s.Alive(ctx, b) != nil {
		t.Fatal("nobody can sign in afterwards:", err)
	}
}

// TestAStoreThatFails: nobody is signed in, and nobody signed out, by halves.
func TestAStoreThatFails(t *testing.T) {
	_, keys, key, clock := held(t)
	k := &kept{list: map[[32]byte]Session{}}
	s := restarted(t, k, keys, clock)
	secret, _, err := s.Open(ctx, s.link(t, key))
	if err != nil {
		t.Fatal(err)
	}
	link := s.link(t, key)
	k.fail = errors.New("disk full")
	if _, _, err := s.Open(ctx, link); !errors.Is(err, k.fail) {
		t.Fatal(err)
	}
	if err := s.End(ctx, secret); !errors.Is(err, k.fail) {
		t.Fatal(err)
	}
	if err := s.EndAll(ctx); !errors.Is(err, k.fail) {
		t.Fatal(err)
	}
	clock.Advance(noteEvery)
	if _, err := s.Check(ctx, secret, ""); err != nil {
		t.Fatal("a session that could not be signed out or noted ended in memory only:", err)
	}
	if _, err := OpenSessions(ctx, k, keys, clock); !errors.Is(err, k.fail) {
		t.Fatal(err)
	}
	k.fail = nil
	if err := s.End(ctx, secret); err != nil {
		t.Fatal(err)
	}
	code(t, restarted(t, k, keys, clock).Alive(ctx, secret), "session_invalid")
}

// TestKeptSessionsAreBounded: what is at rest is no more than what may be, and
// what has ended makes room.
func TestKeptSessionsAreBounded(t *testing.T) {
	_, keys, key, clock := held(t)
	k := &kept{list: map[[32]byte]Session{}}
	s := restarted(t, k, keys, clock)
	for range MaxSessions {
		if _, _, err := s.Open(ctx, s.link(t, key)); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := s.Open(ctx, s.link(t, key))
	code(t, err, "sessions_full")
	if len(k.list) != MaxSessions {
		t.Fatalf("%d sessions are kept", len(k.list))
	}
	clock.Advance(IdleFor)
	if _, _, err := s.Open(ctx, s.link(t, key)); err != nil {
		t.Fatal(err)
	}
	if len(k.list) != 1 {
		t.Fatalf("%d sessions are kept, of which one lasts", len(k.list))
	}
	for i := range MaxSessions + 5 {
		k.list[[32]byte{byte(i), byte(i >> 8), 1}] = Session{Key: key.ID, Ends: clock.Now().Add(time.Hour), Used: clock.Now()}
	}
	if s = restarted(t, k, keys, clock); len(s.sessions) > MaxSessions || len(k.list) > MaxSessions {
		t.Fatalf("%d sessions go on, %d are kept", len(s.sessions), len(k.list))
	}
}
