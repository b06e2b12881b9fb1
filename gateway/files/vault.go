package files

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/digital-spine/spine/envelope"
)

// vault seals the members of rows that nobody with the disk may read: AES-256-
// GCM under one key that the keyring wraps. Each file's own key is among them.
type vault struct{ aead cipher.AEAD }

const vaultLabel = "files"

// openVault unwraps the key, or makes it the first time.
func openVault(ctx context.Context, ring Wrapper, store Store) (*vault, error) {
	wrapped, err := store.Key(ctx)
	if err != nil {
		return nil, fmt.Errorf("read key of files: %w", err)
	}
	key := make([]byte, 32)
	if wrapped != nil {
		if key, err = ring.Unwrap(ctx, vaultLabel, wrapped); err != nil {
			return nil, fmt.Errorf("unwrap key of files: %w", err)
		}
	} else {
		rand.Read(key)
		if wrapped, err = ring.Wrap(ctx, vaultLabel, key); err != nil {
			return nil, fmt.Errorf("wrap key of files: %w", err)
		}
		if err := store.SetKey(ctx, wrapped); err != nil {
			return nil, fmt.Errorf("store key of files: %w", err)
		}
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("key of files: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &vault{aead}, nil
}

func (v *vault) seal(place string, plain []byte) []byte {
	box := make([]byte, 12, 12+len(plain)+16)
	rand.Read(box)
	return v.aead.Seal(box, box, plain, []byte(place))
}

func (v *vault) open(place string, box []byte) ([]byte, error) {
	if len(box) < 12 {
		return nil, errors.New("sealed member is too short")
	}
	return v.aead.Open(nil, box[:12], box[12:], []byte(place))
}

// meta is what a row says about its content, sealed.
type meta struct {
	Name   string          `json:"name,omitempty"`
	Type   string          `json:"type"`
	To     []string        `json:"to,omitempty"`
	Key    []byte          `json:"key"`
	SHA256 envelope.Digest `json:"sha256"`
}

// sealMeta binds the members to the file's id.
func (v *vault) sealMeta(id string, m *meta) ([]byte, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	return v.seal("meta/"+id, b), nil
}

func (v *vault) meta(r *Row) (*meta, error) {
	b, err := v.open("meta/"+r.ID, r.Meta)
	if err != nil {
		return nil, fmt.Errorf("open file %s: %w", r.ID, err)
	}
	var m meta
	if err := json.Unmarshal(b, &m); err != nil || len(m.Key) != envelope.SecretSize {
		return nil, fmt.Errorf("file %s: sealed members are not as written", r.ID)
	}
	return &m, nil
}

// object describes a file; parts may be nil where they do not matter.
func (m *meta) object(r *Row, parts []envelope.Digest) *envelope.Object {
	return &envelope.Object{OID: r.OID, Name: m.Name, Type: m.Type, Size: r.Size, PartSize: envelope.PartSizeFor(r.Size),
		Key: envelope.Secret(m.Key), Parts: parts, SHA256: m.SHA256}
}
