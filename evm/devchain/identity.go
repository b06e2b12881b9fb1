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
	"time"

	"github.com/ethereum/go-ethereum/crypto"
)

const identityFile = "chain.json"

// identity is what makes a chain this one; it is written once, 0600, before
// the first block, and fixes the genesis block.
type identity struct {
	ChainID uint64 `json:"chainId"`
	Created uint64 `json:"created"` // seconds since 1970
	Faucet  string `json:"faucetKey"`

	key *ecdsa.PrivateKey
}

// loadIdentity reads the identity of a data directory or makes one.
func loadIdentity(dataDir string, chainID uint64) (identity, error) {
	file := path(dataDir, identityFile)
	if file != "" {
		b, err := os.ReadFile(file)
		switch {
		case err == nil:
			return parseIdentity(b, chainID)
		case !errors.Is(err, fs.ErrNotExist):
			return identity{}, fmt.Errorf("devchain: %w", err)
		}
	}
	key, err := crypto.GenerateKey()
	if err != nil {
		return identity{}, fmt.Errorf("devchain: making the faucet key: %w", err)
	}
	id := identity{
		ChainID: chainID, Created: uint64(time.Now().Unix()),
		Faucet: hex.EncodeToString(crypto.FromECDSA(key)), key: key,
	}
	if file == "" {
		return id, nil
	}
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return identity{}, fmt.Errorf("devchain: %w", err)
	}
	b, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return identity{}, fmt.Errorf("devchain: %w", err)
	}
	if err := writeFile(file, append(b, '\n')); err != nil {
		return identity{}, fmt.Errorf("devchain: writing the identity: %w", err)
	}
	return id, nil
}

func parseIdentity(b []byte, chainID uint64) (identity, error) {
	var id identity
	if err := json.Unmarshal(b, &id); err != nil {
		return identity{}, fmt.Errorf("devchain: %s is damaged", identityFile)
	}
	if id.ChainID != chainID {
		return identity{}, fmt.Errorf("devchain: the data directory belongs to chain id %d, not %d", id.ChainID, chainID)
	}
	key, err := crypto.HexToECDSA(id.Faucet)
	if err != nil {
		return identity{}, fmt.Errorf("devchain: the faucet key in %s is damaged", identityFile)
	}
	id.key = key
	return id, nil
}
