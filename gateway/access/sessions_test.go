package access

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/internal/problem"
)

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
	secret, first, err := s.Open(token)
	if err != nil || first.Name != "me" || len(first.Scopes) != 3 || !first.Ends.Equal(clock.Now().Add(SessionFor)) {
		t.Fatal(err, first)
	}
	if secret == token || strings.Contains(secret, token[4:]) {
		t.Fatal("the session's secret follows from the link")
	}
	_, _, err = s.Open(token)
	code(t, err, "session_invalid")
	if _, err := s.Check(secret, Admin); err != nil {
		t.Fatal("a link used twice must not end the session:", err)
	}
	// Of many who follow one link at once, one is signed in.
	token = s.link(t, key)
	var wg sync.WaitGroup
	good := make(chan bool, 50)
	for range 50 {
		wg.Go(func() { _, _, err := s.Open(token); good <- err == nil })
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
	if _, _, err := s.Open(token); err != nil {
		t.Fatal(err)
	}
	clock.Advance(LinkFor)
	_, _, err := s.Open(late)
	code(t, err, "session_invalid")
}

func TestGuesses(t *testing.T) {
	s, _, key, _ := held(t)
	token := s.link(t, key)
	secret, _, err := s.Open(s.link(t, key))
	if err != nil {
		t.Fatal(err)
	}
	for _, guess := range []string{"", "x", linkPrefix, token[:len(token)-1], token + "A", strings.ToUpper(token), linkPrefix + strings.Repeat("A", 43),
		sessionPrefix + token[4:], secret, linkPrefix + secret[4:], strings.Repeat("a", 1<<16)} {
		_, _, err := s.Open(guess)
		code(t, err, "session_invalid")
	}
	for _, guess := range []string{"", "x", token, sessionPrefix + token[4:], secret[:len(secret)-1], sessionPrefix + strings.Repeat("A", 43)} {
		_, err := s.Check(guess, "")
		code(t, err, "session_invalid")
		code(t, s.Alive(guess), "session_invalid")
		s.End(guess)
	}
	if _, _, err := s.Open(token); err != nil {
		t.Fatal("guesses used the link up:", err)
	}
	if _, err := s.Check(secret, ""); err != nil {
		t.Fatal("guesses ended the session:", err)
	}
}

func TestIdleAndAbsoluteEnd(t *testing.T) {
	s, _, key, clock := held(t)
	idle, _, err := s.Open(s.link(t, key))
	if err != nil {
		t.Fatal(err)
	}
	busy, _, err := s.Open(s.link(t, key))
	if err != nil {
		t.Fatal(err)
	}
	clock.Advance(IdleFor - time.Second)
	if err := s.Alive(idle); err != nil { // looking is no use
		t.Fatal(err)
	}
	if _, err := s.Check(busy, ""); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Second)
	_, err = s.Check(idle, "")
	code(t, err, "session_invalid")
	for spent := IdleFor; spent < SessionFor-IdleFor/2; spent += IdleFor / 2 {
		if _, err := s.Check(busy, ""); err != nil {
			t.Fatal(spent, err)
		}
		clock.Advance(IdleFor / 2)
	}
	if _, err := s.Check(busy, ""); err != nil {
		t.Fatal(err)
	}
	clock.Advance(IdleFor / 2)
	_, err = s.Check(busy, "")
	code(t, err, "session_invalid")
}

func TestScopesAndEnds(t *testing.T) {
	s, keys, key, _ := held(t)
	secret, _, err := s.Open(s.link(t, key, Receive))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Check(secret, Receive); err != nil {
		t.Fatal(err)
	}
	_, err = s.Check(secret, Admin)
	code(t, err, "scope_missing")
	_, _, err = s.Link(key.ID, []Scope{"root"}, "")
	code(t, err, "key_spec_invalid")
	_, _, err = s.Link(key.ID, nil, strings.Repeat("x", 101))
	code(t, err, "key_spec_invalid")

	s.End(secret)
	code(t, s.Alive(secret), "session_invalid")

	// With the key go its links and sessions.
	secret, _, err = s.Open(s.link(t, key))
	if err != nil {
		t.Fatal(err)
	}
	token := s.link(t, key)
	if err := keys.Delete(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	_, err = s.Check(secret, "")
	code(t, err, "session_invalid")
	_, _, err = s.Open(token)
	code(t, err, "session_invalid")
}

func TestBounds(t *testing.T) {
	s, _, key, clock := held(t)
	for range MaxSessions {
		if _, _, err := s.Open(s.link(t, key)); err != nil {
			t.Fatal(err)
		}
	}
	token := s.link(t, key)
	_, _, err := s.Open(token)
	code(t, err, "sessions_full")
	for range MaxLinks - 1 {
		s.link(t, key)
	}
	_, _, err = s.Link(key.ID, nil, "")
	code(t, err, "sessions_full")
	clock.Advance(LinkFor - time.Second) // sessions are idle later than links
	if _, _, err := s.Open(token); !errors.Is(err, errSessionsFull) {
		t.Fatal("the link was used up although nobody was signed in:", err)
	}
	clock.Advance(IdleFor)
	s.link(t, key)
	if _, _, err := s.Open(s.link(t, key)); err != nil {
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
		if _, err := s.Check(text, ""); err == nil {
			t.Fatal("no session is open")
		}
		if _, _, err := s.Open(text); err == nil {
			t.Fatal("no link was made")
		}
		s.End(text)
	})
}
