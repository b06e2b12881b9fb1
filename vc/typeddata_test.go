package vc

import (
	"encoding/hex"
	"testing"

	"github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
)

// What a wallet shows and signs is the same message: go-ethereum's own typed
// data hashing comes to the same digest.
func TestWalletsAgree(t *testing.T) {
	_, raw := sample(t)
	c, err := ParseRole(raw)
	if err != nil {
		t.Fatal(err)
	}
	want, err := c.TypedDigest(testDomain)
	if err != nil {
		t.Fatal(err)
	}
	var members []apitypes.Type
	for _, name := range []string{"id", "issuer", "subject", "role", "validFrom", "validUntil", "parent", "statusList"} {
		members = append(members, apitypes.Type{Name: name, Type: "string"})
	}
	members = append(members, apitypes.Type{Name: "statusIndex", Type: "uint64"})
	got, _, err := apitypes.TypedDataAndHash(apitypes.TypedData{
		Types: apitypes.Types{
			"EIP712Domain": {{Name: "name", Type: "string"}, {Name: "version", Type: "string"}, {Name: "chainId", Type: "uint256"},
				{Name: "verifyingContract", Type: "address"}},
			"RoleCredential": members,
		},
		PrimaryType: "RoleCredential",
		Domain: apitypes.TypedDataDomain{Name: "Digital Spine", Version: "1", ChainId: math.NewHexOrDecimal256(1337),
			VerifyingContract: testDomain.Registry.Hex()},
		Message: apitypes.TypedDataMessage{"id": c.ID, "issuer": c.Issuer, "subject": c.Subject, "role": c.Role,
			"validFrom": "2026-01-01T00:00:00Z", "validUntil": "2026-01-01T00:00:05Z", "parent": hex.EncodeToString(c.Parent[:]),
			"statusList": c.StatusList, "statusIndex": "42"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if [32]byte(got) != want {
		t.Errorf("digest %x, want %x", got, want)
	}
}
