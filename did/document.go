package did

// Contexts of the documents that this project writes.
const (
	ContextCore     = "https://www.w3.org/ns/did/v1"
	ContextRecovery = "https://w3id.org/security/suites/secp256k1recovery-2020/v2"
)

// Document is a DID document as of W3C DID Core 1.0, in its JSON form.
type Document struct {
	Context              []string             `json:"@context"`
	ID                   string               `json:"id" doc:"the DID in normal form"`
	Controller           string               `json:"controller,omitempty"`
	VerificationMethod   []VerificationMethod `json:"verificationMethod,omitempty"`
	Authentication       []string             `json:"authentication,omitempty" doc:"ids of methods that may log in"`
	AssertionMethod      []string             `json:"assertionMethod,omitempty" doc:"ids of methods that may sign statements"`
	KeyAgreement         []string             `json:"keyAgreement,omitempty"`
	CapabilityInvocation []string             `json:"capabilityInvocation,omitempty"`
	Service              []Service            `json:"service,omitempty"`
}

// VerificationMethod is one key or address of a document. Exactly one of the
// fields that carry key material is set.
type VerificationMethod struct {
	ID                  string `json:"id"`
	Type                string `json:"type"`
	Controller          string `json:"controller"`
	BlockchainAccountID string `json:"blockchainAccountId,omitempty" doc:"CAIP-10 account, eip155:<chain>:<address>"`
	PublicKeyHex        string `json:"publicKeyHex,omitempty"`
	PublicKeyBase64     string `json:"publicKeyBase64,omitempty"`
	PublicKeyBase58     string `json:"publicKeyBase58,omitempty"`
	PublicKeyPem        string `json:"publicKeyPem,omitempty"`
}

// Service is one service entry. The endpoint is a string or any JSON value.
type Service struct {
	ID              string `json:"id"`
	Type            string `json:"type"`
	ServiceEndpoint any    `json:"serviceEndpoint"`
}

// Method returns the verification method with the given id, or nil.
func (d *Document) Method(id string) *VerificationMethod {
	for i := range d.VerificationMethod {
		if d.VerificationMethod[i].ID == id {
			return &d.VerificationMethod[i]
		}
	}
	return nil
}
