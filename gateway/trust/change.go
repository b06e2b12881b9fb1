package trust

import (
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/vc"
)

// dropper is implemented by DIDs that cache; *ethr.Resolver is one.
type dropper interface{ Drop(common.Address) }

// chainChanged is called by the chain's follower.
func (b *Book) chainChanged(account common.Address, node [32]byte) {
	switch {
	case account != (common.Address{}):
		if d, ok := b.d.DIDs.(dropper); ok {
			d.Drop(account)
		}
		b.didChanged(ethr.ID{ChainID: b.d.Domain.ChainID, Address: account}.String())
	case node != [32]byte{}:
		b.nodeChanged(node)
	default:
		b.everythingChanged()
	}
}

// didChanged drops every verdict that rests on keys of a DID: its own, and
// those of subjects of its credentials, lists and records.
func (b *Book) didChanged(did string) {
	b.certs.dropIf(func(_ envelope.Digest, c *envelope.Certificate) bool { return c == nil || c.DID == did })
	b.records.dropIf(func(_ envelope.Digest, t *Topic) bool { return t == nil || t.Record.DID == did })
	b.listings.drop(did)
	told := map[string]bool{did: true}
	b.dropVerdicts(func(k verdictKey, v *vc.Verified) bool {
		return k.subject == did || v == nil || slices.Contains(v.DIDs, did)
	}, told)
	for d := range told {
		b.tell(Change{DID: d})
	}
}

// nodeChanged drops what rests on a name: a role's definition, the owner of a
// namespace.
func (b *Book) nodeChanged(node [32]byte) {
	var roles, spaces []string
	// Also what is being looked up for the first time: the chain may have been
	// read before the change.
	for _, role := range b.definitions.keys() {
		if ens.Namehash(role) == node {
			roles = append(roles, role)
		}
	}
	for _, ns := range b.owners.keys() {
		// The registry tells of a subname's new owner under the parent's node.
		if _, parent := ens.Split(ns); ens.Namehash(ns) == node || ens.Namehash(parent) == node {
			spaces = append(spaces, ns)
		}
	}
	for _, role := range roles {
		b.roleChanged(role)
	}
	for _, ns := range spaces {
		b.namespaceChanged(ns)
	}
}

// roleChanged drops the verdicts that rest on a role's definition.
func (b *Book) roleChanged(role string) {
	b.definitions.drop(role)
	b.holders.expire(role, b.d.Clock.Now())
	told := map[string]bool{}
	b.dropVerdicts(func(_ verdictKey, v *vc.Verified) bool { return v == nil || slices.Contains(v.Roles, role) }, told)
	b.tell(Change{Role: role})
	for did := range told {
		b.tell(Change{DID: did})
	}
}

// namespaceChanged drops the records of a namespace, whose owner may be
// another.
func (b *Book) namespaceChanged(ns string) {
	b.owners.drop(ns)
	topics := map[string]bool{}
	b.records.dropIf(func(_ envelope.Digest, t *Topic) bool {
		if t != nil && t.Record.Namespace() == ns {
			topics[t.Record.Name] = true
			return true
		}
		return t == nil
	})
	b.currents.dropIf(func(v version, t *Topic) bool { return t == nil || topics[v.name] })
	for name := range topics {
		b.tell(Change{Topic: name})
	}
}

// credentialChanged acts on what the hub tells about a credential: issued or
// revoked. It is a hint to look again, nothing else.
func (b *Book) credentialChanged(digest [32]byte, subject, role string) {
	told := map[string]bool{}
	if subject != "" {
		told[subject] = true
	}
	b.dropVerdicts(func(k verdictKey, v *vc.Verified) bool {
		return k.subject == subject && (v == nil || v.Role == role) || k.digest == digest || v != nil && slices.Contains(v.Chain, digest)
	}, told)
	if role != "" {
		b.holders.expire(role, b.d.Clock.Now())
	}
	if told[b.d.DID] {
		b.ownLacks.Store(true)
		b.subjects.expire(b.d.DID, b.d.Clock.Now())
	}
	if len(told) == 0 {
		b.tell(Change{Role: role})
	}
	for did := range told {
		b.tell(Change{DID: did, Role: role})
	}
}

// listChanged drops the verdicts whose status bit is set in a newer list, and
// those of the credentials that they entitle.
func (b *Book) listChanged(p *statusProof) {
	l, err := vc.ParseList(p.List)
	if err != nil {
		return // the verifier refuses it when the verdicts end
	}
	bits, err := l.Bits()
	if err != nil {
		return
	}
	told := map[string]bool{}
	b.dropVerdicts(func(_ verdictKey, v *vc.Verified) bool {
		if v == nil {
			return true // a refusal may have been lifted by a list that grew
		}
		for _, k := range v.StatusKeys {
			if k.List != l.ID {
				continue
			}
			if set, err := bits.Get(k.Index); err != nil || set {
				return true
			}
		}
		return false
	}, told)
	if told[b.d.DID] {
		b.subjects.expire(b.d.DID, b.d.Clock.Now())
	}
	for did := range told {
		b.tell(Change{DID: did})
	}
}

// everythingChanged drops every verdict, and asks for status lists anew. Floors,
// gens and revisions stay, and so do bytes that their digest names.
func (b *Book) everythingChanged() {
	now := b.d.Clock.Now()
	for _, list := range b.statuses.keys() {
		b.statuses.expire(list, now)
		b.owe(list)
	}
	b.certs.dropIf(func(envelope.Digest, *envelope.Certificate) bool { return true })
	b.records.dropIf(func(envelope.Digest, *Topic) bool { return true })
	b.currents.dropIf(func(version, *Topic) bool { return true })
	b.listings.dropIf(func(string, *Listing) bool { return true })
	b.owners.dropIf(func(string, common.Address) bool { return true })
	b.definitions.dropIf(func(string, *vc.Definition) bool { return true })
	b.verdicts.dropIf(func(verdictKey, *vc.Verified) bool { return true })
	b.standings.dropIf(func(standingKey, *standing) bool { return true })
	for _, role := range b.holders.keys() {
		b.holders.expire(role, now)
	}
	b.ownLacks.Store(true)
	for _, did := range b.subjects.keys() {
		b.subjects.expire(did, now)
	}
	b.tell(Change{})
}

// dropVerdicts drops verdicts with what rests on them (standings, records by
// topic creators, lists of holders) and notes whose they were.
func (b *Book) dropVerdicts(bad func(verdictKey, *vc.Verified) bool, told map[string]bool) {
	roles := map[string]bool{}
	b.verdicts.dropIf(func(k verdictKey, v *vc.Verified) bool {
		if !bad(k, v) {
			return false
		}
		// Who was refused is told, too: the change may be what it waited for.
		told[k.subject] = true
		if v != nil {
			roles[v.Role] = true
		}
		return true
	})
	b.standings.dropIf(func(k standingKey, _ *standing) bool { return told[k.did] })
	b.records.dropIf(func(_ envelope.Digest, t *Topic) bool {
		return t != nil && roles[t.Record.CreatorRole()] && told[t.Record.DID]
	})
	for role := range roles {
		b.holders.expire(role, b.d.Clock.Now())
	}
}
