//go:build !nochain

package devchain

import (
	"crypto/ecdsa"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/digital-spine/spine/internal/config"
)

const identityFile = "chain.json"

// identity is what makes a chain this one: together with the faucet key, in a
// file of its own, it fixes the genesis block. Both are written once, before
// the first block.
type identity struct {
	ChainID uint64 `json:"chainId"`
	Created uint64 `json:"created"` // seconds since 1970

	key *ecdsa.PrivateKey
}

// loadIdentity reads the identity of a data directory or makes one.
func loadIdentity(dataDir string, chainID uint64) (identity, error) {
	id := identity{ChainID: chainID, Created: uint64(time.Now().Unix())}
	var err error
	if id.key, err = loadKey(path(dataDir, FaucetFile)); err != nil {
		return id, err
	}
	file := path(dataDir, identityFile)
	if file == "" {
		return id, nil
	}
	b, err := os.ReadFile(file)
	switch {
	case err == nil:
		if json.Unmarshal(b, &id) != nil {
			return id, fmt.Errorf("devchain: %s is damaged", file)
		}
		if id.ChainID != chainID {
			return id, fmt.Errorf("devchain: the data directory belongs to chain id %d, not %d", id.ChainID, chainID)
		}
		return id, nil
	case !errors.Is(err, fs.ErrNotExist):
		return id, fmt.Errorf("devchain: %w", err)
	}
	if b, err = json.Marshal(id); err != nil {
		return id, fmt.Errorf("devchain: %w", err)
	}
	if err := config.WriteFile(file, append(b, '\n'), 0o600); err != nil {
		return id, fmt.Errorf("devchain: writing the identity: %w", err)
	}
	return id, nil
}

// loadKey reads the faucet key or makes one; without a file it is new.
func loadKey(file string) (*ecdsa.PrivateKey, error) {
	if file != "" {
		b, err := os.ReadFile(file)
		switch {
		case err == nil:
			key, err := crypto.HexToECDSA(strings.TrimSpace(string(b)))
			if err != nil {
				return nil, fmt.Errorf("devchain: the key in %s is damaged", file)
			}
			return key, nil
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("devchain: %w", err)
		}
	}
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("devchain: making the faucet key: %w", err)
	}
	if file != "" {
		text := hex.EncodeToString(crypto.FromECDSA(key)) + "\n"
		if err := config.WriteFile(file, []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("devchain: writing the faucet key: %w", err)
		}
	}
	return key, nil
}
