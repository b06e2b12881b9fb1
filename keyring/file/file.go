// Package file keeps a keyring in one encrypted file: AES-256-GCM under a key
// that comes from the environment (SPINE_KEYRING_KEY, 64 hex digits) or from a
// file that only its owner may read. The ring is small, so every change writes
// the whole file anew: temporary file, fsync, rename, fsync of the folder.
//
// It protects a copied disk or backup, not a running process: whoever can read
// the process's memory has the keys. Vaults and HSMs are other backends.
package file

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sort"
	"strings"
	"sync"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/keyring"
)

// KeyEnv is the variable that holds the file's key, 32 bytes in hex.
const KeyEnv = "SPINE_KEYRING_KEY"

// maxFile bounds the file in bytes; a ring with thousands of keys is far below.
const maxFile = 16 << 20

// entry is one key as it stands in the file.
type entry struct {
	Kind    keyring.Kind `json:"kind"`
	Public  []byte       `json:"public"`
	Private []byte       `json:"private"`
}

// content is the plain text of the file.
type content struct {
	Version int              `json:"version"`
	Wrap    []byte           `json:"wrap"` // key of Wrap and Unwrap
	Keys    map[string]entry `json:"keys"`
}

// Keyring is an open file.
type Keyring struct {
	path string
	seal cipher.AEAD

	mu   sync.RWMutex
	c    content
	wrap cipher.AEAD
	xw   map[string]hpke.PrivateKey // parsed, because parsing derives the key anew
}

var _ keyring.Keyring = (*Keyring)(nil)

// Open opens the ring at path, or makes an empty one. key is 32 bytes; when it
// is nil the key is taken from SPINE_KEYRING_KEY, else from path+".key", which
// is made with mode 0600 when neither exists (made tells so). A wrong key is
// keyring.ErrLocked.
func Open(path string, key []byte) (k *Keyring, made bool, err error) {
	if key == nil {
		if key, made, err = findKey(path + ".key"); err != nil {
			return nil, false, err
		}
	}
	k = &Keyring{path: path, xw: make(map[string]hpke.PrivateKey)}
	if k.seal, err = aead(key); err != nil {
		return nil, false, err
	}
	sealed, err := readBounded(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		k.c = content{Version: 1, Wrap: make([]byte, 32), Keys: make(map[string]entry)}
		rand.Read(k.c.Wrap)
		err = k.save()
	case err == nil:
		err = k.load(sealed)
	}
	if err == nil {
		k.wrap, err = aead(k.c.Wrap)
	}
	if err != nil {
		return nil, false, fmt.Errorf("keyring %s: %w", path, err)
	}
	return k, made, nil
}

// findKey reads the key from the environment or the key file.
func findKey(path string) (key []byte, made bool, err error) {
	if s := os.Getenv(KeyEnv); s != "" {
		if key, err = hex.DecodeString(s); err != nil || len(key) != 32 {
			return nil, false, fmt.Errorf("%s is not 64 hex digits", KeyEnv)
		}
		return key, false, nil
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, 32)
		rand.Read(key)
		return key, true, config.WriteFile(path, []byte(hex.EncodeToString(key)+"\n"), 0o600)
	}
	if err != nil {
		return nil, false, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, false, fmt.Errorf("key file %s may be read by others: chmod 600 it", path)
	}
	b, err := readBounded(path)
	if err != nil {
		return nil, false, err
	}
	if key, err = hex.DecodeString(strings.TrimSpace(string(b))); err != nil || len(key) != 32 {
		return nil, false, fmt.Errorf("key file %s does not hold 64 hex digits", path)
	}
	return key, false, nil
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return os.ReadFile(path)
}

func aead(key []byte) (cipher.AEAD, error) {
	if len(key) != 32 {
		return nil, errors.New("a keyring's key has 32 bytes")
	}
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(b)
}

const fileLabel = "spine/1 keyring file"

func (k *Keyring) load(sealed []byte) error {
	plain, err := k.seal.Open(nil, nil, sealed, []byte(fileLabel))
	if err != nil {
		return keyring.ErrLocked
	}
	if err := json.Unmarshal(plain, &k.c); err != nil || k.c.Version != 1 || k.c.Keys == nil {
		return errors.New("the file opens but is not a keyring of version 1")
	}
	return nil
}

// save writes the file; the caller holds the lock.
func (k *Keyring) save() error {
	plain, err := json.Marshal(k.c)
	if err != nil {
		return err
	}
	return config.WriteFile(k.path, k.seal.Seal(nil, nil, plain, []byte(fileLabel)), 0o600)
}

// Create implements keyring.Keyring.
func (k *Keyring) Create(_ context.Context, name string, kind keyring.Kind) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e, ok := k.c.Keys[name]; ok {
		if e.Kind != kind {
			return nil, fmt.Errorf("%s: %w", name, keyring.ErrKind)
		}
		return append([]byte(nil), e.Public...), nil
	}
	e, err := generate(kind)
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	k.c.Keys[name] = e
	if err := k.save(); err != nil {
		delete(k.c.Keys, name)
		return nil, fmt.Errorf("keep %s: %w", name, err)
	}
	return append([]byte(nil), e.Public...), nil
}

// generate makes a key pair.
func generate(kind keyring.Kind) (entry, error) {
	switch kind {
	case keyring.Secp256k1:
		key, err := crypto.GenerateKey()
		if err != nil {
			return entry{}, err
		}
		return entry{kind, crypto.FromECDSAPub(&key.PublicKey), crypto.FromECDSA(key)}, nil
	case keyring.Ed25519:
		pub, priv, err := ed25519.GenerateKey(nil)
		return entry{kind, pub, priv.Seed()}, err
	case keyring.XWing:
		priv, err := hpke.MLKEM768X25519().GenerateKey()
		if err != nil {
			return entry{}, err
		}
		b, err := priv.Bytes()
		return entry{kind, priv.PublicKey().Bytes(), b}, err
	default:
		return entry{}, fmt.Errorf("%q: %w", kind, keyring.ErrKind)
	}
}

// Public implements keyring.Keyring.
func (k *Keyring) Public(_ context.Context, name string) (keyring.Kind, []byte, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	e, ok := k.c.Keys[name]
	if !ok {
		return "", nil, fmt.Errorf("%s: %w", name, keyring.ErrNotFound)
	}
	return e.Kind, append([]byte(nil), e.Public...), nil
}

// Destroy implements keyring.Keyring.
func (k *Keyring) Destroy(_ context.Context, name string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.c.Keys[name]
	if !ok {
		return nil
	}
	delete(k.c.Keys, name)
	if err := k.save(); err != nil {
		k.c.Keys[name] = e
		return fmt.Errorf("forget %s: %w", name, err)
	}
	delete(k.xw, name)
	clear(e.Private)
	return nil
}

// List implements keyring.Keyring.
func (k *Keyring) List(_ context.Context, prefix string) ([]string, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var names []string
	for n := range k.c.Keys {
		if strings.HasPrefix(n, prefix) {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	return names, nil
}
