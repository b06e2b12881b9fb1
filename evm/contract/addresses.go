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
	ENSRegistry    common.Address `json:"ensRegistryAddress" yaml:"ensRegistryAddress" doc:"ENS registry (EIP-137)"`
	Resolver       common.Address `json:"ensResolverV2Address" yaml:"ensResolverV2Address" doc:"resolver that holds names, metadata and role definitions"`
	DomainNotifier common.Address `json:"domainNotifierAddress" yaml:"domainNotifierAddress" doc:"contract that announces every changed name"`
	DIDRegistry    common.Address `json:"didRegistryAddress" yaml:"didRegistryAddress" doc:"ERC-1056 registry of DIDs"`
}

// Validate checks that every address is set.
func (a Addresses) Validate() error {
	zero := common.Address{}
	if a.ENSRegistry == zero || a.Resolver == zero || a.DomainNotifier == zero || a.DIDRegistry == zero {
		return errors.New("contract: an address of the four contracts is missing")
	}
	return nil
}
