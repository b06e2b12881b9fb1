package file

import (
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"fmt"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/digital-spine/spine/evm/eip712"
	"github.com/digital-spine/spine/keyring"
)

// key returns a key of one of the wanted kinds.
func (k *Keyring) key(name string, kinds ...keyring.Kind) (entry, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	e, ok := k.c.Keys[name]
	if !ok {
		return entry{}, fmt.Errorf("%s: %w", name, keyring.ErrNotFound)
	}
	for _, kind := range kinds {
		if e.Kind == kind {
			// Destroy clears the ring's own copy.
			e.Private = append([]byte(nil), e.Private...)
			return e, nil
		}
	}
	return entry{}, fmt.Errorf("%s: %w", name, keyring.ErrKind)
}

// Sign implements keyring.Keyring.
func (k *Keyring) Sign(_ context.Context, name string, message []byte) ([]byte, error) {
	e, err := k.key(name, keyring.Ed25519, keyring.Secp256k1)
	if err != nil {
		return nil, err
	}
	defer clear(e.Private)
	if e.Kind == keyring.Ed25519 {
		return ed25519.Sign(ed25519.NewKeyFromSeed(e.Private), message), nil
	}
	if len(message) != 32 {
		return nil, fmt.Errorf("%s: a secp256k1 key signs digests of 32 bytes, not %d", name, len(message))
	}
	key, err := crypto.ToECDSA(e.Private)
	if err != nil {
		return nil, fmt.Errorf("%s: stored key is damaged", name)
	}
	return eip712.Sign(key, [32]byte(message))
}

// Open implements keyring.Keyring.
func (k *Keyring) Open(_ context.Context, name string, info, box []byte) ([]byte, error) {
	k.mu.RLock()
	priv, ok := k.xw[name]
	k.mu.RUnlock()
	if !ok {
		e, err := k.key(name, keyring.XWing)
		if err != nil {
			return nil, err
		}
		if priv, err = hpke.MLKEM768X25519().NewPrivateKey(e.Private); err != nil {
			return nil, fmt.Errorf("%s: stored key is damaged", name)
		}
		clear(e.Private)
		k.mu.Lock()
		if _, still := k.c.Keys[name]; still {
			k.xw[name] = priv
		}
		k.mu.Unlock()
	}
	plain, err := hpke.Open(priv, hpke.HKDFSHA256(), hpke.AES256GCM(), info, box)
	if err != nil {
		return nil, fmt.Errorf("box: %w", keyring.ErrOpen)
	}
	return plain, nil
}

// Wrap implements keyring.Keyring.
func (k *Keyring) Wrap(_ context.Context, label string, plain []byte) ([]byte, error) {
	return k.wrap.Seal(nil, nil, plain, []byte("spine/1 wrap "+label)), nil
}

// Unwrap implements keyring.Keyring.
func (k *Keyring) Unwrap(_ context.Context, label string, wrapped []byte) ([]byte, error) {
	plain, err := k.wrap.Open(nil, nil, wrapped, []byte("spine/1 wrap "+label))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", label, keyring.ErrOpen)
	}
	return plain, nil
}
