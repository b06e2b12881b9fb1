package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/internal/problem"
)

// How long links and sessions last, and how many there may be.
const (
	LinkFor     = 10 * time.Minute // a link that nobody followed
	IdleFor     = 30 * time.Minute // a session without a call
	SessionFor  = 12 * time.Hour   // a session at most
	MaxSessions = 1000
	MaxLinks    = 1000
)

// Prefixes make secrets easy to find by secret scanners.
const (
	linkPrefix    = "spl_"
	sessionPrefix = "sps_"
)

// Errors of sessions.
var (
	// ErrSession says that a link's token or a session is not good, without
	// saying why: used, expired or never made.
	ErrSession = problem.New(http.StatusUnauthorized, "session_invalid", "the session or link is not valid any more").
			WithHint("make a new link with POST /api/v1/sessions/links or spine link; a link works once, within ten minutes")
	// ErrCSRF refuses what a browser may have been made to send by another
	// site.
	ErrCSRF = problem.New(http.StatusForbidden, "csrf", "the request does not come from this gateway's own pages").
		WithHint("send the session's csrf as X-CSRF-Token, from a page of the same origin")
	errSessionsFull = problem.New(http.StatusTooManyRequests, "sessions_full", "there are as many sessions or links as there may be").
			WithHint("try again when some have expired")
)

// Session is a signed-in browser.
type Session struct {
	Name   string    // whom its link was made for
	Scopes []Scope   // what it may be used for
	Key    string    // id of the API key that its link was made with; it ends with it
	Ends   time.Time // the latest end
	Used   time.Time // the last call; of a link zero

	noted time.Time // the last call that the store knows of
}

// SessionStore keeps sessions over a restart of the gateway. It is given no
// secret: a session is kept by the SHA-256 of its own, and opens nothing.
type SessionStore interface {
	Sessions(ctx context.Context) (map[[32]byte]Session, error)
	PutSession(ctx context.Context, id [32]byte, s Session) error
	// UseSession notes when a session was used. One that is not there, because
	// it ended meanwhile, is not made again.
	UseSession(ctx context.Context, id [32]byte, used time.Time) error
	DeleteSessions(ctx context.Context, ids ...[32]byte) error
}

// noteEvery is how often the use of a session is noted: by so much earlier one
// may end after a restart.
const noteEvery = time.Minute

// May reports whether the session is good for a scope.
func (s *Session) May(scope Scope) bool {
	return slices.Contains(s.Scopes, scope) || slices.Contains(s.Scopes, Admin)
}

// Sessions are the signed-in browsers of a gateway, and the one-time links that
// sign one in. Its methods may be called from many goroutines.
//
// Tokens are 256 random bits. Only their hashes are kept, so that what is found
// in a memory image or a database opens nothing, and so that a look-up takes no
// time that depends on them. Links are in memory only: they are good for minutes,
// and a new one is a command away.
type Sessions struct {
	keys  *Keys
	store SessionStore // nil: a restart signs everybody out
	clock clockwork.Clock

	mu       sync.Mutex
	links    map[[32]byte]*Session // Ends is the end of the link
	sessions map[[32]byte]*Session
	endings  int // how often all were ended
}

// NewSessions returns an empty set of sessions of those who hold keys, which a
// restart forgets.
func NewSessions(keys *Keys, clock clockwork.Clock) *Sessions {
	return &Sessions{keys: keys, clock: clock, links: make(map[[32]byte]*Session), sessions: make(map[[32]byte]*Session)}
}

// OpenSessions returns the sessions of a store that go on. Time passed while
// nobody could call counts as time without a call.
func OpenSessions(ctx context.Context, store SessionStore, keys *Keys, clock clockwork.Clock) (*Sessions, error) {
	s := NewSessions(keys, clock)
	list, err := store.Sessions(ctx)
	if err != nil {
		return nil, err
	}
	var over [][32]byte
	for id, x := range list {
		if x.noted = x.Used; s.ended(&x) || len(s.sessions) >= MaxSessions {
			over = append(over, id)
			continue
		}
		s.sessions[id] = &x
	}
	s.store = store
	return s, s.forget(ctx, over)
}

// forget removes sessions from the store.
func (s *Sessions) forget(ctx context.Context, ids [][32]byte) error {
	if s.store == nil || len(ids) == 0 {
		return nil
	}
	return s.store.DeleteSessions(ctx, ids...)
}

// Link makes a one-time token for a session with the given scopes (empty: all),
// on behalf of the API key with the id key. It returns when the token ends.
// Codes key_spec_invalid, sessions_full.
func (s *Sessions) Link(key string, scopes []Scope, name string) (token string, ends time.Time, err error) {
	if len(scopes) == 0 {
		scopes = []Scope{Admin, Receive, Send}
	}
	if scopes, err = cleanSpec(scopes, name); err != nil {
		return "", time.Time{}, err
	}
	now := s.clock.Now()
	l := &Session{Name: name, Scopes: scopes, Key: key, Ends: now.Add(LinkFor)}
	token = secret(linkPrefix)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.links) >= MaxLinks {
		sweep(s.links, s.ended)
		if len(s.links) >= MaxLinks {
			return "", time.Time{}, errSessionsFull
		}
	}
	s.links[sha256.Sum256([]byte(token))] = l
	return token, l.Ends, nil
}

// Open exchanges a link's token, which is good once, for a session and its
// secret. Codes session_invalid, sessions_full.
func (s *Sessions) Open(ctx context.Context, token string) (secretOf string, _ *Session, err error) {
	id, ok := idOf(token, linkPrefix)
	if !ok {
		return "", nil, ErrSession
	}
	s.mu.Lock()
	l := s.links[id]
	delete(s.links, id) // also an expired one
	if l == nil || s.ended(l) {
		s.mu.Unlock()
		return "", nil, ErrSession
	}
	var over [][32]byte
	if len(s.sessions) >= MaxSessions {
		over = sweep(s.sessions, s.ended)
	}
	if len(s.sessions) >= MaxSessions {
		s.links[id] = l // it was not used
		s.mu.Unlock()
		return "", nil, errSessionsFull
	}
	now := s.clock.Now()
	// A fresh secret: nobody can have fixed it before.
	secretOf = secret(sessionPrefix)
	made := &Session{Name: l.Name, Scopes: l.Scopes, Key: l.Key, Ends: now.Add(SessionFor), Used: now, noted: now}
	own, out := sha256.Sum256([]byte(secretOf)), made.copy()
	s.sessions[own] = made
	endings := s.endings
	s.mu.Unlock()

	if s.store == nil {
		return secretOf, out, nil
	}
	if err = s.forget(ctx, over); err == nil {
		err = s.store.PutSession(ctx, own, *out)
	}
	if err != nil {
		s.mu.Lock()
		delete(s.sessions, own)
		if s.endings == endings {
			s.links[id] = l // nobody was signed in by it
		}
		s.mu.Unlock()
		return "", nil, fmt.Errorf("keep the session: %w", err)
	}
	// All may have been ended meanwhile, or the key's: what ended them may have
	// looked into the store before this one was there.
	s.mu.Lock()
	gone := s.endings != endings || s.ended(made)
	if gone {
		delete(s.sessions, own)
	}
	s.mu.Unlock()
	if gone {
		return "", nil, errors.Join(ErrSession, s.forget(ctx, [][32]byte{own}))
	}
	return secretOf, out, nil
}

// Check returns the session of a secret that is good for scope, and counts as
// its use; an empty scope asks for any session. Codes session_invalid,
// scope_missing.
func (s *Sessions) Check(ctx context.Context, secretOf string, scope Scope) (*Session, error) {
	found, err := s.look(ctx, secretOf, true)
	if err != nil {
		return nil, err
	}
	if scope != "" && !found.May(scope) {
		return nil, ErrScope.With("scope", scope)
	}
	return found, nil
}

// Alive returns nil while a session lasts, for streams: it does not count as
// use. Code session_invalid.
func (s *Sessions) Alive(ctx context.Context, secretOf string) error {
	_, err := s.look(ctx, secretOf, false)
	return err
}

// End ends a session at once. With an error it goes on, here and after a
// restart: half ended it would come back.
func (s *Sessions) End(ctx context.Context, secretOf string) error {
	id, ok := idOf(secretOf, sessionPrefix)
	if !ok {
		return nil
	}
	if err := s.forget(ctx, [][32]byte{id}); err != nil {
		return fmt.Errorf("end the session: %w", err)
	}
	s.mu.Lock()
	delete(s.sessions, id)
	s.mu.Unlock()
	return nil
}

// EndAll ends every session and link, for who fears that one is in the wrong
// hands.
func (s *Sessions) EndAll(ctx context.Context) error {
	s.mu.Lock()
	s.endings++
	clear(s.links)
	var ids [][32]byte
	for id := range s.sessions {
		ids = append(ids, id)
	}
	s.mu.Unlock()
	if err := s.forget(ctx, ids); err != nil {
		return fmt.Errorf("end all sessions: %w", err)
	}
	s.mu.Lock()
	for _, id := range ids {
		delete(s.sessions, id)
	}
	s.mu.Unlock()
	return nil
}

func (s *Sessions) look(ctx context.Context, secretOf string, use bool) (*Session, error) {
	id, ok := idOf(secretOf, sessionPrefix)
	if !ok {
		return nil, ErrSession
	}
	s.mu.Lock()
	found := s.sessions[id]
	if found == nil {
		s.mu.Unlock()
		return nil, ErrSession
	}
	if s.ended(found) {
		delete(s.sessions, id)
		s.mu.Unlock()
		_ = s.forget(ctx, [][32]byte{id}) // else it goes when the sessions are opened
		return nil, ErrSession
	}
	note := false
	if now := s.clock.Now(); use {
		found.Used = now
		if note = s.store != nil && now.Sub(found.noted) >= noteEvery; note {
			found.noted = now
		}
	}
	out := found.copy()
	s.mu.Unlock()
	if note {
		// A session is no worse for not being noted: after a restart it ends a
		// little earlier.
		_ = s.store.UseSession(ctx, id, out.Used)
	}
	return out, nil
}

// ended reports whether a link or session is over, or the key it came from is
// gone.
func (s *Sessions) ended(x *Session) bool {
	now := s.clock.Now()
	idle := !x.Used.IsZero() && !now.Before(x.Used.Add(IdleFor))
	return idle || !now.Before(x.Ends) || !s.keys.has(x.Key)
}

func (s *Session) copy() *Session {
	c := *s
	return &c
}

// CSRF returns what a page of the session shows with unsafe methods. It follows
// from the session's secret but not the other way round, so that it may stand
// in a page.
func CSRF(secretOf string) string {
	sum := sha256.Sum256([]byte("digital spine csrf\x00" + secretOf))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// CheckCSRF reports whether shown is the CSRF token of a session's secret.
func CheckCSRF(secretOf, shown string) bool {
	return subtle.ConstantTimeCompare([]byte(CSRF(secretOf)), []byte(shown)) == 1
}

// sweep removes what has ended, and returns what that was.
func sweep(m map[[32]byte]*Session, ended func(*Session) bool) (over [][32]byte) {
	for id, x := range m {
		if ended(x) {
			delete(m, id)
			over = append(over, id)
		}
	}
	return over
}

func secret(prefix string) string {
	var b [32]byte
	rand.Read(b[:])
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}

func idOf(token, prefix string) (id [32]byte, ok bool) {
	if len(token) != len(prefix)+43 || !strings.HasPrefix(token, prefix) {
		return id, false
	}
	return sha256.Sum256([]byte(token)), true
}
