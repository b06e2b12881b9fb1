package inbox

import "github.com/fxamacker/cbor/v2"

// SessionInfo is what handing over needs of a session.
type SessionInfo struct {
	From    string   `cbor:"1,keyasint"` // DID in normal form
	Inst    uint64   `cbor:"2,keyasint"`
	SID     [32]byte `cbor:"3,keyasint"`
	Topic   string   `cbor:"4,keyasint"`
	Version string   `cbor:"5,keyasint"`           // of the topic record
	Roles   []string `cbor:"6,keyasint,omitempty"` // verified, fully qualified
	Key     []byte   `cbor:"7,keyasint"`           // the sender's Ed25519 key, of the core's certificate
	Proof   *Proof   `cbor:"8,keyasint,omitempty"`
}

// Encode returns the stored form.
func (i *SessionInfo) Encode() []byte {
	b, err := cbor.Marshal(i)
	if err != nil { // a struct of plain fields: cannot fail
		panic(err)
	}
	return b
}

// DecodeInfo reads the stored form.
func DecodeInfo(b []byte) (*SessionInfo, error) {
	var i SessionInfo
	if err := cbor.Unmarshal(b, &i); err != nil {
		return nil, err
	}
	return &i, nil
}
