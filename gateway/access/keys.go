// Package access says who may call a gateway's API, and for what: API keys for
// programs, and sessions for browsers. A key is shown once, when it is made;
// only a hash of it is kept. A session begins with a one-time link that an API
// key made, and outlives a restart of the gateway.
//
// Keys and tokens are random, so one SHA-256 is enough to keep them; they are
// no passwords, and there are no users here.
package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/internal/problem"
)

// Scope is what a key may be used for.
type Scope string

// The scopes.
const (
	Send    Scope = "send"    // send messages, ask for their state
	Receive Scope = "receive" // receive and acknowledge messages
	Admin   Scope = "admin"   // everything
)

// MaxKeys is the number of keys a gateway may have.
const MaxKeys = 1000

// prefix makes keys easy to find by secret scanners.
const prefix = "spk_"

// Key is an API key without its secret.
type Key struct {
	ID     string  `json:"id" doc:"public part of the key"`
	Name   string  `json:"name" doc:"what it is for"`
	Scopes []Scope `json:"scopes" doc:"what it may be used for" enum:"send,receive,admin"`
	At     int64   `json:"at" doc:"when it was made, ms since 1970"`
	// Hash is SHA-256 of the secret part.
	Hash [32]byte `json:"-"`
}

// May reports whether the key is good for a scope.
func (k *Key) May(s Scope) bool {
	return slices.Contains(k.Scopes, s) || slices.Contains(k.Scopes, Admin)
}

// Store keeps keys durably.
type Store interface {
	List(ctx context.Context) ([]Key, error)
	Put(ctx context.Context, k Key) error
	Delete(ctx context.Context, id string) error
}

// Errors of this package.
var (
	ErrNoKey = problem.New(http.StatusUnauthorized, "key_missing", "the request has no API key").
			WithHint("send Authorization: Bearer <API key>")
	ErrBadKey  = problem.New(http.StatusUnauthorized, "key_invalid", "the API key is not one of this gateway")
	ErrScope   = problem.New(http.StatusForbidden, "scope_missing", "the API key is not good for this")
	ErrUnknown = problem.New(http.StatusNotFound, "key_unknown", "there is no such API key")
)

// Keys are the API keys of a gateway. Its methods may be called from many
// goroutines.
type Keys struct {
	store Store
	clock clockwork.Clock
	mu    sync.RWMutex
	byID  map[string]*Key
}

// Open reads the keys of a store.
func Open(ctx context.Context, s Store, clock clockwork.Clock) (*Keys, error) {
	list, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	k := &Keys{store: s, clock: clock, byID: make(map[string]*Key, len(list))}
	for i := range list {
		k.byID[list[i].ID] = &list[i]
	}
	return k, nil
}

// Check returns the key of a token that is good for scope; an empty scope asks
// for any key. Codes key_missing, key_invalid, scope_missing.
func (k *Keys) Check(token string, scope Scope) (*Key, error) {
	if token == "" {
		return nil, ErrNoKey
	}
	id, hash, ok := parse(token)
	if !ok {
		return nil, ErrBadKey
	}
	k.mu.RLock()
	key := k.byID[id]
	k.mu.RUnlock()
	if key == nil || subtle.ConstantTimeCompare(key.Hash[:], hash[:]) != 1 {
		return nil, ErrBadKey
	}
	if scope != "" && !key.May(scope) {
		return nil, ErrScope.With("scope", scope)
	}
	return key, nil
}

// Create makes a key and returns it with its token, which is not kept.
func (k *Keys) Create(ctx context.Context, name string, scopes []Scope) (*Key, string, error) {
	token := newToken()
	key, err := k.add(ctx, token, name, scopes)
	return key, token, err
}

func (k *Keys) add(ctx context.Context, token, name string, scopes []Scope) (*Key, error) {
	scopes, err := cleanSpec(scopes, name)
	if err != nil {
		return nil, err
	}
	id, hash, ok := parse(token)
	if !ok {
		return nil, specInvalid("that is not an API key")
	}
	key := &Key{ID: id, Name: name, Scopes: scopes, At: k.clock.Now().UnixMilli(), Hash: hash}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.byID) >= MaxKeys {
		return nil, problem.New(http.StatusConflict, "keys_full", "there are as many keys as there may be")
	}
	if err := k.store.Put(ctx, *key); err != nil {
		return nil, err
	}
	k.byID[id] = key
	return key, nil
}

// cleanSpec checks scopes and name of a key or link, and returns the scopes
// sorted and each once.
func cleanSpec(scopes []Scope, name string) ([]Scope, error) {
	scopes = slices.Clone(scopes)
	slices.Sort(scopes)
	scopes = slices.Compact(scopes)
	if len(scopes) == 0 {
		return nil, specInvalid("a key needs at least one scope: send, receive or admin")
	}
	for _, s := range scopes {
		if s != Send && s != Receive && s != Admin {
			return nil, specInvalid("scopes are send, receive and admin")
		}
	}
	if len(name) > 100 {
		return nil, specInvalid("a name has at most 100 bytes")
	}
	return scopes, nil
}

func specInvalid(message string) error {
	return problem.New(http.StatusUnprocessableEntity, "key_spec_invalid", message)
}

// has reports whether there is a key of this id.
func (k *Keys) has(id string) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.byID[id] != nil
}

// Alive returns nil while there is a key of this id, for streams; code
// key_invalid.
func (k *Keys) Alive(id string) error {
	if !k.has(id) {
		return ErrBadKey
	}
	return nil
}

// List returns all keys, the oldest first.
func (k *Keys) List() []Key {
	k.mu.RLock()
	defer k.mu.RUnlock()
	out := make([]Key, 0, len(k.byID))
	for _, key := range k.byID {
		out = append(out, *key)
	}
	slices.SortFunc(out, func(a, b Key) int {
		if a.At != b.At {
			return int(min(max(a.At-b.At, -1), 1))
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out
}

// Delete ends a key at once; code key_unknown.
func (k *Keys) Delete(ctx context.Context, id string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byID[id] == nil {
		return ErrUnknown
	}
	if err := k.store.Delete(ctx, id); err != nil {
		return err
	}
	delete(k.byID, id)
	return nil
}

// Bootstrap makes sure that the token in a file is a key for everything. A
// file that is not there is made, readable by its owner only. It returns the
// token.
func (k *Keys) Bootstrap(ctx context.Context, file string) (string, error) {
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		text = []byte(newToken() + "\n")
		// Whole or not at all: a file that a crash left empty would be no key, at
		// every start.
		if err := config.WriteFile(file, text, 0o600); err != nil {
			return "", fmt.Errorf("write the API key file: %w", err)
		}
	case err != nil:
		return "", fmt.Errorf("read the API key file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if _, err := k.Check(token, Admin); err == nil {
		return token, nil
	}
	if _, err := k.add(ctx, token, "bootstrap", []Scope{Admin, Send, Receive}); err != nil {
		return "", fmt.Errorf("API key file %s: %w", file, err)
	}
	return token, nil
}

// newToken makes a token: spk_<12 hex digits>_<43 characters of base64url>.
func newToken() string {
	var id [6]byte
	var secret [32]byte
	rand.Read(id[:])
	rand.Read(secret[:])
	return prefix + hex.EncodeToString(id[:]) + "_" + base64.RawURLEncoding.EncodeToString(secret[:])
}

// parse splits a token into its id and the hash of its secret.
func parse(token string) (id string, hash [32]byte, ok bool) {
	rest, ok := strings.CutPrefix(token, prefix)
	if !ok || len(token) > 128 {
		return "", hash, false
	}
	id, secret, ok := strings.Cut(rest, "_")
	if !ok || len(id) != 12 || len(secret) < 32 {
		return "", hash, false
	}
	return id, sha256.Sum256([]byte(secret)), true
}
