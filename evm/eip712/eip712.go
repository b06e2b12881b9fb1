package eip712

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Name and Version stand in the domain of every signature of this protocol.
const (
	Name    = "Digital Spine"
	Version = "1"
)

// ErrType says that a type is not a flat struct, or that the values given do
// not fit it.
var ErrType = errors.New("eip712: values do not fit the type")

// Domain binds a signature to one chain and to the ERC-1056 registry on it.
// It comes from the verifier's own configuration, never from the object that
// is verified.
type Domain struct {
	ChainID  uint64
	Registry common.Address
}

// Separator returns the domain separator (EIP-712, "domainSeparator").
func (d Domain) Separator() [32]byte {
	typ := crypto.Keccak256([]byte("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"))
	var words [5 * 32]byte
	copy(words[0:], typ)
	copy(words[32:], crypto.Keccak256([]byte(Name)))
	copy(words[64:], crypto.Keccak256([]byte(Version)))
	binary.BigEndian.PutUint64(words[4*32-8:], d.ChainID)
	copy(words[5*32-common.AddressLength:], d.Registry[:])
	return [32]byte(crypto.Keccak256(words[:]))
}

// TypeHash returns the Keccak-256 hash of an encoded type, such as
// "Mail(string from,uint64 at)".
func TypeHash(typ string) [32]byte { return [32]byte(crypto.Keccak256([]byte(typ))) }

// Digest returns what is signed: keccak256(0x1901 || separator || struct
// hash). typ is the encoded type with its members in order, and values are one
// Go value for each: string for string, []byte for bytes, [32]byte (or a type
// of that shape with a Bytes32 method) for bytes32, bool, common.Address for
// address, and any unsigned integer for uint8 to uint256. A value that does
// not fit its member is an error of [ErrType].
func Digest(d Domain, typ string, values ...any) ([32]byte, error) {
	members, err := parse(typ)
	if err != nil {
		return [32]byte{}, err
	}
	if len(members) != len(values) {
		return [32]byte{}, fmt.Errorf("%w: %d members, %d values", ErrType, len(members), len(values))
	}
	words := make([]byte, 0, 32*(1+len(members)))
	hash := TypeHash(typ)
	words = append(words, hash[:]...)
	for i, m := range members {
		word, err := encode(m, values[i])
		if err != nil {
			return [32]byte{}, err
		}
		words = append(words, word[:]...)
	}
	separator := d.Separator()
	return [32]byte(crypto.Keccak256([]byte{0x19, 0x01}, separator[:], crypto.Keccak256(words))), nil
}

// member is one member of a struct: its Solidity type and its name.
type member struct{ typ, name string }

// parse takes an encoded type apart.
func parse(typ string) ([]member, error) {
	name, rest, ok := strings.Cut(typ, "(")
	if !ok || name == "" || !strings.HasSuffix(rest, ")") || strings.Count(rest, ")") != 1 {
		return nil, fmt.Errorf("%w: %q is not a flat struct type", ErrType, typ)
	}
	var members []member
	for part := range strings.SplitSeq(strings.TrimSuffix(rest, ")"), ",") {
		t, n, ok := strings.Cut(part, " ")
		if !ok || n == "" {
			return nil, fmt.Errorf("%w: member %q has no name", ErrType, part)
		}
		members = append(members, member{typ: t, name: n})
	}
	return members, nil
}

// encode returns encodeData of one atomic or dynamic value.
func encode(m member, value any) (word [32]byte, err error) {
	misfit := func() ([32]byte, error) {
		return [32]byte{}, fmt.Errorf("%w: %s %s cannot hold a %T", ErrType, m.typ, m.name, value)
	}
	switch m.typ {
	case "string":
		s, ok := value.(string)
		if !ok {
			return misfit()
		}
		return [32]byte(crypto.Keccak256([]byte(s))), nil
	case "bytes":
		b, ok := value.([]byte)
		if !ok {
			return misfit()
		}
		return [32]byte(crypto.Keccak256(b)), nil
	case "bytes32":
		switch b := value.(type) {
		case [32]byte:
			return b, nil
		case interface{ Bytes32() [32]byte }:
			return b.Bytes32(), nil
		}
		return misfit()
	case "address":
		a, ok := value.(common.Address)
		if !ok {
			return misfit()
		}
		copy(word[12:], a[:])
		return word, nil
	case "bool":
		b, ok := value.(bool)
		if !ok {
			return misfit()
		}
		if b {
			word[31] = 1
		}
		return word, nil
	}
	bits, ok := unsignedBits(m.typ)
	if !ok {
		return word, fmt.Errorf("%w: type %q of %s is not supported", ErrType, m.typ, m.name)
	}
	n, ok := unsigned(value)
	if !ok || bits < 64 && n>>bits != 0 {
		return misfit()
	}
	binary.BigEndian.PutUint64(word[24:], n)
	return word, nil
}

// unsignedBits returns the width of an unsigned Solidity integer type.
func unsignedBits(typ string) (uint, bool) {
	switch typ {
	case "uint8":
		return 8, true
	case "uint16":
		return 16, true
	case "uint32":
		return 32, true
	case "uint64":
		return 64, true
	case "uint256":
		return 256, true
	}
	return 0, false
}

func unsigned(value any) (uint64, bool) {
	switch n := value.(type) {
	case uint8:
		return uint64(n), true
	case uint16:
		return uint64(n), true
	case uint32:
		return uint64(n), true
	case uint64:
		return n, true
	case int64:
		return uint64(n), n >= 0
	case int:
		return uint64(n), n >= 0
	}
	return 0, false
}
