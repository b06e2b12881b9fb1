package vc

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/evm/eip712"
)

// The constants of the documents. The second context gives terms that the
// first does not define (role, parent credential) a meaning of their own, as
// VC Data Model 2.0 section 5.2 has it.
var contexts = []string{"https://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/undefined-terms/v2"}

const (
	typeCredential    = "VerifiableCredential"
	typeRole          = "RoleCredential"
	typeParent        = "RoleCredential"
	typeList          = "BitstringStatusListCredential"
	typeBitstring     = "BitstringStatusList"
	typeStatusEntry   = "BitstringStatusListEntry"
	typeProof         = "DataIntegrityProof"
	cryptosuite       = "spine-eip712-2026"
	purposeAssertion  = "assertionMethod"
	purposeRevocation = "revocation"
)

type roleJSON struct {
	Context    []string      `json:"@context"`
	ID         string        `json:"id"`
	Type       []string      `json:"type"`
	Issuer     string        `json:"issuer"`
	ValidFrom  string        `json:"validFrom"`
	ValidUntil string        `json:"validUntil,omitempty"`
	Subject    roleSubject   `json:"credentialSubject"`
	Evidence   *evidenceJSON `json:"evidence,omitempty"`
	Status     statusJSON    `json:"credentialStatus"`
	Proof      proofJSON     `json:"proof"`
}

type roleSubject struct {
	ID   string `json:"id"`
	Role string `json:"role"`
}

// evidenceJSON carries the parent: the credential that entitles the issuer.
type evidenceJSON struct {
	Type   string `json:"type"`
	Digest string `json:"digest"`
}

type statusJSON struct {
	Type    string `json:"type"`
	Purpose string `json:"statusPurpose"`
	Index   string `json:"statusListIndex"`
	List    string `json:"statusListCredential"`
}

type listJSON struct {
	Context   []string    `json:"@context"`
	ID        string      `json:"id"`
	Type      []string    `json:"type"`
	Issuer    string      `json:"issuer"`
	ValidFrom string      `json:"validFrom"`
	Subject   listSubject `json:"credentialSubject"`
	Proof     proofJSON   `json:"proof"`
}

type listSubject struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Purpose string `json:"statusPurpose"`
	Encoded string `json:"encodedList"`
}

type proofJSON struct {
	Type    string `json:"type"`
	Suite   string `json:"cryptosuite"`
	Purpose string `json:"proofPurpose"`
	Method  string `json:"verificationMethod"`
	Value   string `json:"proofValue"`
}

func newProof(issuer string, sig [65]byte) proofJSON {
	return proofJSON{Type: typeProof, Suite: cryptosuite, Purpose: purposeAssertion, Method: issuer + "#controller", Value: "0x" + hex.EncodeToString(sig[:])}
}

func parseProof(text string) (sig [65]byte, err error) {
	digits, ok := strings.CutPrefix(text, "0x")
	b, err := hex.DecodeString(digits)
	if !ok || err != nil || len(b) != len(sig) {
		return sig, fail(CodeMalformed, "proofValue is not 0x and 130 hexadecimal digits")
	}
	copy(sig[:], b)
	return sig, nil
}

func sign(ctx context.Context, s DIDSigner, digest [32]byte) (sig [65]byte, err error) {
	b, err := s.SignDigest(ctx, digest)
	if err != nil {
		return sig, err
	}
	if len(b) != len(sig) {
		return sig, fmt.Errorf("signature of %d bytes, want %d", len(b), len(sig))
	}
	copy(sig[:], b)
	return sig, nil
}

func recoverSigner(digest [32]byte, err error, sig [65]byte) (common.Address, error) {
	var a common.Address
	if err == nil {
		a, err = eip712.Recover(digest, sig[:])
	}
	if err != nil {
		return common.Address{}, &Error{Code: CodeSignature, Text: "proof", Err: err}
	}
	return a, nil
}

// encode writes the one encoding of a document: compact, members in the order
// of the struct, no escaping of <, > and &.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("vc: structures of strings always encode: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// decodeStrict reads a document into v: bounded, UTF-8, no name twice, no
// unknown member, nothing after it.
func decodeStrict(raw []byte, v any) error {
	if len(raw) > MaxSize {
		return fail(CodeTooLarge, "document of %d bytes, at most %d", len(raw), MaxSize)
	}
	if !utf8.Valid(raw) {
		return fail(CodeMalformed, "document is not UTF-8")
	}
	if err := checkNames(raw); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return &Error{Code: CodeMalformed, Text: "document", Err: err}
	}
	return nil
}

// checkNames walks the tokens: balanced, within maxNesting, no object with one
// name twice.
func checkNames(raw []byte) error {
	type object struct {
		names map[string]bool // nil for an array
		value bool            // a value comes next
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var open []object
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) && len(open) == 0 {
			return nil
		}
		if err != nil {
			return &Error{Code: CodeMalformed, Text: "document", Err: err}
		}
		top := len(open) - 1
		if name, ok := t.(string); ok && top >= 0 && open[top].names != nil && !open[top].value {
			if open[top].names[name] {
				return fail(CodeMalformed, "member %.40q stands twice", name)
			}
			open[top].names[name], open[top].value = true, true
			continue
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			if top >= 0 {
				open[top].value = false
			}
			if len(open) >= maxNesting {
				return fail(CodeMalformed, "nested deeper than %d", maxNesting)
			}
			o := object{}
			if t == json.Delim('{') {
				o.names = make(map[string]bool, 8)
			}
			open = append(open, o)
			continue
		case json.Delim('}'), json.Delim(']'):
			open = open[:top]
			if len(open) == 0 && len(bytes.TrimSpace(raw[d.InputOffset():])) > 0 {
				return fail(CodeMalformed, "something follows the document")
			}
			continue
		}
		if top < 0 {
			return fail(CodeMalformed, "document is not an object")
		}
		open[top].value = false
	}
}

// sameBytes returns nil when raw is the one encoding of what it says.
func sameBytes(raw, canonical []byte) error {
	if !bytes.Equal(raw, canonical) {
		return fail(CodeNotCanonical, "not the bytes that an issuer writes: compact, members in order, constants as documented")
	}
	return nil
}

const timeLayout = "2006-01-02T15:04:05Z"

// formatTime writes ms since 1970 as an XML Schema dateTimeStamp in UTC, "" for 0.
func formatTime(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format(timeLayout)
}

func parseTime(s string) (int64, error) {
	t, err := time.Parse(timeLayout, s)
	if err != nil {
		return 0, errors.New("not of the form " + timeLayout)
	}
	return t.UnixMilli(), nil
}

func wholeSeconds(ms int64) int64 { return ms - ms%1000 }

// maxTime is the end of the year 9999, the last that the layout can write.
const maxTime = 253_402_300_799_000

func checkTimes(from, until int64) error {
	switch {
	case from <= 0 || from > maxTime || from%1000 != 0:
		return errors.New("validFrom is not a time in whole seconds")
	case until != 0 && (until <= from || until > maxTime || until%1000 != 0):
		return errors.New("validUntil is not a time in whole seconds after validFrom")
	}
	return nil
}

// checkURI accepts an absolute URI of printable ASCII that JSON writes as it is.
func checkURI(s string) error {
	if len(s) == 0 || len(s) > maxText {
		return fmt.Errorf("not 1 to %d characters", maxText)
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' {
			return errors.New("holds a character that a URI may not")
		}
	}
	if scheme, _, ok := strings.Cut(s, ":"); !ok || scheme == "" {
		return errors.New("not a URI")
	}
	return nil
}

// checkRoleName checks the outer form "<role>.roles.<namespace>"; that the
// name is ENS-normalised follows from its definition being found on the chain.
func checkRoleName(s string) error {
	if len(s) > maxRole {
		return fmt.Errorf("role name above %d bytes", maxRole)
	}
	role, namespace, ok := strings.Cut(s, ".roles.")
	if !ok || role == "" || namespace == "" || strings.Contains(role, ".") {
		return errors.New("role is not of the form <role>.roles.<namespace>")
	}
	for _, c := range s {
		if c <= ' ' || c == 0x7f || c == '"' || c == '\\' || c == utf8.RuneError || c == '\u2028' || c == '\u2029' {
			return errors.New("role name holds a character that a name may not")
		}
	}
	return nil
}

// newID returns a random "urn:uuid:…" (version 4).
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
