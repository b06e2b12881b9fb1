//go:build nochain

package devchain

import (
	"context"
	"crypto/ecdsa"
)

// Chain is a running chain; in this build there is none.
type Chain struct{}

// Start returns ErrExcluded.
func Start(context.Context, Config) (*Chain, error) { return nil, ErrExcluded }

// RPC returns nothing.
func (*Chain) RPC() string { return "" }

// ChainID returns zero.
func (*Chain) ChainID() uint64 { return 0 }

// Faucet returns nil.
func (*Chain) Faucet() *ecdsa.PrivateKey { return nil }

// Close does nothing.
func (*Chain) Close() error { return nil }
