package vc

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/evm/eip712"
)

// roleType is the EIP-712 type of a role credential.
const roleType = "RoleCredential(string id,string issuer,string subject,string role,string validFrom,string validUntil,string parent,string statusList,uint64 statusIndex)"

// RoleCredential says that a subject holds a role. Times are ms since 1970 in
// whole seconds.
type RoleCredential struct {
	ID          string // "urn:uuid:…" or another URI of at most 256 printable ASCII characters
	Issuer      string // DID in normal form
	Subject     string // DID in normal form
	Role        string // fully qualified, ENS-normalised
	ValidFrom   int64
	ValidUntil  int64    // 0: no end
	Parent      [32]byte // digest of the issuer's own credential; zero where the role definition names the issuer's DID
	StatusList  string   // ListID of the issuer
	StatusIndex uint64
	// Proof is r || s || v over TypedDigest; set by Issue and Parse.
	Proof [65]byte
}

// HasParent reports whether the issuer relies on a credential of its own.
func (c *RoleCredential) HasParent() bool { return c.Parent != [32]byte{} }

func (c *RoleCredential) parentText() string {
	if !c.HasParent() {
		return ""
	}
	return hex.EncodeToString(c.Parent[:])
}

// TypedDigest returns the EIP-712 digest that the issuer signs.
func (c *RoleCredential) TypedDigest(d Domain) ([32]byte, error) {
	return eip712.Digest(d, roleType, c.ID, c.Issuer, c.Subject, c.Role, formatTime(c.ValidFrom), formatTime(c.ValidUntil),
		c.parentText(), c.StatusList, c.StatusIndex)
}

// Signer recovers the address that signed the credential.
func (c *RoleCredential) Signer(d Domain) (common.Address, error) {
	digest, err := c.TypedDigest(d)
	return recoverSigner(digest, err, c.Proof)
}

// DIDSigner signs digests with the issuer's DID key; the result is 65 bytes
// r || s || v, low s, v 27 or 28.
type DIDSigner interface {
	SignDigest(ctx context.Context, digest [32]byte) ([]byte, error)
}

// IssueRole signs a role credential and returns its bytes, which are final.
// ID is made when empty; times are cut to whole seconds. Code field_invalid.
func IssueRole(ctx context.Context, d Domain, s DIDSigner, c RoleCredential) ([]byte, error) {
	if c.ID == "" {
		c.ID = newID()
	}
	c.ValidFrom, c.ValidUntil = wholeSeconds(c.ValidFrom), wholeSeconds(c.ValidUntil)
	if err := c.check(d.ChainID); err != nil {
		return nil, &Error{Code: CodeInvalidField, Text: "credential", Err: err}
	}
	digest, err := c.TypedDigest(d)
	if err != nil {
		return nil, fmt.Errorf("hash credential: %w", err)
	}
	if c.Proof, err = sign(ctx, s, digest); err != nil {
		return nil, fmt.Errorf("sign credential: %w", err)
	}
	return c.encode(), nil
}

// ParseRole reads a role credential strictly. It checks shape and encoding,
// not the proof, whose signer Signer recovers. Codes too_large, malformed,
// not_canonical.
func ParseRole(raw []byte) (*RoleCredential, error) {
	var j roleJSON
	if err := decodeStrict(raw, &j); err != nil {
		return nil, err
	}
	c := &RoleCredential{ID: j.ID, Issuer: j.Issuer, Subject: j.Subject.ID, Role: j.Subject.Role, StatusList: j.Status.List}
	var err error
	if c.ValidFrom, err = parseTime(j.ValidFrom); err != nil {
		return nil, fail(CodeMalformed, "validFrom: %v", err)
	}
	if j.ValidUntil != "" {
		if c.ValidUntil, err = parseTime(j.ValidUntil); err != nil {
			return nil, fail(CodeMalformed, "validUntil: %v", err)
		}
	}
	if j.Evidence != nil {
		b, err := hex.DecodeString(j.Evidence.Digest)
		if err != nil || len(b) != 32 {
			return nil, fail(CodeMalformed, "evidence.digest is not 64 hexadecimal digits")
		}
		copy(c.Parent[:], b)
	}
	if c.StatusIndex, err = strconv.ParseUint(j.Status.Index, 10, 64); err != nil {
		return nil, fail(CodeMalformed, "statusListIndex is not a number")
	}
	if c.Proof, err = parseProof(j.Proof.Value); err != nil {
		return nil, err
	}
	if err := c.check(0); err != nil {
		return nil, &Error{Code: CodeMalformed, Text: "credential", Err: err}
	}
	return c, sameBytes(raw, c.encode())
}

// check tells whether the fields may stand in a credential; chainID 0 accepts
// DIDs of every chain.
func (c *RoleCredential) check(chainID uint64) error {
	if err := checkURI(c.ID); err != nil {
		return fmt.Errorf("id: %w", err)
	}
	for _, d := range [...]string{c.Issuer, c.Subject} {
		id, err := ethr.Parse(d)
		if err != nil {
			return err
		}
		if chainID != 0 && id.ChainID != chainID {
			return fmt.Errorf("%s is of another chain than %d", d, chainID)
		}
	}
	if err := checkRoleName(c.Role); err != nil {
		return err
	}
	if err := checkTimes(c.ValidFrom, c.ValidUntil); err != nil {
		return err
	}
	if issuer, ok := ListIssuer(c.StatusList); !ok || issuer != c.Issuer {
		return fmt.Errorf("status list is not one of the issuer: want %s", ListID(c.Issuer, "<name>"))
	}
	if c.StatusIndex >= MaxBits {
		return fmt.Errorf("status index is not below %d", MaxBits)
	}
	return nil
}

func (c *RoleCredential) encode() []byte {
	j := roleJSON{
		Context: contexts, ID: c.ID, Type: []string{typeCredential, typeRole}, Issuer: c.Issuer,
		ValidFrom: formatTime(c.ValidFrom), ValidUntil: formatTime(c.ValidUntil),
		Subject: roleSubject{ID: c.Subject, Role: c.Role},
		Status:  statusJSON{Type: typeStatusEntry, Purpose: purposeRevocation, Index: strconv.FormatUint(c.StatusIndex, 10), List: c.StatusList},
		Proof:   newProof(c.Issuer, c.Proof),
	}
	if c.HasParent() {
		j.Evidence = &evidenceJSON{Type: typeParent, Digest: c.parentText()}
	}
	return encode(&j)
}
