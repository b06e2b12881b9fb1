// Package contract holds the contracts of the identity plane: an ENS
// registry, a resolver with role definitions, a notifier of changed names and
// an ERC-1056 registry of DIDs, in our own Solidity, with their compiled form
// and Go bindings.
//
// Their interfaces are those of the contracts that Energy Web runs, so that
// either set serves either client. The package sends nothing by itself except
// in Deploy; reading names is package ens, reading DIDs did/ethr.
package contract

import (
	"errors"

	"github.com/ethereum/go-ethereum/common"
)

// Addresses are the contracts of one chain, as the network file names them.
type Addresses struct {
	ENSRegistry    common.Address `json:"ensRegistryAddress" yaml:"ens_registry" doc:"ENS registry (EIP-137)"`
	Resolver       common.Address `json:"ensResolverV2Address" yaml:"resolver" doc:"resolver that holds names, metadata and role definitions"`
	DomainNotifier common.Address `json:"domainNotifierAddress" yaml:"domain_notifier" doc:"contract that announces every changed name"`
	DIDRegistry    common.Address `json:"didRegistryAddress" yaml:"did_registry" doc:"ERC-1056 registry of DIDs"`
}

// Validate checks that every address is set.
func (a Addresses) Validate() error {
	zero := common.Address{}
	if a.ENSRegistry == zero || a.Resolver == zero || a.DomainNotifier == zero || a.DIDRegistry == zero {
		return errors.New("contract: an address of the four contracts is missing")
	}
	return nil
}

// Known returns the contracts that Energy Web runs on its own chains: 246
// (Energy Web Chain) and 73799 (Volta).
func Known(chainID uint64) (Addresses, bool) {
	a, ok := known[chainID]
	return a, ok
}

var known = map[uint64]Addresses{
	246: {
		ENSRegistry:    common.HexToAddress("0x0A6d64413c07E10E890220BBE1c49170080C6Ca0"),
		Resolver:       common.HexToAddress("0x70ad37DfeB1C05290F4bBd22188FA19Bc154A0ea"),
		DomainNotifier: common.HexToAddress("0x5491Db3cC1f3AFf6C229e061735F92936004da3c"),
		DIDRegistry:    common.HexToAddress("0xE29672f34e92b56C9169f9D485fFc8b9A136BCE4"),
	},
	73799: {
		ENSRegistry:    common.HexToAddress("0xd7CeF70Ba7efc2035256d828d5287e2D285CD1ac"),
		Resolver:       common.HexToAddress("0xcf72f16Ab886776232bea2fcf3689761a0b74EfE"),
		DomainNotifier: common.HexToAddress("0xeea658026d6CDede4380D3aD030beAC911758A93"),
		DIDRegistry:    common.HexToAddress("0xc15d5a57a8eb0e1dcbe5d88b8f9a82017e5cc4af"),
	},
}
