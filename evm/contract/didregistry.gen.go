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

// EthereumDIDRegistryMetaData contains all meta data concerning the EthereumDIDRegistry contract.
var EthereumDIDRegistryMetaData = bind.MetaData{
	ABI: "[{\"inputs\":[{\"internalType\":\"address\",\"name\":\"identity\",\"type\":\"address\"}],\"name\":\"BadSignature\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"identity\",\"type\":\"address\"},{\"internalType\":\"bytes32\",\"name\":\"delegateType\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"delegate\",\"type\":\"address\"}],\"name\":\"NotDelegate\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"identity\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"actor\",\"type\":\"address\"}],\"name\":\"NotOwner\",\"type\":\"error\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"address\",\"name\":\"identity\",\"type\":\"address\"},{\"indexed\":false,\"internalType\":\"bytes32\",\"name\":\"name\",\"type\":\"bytes32\"},{\"indexed\":false,\"internalType\":\"bytes\",\"name\":\"value\",\"type\":\"bytes\"},{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"validTo\",\"type\":\"uint256\"},{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"previousChange\",\"type\":\"uint256\"}],\"name\":\"DIDAttributeChanged\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"address\",\"name\":\"identity\",\"type\":\"address\"},{\"indexed\":false,\"internalType\":\"bytes32\",\"name\":\"delegateType\",\"type\":\"bytes32\"},{\"indexed\":false,\"internalType\":\"address\",\"name\":\"delegate\",\"type\":\"address\"},{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"validTo\",\"type\":\"uint256\"},{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"previousChange\",\"type\":\"uint256\"}],\"name\":\"DIDDelegateChanged\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"address\",\"name\":\"identity\",\"type\":\"address\"},{\"indexed\":false,\"internalType\":\"address\",\"name\":\"owner\",\"type\":\"address\"},{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"previousChange\",\"type\":\"uint256\"}],\"name\":\"DIDOwnerChanged\",\"type\":\"event\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"identity\",\"type\":\"address\"},{\"internalType\":\"bytes32\",\"name\":\"delegateType\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"delegate\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"validity\",\"type\":\"uint256\"}],\"name\":\"addDelegate\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"identity\",\"type\":\"address\"},{\"internalType\":\"uint8\",\"name\":\"sigV\",\"type\":\"uint8\"},{\"internalType\":\"bytes32\",\"name\":\"sigR\",\"type\":\"bytes32\"},{\"internalType\":\"bytes32\",\"name\":\"sigS\",\"type\":\"bytes32\"},{\"internalType\":\"bytes32\",\"name\":\"delegateType\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"delegate\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"validity\",\"type\":\"uint256\"}],\"name\":\"addDelegateSigned\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"identity\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"newOwner\",\"type\":\"address\"}],\"name\":\"changeOwner\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"identity\",\"type\":\"address\"},{\"internalType\":\"uint8\",\"name\":\"sigV\",\"type\":\"uint8\"},{\"internalType\":\"bytes32\",\"name\":\"sigR\",\"type\":\"bytes32\"},{\"internalType\":\"bytes32\",\"name\":\"sigS\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"newOwner\",\"type\":\"address\"}],\"name\":\"changeOwnerSigned\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"\",\"type\":\"address\"}],\"name\":\"changed\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"\",\"type\":\"address\"},{\"internalType\":\"bytes32\",\"name\":\"\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"\",\"type\":\"address\"}],\"name\":\"delegates\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"identity\",\"type\":\"address\"}],\"name\":\"identityOwner\",\"outputs\":[{\"internalType\":\"address\",\"name\":\"\",\"type\":\"address\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"\",\"type\":\"address\"}],\"name\":\"nonce\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"\",\"type\":\"address\"}],\"name\":\"owners\",\"outputs\":[{\"internalType\":\"address\",\"name\":\"\",\"type\":\"address\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"identity\",\"type\":\"address\"},{\"internalType\":\"bytes32\",\"name\":\"name\",\"type\":\"bytes32\"},{\"internalType\":\"bytes\",\"name\":\"value\",\"type\":\"bytes\"}],\"name\":\"revokeAttribute\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"identity\",\"type\":\"address\"},{\"internalType\":\"uint8\",\"name\":\"sigV\",\"type\":\"uint8\"},{\"internalType\":\"bytes32\",\"name\":\"sigR\",\"type\":\"bytes32\"},{\"internalType\":\"bytes32\",\"name\":\"sigS\",\"type\":\"bytes32\"},{\"internalType\":\"bytes32\",\"name\":\"name\",\"type\":\"bytes32\"},{\"internalType\":\"bytes\",\"name\":\"value\",\"type\":\"bytes\"}],\"name\":\"revokeAttributeSigned\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"identity\",\"type\":\"address\"},{\"internalType\":\"bytes32\",\"name\":\"delegateType\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"delegate\",\"type\":\"address\"}],\"name\":\"revokeDelegate\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"identity\",\"type\":\"address\"},{\"internalType\":\"uint8\",\"name\":\"sigV\",\"type\":\"uint8\"},{\"internalType\":\"bytes32\",\"name\":\"sigR\",\"type\":\"bytes32\"},{\"internalType\":\"bytes32\",\"name\":\"sigS\",\"type\":\"bytes32\"},{\"internalType\":\"bytes32\",\"name\":\"delegateType\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"delegate\",\"type\":\"address\"}],\"name\":\"revokeDelegateSigned\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"identity\",\"type\":\"address\"},{\"internalType\":\"bytes32\",\"name\":\"name\",\"type\":\"bytes32\"},{\"internalType\":\"bytes\",\"name\":\"value\",\"type\":\"bytes\"},{\"internalType\":\"uint256\",\"name\":\"validity\",\"type\":\"uint256\"}],\"name\":\"setAttribute\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"identity\",\"type\":\"address\"},{\"internalType\":\"uint8\",\"name\":\"sigV\",\"type\":\"uint8\"},{\"internalType\":\"bytes32\",\"name\":\"sigR\",\"type\":\"bytes32\"},{\"internalType\":\"bytes32\",\"name\":\"sigS\",\"type\":\"bytes32\"},{\"internalType\":\"bytes32\",\"name\":\"name\",\"type\":\"bytes32\"},{\"internalType\":\"bytes\",\"name\":\"value\",\"type\":\"bytes\"},{\"internalType\":\"uint256\",\"name\":\"validity\",\"type\":\"uint256\"}],\"name\":\"setAttributeSigned\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"identity\",\"type\":\"address\"},{\"internalType\":\"bytes32\",\"name\":\"delegateType\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"delegate\",\"type\":\"address\"}],\"name\":\"validDelegate\",\"outputs\":[{\"internalType\":\"bool\",\"name\":\"\",\"type\":\"bool\"}],\"stateMutability\":\"view\",\"type\":\"function\"}]",
	ID:  "EthereumDIDRegistry",
	Bin: "0x6080604052348015600f57600080fd5b506110568061001f6000396000f3fe608060405234801561001057600080fd5b50600436106100ff5760003560e01c806380b29f7c11610097578063a7068d6611610066578063a7068d66146102b5578063e476af5c146102c8578063f00d4b5d146102db578063f96d0f9f146102ee57600080fd5b806380b29f7c146102695780638733d4e81461027c578063930726841461028f5780639c2c1b2b146102a257600080fd5b8063240cf1fa116100d3578063240cf1fa146101b1578063622b2a3c146101c457806370ae92d2146102365780637ad4b0a41461025657600080fd5b8062c023da14610104578063022914a7146101195780630d44625b1461015f578063123b5e981461019e575b600080fd5b610117610112366004610b0b565b61030e565b005b610142610127366004610b65565b6000602081905290815260409020546001600160a01b031681565b6040516001600160a01b0390911681526020015b60405180910390f35b61019061016d366004610b80565b600160209081526000938452604080852082529284528284209052825290205481565b604051908152602001610156565b6101176101ac366004610bcd565b610321565b6101176101bf366004610c56565b610370565b6102266101d2366004610b80565b6001600160a01b039283166000908152600160209081526040808320815180840196909652815180870384018152958201825285519583019590952083529381528382209290941681529252902054421090565b6040519015158152602001610156565b610190610244366004610b65565b60036020526000908152604090205481565b610117610264366004610cad565b6103cd565b610117610277366004610b80565b6103e2565b61014261028a366004610b65565b6103f3565b61011761029d366004610d0f565b610424565b6101176102b0366004610d6e565b61048d565b6101176102c3366004610ddb565b610500565b6101176102d6366004610e1f565b61050d565b6101176102e9366004610ea1565b61054e565b6101906102fc366004610b65565b60026020526000908152604090205481565b61031b843385858561055d565b50505050565b60008484848460405160200161033a9493929190610ed4565b60405160208183030381529060405290506103658961035c8b8b8b8b876105c0565b87878787610733565b505050505050505050565b604080516a31b430b733b2a7bbb732b960a91b6020820152606083901b6001600160601b031916602b8201528151601f818303018152603f9091019091526103c5866103bf81888888876105c0565b8461079e565b505050505050565b6103db853386868686610733565b5050505050565b6103ee83338484610829565b505050565b6001600160a01b038082166000908152602081905260408120549091168061041b578261041d565b805b9392505050565b604080516d7265766f6b6544656c656761746560901b6020820152602e8101849052606083901b6001600160601b031916604e8201528151604281830301815260629091019091526104848761047d81898989876105c0565b8585610829565b50505050505050565b6040516a61646444656c656761746560a81b6020820152602b81018490526001600160601b0319606084901b16604b820152605f8101829052600090607f0160405160208183030381529060405290506104f6886104ee8a8a8a8a876105c0565b868686610951565b5050505050505050565b61031b8433858585610951565b600083838360405160200161052493929190610f04565b60405160208183030381529060405290506104f6886105468a8a8a8a876105c0565b86868661055d565b61055982338361079e565b5050565b6105678585610a0c565b846001600160a01b03167f18ab6b2ae3d64306c00ce663125f2bd680e441a098de1635bd7ad8b0d44965e484848460006105a08b610a59565b6040516105b1959493929190610f5f565b60405180910390a25050505050565b60006105cb866103f3565b6001600160a01b0381166000908152600360209081526040808320549051939450919261060792601960f81b9285923092918d918a9101610f8d565b60408051601f198184030181528282528051602091820120600080855291840180845281905260ff8a169284019290925260608301889052608083018790529092509060019060a0016020604051602081039080840390855afa158015610672573d6000803e3d6000fd5b5050604051601f1901519150506001600160a01b03811615806106a75750826001600160a01b0316816001600160a01b031614155b806106d157507f7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a085115b156106ff57604051639a7d38d960e01b81526001600160a01b03891660048201526024015b60405180910390fd5b6001600160a01b038316600090815260036020526040812080549161072383611017565b9190505550505095945050505050565b61073d8686610a0c565b856001600160a01b03167f18ab6b2ae3d64306c00ce663125f2bd680e441a098de1635bd7ad8b0d44965e485858561077486610a79565b61077d8c610a59565b60405161078e959493929190610f5f565b60405180910390a2505050505050565b6107a88383610a0c565b6001600160a01b03838116600081815260208190526040902080546001600160a01b031916928416929092179091557f38a5a6e68f30ed1ab45860a4afb34bcb2fc00f22ca462d249b8a8d40cda6f7a38261080286610a59565b604080516001600160a01b03909316835260208301919091520160405180910390a2505050565b6108338484610a0c565b60008260405160200161084891815260200190565b60408051601f1981840301815291815281516020928301206001600160a01b0380891660009081526001855283812083825285528381209187168152935291205490915042106108c55760405163efb5fabf60e01b81526001600160a01b03808716600483015260248201859052831660448201526064016106f6565b6001600160a01b038086166000818152600160209081526040808320868452825280832094871683529390529190912042908190557f5a5084339536bcab65f20799fcc58724588145ca054bd2be626174b27ba156f790859085906109298a610a59565b604080519485526001600160a01b0390931660208501529183015260608201526080016105b1565b61095b8585610a0c565b600061096682610a79565b6001600160a01b03878116600081815260016020908152604080832081518084018c90528251808203850181529083018352805190840120845282528083209489168352939052919091208290559091507f5a5084339536bcab65f20799fcc58724588145ca054bd2be626174b27ba156f78585846109e48b610a59565b604080519485526001600160a01b03909316602085015291830152606082015260800161078e565b610a15826103f3565b6001600160a01b0316816001600160a01b03161461055957604051631194af8760e11b81526001600160a01b038084166004830152821660248201526044016106f6565b6001600160a01b0316600090815260026020526040902080544390915590565b6000610a8742600019611030565b8211610a9c57610a978242611043565b610aa0565b6000195b92915050565b80356001600160a01b0381168114610abd57600080fd5b919050565b60008083601f840112610ad457600080fd5b50813567ffffffffffffffff811115610aec57600080fd5b602083019150836020828501011115610b0457600080fd5b9250929050565b60008060008060608587031215610b2157600080fd5b610b2a85610aa6565b935060208501359250604085013567ffffffffffffffff811115610b4d57600080fd5b610b5987828801610ac2565b95989497509550505050565b600060208284031215610b7757600080fd5b61041d82610aa6565b600080600060608486031215610b9557600080fd5b610b9e84610aa6565b925060208401359150610bb360408501610aa6565b90509250925092565b803560ff81168114610abd57600080fd5b60008060008060008060008060e0898b031215610be957600080fd5b610bf289610aa6565b9750610c0060208a01610bbc565b965060408901359550606089013594506080890135935060a089013567ffffffffffffffff811115610c3157600080fd5b610c3d8b828c01610ac2565b999c989b50969995989497949560c00135949350505050565b600080600080600060a08688031215610c6e57600080fd5b610c7786610aa6565b9450610c8560208701610bbc565b93506040860135925060608601359150610ca160808701610aa6565b90509295509295909350565b600080600080600060808688031215610cc557600080fd5b610cce86610aa6565b945060208601359350604086013567ffffffffffffffff811115610cf157600080fd5b610cfd88828901610ac2565b96999598509660600135949350505050565b60008060008060008060c08789031215610d2857600080fd5b610d3187610aa6565b9550610d3f60208801610bbc565b9450604087013593506060870135925060808701359150610d6260a08801610aa6565b90509295509295509295565b600080600080600080600060e0888a031215610d8957600080fd5b610d9288610aa6565b9650610da060208901610bbc565b9550604088013594506060880135935060808801359250610dc360a08901610aa6565b96999598509396929591949193505060c09091013590565b60008060008060808587031215610df157600080fd5b610dfa85610aa6565b935060208501359250610e0f60408601610aa6565b9396929550929360600135925050565b600080600080600080600060c0888a031215610e3a57600080fd5b610e4388610aa6565b9650610e5160208901610bbc565b955060408801359450606088013593506080880135925060a088013567ffffffffffffffff811115610e8257600080fd5b610e8e8a828b01610ac2565b989b979a50959850939692959293505050565b60008060408385031215610eb457600080fd5b610ebd83610aa6565b9150610ecb60208401610aa6565b90509250929050565b6b73657441747472696275746560a01b815284600c8201528284602c830137602c920191820152604c0192915050565b6e7265766f6b6541747472696275746560881b815283600f8201528183602f83013760009101602f0190815292915050565b81835281816020850137506000828201602090810191909152601f909101601f19169091010190565b858152608060208201526000610f79608083018688610f36565b604083019490945250606001529392505050565b6001600160f81b03198781168252861660018201526001600160601b0319606086811b821660028401526016830186905284901b1660368201528151600090815b81811015610feb576020818601810151604a868401015201610fce565b5060009201604a01918252509695505050505050565b634e487b7160e01b600052601160045260246000fd5b60006001820161102957611029611001565b5060010190565b81810381811115610aa057610aa0611001565b80820180821115610aa057610aa061100156",
}

// EthereumDIDRegistry is an auto generated Go binding around an Ethereum contract.
type EthereumDIDRegistry struct {
	abi abi.ABI
}

// GetABI returns the ABI associated with this contract binding.
func (c *EthereumDIDRegistry) GetABI() abi.ABI {
	return c.abi
}

// NewEthereumDIDRegistry creates a new instance of EthereumDIDRegistry.
func NewEthereumDIDRegistry() *EthereumDIDRegistry {
	parsed, err := EthereumDIDRegistryMetaData.ParseABI()
	if err != nil {
		panic(errors.New("invalid ABI: " + err.Error()))
	}
	return &EthereumDIDRegistry{abi: *parsed}
}

// Instance creates a wrapper for a deployed contract instance at the given address.
// Use this to create the instance object passed to abigen v2 library functions Call, Transact, etc.
func (c *EthereumDIDRegistry) Instance(backend bind.ContractBackend, addr common.Address) *bind.BoundContract {
	return bind.NewBoundContract(addr, c.abi, backend, backend, backend)
}

// PackAddDelegate is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa7068d66.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function addDelegate(address identity, bytes32 delegateType, address delegate, uint256 validity) returns()
func (ethereumDIDRegistry *EthereumDIDRegistry) PackAddDelegate(identity common.Address, delegateType [32]byte, delegate common.Address, validity *big.Int) []byte {
	enc, err := ethereumDIDRegistry.abi.Pack("addDelegate", identity, delegateType, delegate, validity)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackAddDelegate is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa7068d66.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function addDelegate(address identity, bytes32 delegateType, address delegate, uint256 validity) returns()
func (ethereumDIDRegistry *EthereumDIDRegistry) TryPackAddDelegate(identity common.Address, delegateType [32]byte, delegate common.Address, validity *big.Int) ([]byte, error) {
	return ethereumDIDRegistry.abi.Pack("addDelegate", identity, delegateType, delegate, validity)
}

// PackAddDelegateSigned is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x9c2c1b2b.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function addDelegateSigned(address identity, uint8 sigV, bytes32 sigR, bytes32 sigS, bytes32 delegateType, address delegate, uint256 validity) returns()
func (ethereumDIDRegistry *EthereumDIDRegistry) PackAddDelegateSigned(identity common.Address, sigV uint8, sigR [32]byte, sigS [32]byte, delegateType [32]byte, delegate common.Address, validity *big.Int) []byte {
	enc, err := ethereumDIDRegistry.abi.Pack("addDelegateSigned", identity, sigV, sigR, sigS, delegateType, delegate, validity)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackAddDelegateSigned is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x9c2c1b2b.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function addDelegateSigned(address identity, uint8 sigV, bytes32 sigR, bytes32 sigS, bytes32 delegateType, address delegate, uint256 validity) returns()
func (ethereumDIDRegistry *EthereumDIDRegistry) TryPackAddDelegateSigned(identity common.Address, sigV uint8, sigR [32]byte, sigS [32]byte, delegateType [32]byte, delegate common.Address, validity *big.Int) ([]byte, error) {
	return ethereumDIDRegistry.abi.Pack("addDelegateSigned", identity, sigV, sigR, sigS, delegateType, delegate, validity)
}

// PackChangeOwner is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xf00d4b5d.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function changeOwner(address identity, address newOwner) returns()
func (ethereumDIDRegistry *EthereumDIDRegistry) PackChangeOwner(identity common.Address, newOwner common.Address) []byte {
	enc, err := ethereumDIDRegistry.abi.Pack("changeOwner", identity, newOwner)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackChangeOwner is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xf00d4b5d.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function changeOwner(address identity, address newOwner) returns()
func (ethereumDIDRegistry *EthereumDIDRegistry) TryPackChangeOwner(identity common.Address, newOwner common.Address) ([]byte, error) {
	return ethereumDIDRegistry.abi.Pack("changeOwner", identity, newOwner)
}

// PackChangeOwnerSigned is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x240cf1fa.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function changeOwnerSigned(address identity, uint8 sigV, bytes32 sigR, bytes32 sigS, address newOwner) returns()
func (ethereumDIDRegistry *EthereumDIDRegistry) PackChangeOwnerSigned(identity common.Address, sigV uint8, sigR [32]byte, sigS [32]byte, newOwner common.Address) []byte {
	enc, err := ethereumDIDRegistry.abi.Pack("changeOwnerSigned", identity, sigV, sigR, sigS, newOwner)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackChangeOwnerSigned is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x240cf1fa.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function changeOwnerSigned(address identity, uint8 sigV, bytes32 sigR, bytes32 sigS, address newOwner) returns()
func (ethereumDIDRegistry *EthereumDIDRegistry) TryPackChangeOwnerSigned(identity common.Address, sigV uint8, sigR [32]byte, sigS [32]byte, newOwner common.Address) ([]byte, error) {
	return ethereumDIDRegistry.abi.Pack("changeOwnerSigned", identity, sigV, sigR, sigS, newOwner)
}

// PackChanged is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xf96d0f9f.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function changed(address ) view returns(uint256)
func (ethereumDIDRegistry *EthereumDIDRegistry) PackChanged(arg0 common.Address) []byte {
	enc, err := ethereumDIDRegistry.abi.Pack("changed", arg0)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackChanged is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xf96d0f9f.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function changed(address ) view returns(uint256)
func (ethereumDIDRegistry *EthereumDIDRegistry) TryPackChanged(arg0 common.Address) ([]byte, error) {
	return ethereumDIDRegistry.abi.Pack("changed", arg0)
}

// UnpackChanged is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xf96d0f9f.
//
// Solidity: function changed(address ) view returns(uint256)
func (ethereumDIDRegistry *EthereumDIDRegistry) UnpackChanged(data []byte) (*big.Int, error) {
	out, err := ethereumDIDRegistry.abi.Unpack("changed", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackDelegates is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x0d44625b.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function delegates(address , bytes32 , address ) view returns(uint256)
func (ethereumDIDRegistry *EthereumDIDRegistry) PackDelegates(arg0 common.Address, arg1 [32]byte, arg2 common.Address) []byte {
	enc, err := ethereumDIDRegistry.abi.Pack("delegates", arg0, arg1, arg2)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackDelegates is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x0d44625b.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function delegates(address , bytes32 , address ) view returns(uint256)
func (ethereumDIDRegistry *EthereumDIDRegistry) TryPackDelegates(arg0 common.Address, arg1 [32]byte, arg2 common.Address) ([]byte, error) {
	return ethereumDIDRegistry.abi.Pack("delegates", arg0, arg1, arg2)
}

// UnpackDelegates is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x0d44625b.
//
// Solidity: function delegates(address , bytes32 , address ) view returns(uint256)
func (ethereumDIDRegistry *EthereumDIDRegistry) UnpackDelegates(data []byte) (*big.Int, error) {
	out, err := ethereumDIDRegistry.abi.Unpack("delegates", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackIdentityOwner is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x8733d4e8.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function identityOwner(address identity) view returns(address)
func (ethereumDIDRegistry *EthereumDIDRegistry) PackIdentityOwner(identity common.Address) []byte {
	enc, err := ethereumDIDRegistry.abi.Pack("identityOwner", identity)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackIdentityOwner is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x8733d4e8.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function identityOwner(address identity) view returns(address)
func (ethereumDIDRegistry *EthereumDIDRegistry) TryPackIdentityOwner(identity common.Address) ([]byte, error) {
	return ethereumDIDRegistry.abi.Pack("identityOwner", identity)
}

// UnpackIdentityOwner is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x8733d4e8.
//
// Solidity: function identityOwner(address identity) view returns(address)
func (ethereumDIDRegistry *EthereumDIDRegistry) UnpackIdentityOwner(data []byte) (common.Address, error) {
	out, err := ethereumDIDRegistry.abi.Unpack("identityOwner", data)
	if err != nil {
		return *new(common.Address), err
	}
	out0 := *abi.ConvertType(out[0], new(common.Address)).(*common.Address)
	return out0, nil
}

// PackNonce is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x70ae92d2.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function nonce(address ) view returns(uint256)
func (ethereumDIDRegistry *EthereumDIDRegistry) PackNonce(arg0 common.Address) []byte {
	enc, err := ethereumDIDRegistry.abi.Pack("nonce", arg0)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackNonce is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x70ae92d2.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function nonce(address ) view returns(uint256)
func (ethereumDIDRegistry *EthereumDIDRegistry) TryPackNonce(arg0 common.Address) ([]byte, error) {
	return ethereumDIDRegistry.abi.Pack("nonce", arg0)
}

// UnpackNonce is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x70ae92d2.
//
// Solidity: function nonce(address ) view returns(uint256)
func (ethereumDIDRegistry *EthereumDIDRegistry) UnpackNonce(data []byte) (*big.Int, error) {
	out, err := ethereumDIDRegistry.abi.Unpack("nonce", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackOwners is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x022914a7.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function owners(address ) view returns(address)
func (ethereumDIDRegistry *EthereumDIDRegistry) PackOwners(arg0 common.Address) []byte {
	enc, err := ethereumDIDRegistry.abi.Pack("owners", arg0)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackOwners is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x022914a7.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function owners(address ) view returns(address)
func (ethereumDIDRegistry *EthereumDIDRegistry) TryPackOwners(arg0 common.Address) ([]byte, error) {
	return ethereumDIDRegistry.abi.Pack("owners", arg0)
}

// UnpackOwners is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x022914a7.
//
// Solidity: function owners(address ) view returns(address)
func (ethereumDIDRegistry *EthereumDIDRegistry) UnpackOwners(data []byte) (common.Address, error) {
	out, err := ethereumDIDRegistry.abi.Unpack("owners", data)
	if err != nil {
		return *new(common.Address), err
	}
	out0 := *abi.ConvertType(out[0], new(common.Address)).(*common.Address)
	return out0, nil
}

// PackRevokeAttribute is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x00c023da.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function revokeAttribute(address identity, bytes32 name, bytes value) returns()
func (ethereumDIDRegistry *EthereumDIDRegistry) PackRevokeAttribute(identity common.Address, name [32]byte, value []byte) []byte {
	enc, err := ethereumDIDRegistry.abi.Pack("revokeAttribute", identity, name, value)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackRevokeAttribute is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x00c023da.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function revokeAttribute(address identity, bytes32 name, bytes value) returns()
func (ethereumDIDRegistry *EthereumDIDRegistry) TryPackRevokeAttribute(identity common.Address, name [32]byte, value []byte) ([]byte, error) {
	return ethereumDIDRegistry.abi.Pack("revokeAttribute", identity, name, value)
}

// PackRevokeAttributeSigned is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xe476af5c.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function revokeAttributeSigned(address identity, uint8 sigV, bytes32 sigR, bytes32 sigS, bytes32 name, bytes value) returns()
func (ethereumDIDRegistry *EthereumDIDRegistry) PackRevokeAttributeSigned(identity common.Address, sigV uint8, sigR [32]byte, sigS [32]byte, name [32]byte, value []byte) []byte {
	enc, err := ethereumDIDRegistry.abi.Pack("revokeAttributeSigned", identity, sigV, sigR, sigS, name, value)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackRevokeAttributeSigned is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xe476af5c.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function revokeAttributeSigned(address identity, uint8 sigV, bytes32 sigR, bytes32 sigS, bytes32 name, bytes value) returns()
func (ethereumDIDRegistry *EthereumDIDRegistry) TryPackRevokeAttributeSigned(identity common.Address, sigV uint8, sigR [32]byte, sigS [32]byte, name [32]byte, value []byte) ([]byte, error) {
	return ethereumDIDRegistry.abi.Pack("revokeAttributeSigned", identity, sigV, sigR, sigS, name, value)
}

// PackRevokeDelegate is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x80b29f7c.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function revokeDelegate(address identity, bytes32 delegateType, address delegate) returns()
func (ethereumDIDRegistry *EthereumDIDRegistry) PackRevokeDelegate(identity common.Address, delegateType [32]byte, delegate common.Address) []byte {
	enc, err := ethereumDIDRegistry.abi.Pack("revokeDelegate", identity, delegateType, delegate)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackRevokeDelegate is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x80b29f7c.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function revokeDelegate(address identity, bytes32 delegateType, address delegate) returns()
func (ethereumDIDRegistry *EthereumDIDRegistry) TryPackRevokeDelegate(identity common.Address, delegateType [32]byte, delegate common.Address) ([]byte, error) {
	return ethereumDIDRegistry.abi.Pack("revokeDelegate", identity, delegateType, delegate)
}

// PackRevokeDelegateSigned is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x93072684.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function revokeDelegateSigned(address identity, uint8 sigV, bytes32 sigR, bytes32 sigS, bytes32 delegateType, address delegate) returns()
func (ethereumDIDRegistry *EthereumDIDRegistry) PackRevokeDelegateSigned(identity common.Address, sigV uint8, sigR [32]byte, sigS [32]byte, delegateType [32]byte, delegate common.Address) []byte {
	enc, err := ethereumDIDRegistry.abi.Pack("revokeDelegateSigned", identity, sigV, sigR, sigS, delegateType, delegate)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackRevokeDelegateSigned is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x93072684.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function revokeDelegateSigned(address identity, uint8 sigV, bytes32 sigR, bytes32 sigS, bytes32 delegateType, address delegate) returns()
func (ethereumDIDRegistry *EthereumDIDRegistry) TryPackRevokeDelegateSigned(identity common.Address, sigV uint8, sigR [32]byte, sigS [32]byte, delegateType [32]byte, delegate common.Address) ([]byte, error) {
	return ethereumDIDRegistry.abi.Pack("revokeDelegateSigned", identity, sigV, sigR, sigS, delegateType, delegate)
}

// PackSetAttribute is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x7ad4b0a4.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function setAttribute(address identity, bytes32 name, bytes value, uint256 validity) returns()
func (ethereumDIDRegistry *EthereumDIDRegistry) PackSetAttribute(identity common.Address, name [32]byte, value []byte, validity *big.Int) []byte {
	enc, err := ethereumDIDRegistry.abi.Pack("setAttribute", identity, name, value, validity)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackSetAttribute is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x7ad4b0a4.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function setAttribute(address identity, bytes32 name, bytes value, uint256 validity) returns()
func (ethereumDIDRegistry *EthereumDIDRegistry) TryPackSetAttribute(identity common.Address, name [32]byte, value []byte, validity *big.Int) ([]byte, error) {
	return ethereumDIDRegistry.abi.Pack("setAttribute", identity, name, value, validity)
}

// PackSetAttributeSigned is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x123b5e98.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function setAttributeSigned(address identity, uint8 sigV, bytes32 sigR, bytes32 sigS, bytes32 name, bytes value, uint256 validity) returns()
func (ethereumDIDRegistry *EthereumDIDRegistry) PackSetAttributeSigned(identity common.Address, sigV uint8, sigR [32]byte, sigS [32]byte, name [32]byte, value []byte, validity *big.Int) []byte {
	enc, err := ethereumDIDRegistry.abi.Pack("setAttributeSigned", identity, sigV, sigR, sigS, name, value, validity)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackSetAttributeSigned is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x123b5e98.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function setAttributeSigned(address identity, uint8 sigV, bytes32 sigR, bytes32 sigS, bytes32 name, bytes value, uint256 validity) returns()
func (ethereumDIDRegistry *EthereumDIDRegistry) TryPackSetAttributeSigned(identity common.Address, sigV uint8, sigR [32]byte, sigS [32]byte, name [32]byte, value []byte, validity *big.Int) ([]byte, error) {
	return ethereumDIDRegistry.abi.Pack("setAttributeSigned", identity, sigV, sigR, sigS, name, value, validity)
}

// PackValidDelegate is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x622b2a3c.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function validDelegate(address identity, bytes32 delegateType, address delegate) view returns(bool)
func (ethereumDIDRegistry *EthereumDIDRegistry) PackValidDelegate(identity common.Address, delegateType [32]byte, delegate common.Address) []byte {
	enc, err := ethereumDIDRegistry.abi.Pack("validDelegate", identity, delegateType, delegate)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackValidDelegate is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x622b2a3c.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function validDelegate(address identity, bytes32 delegateType, address delegate) view returns(bool)
func (ethereumDIDRegistry *EthereumDIDRegistry) TryPackValidDelegate(identity common.Address, delegateType [32]byte, delegate common.Address) ([]byte, error) {
	return ethereumDIDRegistry.abi.Pack("validDelegate", identity, delegateType, delegate)
}

// UnpackValidDelegate is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x622b2a3c.
//
// Solidity: function validDelegate(address identity, bytes32 delegateType, address delegate) view returns(bool)
func (ethereumDIDRegistry *EthereumDIDRegistry) UnpackValidDelegate(data []byte) (bool, error) {
	out, err := ethereumDIDRegistry.abi.Unpack("validDelegate", data)
	if err != nil {
		return *new(bool), err
	}
	out0 := *abi.ConvertType(out[0], new(bool)).(*bool)
	return out0, nil
}

// EthereumDIDRegistryDIDAttributeChanged represents a DIDAttributeChanged event raised by the EthereumDIDRegistry contract.
type EthereumDIDRegistryDIDAttributeChanged struct {
	Identity       common.Address
	Name           [32]byte
	Value          []byte
	ValidTo        *big.Int
	PreviousChange *big.Int
	Raw            *types.Log // Blockchain specific contextual infos
}

const EthereumDIDRegistryDIDAttributeChangedEventName = "DIDAttributeChanged"

// ContractEventName returns the user-defined event name.
func (EthereumDIDRegistryDIDAttributeChanged) ContractEventName() string {
	return EthereumDIDRegistryDIDAttributeChangedEventName
}

// UnpackDIDAttributeChangedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event DIDAttributeChanged(address indexed identity, bytes32 name, bytes value, uint256 validTo, uint256 previousChange)
func (ethereumDIDRegistry *EthereumDIDRegistry) UnpackDIDAttributeChangedEvent(log *types.Log) (*EthereumDIDRegistryDIDAttributeChanged, error) {
	event := "DIDAttributeChanged"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != ethereumDIDRegistry.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(EthereumDIDRegistryDIDAttributeChanged)
	if len(log.Data) > 0 {
		if err := ethereumDIDRegistry.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range ethereumDIDRegistry.abi.Events[event].Inputs {
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

// EthereumDIDRegistryDIDDelegateChanged represents a DIDDelegateChanged event raised by the EthereumDIDRegistry contract.
type EthereumDIDRegistryDIDDelegateChanged struct {
	Identity       common.Address
	DelegateType   [32]byte
	Delegate       common.Address
	ValidTo        *big.Int
	PreviousChange *big.Int
	Raw            *types.Log // Blockchain specific contextual infos
}

const EthereumDIDRegistryDIDDelegateChangedEventName = "DIDDelegateChanged"

// ContractEventName returns the user-defined event name.
func (EthereumDIDRegistryDIDDelegateChanged) ContractEventName() string {
	return EthereumDIDRegistryDIDDelegateChangedEventName
}

// UnpackDIDDelegateChangedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event DIDDelegateChanged(address indexed identity, bytes32 delegateType, address delegate, uint256 validTo, uint256 previousChange)
func (ethereumDIDRegistry *EthereumDIDRegistry) UnpackDIDDelegateChangedEvent(log *types.Log) (*EthereumDIDRegistryDIDDelegateChanged, error) {
	event := "DIDDelegateChanged"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != ethereumDIDRegistry.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(EthereumDIDRegistryDIDDelegateChanged)
	if len(log.Data) > 0 {
		if err := ethereumDIDRegistry.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range ethereumDIDRegistry.abi.Events[event].Inputs {
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

// EthereumDIDRegistryDIDOwnerChanged represents a DIDOwnerChanged event raised by the EthereumDIDRegistry contract.
type EthereumDIDRegistryDIDOwnerChanged struct {
	Identity       common.Address
	Owner          common.Address
	PreviousChange *big.Int
	Raw            *types.Log // Blockchain specific contextual infos
}

const EthereumDIDRegistryDIDOwnerChangedEventName = "DIDOwnerChanged"

// ContractEventName returns the user-defined event name.
func (EthereumDIDRegistryDIDOwnerChanged) ContractEventName() string {
	return EthereumDIDRegistryDIDOwnerChangedEventName
}

// UnpackDIDOwnerChangedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event DIDOwnerChanged(address indexed identity, address owner, uint256 previousChange)
func (ethereumDIDRegistry *EthereumDIDRegistry) UnpackDIDOwnerChangedEvent(log *types.Log) (*EthereumDIDRegistryDIDOwnerChanged, error) {
	event := "DIDOwnerChanged"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != ethereumDIDRegistry.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(EthereumDIDRegistryDIDOwnerChanged)
	if len(log.Data) > 0 {
		if err := ethereumDIDRegistry.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range ethereumDIDRegistry.abi.Events[event].Inputs {
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
func (ethereumDIDRegistry *EthereumDIDRegistry) UnpackError(raw []byte) (any, error) {
	if bytes.Equal(raw[:4], ethereumDIDRegistry.abi.Errors["BadSignature"].ID.Bytes()[:4]) {
		return ethereumDIDRegistry.UnpackBadSignatureError(raw[4:])
	}
	if bytes.Equal(raw[:4], ethereumDIDRegistry.abi.Errors["NotDelegate"].ID.Bytes()[:4]) {
		return ethereumDIDRegistry.UnpackNotDelegateError(raw[4:])
	}
	if bytes.Equal(raw[:4], ethereumDIDRegistry.abi.Errors["NotOwner"].ID.Bytes()[:4]) {
		return ethereumDIDRegistry.UnpackNotOwnerError(raw[4:])
	}
	return nil, errors.New("Unknown error")
}

// EthereumDIDRegistryBadSignature represents a BadSignature error raised by the EthereumDIDRegistry contract.
type EthereumDIDRegistryBadSignature struct {
	Identity common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error BadSignature(address identity)
func EthereumDIDRegistryBadSignatureErrorID() common.Hash {
	return common.HexToHash("0x9a7d38d94d3da0d5188ab778bbe9a3a38c77802b1bf2426c15740dc786da791d")
}

// UnpackBadSignatureError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error BadSignature(address identity)
func (ethereumDIDRegistry *EthereumDIDRegistry) UnpackBadSignatureError(raw []byte) (*EthereumDIDRegistryBadSignature, error) {
	out := new(EthereumDIDRegistryBadSignature)
	if err := ethereumDIDRegistry.abi.UnpackIntoInterface(out, "BadSignature", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// EthereumDIDRegistryNotDelegate represents a NotDelegate error raised by the EthereumDIDRegistry contract.
type EthereumDIDRegistryNotDelegate struct {
	Identity     common.Address
	DelegateType [32]byte
	Delegate     common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error NotDelegate(address identity, bytes32 delegateType, address delegate)
func EthereumDIDRegistryNotDelegateErrorID() common.Hash {
	return common.HexToHash("0xefb5fabf1d49741595fcf335dd737a627de18c8e17e904e918c30b98ce8c8c9e")
}

// UnpackNotDelegateError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error NotDelegate(address identity, bytes32 delegateType, address delegate)
func (ethereumDIDRegistry *EthereumDIDRegistry) UnpackNotDelegateError(raw []byte) (*EthereumDIDRegistryNotDelegate, error) {
	out := new(EthereumDIDRegistryNotDelegate)
	if err := ethereumDIDRegistry.abi.UnpackIntoInterface(out, "NotDelegate", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// EthereumDIDRegistryNotOwner represents a NotOwner error raised by the EthereumDIDRegistry contract.
type EthereumDIDRegistryNotOwner struct {
	Identity common.Address
	Actor    common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error NotOwner(address identity, address actor)
func EthereumDIDRegistryNotOwnerErrorID() common.Hash {
	return common.HexToHash("0x23295f0e104d137d137555eb51dbe25a9e6827007f9feb6ae8bb562312e3e202")
}

// UnpackNotOwnerError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error NotOwner(address identity, address actor)
func (ethereumDIDRegistry *EthereumDIDRegistry) UnpackNotOwnerError(raw []byte) (*EthereumDIDRegistryNotOwner, error) {
	out := new(EthereumDIDRegistryNotOwner)
	if err := ethereumDIDRegistry.abi.UnpackIntoInterface(out, "NotOwner", raw); err != nil {
		return nil, err
	}
	return out, nil
}
