package eip712

import (
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
)

var domain = Domain{ChainID: 1337, Registry: common.HexToAddress("0x1111111111111111111111111111111111111111")}

const mixed = "Mixed(string text,bytes data,bytes32 word,address who,bool yes,uint8 small,uint64 big,uint256 bigger)"

// TestAgainstGoEthereum computes the same digest with go-ethereum's general
// implementation.
func TestAgainstGoEthereum(t *testing.T) {
	word := crypto.Keccak256([]byte("word"))
	who := common.HexToAddress("0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf")
	got, err := Digest(domain, mixed, "text", []byte{1, 2}, [32]byte(word), who, true, uint8(7), int64(1<<53-1), uint64(1<<63))
	if err != nil {
		t.Fatal(err)
	}
	var members []apitypes.Type
	for part := range strings.SplitSeq(mixed[len("Mixed("):len(mixed)-1], ",") {
		typ, name, _ := strings.Cut(part, " ")
		members = append(members, apitypes.Type{Name: name, Type: typ})
	}
	data := apitypes.TypedData{
		Types: apitypes.Types{
			"EIP712Domain": {{Name: "name", Type: "string"}, {Name: "version", Type: "string"}, {Name: "chainId", Type: "uint256"}, {Name: "verifyingContract", Type: "address"}},
			"Mixed":        members,
		},
		PrimaryType: "Mixed",
		Domain: apitypes.TypedDataDomain{
			Name: Name, Version: Version, ChainId: math.NewHexOrDecimal256(1337), VerifyingContract: domain.Registry.Hex(),
		},
		Message: apitypes.TypedDataMessage{
			"text": "text", "data": []byte{1, 2}, "word": word, "who": who.Hex(), "yes": true,
			"small": big.NewInt(7), "big": big.NewInt(1<<53 - 1), "bigger": new(big.Int).SetUint64(1 << 63),
		},
	}
	want, _, err := apitypes.TypedDataAndHash(data)
	if err != nil {
		t.Fatal(err)
	}
	if string(got[:]) != string(want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestDigestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		typ    string
		values []any
	}{
		"no name":        {"(string a)", []any{""}},
		"no bracket":     {"A string a", []any{""}},
		"nested":         {"A(B b)B(string c)", []any{""}},
		"array":          {"A(string[] a)", []any{""}},
		"member unnamed": {"A(string)", []any{""}},
		"signed":         {"A(int8 a)", []any{1}},
		"too few":        {"A(string a,string b)", []any{""}},
		"too many":       {"A(string a)", []any{"", ""}},
		"string":         {"A(string a)", []any{1}},
		"bytes":          {"A(bytes a)", []any{""}},
		"bytes32":        {"A(bytes32 a)", []any{[]byte{}}},
		"bool":           {"A(bool a)", []any{1}},
		"address":        {"A(address a)", []any{""}},
		"uint8 of 256":   {"A(uint8 a)", []any{uint64(256)}},
		"uint32 of 2^32": {"A(uint32 a)", []any{uint64(1 << 32)}},
		"negative":       {"A(uint64 a)", []any{-1}},
		"negative int64": {"A(uint64 a)", []any{int64(-1)}},
		"float":          {"A(uint64 a)", []any{1.0}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Digest(domain, c.typ, c.values...); !errors.Is(err, ErrType) {
				t.Errorf("got %v, want ErrType", err)
			}
		})
	}
}

func TestSignature(t *testing.T) {
	key, err := crypto.ToECDSA(common.LeftPadBytes([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	digest := [32]byte(crypto.Keccak256([]byte("message")))
	sig, err := Sign(key, digest)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := Sign(key, digest)
	if string(again) != string(sig) {
		t.Error("signing is not deterministic")
	}
	address, err := Recover(digest, sig)
	if err != nil || address != crypto.PubkeyToAddress(key.PublicKey) {
		t.Fatalf("recovered %s, %v", address, err)
	}
	edited := func(edit func(sig []byte)) []byte {
		b := append([]byte(nil), sig...)
		edit(b)
		return b
	}
	for name, bad := range map[string][]byte{
		"empty": nil, "64 bytes": sig[:64], "66 bytes": append(append([]byte(nil), sig...), 0),
		"v 0":  edited(func(b []byte) { b[64] -= 27 }),
		"v 29": edited(func(b []byte) { b[64] = 29 }),
		"high s": edited(func(b []byte) {
			n := crypto.S256().Params().N
			new(big.Int).Sub(n, new(big.Int).SetBytes(b[32:64])).FillBytes(b[32:64])
			b[64] ^= 27 ^ 28
		}),
		"s zero": edited(func(b []byte) { clear(b[32:64]) }),
		"r zero": edited(func(b []byte) { clear(b[:32]) }),
		"r over": edited(func(b []byte) { copy(b, crypto.S256().Params().N.Bytes()) }),
	} {
		if _, err := Recover(digest, bad); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: got %v, want ErrSignature", name, err)
		}
	}
	other := digest
	other[0]++
	if a, _ := Recover(other, sig); a == address {
		t.Error("signature holds for another digest")
	}
}

// TestKnownAnswers has values of docs/protocol.md section 36.
func TestKnownAnswers(t *testing.T) {
	separator := domain.Separator()
	if got := hex.EncodeToString(separator[:]); got != "b4bbbe505c4b56d0046656e9c2bc9c57b16d0c4333dd90b9d8a271e2bc078620" {
		t.Errorf("domain separator %s", got)
	}
	hash := TypeHash("GatewayKey(string did,uint64 instance,bytes32 ed25519,uint64 notBefore,uint64 notAfter,uint64 floor)")
	if got := hex.EncodeToString(hash[:]); got != "9436b2f74608cae6719a5b82918a9ac9ff73eb4b051ecbe1c03a352c36fcdb23" {
		t.Errorf("type hash %s", got)
	}
}

func FuzzRecover(f *testing.F) {
	f.Add(make([]byte, 65))
	f.Fuzz(func(t *testing.T, sig []byte) {
		if _, err := Recover([32]byte{1}, sig); err != nil && !errors.Is(err, ErrSignature) {
			t.Error(err)
		}
	})
}
