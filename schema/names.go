package schema

import (
	"bytes"
	"hash/maphash"
)

// nameset finds names given twice. Objects nest like a stack, so all open
// objects share one slice; small objects are compared name by name, large ones
// through a table of hashes, so that a document of many names costs no square.
type nameset struct {
	names  [][]byte
	first  [32][]byte
	tables []table // of the open objects that are large, outermost first
	seed   maphash.Seed
}

// table finds the names of one large object by their hashes.
type table struct {
	mark int
	at   map[uint64][]int // indexes into names
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
	n.names = n.names[:mark]
	if k := len(n.tables); k > 0 && n.tables[k-1].mark == mark {
		n.tables = n.tables[:k-1]
	}
}

// twice adds a name to the object opened at mark and reports whether it was
// there. That object is the innermost one that is open.
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
	k := len(n.tables) - 1
	if k < 0 || n.tables[k].mark != mark {
		if n.seed == (maphash.Seed{}) {
			n.seed = maphash.MakeSeed()
		}
		t := table{mark: mark, at: make(map[uint64][]int, 2*small)}
		for i, o := range own {
			h := maphash.Bytes(n.seed, o)
			t.at[h] = append(t.at[h], mark+i)
		}
		n.tables = append(n.tables, t)
		k++
	}
	t := n.tables[k]
	h := maphash.Bytes(n.seed, name)
	for _, i := range t.at[h] {
		if bytes.Equal(n.names[i], name) {
			return true
		}
	}
	t.at[h] = append(t.at[h], len(n.names))
	n.names = append(n.names, name)
	return false
}

// reset forgets every object opened at mark or later.
func (n *nameset) reset(mark int) {
	if len(n.names) > mark {
		n.names = n.names[:mark]
	}
	for k := len(n.tables); k > 0 && n.tables[k-1].mark >= mark; k-- {
		n.tables = n.tables[:k-1]
	}
	if mark == 0 {
		if cap(n.names) > 1024 {
			n.names = nil
		}
		clear(n.names[:cap(n.names)])
	}
}
