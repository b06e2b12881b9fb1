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

// ENSRegistryMetaData contains all meta data concerning the ENSRegistry contract.
var ENSRegistryMetaData = bind.MetaData{
	ABI: "[{\"inputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"constructor\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"node\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"sender\",\"type\":\"address\"}],\"name\":\"NotAuthorised\",\"type\":\"error\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"address\",\"name\":\"owner\",\"type\":\"address\"},{\"indexed\":true,\"internalType\":\"address\",\"name\":\"operator\",\"type\":\"address\"},{\"indexed\":false,\"internalType\":\"bool\",\"name\":\"approved\",\"type\":\"bool\"}],\"name\":\"ApprovalForAll\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"bytes32\",\"name\":\"node\",\"type\":\"bytes32\"},{\"indexed\":true,\"internalType\":\"bytes32\",\"name\":\"label\",\"type\":\"bytes32\"},{\"indexed\":false,\"internalType\":\"address\",\"name\":\"owner\",\"type\":\"address\"}],\"name\":\"NewOwner\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"bytes32\",\"name\":\"node\",\"type\":\"bytes32\"},{\"indexed\":false,\"internalType\":\"address\",\"name\":\"resolver\",\"type\":\"address\"}],\"name\":\"NewResolver\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"bytes32\",\"name\":\"node\",\"type\":\"bytes32\"},{\"indexed\":false,\"internalType\":\"uint64\",\"name\":\"ttl\",\"type\":\"uint64\"}],\"name\":\"NewTTL\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"bytes32\",\"name\":\"node\",\"type\":\"bytes32\"},{\"indexed\":false,\"internalType\":\"address\",\"name\":\"owner\",\"type\":\"address\"}],\"name\":\"Transfer\",\"type\":\"event\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"holder\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"operator\",\"type\":\"address\"}],\"name\":\"isApprovedForAll\",\"outputs\":[{\"internalType\":\"bool\",\"name\":\"\",\"type\":\"bool\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"node\",\"type\":\"bytes32\"}],\"name\":\"owner\",\"outputs\":[{\"internalType\":\"address\",\"name\":\"\",\"type\":\"address\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"node\",\"type\":\"bytes32\"}],\"name\":\"recordExists\",\"outputs\":[{\"internalType\":\"bool\",\"name\":\"\",\"type\":\"bool\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"node\",\"type\":\"bytes32\"}],\"name\":\"resolver\",\"outputs\":[{\"internalType\":\"address\",\"name\":\"\",\"type\":\"address\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"operator\",\"type\":\"address\"},{\"internalType\":\"bool\",\"name\":\"approved\",\"type\":\"bool\"}],\"name\":\"setApprovalForAll\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"node\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"newOwner\",\"type\":\"address\"}],\"name\":\"setOwner\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"node\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"newOwner\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"newResolver\",\"type\":\"address\"},{\"internalType\":\"uint64\",\"name\":\"newTTL\",\"type\":\"uint64\"}],\"name\":\"setRecord\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"node\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"newResolver\",\"type\":\"address\"}],\"name\":\"setResolver\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"node\",\"type\":\"bytes32\"},{\"internalType\":\"bytes32\",\"name\":\"label\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"newOwner\",\"type\":\"address\"}],\"name\":\"setSubnodeOwner\",\"outputs\":[{\"internalType\":\"bytes32\",\"name\":\"subnode\",\"type\":\"bytes32\"}],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"node\",\"type\":\"bytes32\"},{\"internalType\":\"bytes32\",\"name\":\"label\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"newOwner\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"newResolver\",\"type\":\"address\"},{\"internalType\":\"uint64\",\"name\":\"newTTL\",\"type\":\"uint64\"}],\"name\":\"setSubnodeRecord\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"node\",\"type\":\"bytes32\"},{\"internalType\":\"uint64\",\"name\":\"newTTL\",\"type\":\"uint64\"}],\"name\":\"setTTL\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"node\",\"type\":\"bytes32\"}],\"name\":\"ttl\",\"outputs\":[{\"internalType\":\"uint64\",\"name\":\"\",\"type\":\"uint64\"}],\"stateMutability\":\"view\",\"type\":\"function\"}]",
	ID:  "ENSRegistry",
	Bin: "0x6080604052348015600f57600080fd5b5060008080526020527fad3228b676f7d3cd4284a5443f17f1962b36e491b30a40b2405849e597ba5fb580546001600160a01b031916331790556109b4806100586000396000f3fe608060405234801561001057600080fd5b50600436106100b45760003560e01c80635b0fc9c3116100715780635b0fc9c3146101ab5780635ef2c7f0146101be578063a22cb465146101d1578063cf408823146101e4578063e985e9c5146101f7578063f79fe5381461024357600080fd5b80630178b8bf146100b957806302571be31461010257806306ab59231461011557806314ab90381461013657806316a25cbd1461014b5780631896f70a14610198575b600080fd5b6100e56100c73660046107d9565b6000908152602081905260409020600101546001600160a01b031690565b6040516001600160a01b0390911681526020015b60405180910390f35b6100e56101103660046107d9565b61026e565b61012861012336600461080e565b61029d565b6040519081526020016100f9565b61014961014436600461085b565b6103a8565b005b61017f6101593660046107d9565b600090815260208190526040902060010154600160a01b900467ffffffffffffffff1690565b60405167ffffffffffffffff90911681526020016100f9565b6101496101a6366004610887565b610493565b6101496101b9366004610887565b610566565b6101496101cc3660046108aa565b610636565b6101496101df366004610901565b610658565b6101496101f236600461093d565b6106c4565b61023361020536600461098a565b6001600160a01b03918216600090815260016020908152604080832093909416825291909152205460ff1690565b60405190151581526020016100f9565b6102336102513660046107d9565b6000908152602081905260409020546001600160a01b0316151590565b6000818152602081905260408120546001600160a01b03163081146102935780610296565b60005b9392505050565b60008381526020819052604081205484906001600160a01b03163381148015906102eb57506001600160a01b038116600090815260016020908152604080832033845290915290205460ff16155b15610317576040516314c417b560e01b8152600481018390523360248201526044015b60405180910390fd5b604080516020810188905290810186905260600160408051808303601f19018152828252805160209182012060008181528083529290922080546001600160a01b0319166001600160a01b0389169081179091558352909450869188917fce0457fe73731f824cc272376169235128c118b49d344817417c6d108d155e82910160405180910390a350509392505050565b60008281526020819052604090205482906001600160a01b03163381148015906103f657506001600160a01b038116600090815260016020908152604080832033845290915290205460ff16155b1561041d576040516314c417b560e01b81526004810183905233602482015260440161030e565b60008481526020818152604091829020600101805467ffffffffffffffff60a01b1916600160a01b67ffffffffffffffff881690810291909117909155915191825285917f1d4f9bbfc9cab89d66e1a1562f2233ccbf1308cb4f63de2ead5787adddb8fa6891015b60405180910390a250505050565b60008281526020819052604090205482906001600160a01b03163381148015906104e157506001600160a01b038116600090815260016020908152604080832033845290915290205460ff16155b15610508576040516314c417b560e01b81526004810183905233602482015260440161030e565b6000848152602081815260409182902060010180546001600160a01b0319166001600160a01b038716908117909155915191825285917f335721b01866dc23fbee8b6b2c7b1e14d6f05c28cd35a2c934239f94095602a09101610485565b60008281526020819052604090205482906001600160a01b03163381148015906105b457506001600160a01b038116600090815260016020908152604080832033845290915290205460ff16155b156105db576040516314c417b560e01b81526004810183905233602482015260440161030e565b6000848152602081815260409182902080546001600160a01b0319166001600160a01b038716908117909155915191825285917fd4735d920b0f87494915f556dd9b54c8f309026070caea5c737245152564d2669101610485565b600061064386868661029d565b90506106508184846106df565b505050505050565b3360008181526001602090815260408083206001600160a01b03871680855290835292819020805460ff191686151590811790915590519081529192917f17307eab39ab6107e8899845ad3d59bd9653f200f220920489ca2b5937696c31910160405180910390a35050565b6106ce8484610566565b6106d98483836106df565b50505050565b600083815260208190526040902060018101546001600160a01b0384811691161461075a576001810180546001600160a01b0319166001600160a01b03851690811790915560405190815284907f335721b01866dc23fbee8b6b2c7b1e14d6f05c28cd35a2c934239f94095602a09060200160405180910390a25b600181015467ffffffffffffffff838116600160a01b90920416146106d95760018101805467ffffffffffffffff60a01b1916600160a01b67ffffffffffffffff85169081029190911790915560405190815284907f1d4f9bbfc9cab89d66e1a1562f2233ccbf1308cb4f63de2ead5787adddb8fa6890602001610485565b6000602082840312156107eb57600080fd5b5035919050565b80356001600160a01b038116811461080957600080fd5b919050565b60008060006060848603121561082357600080fd5b833592506020840135915061083a604085016107f2565b90509250925092565b803567ffffffffffffffff8116811461080957600080fd5b6000806040838503121561086e57600080fd5b8235915061087e60208401610843565b90509250929050565b6000806040838503121561089a57600080fd5b8235915061087e602084016107f2565b600080600080600060a086880312156108c257600080fd5b85359450602086013593506108d9604087016107f2565b92506108e7606087016107f2565b91506108f560808701610843565b90509295509295909350565b6000806040838503121561091457600080fd5b61091d836107f2565b91506020830135801515811461093257600080fd5b809150509250929050565b6000806000806080858703121561095357600080fd5b84359350610963602086016107f2565b9250610971604086016107f2565b915061097f60608601610843565b905092959194509250565b6000806040838503121561099d57600080fd5b6109a6836107f2565b915061087e602084016107f256",
}

// ENSRegistry is an auto generated Go binding around an Ethereum contract.
type ENSRegistry struct {
	abi abi.ABI
}

// GetABI returns the ABI associated with this contract binding.
func (c *ENSRegistry) GetABI() abi.ABI {
	return c.abi
}

// NewENSRegistry creates a new instance of ENSRegistry.
func NewENSRegistry() *ENSRegistry {
	parsed, err := ENSRegistryMetaData.ParseABI()
	if err != nil {
		panic(errors.New("invalid ABI: " + err.Error()))
	}
	return &ENSRegistry{abi: *parsed}
}

// Instance creates a wrapper for a deployed contract instance at the given address.
// Use this to create the instance object passed to abigen v2 library functions Call, Transact, etc.
func (c *ENSRegistry) Instance(backend bind.ContractBackend, addr common.Address) *bind.BoundContract {
	return bind.NewBoundContract(addr, c.abi, backend, backend, backend)
}

// PackIsApprovedForAll is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xe985e9c5.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function isApprovedForAll(address holder, address operator) view returns(bool)
func (eNSRegistry *ENSRegistry) PackIsApprovedForAll(holder common.Address, operator common.Address) []byte {
	enc, err := eNSRegistry.abi.Pack("isApprovedForAll", holder, operator)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackIsApprovedForAll is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xe985e9c5.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function isApprovedForAll(address holder, address operator) view returns(bool)
func (eNSRegistry *ENSRegistry) TryPackIsApprovedForAll(holder common.Address, operator common.Address) ([]byte, error) {
	return eNSRegistry.abi.Pack("isApprovedForAll", holder, operator)
}

// UnpackIsApprovedForAll is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xe985e9c5.
//
// Solidity: function isApprovedForAll(address holder, address operator) view returns(bool)
func (eNSRegistry *ENSRegistry) UnpackIsApprovedForAll(data []byte) (bool, error) {
	out, err := eNSRegistry.abi.Unpack("isApprovedForAll", data)
	if err != nil {
		return *new(bool), err
	}
	out0 := *abi.ConvertType(out[0], new(bool)).(*bool)
	return out0, nil
}

// PackOwner is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x02571be3.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function owner(bytes32 node) view returns(address)
func (eNSRegistry *ENSRegistry) PackOwner(node [32]byte) []byte {
	enc, err := eNSRegistry.abi.Pack("owner", node)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackOwner is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x02571be3.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function owner(bytes32 node) view returns(address)
func (eNSRegistry *ENSRegistry) TryPackOwner(node [32]byte) ([]byte, error) {
	return eNSRegistry.abi.Pack("owner", node)
}

// UnpackOwner is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x02571be3.
//
// Solidity: function owner(bytes32 node) view returns(address)
func (eNSRegistry *ENSRegistry) UnpackOwner(data []byte) (common.Address, error) {
	out, err := eNSRegistry.abi.Unpack("owner", data)
	if err != nil {
		return *new(common.Address), err
	}
	out0 := *abi.ConvertType(out[0], new(common.Address)).(*common.Address)
	return out0, nil
}

// PackRecordExists is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xf79fe538.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function recordExists(bytes32 node) view returns(bool)
func (eNSRegistry *ENSRegistry) PackRecordExists(node [32]byte) []byte {
	enc, err := eNSRegistry.abi.Pack("recordExists", node)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackRecordExists is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xf79fe538.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function recordExists(bytes32 node) view returns(bool)
func (eNSRegistry *ENSRegistry) TryPackRecordExists(node [32]byte) ([]byte, error) {
	return eNSRegistry.abi.Pack("recordExists", node)
}

// UnpackRecordExists is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xf79fe538.
//
// Solidity: function recordExists(bytes32 node) view returns(bool)
func (eNSRegistry *ENSRegistry) UnpackRecordExists(data []byte) (bool, error) {
	out, err := eNSRegistry.abi.Unpack("recordExists", data)
	if err != nil {
		return *new(bool), err
	}
	out0 := *abi.ConvertType(out[0], new(bool)).(*bool)
	return out0, nil
}

// PackResolver is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x0178b8bf.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function resolver(bytes32 node) view returns(address)
func (eNSRegistry *ENSRegistry) PackResolver(node [32]byte) []byte {
	enc, err := eNSRegistry.abi.Pack("resolver", node)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackResolver is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x0178b8bf.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function resolver(bytes32 node) view returns(address)
func (eNSRegistry *ENSRegistry) TryPackResolver(node [32]byte) ([]byte, error) {
	return eNSRegistry.abi.Pack("resolver", node)
}

// UnpackResolver is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x0178b8bf.
//
// Solidity: function resolver(bytes32 node) view returns(address)
func (eNSRegistry *ENSRegistry) UnpackResolver(data []byte) (common.Address, error) {
	out, err := eNSRegistry.abi.Unpack("resolver", data)
	if err != nil {
		return *new(common.Address), err
	}
	out0 := *abi.ConvertType(out[0], new(common.Address)).(*common.Address)
	return out0, nil
}

// PackSetApprovalForAll is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa22cb465.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function setApprovalForAll(address operator, bool approved) returns()
func (eNSRegistry *ENSRegistry) PackSetApprovalForAll(operator common.Address, approved bool) []byte {
	enc, err := eNSRegistry.abi.Pack("setApprovalForAll", operator, approved)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackSetApprovalForAll is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa22cb465.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function setApprovalForAll(address operator, bool approved) returns()
func (eNSRegistry *ENSRegistry) TryPackSetApprovalForAll(operator common.Address, approved bool) ([]byte, error) {
	return eNSRegistry.abi.Pack("setApprovalForAll", operator, approved)
}

// PackSetOwner is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x5b0fc9c3.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function setOwner(bytes32 node, address newOwner) returns()
func (eNSRegistry *ENSRegistry) PackSetOwner(node [32]byte, newOwner common.Address) []byte {
	enc, err := eNSRegistry.abi.Pack("setOwner", node, newOwner)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackSetOwner is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x5b0fc9c3.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function setOwner(bytes32 node, address newOwner) returns()
func (eNSRegistry *ENSRegistry) TryPackSetOwner(node [32]byte, newOwner common.Address) ([]byte, error) {
	return eNSRegistry.abi.Pack("setOwner", node, newOwner)
}

// PackSetRecord is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xcf408823.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function setRecord(bytes32 node, address newOwner, address newResolver, uint64 newTTL) returns()
func (eNSRegistry *ENSRegistry) PackSetRecord(node [32]byte, newOwner common.Address, newResolver common.Address, newTTL uint64) []byte {
	enc, err := eNSRegistry.abi.Pack("setRecord", node, newOwner, newResolver, newTTL)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackSetRecord is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xcf408823.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function setRecord(bytes32 node, address newOwner, address newResolver, uint64 newTTL) returns()
func (eNSRegistry *ENSRegistry) TryPackSetRecord(node [32]byte, newOwner common.Address, newResolver common.Address, newTTL uint64) ([]byte, error) {
	return eNSRegistry.abi.Pack("setRecord", node, newOwner, newResolver, newTTL)
}

// PackSetResolver is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x1896f70a.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function setResolver(bytes32 node, address newResolver) returns()
func (eNSRegistry *ENSRegistry) PackSetResolver(node [32]byte, newResolver common.Address) []byte {
	enc, err := eNSRegistry.abi.Pack("setResolver", node, newResolver)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackSetResolver is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x1896f70a.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function setResolver(bytes32 node, address newResolver) returns()
func (eNSRegistry *ENSRegistry) TryPackSetResolver(node [32]byte, newResolver common.Address) ([]byte, error) {
	return eNSRegistry.abi.Pack("setResolver", node, newResolver)
}

// PackSetSubnodeOwner is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x06ab5923.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function setSubnodeOwner(bytes32 node, bytes32 label, address newOwner) returns(bytes32 subnode)
func (eNSRegistry *ENSRegistry) PackSetSubnodeOwner(node [32]byte, label [32]byte, newOwner common.Address) []byte {
	enc, err := eNSRegistry.abi.Pack("setSubnodeOwner", node, label, newOwner)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackSetSubnodeOwner is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x06ab5923.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function setSubnodeOwner(bytes32 node, bytes32 label, address newOwner) returns(bytes32 subnode)
func (eNSRegistry *ENSRegistry) TryPackSetSubnodeOwner(node [32]byte, label [32]byte, newOwner common.Address) ([]byte, error) {
	return eNSRegistry.abi.Pack("setSubnodeOwner", node, label, newOwner)
}

// UnpackSetSubnodeOwner is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x06ab5923.
//
// Solidity: function setSubnodeOwner(bytes32 node, bytes32 label, address newOwner) returns(bytes32 subnode)
func (eNSRegistry *ENSRegistry) UnpackSetSubnodeOwner(data []byte) ([32]byte, error) {
	out, err := eNSRegistry.abi.Unpack("setSubnodeOwner", data)
	if err != nil {
		return *new([32]byte), err
	}
	out0 := *abi.ConvertType(out[0], new([32]byte)).(*[32]byte)
	return out0, nil
}

// PackSetSubnodeRecord is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x5ef2c7f0.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function setSubnodeRecord(bytes32 node, bytes32 label, address newOwner, address newResolver, uint64 newTTL) returns()
func (eNSRegistry *ENSRegistry) PackSetSubnodeRecord(node [32]byte, label [32]byte, newOwner common.Address, newResolver common.Address, newTTL uint64) []byte {
	enc, err := eNSRegistry.abi.Pack("setSubnodeRecord", node, label, newOwner, newResolver, newTTL)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackSetSubnodeRecord is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x5ef2c7f0.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function setSubnodeRecord(bytes32 node, bytes32 label, address newOwner, address newResolver, uint64 newTTL) returns()
func (eNSRegistry *ENSRegistry) TryPackSetSubnodeRecord(node [32]byte, label [32]byte, newOwner common.Address, newResolver common.Address, newTTL uint64) ([]byte, error) {
	return eNSRegistry.abi.Pack("setSubnodeRecord", node, label, newOwner, newResolver, newTTL)
}

// PackSetTTL is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x14ab9038.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function setTTL(bytes32 node, uint64 newTTL) returns()
func (eNSRegistry *ENSRegistry) PackSetTTL(node [32]byte, newTTL uint64) []byte {
	enc, err := eNSRegistry.abi.Pack("setTTL", node, newTTL)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackSetTTL is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x14ab9038.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function setTTL(bytes32 node, uint64 newTTL) returns()
func (eNSRegistry *ENSRegistry) TryPackSetTTL(node [32]byte, newTTL uint64) ([]byte, error) {
	return eNSRegistry.abi.Pack("setTTL", node, newTTL)
}

// PackTtl is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x16a25cbd.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function ttl(bytes32 node) view returns(uint64)
func (eNSRegistry *ENSRegistry) PackTtl(node [32]byte) []byte {
	enc, err := eNSRegistry.abi.Pack("ttl", node)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackTtl is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x16a25cbd.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function ttl(bytes32 node) view returns(uint64)
func (eNSRegistry *ENSRegistry) TryPackTtl(node [32]byte) ([]byte, error) {
	return eNSRegistry.abi.Pack("ttl", node)
}

// UnpackTtl is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x16a25cbd.
//
// Solidity: function ttl(bytes32 node) view returns(uint64)
func (eNSRegistry *ENSRegistry) UnpackTtl(data []byte) (uint64, error) {
	out, err := eNSRegistry.abi.Unpack("ttl", data)
	if err != nil {
		return *new(uint64), err
	}
	out0 := *abi.ConvertType(out[0], new(uint64)).(*uint64)
	return out0, nil
}

// ENSRegistryApprovalForAll represents a ApprovalForAll event raised by the ENSRegistry contract.
type ENSRegistryApprovalForAll struct {
	Owner    common.Address
	Operator common.Address
	Approved bool
	Raw      *types.Log // Blockchain specific contextual infos
}

const ENSRegistryApprovalForAllEventName = "ApprovalForAll"

// ContractEventName returns the user-defined event name.
func (ENSRegistryApprovalForAll) ContractEventName() string {
	return ENSRegistryApprovalForAllEventName
}

// UnpackApprovalForAllEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event ApprovalForAll(address indexed owner, address indexed operator, bool approved)
func (eNSRegistry *ENSRegistry) UnpackApprovalForAllEvent(log *types.Log) (*ENSRegistryApprovalForAll, error) {
	event := "ApprovalForAll"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != eNSRegistry.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(ENSRegistryApprovalForAll)
	if len(log.Data) > 0 {
		if err := eNSRegistry.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range eNSRegistry.abi.Events[event].Inputs {
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

// ENSRegistryNewOwner represents a NewOwner event raised by the ENSRegistry contract.
type ENSRegistryNewOwner struct {
	Node  [32]byte
	Label [32]byte
	Owner common.Address
	Raw   *types.Log // Blockchain specific contextual infos
}

const ENSRegistryNewOwnerEventName = "NewOwner"

// ContractEventName returns the user-defined event name.
func (ENSRegistryNewOwner) ContractEventName() string {
	return ENSRegistryNewOwnerEventName
}

// UnpackNewOwnerEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event NewOwner(bytes32 indexed node, bytes32 indexed label, address owner)
func (eNSRegistry *ENSRegistry) UnpackNewOwnerEvent(log *types.Log) (*ENSRegistryNewOwner, error) {
	event := "NewOwner"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != eNSRegistry.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(ENSRegistryNewOwner)
	if len(log.Data) > 0 {
		if err := eNSRegistry.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range eNSRegistry.abi.Events[event].Inputs {
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

// ENSRegistryNewResolver represents a NewResolver event raised by the ENSRegistry contract.
type ENSRegistryNewResolver struct {
	Node     [32]byte
	Resolver common.Address
	Raw      *types.Log // Blockchain specific contextual infos
}

const ENSRegistryNewResolverEventName = "NewResolver"

// ContractEventName returns the user-defined event name.
func (ENSRegistryNewResolver) ContractEventName() string {
	return ENSRegistryNewResolverEventName
}

// UnpackNewResolverEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event NewResolver(bytes32 indexed node, address resolver)
func (eNSRegistry *ENSRegistry) UnpackNewResolverEvent(log *types.Log) (*ENSRegistryNewResolver, error) {
	event := "NewResolver"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != eNSRegistry.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(ENSRegistryNewResolver)
	if len(log.Data) > 0 {
		if err := eNSRegistry.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range eNSRegistry.abi.Events[event].Inputs {
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

// ENSRegistryNewTTL represents a NewTTL event raised by the ENSRegistry contract.
type ENSRegistryNewTTL struct {
	Node [32]byte
	Ttl  uint64
	Raw  *types.Log // Blockchain specific contextual infos
}

const ENSRegistryNewTTLEventName = "NewTTL"

// ContractEventName returns the user-defined event name.
func (ENSRegistryNewTTL) ContractEventName() string {
	return ENSRegistryNewTTLEventName
}

// UnpackNewTTLEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event NewTTL(bytes32 indexed node, uint64 ttl)
func (eNSRegistry *ENSRegistry) UnpackNewTTLEvent(log *types.Log) (*ENSRegistryNewTTL, error) {
	event := "NewTTL"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != eNSRegistry.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(ENSRegistryNewTTL)
	if len(log.Data) > 0 {
		if err := eNSRegistry.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range eNSRegistry.abi.Events[event].Inputs {
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

// ENSRegistryTransfer represents a Transfer event raised by the ENSRegistry contract.
type ENSRegistryTransfer struct {
	Node  [32]byte
	Owner common.Address
	Raw   *types.Log // Blockchain specific contextual infos
}

const ENSRegistryTransferEventName = "Transfer"

// ContractEventName returns the user-defined event name.
func (ENSRegistryTransfer) ContractEventName() string {
	return ENSRegistryTransferEventName
}

// UnpackTransferEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Transfer(bytes32 indexed node, address owner)
func (eNSRegistry *ENSRegistry) UnpackTransferEvent(log *types.Log) (*ENSRegistryTransfer, error) {
	event := "Transfer"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != eNSRegistry.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(ENSRegistryTransfer)
	if len(log.Data) > 0 {
		if err := eNSRegistry.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range eNSRegistry.abi.Events[event].Inputs {
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
func (eNSRegistry *ENSRegistry) UnpackError(raw []byte) (any, error) {
	if bytes.Equal(raw[:4], eNSRegistry.abi.Errors["NotAuthorised"].ID.Bytes()[:4]) {
		return eNSRegistry.UnpackNotAuthorisedError(raw[4:])
	}
	return nil, errors.New("Unknown error")
}

// ENSRegistryNotAuthorised represents a NotAuthorised error raised by the ENSRegistry contract.
type ENSRegistryNotAuthorised struct {
	Node   [32]byte
	Sender common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error NotAuthorised(bytes32 node, address sender)
func ENSRegistryNotAuthorisedErrorID() common.Hash {
	return common.HexToHash("0x14c417b5f379966f6c36f2ee78ed68413412145b4674dae2988279ba8988583f")
}

// UnpackNotAuthorisedError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error NotAuthorised(bytes32 node, address sender)
func (eNSRegistry *ENSRegistry) UnpackNotAuthorisedError(raw []byte) (*ENSRegistryNotAuthorised, error) {
	out := new(ENSRegistryNotAuthorised)
	if err := eNSRegistry.abi.UnpackIntoInterface(out, "NotAuthorised", raw); err != nil {
		return nil, err
	}
	return out, nil
}
