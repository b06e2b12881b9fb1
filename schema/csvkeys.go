package schema

import "hash/maphash"

// keyset finds keys given twice, by their hashes alone: 128 bits under seeds
// that no sender knows, so that two keys are taken for one about never. It is
// an open table of at most 2*MaxKeys slots of 16 bytes.
type keyset struct {
	a, b  maphash.Hash
	slots [][2]uint64
	n     int
}

// Verdicts of keyset.add.
const (
	keyNew = iota
	keyTwice
	keysFull
)

func newKeyset() *keyset {
	k := &keyset{slots: make([][2]uint64, 1<<10)}
	k.a.SetSeed(maphash.MakeSeed())
	k.b.SetSeed(maphash.MakeSeed())
	return k
}

// write adds one part of a key.
func (k *keyset) write(part []byte) {
	n := [4]byte{byte(len(part)), byte(len(part) >> 8), byte(len(part) >> 16), byte(len(part) >> 24)}
	k.a.Write(n[:])
	k.a.Write(part)
	k.b.Write(n[:])
	k.b.Write(part)
}

// add ends a key and adds it.
func (k *keyset) add() int {
	h := [2]uint64{k.a.Sum64(), k.b.Sum64() | 1} // an empty slot is zero
	k.a.Reset()
	k.b.Reset()
	if k.n >= MaxKeys {
		return keysFull
	}
	if 2*k.n >= len(k.slots) {
		old := k.slots
		k.slots = make([][2]uint64, 2*len(old))
		for _, o := range old {
			if o[1] != 0 {
				k.put(o)
			}
		}
	}
	if !k.put(h) {
		return keyTwice
	}
	k.n++
	return keyNew
}

func (k *keyset) put(h [2]uint64) bool {
	mask := uint64(len(k.slots) - 1)
	for i := h[0] & mask; ; i = (i + 1) & mask {
		switch k.slots[i] {
		case h:
			return false
		case [2]uint64{}:
			k.slots[i] = h
			return true
		}
	}
}
