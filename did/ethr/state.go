package ethr

import (
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/evm"
)

// Delegate types of ERC-1056. A veriKey delegate signs statements for the DID;
// a sigAuth delegate only logs in.
const (
	VeriKey = "veriKey"
	SigAuth = "sigAuth"
)

// Head is the chain head at which a state holds.
type Head = evm.Head

// Delegate is an address that acts for a DID.
type Delegate struct {
	Type    string         `json:"type"` // veriKey, sigAuth or another name of up to 32 bytes
	Address common.Address `json:"address"`
	ValidTo time.Time      `json:"validTo"`
	index   int            // place among the delegates and keys of the DID, from 1
}

// Attribute is a named value, such as a key or a service.
type Attribute struct {
	Name    string    `json:"name"` // such as did/pub/Ed25519/veriKey/base64
	Value   []byte    `json:"value"`
	ValidTo time.Time `json:"validTo"`
	index   int       // place among the delegates and keys, or among the services, from 1
}

// State is what the chain says about a DID at a head: who controls it, and
// the delegates and attributes that are valid there.
type State struct {
	ID         ID
	Controller common.Address // zero once the DID was given up
	Delegates  []Delegate
	Attributes []Attribute
	Changed    uint64 // block of the newest event, 0 when there is none
	Head       Head
}

// MaySign reports whether an address may sign statements for the DID: its
// controller, or a veriKey delegate valid at the head. Delegates for login
// never may.
func (s *State) MaySign(a common.Address) bool {
	if a == (common.Address{}) || s.Controller == (common.Address{}) {
		return false
	}
	if a == s.Controller {
		return true
	}
	for i := range s.Delegates {
		if s.Delegates[i].Type == VeriKey && s.Delegates[i].Address == a {
			return true
		}
	}
	return false
}

// DID returns the DID in normal form.
func (s *State) DID() string { return s.ID.String() }
