// Code generated via abigen V2 - DO NOT EDIT.
// This file is a generated binding and any manual changes will be lost.

package contract

import (
	"bytes"
	"errors"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// Reference imports to suppress errors if they are not otherwise used.
var (
	_ = bytes.Equal
	_ = errors.New
	_ = big.NewInt
	_ = common.Big1
	_ = types.BloomLookup
	_ = abi.ConvertType
)

// DomainNotifierMetaData contains all meta data concerning the DomainNotifier contract.
var DomainNotifierMetaData = bind.MetaData{
	ABI: "[{\"inputs\":[{\"internalType\":\"address\",\"name\":\"ens\",\"type\":\"address\"}],\"stateMutability\":\"nonpayable\",\"type\":\"constructor\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"node\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"sender\",\"type\":\"address\"}],\"name\":\"NotResolver\",\"type\":\"error\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"bytes32\",\"name\":\"node\",\"type\":\"bytes32\"}],\"name\":\"DomainUpdated\",\"type\":\"event\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"node\",\"type\":\"bytes32\"}],\"name\":\"domainUpdated\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"}]",
	ID:  "DomainNotifier",
	Bin: "0x60a0604052348015600f57600080fd5b506040516101ff3803806101ff833981016040819052602c91603c565b6001600160a01b0316608052606a565b600060208284031215604d57600080fd5b81516001600160a01b0381168114606357600080fd5b9392505050565b60805161017b61008460003960006065015261017b6000f3fe608060405234801561001057600080fd5b506004361061002b5760003560e01c80636161016414610030575b600080fd5b61004361003e366004610132565b610045565b005b604051630178b8bf60e01b81526004810182905233906001600160a01b037f00000000000000000000000000000000000000000000000000000000000000001690630178b8bf90602401602060405180830381865afa1580156100ac573d6000803e3d6000fd5b505050506040513d601f19601f820116820180604052508101906100d0919061014b565b6001600160a01b0316146101045760405163912e0aed60e01b81526004810182905233602482015260440160405180910390fd5b60405181907f8c7bc2aee1d48bb46b825273bef0ffd000ccf7d354d5be84bd1e7fe6a208db4990600090a250565b60006020828403121561014457600080fd5b5035919050565b60006020828403121561015d57600080fd5b81516001600160a01b038116811461017457600080fd5b939250505056",
}

// DomainNotifier is an auto generated Go binding around an Ethereum contract.
type DomainNotifier struct {
	abi abi.ABI
}

// GetABI returns the ABI associated with this contract binding.
func (c *DomainNotifier) GetABI() abi.ABI {
	return c.abi
}

// NewDomainNotifier creates a new instance of DomainNotifier.
func NewDomainNotifier() *DomainNotifier {
	parsed, err := DomainNotifierMetaData.ParseABI()
	if err != nil {
		panic(errors.New("invalid ABI: " + err.Error()))
	}
	return &DomainNotifier{abi: *parsed}
}

// Instance creates a wrapper for a deployed contract instance at the given address.
// Use this to create the instance object passed to abigen v2 library functions Call, Transact, etc.
func (c *DomainNotifier) Instance(backend bind.ContractBackend, addr common.Address) *bind.BoundContract {
	return bind.NewBoundContract(addr, c.abi, backend, backend, backend)
}

// PackConstructor is the Go binding used to pack the parameters required for
// contract deployment.
//
// Solidity: constructor(address ens) returns()
func (domainNotifier *DomainNotifier) PackConstructor(ens common.Address) []byte {
	enc, err := domainNotifier.abi.Pack("", ens)
	if err != nil {
		panic(err)
	}
	return enc
}

// PackDomainUpdated is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x61610164.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function domainUpdated(bytes32 node) returns()
func (domainNotifier *DomainNotifier) PackDomainUpdated(node [32]byte) []byte {
	enc, err := domainNotifier.abi.Pack("domainUpdated", node)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackDomainUpdated is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x61610164.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function domainUpdated(bytes32 node) returns()
func (domainNotifier *DomainNotifier) TryPackDomainUpdated(node [32]byte) ([]byte, error) {
	return domainNotifier.abi.Pack("domainUpdated", node)
}

// DomainNotifierDomainUpdated represents a DomainUpdated event raised by the DomainNotifier contract.
type DomainNotifierDomainUpdated struct {
	Node [32]byte
	Raw  *types.Log // Blockchain specific contextual infos
}

const DomainNotifierDomainUpdatedEventName = "DomainUpdated"

// ContractEventName returns the user-defined event name.
func (DomainNotifierDomainUpdated) ContractEventName() string {
	return DomainNotifierDomainUpdatedEventName
}

// UnpackDomainUpdatedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event DomainUpdated(bytes32 indexed node)
func (domainNotifier *DomainNotifier) UnpackDomainUpdatedEvent(log *types.Log) (*DomainNotifierDomainUpdated, error) {
	event := "DomainUpdated"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != domainNotifier.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(DomainNotifierDomainUpdated)
	if len(log.Data) > 0 {
		if err := domainNotifier.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range domainNotifier.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// UnpackError attempts to decode the provided error data using user-defined
// error definitions.
func (domainNotifier *DomainNotifier) UnpackError(raw []byte) (any, error) {
	if bytes.Equal(raw[:4], domainNotifier.abi.Errors["NotResolver"].ID.Bytes()[:4]) {
		return domainNotifier.UnpackNotResolverError(raw[4:])
	}
	return nil, errors.New("Unknown error")
}

// DomainNotifierNotResolver represents a NotResolver error raised by the DomainNotifier contract.
type DomainNotifierNotResolver struct {
	Node   [32]byte
	Sender common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error NotResolver(bytes32 node, address sender)
func DomainNotifierNotResolverErrorID() common.Hash {
	return common.HexToHash("0x912e0aed06b4f44f3aeeda4c462adddc99f85da53a534ae5c19cf30dd2f6bfef")
}

// UnpackNotResolverError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error NotResolver(bytes32 node, address sender)
func (domainNotifier *DomainNotifier) UnpackNotResolverError(raw []byte) (*DomainNotifierNotResolver, error) {
	out := new(DomainNotifierNotResolver)
	if err := domainNotifier.abi.UnpackIntoInterface(out, "NotResolver", raw); err != nil {
		return nil, err
	}
	return out, nil
}
