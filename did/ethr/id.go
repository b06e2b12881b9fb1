package ethr

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/did"
)

// Chain ids that have a name in a DID. All others are written in hexadecimal.
const (
	ChainEWC   uint64 = 246
	ChainVolta uint64 = 73799
)

// maxChainID keeps chain ids within the integers that JSON and CBOR carry
// without loss.
const maxChainID = 1<<53 - 1

// ID is a did:ethr taken apart: the chain and the address on it.
type ID struct {
	ChainID uint64
	Address common.Address
}

// Parse takes a DID apart that is in normal form:
// did:ethr:<network>:<EIP-55 address>, where the network is "ewc", "volta" or
// 0x and the lower-case hexadecimal chain id without leading zeros. Anything
// else, also another spelling of the same DID, is an error of
// [did.ErrSyntax].
func Parse(s string) (ID, error) {
	id, err := parse(s)
	if err != nil {
		return ID{}, err
	}
	if id.String() != s {
		return ID{}, fmt.Errorf("%w: not in normal form, which is %s", did.ErrSyntax, id)
	}
	return id, nil
}

// Normalize brings any spelling of a did:ethr to its normal form: hexadecimal
// network names of chains that have a name, leading zeros, addresses in one
// case. An address in mixed case must carry its EIP-55 check, since a typing
// error would otherwise name somebody else; and a DID without a network is
// refused, since readers disagree on the chain it means.
func Normalize(s string) (string, error) {
	id, err := parse(s)
	if err != nil {
		return "", err
	}
	return id.String(), nil
}

// String returns the DID in normal form.
func (id ID) String() string {
	return "did:ethr:" + Network(id.ChainID) + ":" + id.Address.Hex()
}

// Network returns the name of a chain as it stands in a DID.
func Network(chainID uint64) string {
	switch chainID {
	case ChainEWC:
		return "ewc"
	case ChainVolta:
		return "volta"
	}
	return "0x" + strconv.FormatUint(chainID, 16)
}

func parse(s string) (ID, error) {
	if len(s) > did.MaxLength {
		return ID{}, fmt.Errorf("%w: longer than %d bytes", did.ErrSyntax, did.MaxLength)
	}
	rest, ok := strings.CutPrefix(s, "did:ethr:")
	if !ok {
		return ID{}, fmt.Errorf("%w: the prefix is not did:ethr", did.ErrSyntax)
	}
	network, address, ok := strings.Cut(rest, ":")
	if !ok {
		return ID{}, fmt.Errorf("%w: names no network", did.ErrSyntax)
	}
	chainID, err := parseNetwork(network)
	if err != nil {
		return ID{}, err
	}
	a, err := parseAddress(address)
	if err != nil {
		return ID{}, err
	}
	return ID{ChainID: chainID, Address: a}, nil
}

func parseNetwork(s string) (uint64, error) {
	switch strings.ToLower(s) {
	case "ewc":
		return ChainEWC, nil
	case "volta":
		return ChainVolta, nil
	}
	digits, ok := strings.CutPrefix(s, "0x")
	if !ok {
		return 0, fmt.Errorf("%w: network is neither ewc, volta nor 0x and a chain id", did.ErrSyntax)
	}
	n, err := strconv.ParseUint(digits, 16, 64)
	if err != nil || n == 0 || n > maxChainID || strings.ContainsAny(digits, "+_") {
		return 0, fmt.Errorf("%w: network is not a hexadecimal chain id", did.ErrSyntax)
	}
	return n, nil
}

func parseAddress(s string) (common.Address, error) {
	if len(s) != 2+2*common.AddressLength || s[:2] != "0x" || !common.IsHexAddress(s) {
		return common.Address{}, fmt.Errorf("%w: address is not 0x and 40 hexadecimal digits", did.ErrSyntax)
	}
	a := common.HexToAddress(s)
	digits := s[2:]
	if digits != strings.ToLower(digits) && digits != strings.ToUpper(digits) && a.Hex() != s {
		return common.Address{}, fmt.Errorf("%w: address fails its EIP-55 check", did.ErrSyntax)
	}
	return a, nil
}
