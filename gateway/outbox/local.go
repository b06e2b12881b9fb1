package outbox

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// Ring wraps the outbox's local secret; keyring.Keyring is one.
type Ring interface {
	Wrap(ctx context.Context, label string, plain []byte) ([]byte, error)
	Unwrap(ctx context.Context, label string, wrapped []byte) ([]byte, error)
}

const ringLabel = "outbox/local"

// local is what one secret of this outbox gives: a key for the columns of the
// store that must not be read from disk, and derived ids. Derived, so that a
// gateway restored from a backup names its channels as before, and a client
// that repeats a message after the restore repeats its id.
type local struct {
	aead cipher.AEAD
	mac  []byte
}

// openLocal reads the secret, making it at the first start.
func openLocal(ctx context.Context, ring Ring, st Store) (*local, error) {
	fresh := make([]byte, 32)
	rand.Read(fresh)
	wrapped, err := ring.Wrap(ctx, ringLabel, fresh)
	if err != nil {
		return nil, fmt.Errorf("outbox: wrap local secret: %w", err)
	}
	if wrapped, err = st.Secret(ctx, wrapped); err != nil {
		return nil, fmt.Errorf("outbox: read local secret: %w", err)
	}
	secret, err := ring.Unwrap(ctx, ringLabel, wrapped)
	if err != nil {
		return nil, fmt.Errorf("outbox: unwrap local secret: %w", err)
	}
	key, err := hkdf.Expand(sha256.New, secret, "outbox columns", 32)
	if err != nil {
		return nil, err
	}
	mac, err := hkdf.Expand(sha256.New, secret, "outbox ids", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &local{aead: aead, mac: mac}, nil
}

// seal encrypts a column; label binds it to its row.
func (l *local) seal(label, plain []byte) []byte { return l.aead.Seal(nil, nil, plain, label) }

func (l *local) open(label, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, errors.New("outbox: sealed column is empty")
	}
	plain, err := l.aead.Open(nil, nil, sealed, label)
	if err != nil {
		return nil, fmt.Errorf("outbox: sealed column does not open: %w", err)
	}
	return plain, nil
}

func (l *local) derive(label string, parts ...[]byte) (out [16]byte) {
	h := hmac.New(sha256.New, l.mac)
	h.Write([]byte(label))
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	copy(out[:], h.Sum(nil))
	return out
}

// chanID is the chan of a core: unpredictable to others, fixed for a channel
// and a recipient selection.
func (l *local) chanID(channel, selection string) [16]byte {
	return l.derive("chan", []byte(channel), []byte(selection))
}

// messageID is the id of a message with an idempotency key, a UUIDv8.
func (l *local) messageID(channel [16]byte, key string) [16]byte {
	id := l.derive("id", channel[:], []byte(key))
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// freshID is the id of a message without one, a UUIDv7.
func freshID() ([16]byte, error) {
	id, err := uuid.NewV7()
	return id, err
}
