package identity

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/keyring"
)

// didKey returns the account of the DID's key, made when it is missing.
func didKey(ctx context.Context, ring keyring.Keyring) (common.Address, error) {
	kind, public, err := ring.Public(ctx, KeyDID)
	if errors.Is(err, keyring.ErrNotFound) {
		kind = keyring.Secp256k1
		public, err = ring.Create(ctx, KeyDID, kind)
	}
	if err != nil {
		return common.Address{}, fmt.Errorf("identity: the DID's key: %w", err)
	}
	if kind != keyring.Secp256k1 {
		return common.Address{}, fmt.Errorf("identity: the keyring's key %q is not secp256k1 but %s", KeyDID, kind)
	}
	key, err := crypto.UnmarshalPubkey(public)
	if err != nil {
		return common.Address{}, fmt.Errorf("identity: the DID's key: %w", err)
	}
	return crypto.PubkeyToAddress(*key), nil
}

// Signer signs with the DID's key. It is an envelope.DIDSigner, a vc.DIDSigner
// and an evm.Signer.
type Signer struct {
	ring    keyring.Keyring
	address common.Address
}

// Address is the account of the DID's key.
func (s Signer) Address() common.Address { return s.address }

// SignDigest returns r || s || v over an EIP-712 or transaction digest, low s,
// v 27 or 28.
func (s Signer) SignDigest(ctx context.Context, digest [32]byte) ([]byte, error) {
	sig, err := s.ring.Sign(ctx, KeyDID, digest[:])
	if err != nil {
		return nil, fmt.Errorf("sign with the DID's key: %w", err)
	}
	return sig, nil
}

// DIDSigner signs with the DID's key: certificates, records, credentials,
// status lists and chain transactions.
func (s *Self) DIDSigner() Signer { return Signer{ring: s.d.Keyring, address: s.address} }

// ringSigner is an instance key in the keyring.
type ringSigner struct {
	ring keyring.Keyring
	name string
}

// Sign implements envelope.InstanceSigner.
func (r ringSigner) Sign(ctx context.Context, message []byte) ([]byte, error) {
	return r.ring.Sign(ctx, r.name, message)
}

// SignWith signs with the instance key of one of this instance's certificates;
// the zero digest means the newest. It is for structures of package envelope
// only. Code cert when there is no such certificate or its key is destroyed.
func (s *Self) SignWith(ctx context.Context, cert envelope.Digest, message []byte) ([]byte, error) {
	name, err := s.keyOf(cert)
	if err != nil {
		return nil, err
	}
	sig, err := s.d.Keyring.Sign(ctx, name, message)
	if err != nil {
		return nil, fmt.Errorf("sign with the instance key: %w", err)
	}
	return sig, nil
}

// InstanceSigner returns SignWith for one certificate as the signer that
// package envelope takes; the zero digest means the newest at each signature.
func (s *Self) InstanceSigner(cert envelope.Digest) envelope.InstanceSigner {
	return signerOf{self: s, cert: cert}
}

type signerOf struct {
	self *Self
	cert envelope.Digest
}

func (s signerOf) Sign(ctx context.Context, message []byte) ([]byte, error) {
	return s.self.SignWith(ctx, s.cert, message)
}

func (s *Self) keyOf(cert envelope.Digest) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cert.IsZero() {
		if c := s.newestCertificate(s.now()); c != nil {
			return c.Key, nil
		}
		return "", ErrNotReady
	}
	for _, c := range s.certs {
		if c.Digest == cert && !c.Destroyed {
			return c.Key, nil
		}
	}
	return "", envelope.BadCert.Errorf("no key for own certificate %s", cert)
}

// OpenBox opens a box sealed to one of this instance's packages (HPKE base
// mode, single shot, empty aad). Codes not_for_me when the package is not
// ours, package_gone when its key is destroyed, box when it does not open.
func (s *Self) OpenBox(ctx context.Context, pkg envelope.Digest, info, box []byte) ([]byte, error) {
	name, err := s.boxKey(pkg)
	if err != nil {
		return nil, err
	}
	plain, err := s.d.Keyring.Open(ctx, name, info, box)
	switch {
	case err == nil:
		return plain, nil
	case errors.Is(err, keyring.ErrNotFound):
		return nil, envelope.PackageGone.Errorf("the key of package %s is gone", pkg)
	case errors.Is(err, keyring.ErrOpen):
		return nil, envelope.BadBox.Errorf("the box does not open: %w", err)
	}
	// The keyring is in trouble, which says nothing about the box.
	return nil, fmt.Errorf("open a box: %w", err)
}

// Mine tells whether a package is this instance's and still can be opened:
// nil, or the codes not_for_me and package_gone (G3).
func (s *Self) Mine(pkg envelope.Digest) error {
	_, err := s.boxKey(pkg)
	return err
}

func (s *Self) boxKey(pkg envelope.Digest) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pkgs {
		if p.Digest != pkg {
			continue
		}
		if p.Destroyed {
			return "", envelope.PackageGone.Errorf("the key of package %s is destroyed", pkg)
		}
		return p.Key, nil
	}
	return "", envelope.NotForMe.Errorf("package %s is not of this gateway", pkg)
}

var _ envelope.InstanceSigner = ringSigner{}
