package gateway

// Member is somebody whom a channel names or whose role it names: whether this
// gateway sends to it and receives from it there, and why.
type Member struct {
	DID       string     `json:"did"`
	Name      string     `json:"name,omitempty" doc:"from the contacts"`
	Self      bool       `json:"self,omitempty" doc:"this gateway's own DID"`
	Send      *Standing  `json:"send,omitempty" doc:"whether it is sent to; absent: the channel does not send"`
	Receive   *Standing  `json:"receive,omitempty" doc:"whether its messages are accepted; absent: the channel does not receive"`
	Instances []Instance `json:"instances" doc:"its gateway instances, as far as the directory lists them"`
	Code      string     `json:"code,omitempty" doc:"why its instances are not known"`
}

// Standing is how a partner stands to one condition of a channel.
type Standing struct {
	Admitted   bool   `json:"admitted"`
	Why        string `json:"why,omitempty" doc:"named: its DID is in the condition; role: it holds one of the roles" enum:"named,role"`
	Role       string `json:"role,omitempty" doc:"the role that admits it"`
	Credential string `json:"credential,omitempty" doc:"digest of the credential that proves the role, hexadecimal"`
	Issuer     string `json:"issuer,omitempty" doc:"DID that issued it"`
	ValidUntil int64  `json:"validUntil,omitempty" doc:"ms since 1970; absent: no end"`
	Code       string `json:"code,omitempty" doc:"why it is not admitted"`
}

// Instance is one gateway instance of a partner.
type Instance struct {
	Inst             uint64 `json:"inst" doc:"its number, 0 to 7"`
	Addr             string `json:"addr,omitempty" doc:"address of its mailbox"`
	PackageNotBefore int64  `json:"pkgNotBefore,omitempty" doc:"age of its newest key package, ms since 1970"`
	Reachable        bool   `json:"reachable" doc:"whether messages can be sealed for it now"`
	Code             string `json:"code,omitempty" doc:"why not"`
}

// Contact is the name that this gateway's people give to a DID. It is known
// here only.
type Contact struct {
	DID  string `json:"did" doc:"in normal form"`
	Name string `json:"name" doc:"1 to 100 bytes" minLength:"1" maxLength:"100"`
}

// MaxContacts is the number of contacts a gateway may have.
const MaxContacts = 10_000
