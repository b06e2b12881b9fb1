package envelope

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// Salt hides a frame's leaf from whoever is shown only other leaves.
type Salt [16]byte

// Root commits to the frames of an envelope and their number:
// H(0x02 || u32 n || MTH(salt_0 || frame_0, ...)), MTH being the tree hash of
// RFC 6962 section 2.1. salts and frames have the same length.
func Root(salts []Salt, frames [][]byte) Digest {
	return seal(len(frames), treeHash(leaves(salts, frames)))
}

func seal(n int, tree Digest) Digest {
	var b [5 + 32]byte
	b[0] = 2
	binary.BigEndian.PutUint32(b[1:], uint32(n))
	copy(b[5:], tree[:])
	return sha256.Sum256(b[:])
}

// leaf is H(0x00 || salt || frame).
func leaf(salt Salt, frame []byte) (d Digest) {
	h := sha256.New()
	var head [17]byte
	copy(head[1:], salt[:])
	h.Write(head[:])
	h.Write(frame)
	h.Sum(d[:0])
	return d
}

func leaves(salts []Salt, frames [][]byte) []Digest {
	l := make([]Digest, len(frames))
	h := sha256.New()
	var head [17]byte
	for i, frame := range frames {
		h.Reset()
		copy(head[1:], salts[i][:])
		h.Write(head[:])
		h.Write(frame)
		h.Sum(l[i][:0])
	}
	return l
}

// node is H(0x01 || left || right).
func node(left, right Digest) Digest {
	var b [65]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}

// split is the largest power of two below n, for n > 1.
func split(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }

func treeHash(l []Digest) Digest {
	switch len(l) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return l[0]
	}
	k := split(len(l))
	return node(treeHash(l[:k]), treeHash(l[k:]))
}

// Path returns the inclusion path of frame i (RFC 6962 section 2.1.1), from
// the leaf upwards. With its salt and the number of frames it shows this frame
// to a third party while the others stay hidden. i must be in range.
func Path(i int, salts []Salt, frames [][]byte) []Digest {
	return treePath(i, leaves(salts, frames))
}

func treePath(i int, l []Digest) []Digest {
	if len(l) < 2 {
		return nil
	}
	k := split(len(l))
	if i < k {
		return append(treePath(i, l[:k]), treeHash(l[k:]))
	}
	return append(treePath(i-k, l[k:]), treeHash(l[:k]))
}

// VerifyPath checks that frame is number i of the n frames that root commits
// to. Else content.
func VerifyPath(root Digest, i, n int, salt Salt, frame []byte, path []Digest) error {
	if n < 1 || n > MaxFrames || i < 0 || i >= n {
		return fail(BadContent, "no such frame")
	}
	tree, rest := climb(i, n, leaf(salt, frame), path)
	if rest != 0 || seal(n, tree) != root {
		return fail(BadContent, "path does not lead to the root")
	}
	return nil
}

// climb follows a path from the leaf to the root; rest counts what the path
// has too many (or, negative, too few).
func climb(i, n int, d Digest, path []Digest) (Digest, int) {
	if n == 1 {
		return d, len(path)
	}
	if len(path) == 0 {
		return d, -1
	}
	last := len(path) - 1
	k := split(n)
	if i < k {
		d, rest := climb(i, k, d, path[:last])
		return node(d, path[last]), rest
	}
	d, rest := climb(i-k, n-k, d, path[:last])
	return node(path[last], d), rest
}
