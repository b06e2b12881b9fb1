package trust

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/evm/contract"
)

// Follow makes a Chain of a follower of the network's four contracts, which
// must be among the addresses it follows. The follower is run by the caller.
func Follow(f *evm.Follower, at contract.Addresses) Chain { return follower{f, at} }

type follower struct {
	f  *evm.Follower
	at contract.Addresses
}

// Watch implements Chain. Every event of the DID registry has the account as
// its first indexed value, every one of the others the node; a new owner of a
// subnode has the parent's node and the label's hash. The root node has no
// owner that matters here.
func (w follower) Watch(changed func(account common.Address, node [32]byte)) {
	tell := func(account common.Address, node [32]byte) {
		if account != (common.Address{}) || node != ([32]byte{}) {
			changed(account, node)
		}
	}
	w.f.Subscribe(func(l evm.Log) {
		if len(l.Topics) < 2 {
			return
		}
		if l.Address == w.at.DIDRegistry {
			tell(common.BytesToAddress(l.Topics[1][12:]), [32]byte{})
			return
		}
		if l.Address == w.at.ENSRegistry && len(l.Topics) == 3 {
			tell(common.Address{}, crypto.Keccak256Hash(l.Topics[1][:], l.Topics[2][:]))
		}
		tell(common.Address{}, l.Topics[1])
	})
}
