package ethr

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/digital-spine/spine/did"
)

// Prefixes of attribute names that make up a document.
const (
	prefixKey     = "did/pub/"
	prefixService = "did/svc/"
)

const (
	typeRecovery = "EcdsaSecp256k1RecoveryMethod2020"
	suffixAuth   = "sigAuth"
	suffixEnc    = "enc"
)

// keyTypes maps algorithm and purpose of an attribute name to the type of the
// verification method, as the did:ethr method specification has them.
var keyTypes = map[string]string{
	"Secp256k1": "EcdsaSecp256k1VerificationKey2019",
	"Ed25519":   "Ed25519VerificationKey2018",
	"Rsa":       "RsaVerificationKey2018",
	"RSA":       "RsaVerificationKey2018",
	"X25519":    "X25519KeyAgreementKey2019",
	"Secp256r1": "EcdsaSecp256r1VerificationKey2019",
}

// tagPattern is what may stand behind the # of an id.
var tagPattern = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,64}$`)

// Document returns the W3C document of the state. Attributes are read in both
// forms in use: raw key bytes, and JSON with publicKey and tag. One that makes
// no sense is left out and spoils nothing else. A DID that was given up has a
// document without methods.
func (s *State) Document() *did.Document {
	id := s.DID()
	d := &did.Document{Context: []string{did.ContextCore, did.ContextRecovery}, ID: id}
	if s.Controller == [20]byte{} {
		return d
	}
	controller := id + "#controller"
	if s.Controller != s.ID.Address {
		d.Controller = ID{ChainID: s.ID.ChainID, Address: s.Controller}.String()
	}
	d.VerificationMethod = append(d.VerificationMethod, did.VerificationMethod{
		ID: controller, Type: typeRecovery, Controller: id, BlockchainAccountID: s.account(s.Controller.Hex()),
	})
	d.AssertionMethod = append(d.AssertionMethod, controller)
	d.Authentication = append(d.Authentication, controller)
	d.CapabilityInvocation = append(d.CapabilityInvocation, controller)

	for i := range s.Delegates {
		x := &s.Delegates[i]
		if x.Type != VeriKey && x.Type != SigAuth {
			continue
		}
		m := did.VerificationMethod{
			ID: id + "#delegate-" + strconv.Itoa(x.index), Type: typeRecovery, Controller: id,
			BlockchainAccountID: s.account(x.Address.Hex()),
		}
		place(d, m, x.Type)
	}
	for i := range s.Attributes {
		a := &s.Attributes[i]
		switch {
		case strings.HasPrefix(a.Name, prefixKey):
			if m, purpose, ok := s.key(a); ok && d.Method(m.ID) == nil {
				place(d, m, purpose)
			}
		case strings.HasPrefix(a.Name, prefixService):
			if v, ok := s.service(a); ok {
				d.Service = append(d.Service, v)
			}
		}
	}
	return d
}

func (s *State) account(address string) string {
	return "eip155:" + strconv.FormatUint(s.ID.ChainID, 10) + ":" + address
}

// place adds a method under the relationships of its purpose. A key for
// login only is no assertion method.
func place(d *did.Document, m did.VerificationMethod, purpose string) {
	d.VerificationMethod = append(d.VerificationMethod, m)
	switch purpose {
	case suffixEnc:
		d.KeyAgreement = append(d.KeyAgreement, m.ID)
	case suffixAuth:
		d.Authentication = append(d.Authentication, m.ID)
	default:
		d.AssertionMethod = append(d.AssertionMethod, m.ID)
	}
}

// key reads did/pub/<algorithm>/<purpose>/<encoding>.
func (s *State) key(a *Attribute) (m did.VerificationMethod, purpose string, ok bool) {
	parts := strings.Split(strings.TrimPrefix(a.Name, prefixKey), "/")
	if len(parts) < 2 || len(parts) > 3 {
		return m, "", false
	}
	kind, known := keyTypes[parts[0]]
	if !known {
		return m, "", false
	}
	purpose = parts[1]
	if purpose != VeriKey && purpose != suffixAuth && purpose != suffixEnc {
		return m, "", false
	}
	encoding := "hex"
	if len(parts) == 3 {
		encoding = parts[2]
	}
	m = did.VerificationMethod{
		ID: s.DID() + "#delegate-" + strconv.Itoa(a.index), Type: kind, Controller: s.DID(),
	}
	var tagged struct {
		PublicKey string `json:"publicKey"`
		Tag       string `json:"tag"`
	}
	if len(a.Value) > 0 && a.Value[0] == '{' && json.Unmarshal(a.Value, &tagged) == nil {
		if tagged.PublicKey == "" {
			return m, "", false
		}
		if tagPattern.MatchString(tagged.Tag) {
			m.ID = s.DID() + "#" + tagged.Tag
		}
		return m, purpose, setText(&m, encoding, tagged.PublicKey)
	}
	return m, purpose, setBytes(&m, encoding, a.Value)
}

func setText(m *did.VerificationMethod, encoding, key string) bool {
	switch encoding {
	case "base64":
		m.PublicKeyBase64 = key
	case "pem":
		m.PublicKeyPem = key
	case "base58":
		m.PublicKeyBase58 = key
	case "hex":
		key = strings.TrimPrefix(key, "0x")
		if _, err := hex.DecodeString(key); err != nil {
			return false
		}
		m.PublicKeyHex = key
	default:
		return false
	}
	return true
}

func setBytes(m *did.VerificationMethod, encoding string, value []byte) bool {
	switch encoding {
	case "base64":
		m.PublicKeyBase64 = base64.StdEncoding.EncodeToString(value)
	case "pem":
		if !utf8.Valid(value) {
			return false
		}
		m.PublicKeyPem = string(value)
	default:
		m.PublicKeyHex = hex.EncodeToString(value)
	}
	return len(value) > 0
}

// service reads did/svc/<type>: a string, or JSON with an id and an endpoint
// of its own.
func (s *State) service(a *Attribute) (did.Service, bool) {
	if !utf8.Valid(a.Value) || len(a.Value) == 0 {
		return did.Service{}, false
	}
	v := did.Service{
		ID:              s.DID() + "#service-" + strconv.Itoa(a.index),
		Type:            strings.TrimPrefix(a.Name, prefixService),
		ServiceEndpoint: string(a.Value),
	}
	if v.Type == "" || !utf8.ValidString(v.Type) {
		return did.Service{}, false
	}
	var object map[string]any
	if a.Value[0] != '{' || json.Unmarshal(a.Value, &object) != nil {
		return v, true
	}
	v.ServiceEndpoint = object
	if own, _ := object["id"].(string); tagPattern.MatchString(own) {
		v.ID = s.DID() + "#" + own
	}
	if kind, _ := object["type"].(string); kind != "" && v.Type == "undefined" {
		v.Type = kind
	}
	return v, true
}
