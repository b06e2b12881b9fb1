package envelope

import (
	"context"
	"encoding/base32"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
)

// DIDStates answers from chain state which keys may sign for a DID.
type DIDStates interface {
	// Entitled returns nil when signer is the controller of did or one of its
	// veriKey delegates, valid at a fresh chain head; else an error with code
	// cert, or did_stale when it cannot say.
	Entitled(ctx context.Context, did string, signer common.Address) error
}

// entitled asks for a DID's key; what is not entitled is refused under this
// code, and what cannot be said for whatever reason is did_stale, which waits.
func entitled(ctx context.Context, states DIDStates, did string, signer common.Address, code Code) error {
	err := states.Entitled(ctx, did, signer)
	switch {
	case err == nil:
		return nil
	case CodeOf(err) == BadCert:
		return code.Errorf("signed by %s, which %s does not entitle: %w", signer, did, err)
	}
	return DIDStale.Errorf("keys of %s: %w", did, err)
}

// checkDID demands the normal form of a did:ethr (section 4).
func checkDID(did string) error {
	if _, ok := chainOf(did); !ok {
		return fail(Malformed, "DID is not a did:ethr in normal form")
	}
	return nil
}

// chainOf returns the chain id of a did:ethr in normal form.
func chainOf(did string) (uint64, bool) {
	rest, ok := strings.CutPrefix(did, "did:ethr:")
	if !ok || len(did) > MaxDID {
		return 0, false
	}
	network, address, ok := strings.Cut(rest, ":")
	if !ok || len(address) != 42 || !common.IsHexAddress(address) || common.HexToAddress(address).Hex() != address {
		return 0, false
	}
	switch network {
	case "ewc":
		return chainEWC, true
	case "volta":
		return chainVolta, true
	}
	digits, ok := strings.CutPrefix(network, "0x")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 53)
	if err != nil || n == 0 || n == chainEWC || n == chainVolta || strconv.FormatUint(n, 16) != digits {
		return 0, false
	}
	return n, true
}

// Chains whose DIDs write a name instead of a number.
const (
	chainEWC   = 246
	chainVolta = 73799
)

var addressEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// AddressSize is the length of an address of section 4.
const AddressSize = 26

// Address returns the address of a gateway instance, as it stands in subjects:
// the first 26 characters of the lower-case base32 of
// H("spine/1 address" || did || 0x00 || u64 inst).
func Address(did string, inst uint64) string {
	var tail [9]byte
	binary.BigEndian.PutUint64(tail[1:], inst)
	h := hash(labelAddress, []byte(did), tail[:])
	return addressEncoding.EncodeToString(h[:])[:AddressSize]
}

// CheckRoute is E2, and the first half of G1 and R1: the recipient of the
// subject is this gateway's own address, and its sender is not. Else rebound.
func CheckRoute(own, recipient, sender string) error {
	if recipient != own {
		return fail(Rebound, "subject names another recipient")
	}
	if sender == own {
		return fail(Rebound, "sender is this gateway itself")
	}
	return nil
}

// checkInst demands an instance number of 0..7.
func checkInst(inst uint64) error {
	if inst >= MaxInstances {
		return fail(Malformed, "instance is not 0..7")
	}
	return nil
}
