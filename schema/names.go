package schema

import (
	"bytes"
	"hash/maphash"
)

// nameset finds names given twice. Objects nest like a stack, so all open
// objects share one slice; small objects are compared name by name, large ones
// through a table of hashes, so that a document of many names costs no square.
type nameset struct {
	names [][]byte
	first [32][]byte
	large map[uint64][]int // of the innermost large object; indexes into names
	owner int              // its mark
	seed  maphash.Seed
}

// small is the number of names up to which comparing one by one is cheaper.
const small = 32

func (n *nameset) open() int {
	if n.names == nil {
		n.names = n.first[:0]
	}
	return len(n.names)
}

func (n *nameset) close(mark int) {
	clear(n.names[mark:])
	n.names = n.names[:mark]
	if n.large != nil && n.owner == mark {
		n.large = nil
	}
}

// twice adds a name to the object opened at mark and reports whether it was
// there.
func (n *nameset) twice(mark int, name []byte) bool {
	own := n.names[mark:]
	if len(own) < small {
		for _, o := range own {
			if bytes.Equal(o, name) {
				return true
			}
		}
		n.names = append(n.names, name)
		return false
	}
	if n.large == nil || n.owner != mark {
		if n.seed == (maphash.Seed{}) {
			n.seed = maphash.MakeSeed()
		}
		n.large, n.owner = make(map[uint64][]int, 4*small), mark
		for i, o := range own {
			h := maphash.Bytes(n.seed, o)
			n.large[h] = append(n.large[h], mark+i)
		}
	}
	h := maphash.Bytes(n.seed, name)
	for _, i := range n.large[h] {
		if bytes.Equal(n.names[i], name) {
			return true
		}
	}
	n.large[h] = append(n.large[h], len(n.names))
	n.names = append(n.names, name)
	return false
}
