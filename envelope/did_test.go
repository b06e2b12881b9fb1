package envelope

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/digital-spine/spine/did/ethr"
)

// TestDIDAgrees compares with the parser of DIDs, which this package does not
// import since a chain client stands beside it.
func TestDIDAgrees(t *testing.T) {
	same := func(t fatal, s string) {
		id, err := ethr.Parse(s)
		chain, normal := chainOf(s)
		if normal != (err == nil) || normal && chain != id.ChainID {
			t.Fatalf("%q: chain %d, normal %v; the parser says %v, %v", s, chain, normal, id, err)
		}
	}
	for _, s := range []string{
		"", "did:ethr:", didA, didA + " ", didA[:len(didA)-1], "did:web:example.com", "did:ethr:ewc", "did:key:z6Mk",
		"did:ethr:ewc:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf", "did:ethr:EWC:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
		"did:ethr:volta:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf", "did:ethr:0xf6:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
		"did:ethr:0x0:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf", "did:ethr:0x:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
		"did:ethr:0x+1:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf", "did:ethr:0x53A:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
		"did:ethr:0x1fffffffffffff:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
		"did:ethr:0x20000000000000:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
		"did:ethr:0x539:7E5F4552091A69125d5DfCb7b8C2659029395Bdf00", "did:ethr:0x539:0X7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
	} {
		same(t, s)
	}
	rapid.Check(t, func(t *rapid.T) {
		b := []byte(didA)
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.SampledFrom([]byte("0x9aAfF:ewcz")).Draw(t, "to")
		}
		same(t, string(b))
	})
}
