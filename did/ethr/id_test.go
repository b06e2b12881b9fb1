package ethr_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/digital-spine/spine/did"
	"github.com/digital-spine/spine/did/ethr"
)

const (
	checked = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
	lower   = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"
)

func TestNormalForm(t *testing.T) {
	for in, want := range map[string]string{
		"did:ethr:ewc:" + checked:                             "did:ethr:ewc:" + checked,
		"did:ethr:EWC:" + lower:                               "did:ethr:ewc:" + checked,
		"did:ethr:0xf6:" + lower:                              "did:ethr:ewc:" + checked,
		"did:ethr:0xF6:" + lower:                              "did:ethr:ewc:" + checked,
		"did:ethr:0x12047:" + lower:                           "did:ethr:volta:" + checked,
		"did:ethr:Volta:" + checked:                           "did:ethr:volta:" + checked,
		"did:ethr:0x539:" + lower:                             "did:ethr:0x539:" + checked,
		"did:ethr:0x000539:" + checked:                        "did:ethr:0x539:" + checked,
		"did:ethr:0xABC:" + "0x" + strings.ToUpper(lower[2:]): "did:ethr:0xabc:" + checked,
	} {
		got, err := ethr.Normalize(in)
		if err != nil || got != want {
			t.Errorf("%s: %s, %v", in, got, err)
		}
		id, err := ethr.Parse(want)
		if err != nil || id.String() != want {
			t.Errorf("%s: %v, %v", want, id, err)
		}
		if _, err := ethr.Parse(in); (err == nil) != (in == want) {
			t.Errorf("Parse(%s): %v", in, err)
		}
	}
}

func TestNotDIDs(t *testing.T) {
	for _, in := range []string{
		"", "did", "did:ethr", "did:ethr:", "did:ethr:" + checked, "did:ethr:ewc", "did:ethr:ewc:", "did:key:z6Mk",
		"did:ethr:ewc:" + checked[2:], "did:ethr:ewc:" + checked + "0", "did:ethr:ewc:" + checked[:41],
		"did:ethr:ewc:0X" + checked[2:], "did:ethr:ewc:" + checked + "#key", "did:ethr:ewc:" + checked + "?x",
		"did:ethr:ewc:0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", // one letter in the wrong case
		"did:ethr:0x:" + checked, "did:ethr:0x0:" + checked, "did:ethr:0xg:" + checked, "did:ethr:246:" + checked,
		"did:ethr:0x+1:" + checked, "did:ethr:0x1_0:" + checked, "did:ethr:0x20000000000000:" + checked,
		"did:ethr:mainnet:" + checked, "DID:ethr:ewc:" + checked, " did:ethr:ewc:" + checked,
		"did:ethr:ewc:ewc:" + checked, "did:ethr:" + strings.Repeat("0", 300) + ":" + checked,
	} {
		if got, err := ethr.Normalize(in); !errors.Is(err, did.ErrSyntax) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("did:ethr:ewc:" + checked)
	f.Add("did:ethr:0x012047:" + lower)
	f.Fuzz(func(t *testing.T, s string) {
		out, err := ethr.Normalize(s)
		_, perr := ethr.Parse(s)
		if err != nil {
			if perr == nil {
				t.Fatalf("%q parses but does not normalise", s)
			}
			return
		}
		if (perr == nil) != (s == out) {
			t.Fatalf("%q normalises to %q; Parse says %v", s, out, perr)
		}
		if id, err := ethr.Parse(out); err != nil || id.String() != out {
			t.Fatalf("%q normalises to %q, which is %v, %v", s, out, id, err)
		}
		if _, err := did.Method(out); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzMethod(f *testing.F) {
	f.Add("did:key:z6Mk")
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := did.Method(s); err == nil && !strings.HasPrefix(s, "did:"+m+":") {
			t.Fatalf("%q has method %q", s, m)
		}
	})
}
