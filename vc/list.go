package vc

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/evm/eip712"
)

// listType is the EIP-712 type of a status list.
const listType = "StatusList(string id,string issuer,string purpose,string validFrom,string encodedList)"

// StatusList is an issuer's signed list of revocations (Bitstring Status List
// 1.0). It is signed by the issuer's DID key when it changes; that it is the
// newest one is said by a spine/status structure under the issuer's instance
// key every few seconds.
type StatusList struct {
	ID        string // ListID
	Issuer    string // DID in normal form
	ValidFrom int64  // ms since 1970, whole seconds
	Encoded   string // Bitstring.Encode
	Proof     [65]byte
}

// TypedDigest returns the EIP-712 digest that the issuer signs.
func (l *StatusList) TypedDigest(d Domain) ([32]byte, error) {
	return eip712.Digest(d, listType, l.ID, l.Issuer, purposeRevocation, formatTime(l.ValidFrom), l.Encoded)
}

// Signer recovers the address that signed the list.
func (l *StatusList) Signer(d Domain) (common.Address, error) {
	digest, err := l.TypedDigest(d)
	return recoverSigner(digest, err, l.Proof)
}

// IssueList signs a status list and returns its bytes, which are final. Code
// field_invalid; too_large when the bits do not compress into MaxSize.
func IssueList(ctx context.Context, d Domain, s DIDSigner, id string, validFrom int64, bits *Bitstring) ([]byte, error) {
	issuer, _ := ListIssuer(id)
	l := StatusList{ID: id, Issuer: issuer, ValidFrom: wholeSeconds(validFrom), Encoded: bits.Encode()}
	if err := l.check(d.ChainID); err != nil {
		return nil, &Error{Code: CodeInvalidField, Text: "status list", Err: err}
	}
	digest, err := l.TypedDigest(d)
	if err != nil {
		return nil, fmt.Errorf("hash status list: %w", err)
	}
	if l.Proof, err = sign(ctx, s, digest); err != nil {
		return nil, fmt.Errorf("sign status list: %w", err)
	}
	raw := l.encode()
	if len(raw) > MaxSize {
		return nil, fail(CodeTooLarge, "status list of %d bytes, at most %d: begin another list", len(raw), MaxSize)
	}
	return raw, nil
}

// ParseList reads a status list strictly, without decoding its bits (Bits) and
// without checking its proof (Signer). Codes as ParseRole.
func ParseList(raw []byte) (*StatusList, error) {
	var j listJSON
	if err := decodeStrict(raw, &j); err != nil {
		return nil, err
	}
	l := &StatusList{ID: j.ID, Issuer: j.Issuer, Encoded: j.Subject.Encoded}
	var err error
	if l.ValidFrom, err = parseTime(j.ValidFrom); err != nil {
		return nil, fail(CodeMalformed, "validFrom: %v", err)
	}
	if l.Proof, err = parseProof(j.Proof.Value); err != nil {
		return nil, err
	}
	if err := l.check(0); err != nil {
		return nil, &Error{Code: CodeMalformed, Text: "status list", Err: err}
	}
	return l, sameBytes(raw, l.encode())
}

// Bits decodes the list's bits; code status_list.
func (l *StatusList) Bits() (*Bitstring, error) { return DecodeBitstring(l.Encoded) }

func (l *StatusList) check(chainID uint64) error {
	issuer, ok := ListIssuer(l.ID)
	if !ok || issuer != l.Issuer {
		return fmt.Errorf("id is not of the form %s", ListID("<issuer's did>", "<name>"))
	}
	if id, err := ethr.Parse(l.Issuer); err != nil {
		return err
	} else if chainID != 0 && id.ChainID != chainID {
		return fmt.Errorf("%s is of another chain than %d", l.Issuer, chainID)
	}
	return checkTimes(l.ValidFrom, 0)
}

func (l *StatusList) encode() []byte {
	return encode(&listJSON{
		Context: contexts, ID: l.ID, Type: []string{typeCredential, typeList}, Issuer: l.Issuer, ValidFrom: formatTime(l.ValidFrom),
		Subject: listSubject{ID: l.ID + "#list", Type: typeBitstring, Purpose: purposeRevocation, Encoded: l.Encoded},
		Proof:   newProof(l.Issuer, l.Proof),
	})
}
