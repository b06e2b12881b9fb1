// Package conformance is the suite that every keyring backend passes, run
// against the real store of its keys.
//
// It is a test library: nothing but tests imports it.
package conformance

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"errors"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/digital-spine/spine/evm/eip712"
	"github.com/digital-spine/spine/keyring"
)

// Run runs the suite. open returns the same ring at every call within one
// test, opened anew; the ring is empty when the test starts.
func Run(t *testing.T, open func(t *testing.T) keyring.Keyring) {
	t.Run("create is idempotent and lasts", func(t *testing.T) {
		k := open(t)
		a := must(k.Create(t.Context(), "did", keyring.Secp256k1))(t)
		b := must(k.Create(t.Context(), "did", keyring.Secp256k1))(t)
		if !bytes.Equal(a, b) || len(a) != 65 {
			t.Fatalf("second Create gave another key (%d bytes)", len(a))
		}
		if _, err := k.Create(t.Context(), "did", keyring.Ed25519); !errors.Is(err, keyring.ErrKind) {
			t.Fatalf("another kind under the same name: %v", err)
		}
		kind, c, err := open(t).Public(t.Context(), "did")
		if err != nil || kind != keyring.Secp256k1 || !bytes.Equal(a, c) {
			t.Fatalf("after reopening: %s, %v", kind, err)
		}
	})
	t.Run("secp256k1 signs digests", func(t *testing.T) {
		k := open(t)
		pub := must(k.Create(t.Context(), "did", keyring.Secp256k1))(t)
		digest := crypto.Keccak256Hash([]byte("x"))
		sig := must(k.Sign(t.Context(), "did", digest[:]))(t)
		got, err := eip712.Recover(digest, sig)
		if err != nil {
			t.Fatal(err)
		}
		key, _ := crypto.UnmarshalPubkey(pub)
		if got != crypto.PubkeyToAddress(*key) {
			t.Fatal("the signature is by another key")
		}
		if again := must(k.Sign(t.Context(), "did", digest[:]))(t); !bytes.Equal(sig, again) {
			t.Error("the nonce is not that of RFC 6979")
		}
		if _, err := k.Sign(t.Context(), "did", []byte("short")); err == nil {
			t.Error("signed what is no digest")
		}
	})
	t.Run("ed25519 signs messages", func(t *testing.T) {
		k := open(t)
		pub := must(k.Create(t.Context(), "instance/1", keyring.Ed25519))(t)
		sig := must(k.Sign(t.Context(), "instance/1", []byte("message")))(t)
		if !ed25519.Verify(pub, []byte("message"), sig) {
			t.Fatal("the signature does not verify")
		}
	})
	t.Run("x-wing opens boxes", func(t *testing.T) {
		k := open(t)
		pub := must(k.Create(t.Context(), "package/1", keyring.XWing))(t)
		pk, err := hpke.MLKEM768X25519().NewPublicKey(pub)
		if err != nil {
			t.Fatal(err)
		}
		box, err := hpke.Seal(pk, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte("info"), []byte("secret"))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []keyring.Keyring{k, open(t)} {
			if got := must(r.Open(t.Context(), "package/1", []byte("info"), box))(t); string(got) != "secret" {
				t.Fatalf("opened %q", got)
			}
			if _, err := r.Open(t.Context(), "package/1", []byte("other"), box); !errors.Is(err, keyring.ErrOpen) {
				t.Fatalf("other info: %v", err)
			}
		}
		if _, err := k.Sign(t.Context(), "package/1", []byte("m")); !errors.Is(err, keyring.ErrKind) {
			t.Fatalf("a package key signed: %v", err)
		}
		if err := k.Destroy(t.Context(), "package/1"); err != nil {
			t.Fatal(err)
		}
		for _, r := range []keyring.Keyring{k, open(t)} {
			if _, err := r.Open(t.Context(), "package/1", []byte("info"), box); !errors.Is(err, keyring.ErrNotFound) {
				t.Fatalf("a destroyed key opened: %v", err)
			}
		}
	})
	t.Run("wrap binds its label", func(t *testing.T) {
		k := open(t)
		w := must(k.Wrap(t.Context(), "a", []byte("plain")))(t)
		if got := must(open(t).Unwrap(t.Context(), "a", w))(t); string(got) != "plain" {
			t.Fatalf("unwrapped %q", got)
		}
		if _, err := k.Unwrap(t.Context(), "b", w); !errors.Is(err, keyring.ErrOpen) {
			t.Fatalf("another label: %v", err)
		}
		w[len(w)-1] ^= 1
		if _, err := k.Unwrap(t.Context(), "a", w); !errors.Is(err, keyring.ErrOpen) {
			t.Fatalf("a changed bit: %v", err)
		}
	})
	t.Run("list", func(t *testing.T) {
		k := open(t)
		for _, n := range []string{"instance/2", "instance/1", "did"} {
			must(k.Create(t.Context(), n, keyring.Ed25519))(t)
		}
		got := must(k.List(t.Context(), "instance/"))(t)
		if len(got) != 2 || got[0] != "instance/1" || got[1] != "instance/2" {
			t.Fatalf("listed %v", got)
		}
		if _, _, err := k.Public(t.Context(), "none"); !errors.Is(err, keyring.ErrNotFound) {
			t.Fatalf("a key that is not there: %v", err)
		}
	})
}

// must returns v, or fails the test with err.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
