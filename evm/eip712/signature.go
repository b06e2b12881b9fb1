package eip712

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// SignatureSize is the length of r || s || v.
const SignatureSize = 65

// ErrSignature says that a signature has no valid form: wrong length, s above
// half the order, v other than 27 and 28, or no key that could have made it.
var ErrSignature = errors.New("eip712: invalid signature")

// halfOrder is half the order of secp256k1; larger s are refused, since every
// signature would otherwise have a second form.
var halfOrder = new(big.Int).Rsh(crypto.S256().Params().N, 1)

// Sign signs a digest with a key held in memory: r || s || v, low s, v 27 or
// 28, nonce of RFC 6979. Keys of a participant live in a keyring; this is for
// tools, tests and keyrings.
func Sign(key *ecdsa.PrivateKey, digest [32]byte) ([]byte, error) {
	sig, err := crypto.Sign(digest[:], key)
	if err != nil {
		return nil, fmt.Errorf("eip712: sign: %w", err)
	}
	sig[64] += 27
	return sig, nil
}

// Recover returns the address whose key signed the digest. The signature must
// be r || s || v with s in the lower half and v 27 or 28; anything else is an
// error of [ErrSignature]. Whether the address was entitled to sign is the
// caller's question.
func Recover(digest [32]byte, sig []byte) (common.Address, error) {
	if len(sig) != SignatureSize {
		return common.Address{}, fmt.Errorf("%w: %d bytes instead of %d", ErrSignature, len(sig), SignatureSize)
	}
	v := sig[64]
	if v != 27 && v != 28 {
		return common.Address{}, fmt.Errorf("%w: v is %d, not 27 or 28", ErrSignature, v)
	}
	if new(big.Int).SetBytes(sig[32:64]).Cmp(halfOrder) > 0 {
		return common.Address{}, fmt.Errorf("%w: s is in the upper half", ErrSignature)
	}
	plain := [SignatureSize]byte(sig)
	plain[64] = v - 27
	pub, err := crypto.SigToPub(digest[:], plain[:])
	if err != nil {
		return common.Address{}, fmt.Errorf("%w: %v", ErrSignature, err)
	}
	return crypto.PubkeyToAddress(*pub), nil
}
