package ens_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/adraffy/go-ens-normalize/ensip15"
	"pgregory.net/rapid"

	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/internal/testkit"
)

func TestHashes(t *testing.T) {
	for name, want := range map[string]string{
		"":                        "0000000000000000000000000000000000000000000000000000000000000000",
		"eth":                     "93cdeb708b7545dc668eb9280176169d1c33cfd8ed6f04690a0bcc88a93fc4ae",
		"foo.eth":                 "de9b09fd7c5f901e23a3f19fecc54828e9c848539801e86591bd9801b019f84f",
		"ewc":                     "62678f566401da579f21f5ecc445c98cd2d5f4be167cbd7a7c30ca7ea7bc9848",
		"iam.ewc":                 "a73067bb6620cab46501ab6df6bb43f51cfcaef1a7dd3a4d61b5c6c5b0bcdaef",
		"energyweb.iam.ewc":       "9c0d998fec800b14f2aa5b83643561cab9a7f52630b5c3889cf5e2a7a175d632",
		"roles.energyweb.iam.ewc": "a826cd5942e55cd61d96d31c81f555cb61192914b7e824613a5656e82ee1e2dd",
	} {
		got := ens.Namehash(name)
		if hex.EncodeToString(got[:]) != want {
			t.Errorf("%q: %x, want %s", name, got, want)
		}
	}
	for label, want := range map[string]string{
		"roles": "de9bdca322e1a848f72215bc15cf2c87fe7749145789a9ee281a2a6290af26ab",
		"apps":  "800646f83ce0cc82fb2b61fe972fad84bd3ce1a5f044821a6c53c382cf05a8f5",
	} {
		got := ens.Labelhash(label)
		if hex.EncodeToString(got[:]) != want {
			t.Errorf("%q: %x, want %s", label, got, want)
		}
	}
}

func TestNormalize(t *testing.T) {
	for in, want := range map[string]string{
		"edge.iam.ewc":  "edge.iam.ewc",
		"EDGE.iam.Ewc":  "edge.iam.ewc",
		"RaFFY🚴‍♂️.eTh": "raffy🚴‍♂.eth",
		"_a.eth":        "_a.eth",
		"a-b.eth":       "a-b.eth",
		"-a-.eth":       "-a-.eth",
	} {
		if got, err := ens.Normalize(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"", ".", "a..b", ".a", "a.", "a_", "foo_.eth", "ab--c.eth", "xn--a.eth", "a b", "a\x00b", "аpple.eth", "\xff", "a%", "a/b",
		strings.Repeat("a", 300),
	} {
		if got, err := ens.Normalize(in); err == nil {
			t.Errorf("%q was accepted as %q", in, got)
		}
	}
}

// TestVectors runs the validation tests of the standard that come with the
// library whose tables we use.
func TestVectors(t *testing.T) {
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/adraffy/go-ens-normalize").Output()
	if err != nil {
		testkit.Skip(t, "the library's sources are not at hand: "+err.Error())
	}
	b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "ensip15", "tests.json"))
	if err != nil {
		testkit.Skip(t, "the library's vectors are not at hand: "+err.Error())
	}
	var vectors []struct {
		Name, Norm string
		Error      bool
	}
	if err := json.Unmarshal(b, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors[1:] { // the first says how the file was made
		want := v.Norm
		if want == "" {
			want = v.Name
		}
		got, err := ens.ENSIP15(v.Name)
		if (err != nil) != v.Error || err == nil && got != want {
			t.Errorf("%q: %q, %v", v.Name, got, err)
		}
		short, err := ens.Normalize(v.Name)
		if refused := v.Error || v.Name == "" || len(v.Name) > ens.MaxName; (err != nil) != refused || err == nil && short != want {
			t.Errorf("%q: %q, %v", v.Name, short, err)
		}
	}
	t.Logf("%d vectors", len(vectors)-1)
}

func TestParseRole(t *testing.T) {
	role, namespace, err := ens.ParseRole("aggregator.roles.market.apps.edge.iam.ewc")
	if err != nil || role != "aggregator" || namespace != "market.apps.edge.iam.ewc" {
		t.Errorf("%s, %s, %v", role, namespace, err)
	}
	for _, in := range []string{"", "a", "roles.x", "a.roles", "a.roles.", "A.roles.x", "a.b.roles.x", "roles.roles.x", "a.x.roles"} {
		if _, _, err := ens.ParseRole(in); err == nil {
			t.Errorf("%q was accepted", in)
		}
	}
}

// TestPlainNames: the short way of Normalize agrees with the tables.
func TestPlainNames(t *testing.T) {
	tables := ensip15.Shared()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z0-9_.-]{1,14}`).Draw(t, "name")
		want, wantErr := tables.Normalize(name)
		got, err := ens.Normalize(name)
		if (err == nil) != (wantErr == nil) || got != want {
			t.Fatalf("%q: %q, %v; tables: %q, %v", name, got, err, want, wantErr)
		}
	})
}

func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"edge.iam.ewc", "A", "a..b", "раураl", "🚴‍♂️.eth", "xn--x", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out, err := ens.Normalize(s)
		if err != nil {
			return
		}
		if again, err := ens.Normalize(out); err != nil || again != out {
			t.Fatalf("%q normalises to %q, which normalises to %q, %v", s, out, again, err)
		}
		ens.Namehash(out)
		_, _, _ = ens.ParseRole(out)
	})
}

func FuzzNamehash(f *testing.F) {
	f.Add("a.b")
	f.Add(".")
	f.Fuzz(func(t *testing.T, s string) {
		label, parent := ens.Split(s)
		if label != "" && parent != "" && ens.Namehash(s) == ens.Namehash(parent) {
			t.Fatal("a name with its parent's hash")
		}
	})
}

func BenchmarkNormalize(b *testing.B) {
	for b.Loop() {
		if _, err := ens.Normalize("aggregator.roles.market.apps.edge.iam.ewc"); err != nil {
			b.Fatal(err)
		}
	}
}
