package inbox

// Proof is what a session's opening rested on: the evidence for the checks of
// its grant (G1 to G11) and of its sender's standing.
type Proof struct {
	Package []byte       `cbor:"1,keyasint"` // digest of this gateway's package the grant was sealed to
	Grant   []byte       `cbor:"2,keyasint"` // D of the grant
	CertNbf int64        `cbor:"3,keyasint"` // window of the sender's certificate, ms
	CertNaf int64        `cbor:"4,keyasint"`
	Floor   uint64       `cbor:"5,keyasint"`
	Signer  []byte       `cbor:"6,keyasint,omitempty"` // address that signed the certificate for the DID
	Owner   string       `cbor:"7,keyasint"`           // DID that signed the topic record
	Kind    string       `cbor:"8,keyasint"`           // of the topic's content
	Schema  []byte       `cbor:"9,keyasint"`           // digest of the topic's schema
	Order   uint64       `cbor:"10,keyasint"`          // 0 strict, 1 prompt
	Creds   []Credential `cbor:"11,keyasint,omitempty"`
	Prev    *Prev        `cbor:"12,keyasint,omitempty"` // the entry of the lane group that the session follows
	Judged  int64        `cbor:"13,keyasint"`           // when, ms
}

// Credential is a role credential that the sender relied on, as verified.
type Credential struct {
	Digest     []byte `cbor:"1,keyasint"`
	Role       string `cbor:"2,keyasint"`
	Issuer     string `cbor:"3,keyasint"`
	ValidUntil int64  `cbor:"4,keyasint"` // ms
}

// Prev names an entry of another session.
type Prev struct {
	SID    []byte `cbor:"1,keyasint"`
	Seq    uint64 `cbor:"2,keyasint"`
	Digest []byte `cbor:"3,keyasint"`
}
