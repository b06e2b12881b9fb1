package envelope

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestPaths(t *testing.T) {
	l := [32]byte{1}
	for n := 1; n <= 20; n++ {
		frames := make([][]byte, n)
		for i := range frames {
			frames[i] = fmt.Appendf(nil, "frame %d", i)
		}
		salts := Salts(l, n)
		root := Root(salts, frames)
		for i := range frames {
			path := Path(i, salts, frames)
			wantCode(t, VerifyPath(root, i, n, salts[i], frames[i], path), "")
			wantCode(t, VerifyPath(root, i, n+1, salts[i], frames[i], path), BadContent)
			wantCode(t, VerifyPath(root, i, n, Salt{}, frames[i], path), BadContent)
			wantCode(t, VerifyPath(root, i, n, salts[i], []byte("other"), path), BadContent)
			wantCode(t, VerifyPath(root, (i+1)%(n+1), n, salts[i], frames[i], path), BadContent)
			wantCode(t, VerifyPath(root, i, n, salts[i], frames[i], append(path, Digest{})), BadContent)
			if len(path) > 0 {
				wantCode(t, VerifyPath(root, i, n, salts[i], frames[i], path[1:]), BadContent)
			}
		}
	}
	wantCode(t, VerifyPath(Digest{}, 0, 0, Salt{}, nil, nil), BadContent)
	wantCode(t, VerifyPath(Digest{}, -1, 1, Salt{}, nil, nil), BadContent)
	wantCode(t, VerifyPath(Digest{}, 0, MaxFrames+1, Salt{}, nil, nil), BadContent)
}

// TestTreeHash compares with the example trees of RFC 6962 as certificate
// transparency tests them: leaves without salt, of known content.
func TestTreeHash(t *testing.T) {
	inputs := [][]byte{
		{}, {0x00}, {0x10}, unhexed(t, "2021"), unhexed(t, "3031"), unhexed(t, "40414243"),
		unhexed(t, "5051525354555657"), unhexed(t, "606162636465666768696a6b6c6d6e6f"),
	}
	roots := []string{
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	var l []Digest
	for i, in := range inputs {
		l = append(l, Sum(append([]byte{0}, in...)))
		if got := treeHash(l).String(); got != roots[i] {
			t.Errorf("%d leaves: got %s, want %s", i+1, got, roots[i])
		}
	}
}

func TestPadme(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, WireMax).Draw(t, "n")
		p := Padme(n)
		if p < n || Padme(p) != p || n > 16 && p-n > n/8 {
			t.Fatalf("padme %d is %d", n, p)
		}
	})
}
