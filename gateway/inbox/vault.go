package inbox

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
)

// Wrapper is the part of the keyring that protects data keys.
type Wrapper interface {
	Wrap(ctx context.Context, label string, plain []byte) ([]byte, error)
	Unwrap(ctx context.Context, label string, wrapped []byte) ([]byte, error)
}

// KeyStore keeps wrapped data keys.
type KeyStore interface {
	Keys(ctx context.Context) ([]KeyRow, error)
	AddKey(ctx context.Context, k KeyRow) error
	RemoveKeys(ctx context.Context, before int64) error
}

// keyAge is how long one data key seals: AES-GCM with random nonces stays far
// below its bound of 2^32 seals, and a destroyed key closes one day.
const keyAge = 24 * time.Hour

// ErrKeyGone is returned for content whose data key was destroyed.
var ErrKeyGone = errors.New("data key is gone")

// Vault seals content and secrets for the local store: AES-256-GCM under data
// keys that the keyring wraps. It may be used from many goroutines.
type Vault struct {
	ring  Wrapper
	store KeyStore
	clock clockwork.Clock

	turn sync.Mutex // one Rotate at a time
	mu   sync.RWMutex
	keys map[int64]cipher.AEAD
	last int64
	made int64 // ms
}

// OpenVault unwraps the data keys of the store and makes a first one if there
// is none.
func OpenVault(ctx context.Context, ring Wrapper, store KeyStore, clock clockwork.Clock) (*Vault, error) {
	v := &Vault{ring: ring, store: store, clock: clock, keys: make(map[int64]cipher.AEAD)}
	rows, err := store.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read data keys: %w", err)
	}
	for _, r := range rows {
		key, err := ring.Unwrap(ctx, label(r.ID), r.Wrapped)
		if err != nil {
			return nil, fmt.Errorf("unwrap data key %d: %w", r.ID, err)
		}
		if err := v.add(r.ID, r.At, key); err != nil {
			return nil, err
		}
	}
	return v, v.Rotate(ctx)
}

func label(id int64) string { return "inbox/" + strconv.FormatInt(id, 10) }

func (v *Vault) add(id, made int64, key []byte) error {
	block, err := aes.NewCipher(key)
	if err != nil {
		return fmt.Errorf("data key %d: %w", id, err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keys[id] = aead
	if id > v.last {
		v.last, v.made = id, made
	}
	return nil
}

// Rotate makes a new data key when the newest is a day old or there is none.
func (v *Vault) Rotate(ctx context.Context) error {
	v.turn.Lock()
	defer v.turn.Unlock()
	now := v.clock.Now().UnixMilli()
	v.mu.RLock()
	last, made := v.last, v.made
	v.mu.RUnlock()
	if last > 0 && now-made < keyAge.Milliseconds() {
		return nil
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	defer clear(key)
	wrapped, err := v.ring.Wrap(ctx, label(last+1), key)
	if err != nil {
		return fmt.Errorf("wrap data key: %w", err)
	}
	if err := v.store.AddKey(ctx, KeyRow{ID: last + 1, At: now, Wrapped: wrapped}); err != nil {
		return fmt.Errorf("store data key: %w", err)
	}
	return v.add(last+1, now, key)
}

// Seal seals plain under the newest key, bound to aad, and names the key.
func (v *Vault) Seal(aad, plain []byte) (int64, []byte) {
	v.mu.RLock()
	id, aead := v.last, v.keys[v.last]
	v.mu.RUnlock()
	box := make([]byte, 12, 12+len(plain)+16)
	_, _ = rand.Read(box) // never fails (crypto/rand)
	return id, aead.Seal(box, box, plain, aad)
}

// Open opens what Seal made.
func (v *Vault) Open(id int64, aad, box []byte) ([]byte, error) {
	v.mu.RLock()
	aead := v.keys[id]
	v.mu.RUnlock()
	if aead == nil {
		return nil, ErrKeyGone
	}
	if len(box) < 12 {
		return nil, errors.New("sealed content is too short")
	}
	return aead.Open(nil, box[:12], box[12:], aad)
}

// EntryAAD binds a row's body to its place.
func EntryAAD(id int64) []byte { return strconv.AppendInt([]byte("spine/1 entry "), id, 10) }
