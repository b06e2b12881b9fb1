package evm

import (
	"context"
	"crypto/ecdsa"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Signer signs digests for one address. Its key may live in a file, a vault
// or a security module; it never passes through this package.
type Signer interface {
	// Address is the account that the key controls.
	Address() common.Address
	// SignDigest returns r || s || v (65 bytes) with s <= n/2 and v 27 or 28.
	SignDigest(ctx context.Context, digest [32]byte) ([]byte, error)
}

// KeySigner is a Signer over a key in memory, for tools and tests.
type KeySigner struct {
	key     *ecdsa.PrivateKey
	address common.Address
}

// NewKeySigner wraps a secp256k1 key.
func NewKeySigner(key *ecdsa.PrivateKey) *KeySigner {
	return &KeySigner{key: key, address: crypto.PubkeyToAddress(key.PublicKey)}
}

// Address implements Signer.
func (k *KeySigner) Address() common.Address { return k.address }

// SignDigest implements Signer.
func (k *KeySigner) SignDigest(_ context.Context, digest [32]byte) ([]byte, error) {
	sig, err := crypto.Sign(digest[:], k.key)
	if err != nil {
		return nil, fmt.Errorf("evm: signing: %w", err)
	}
	sig[64] += 27
	return sig, nil
}
