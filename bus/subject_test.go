package bus_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digital-spine/spine/bus"
)

func mark(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "MODE"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSubject(t *testing.T) {
	a, b := strings.Repeat("a", 26), strings.Repeat("7", 26)
	s := bus.Subject(7, a, b)
	if s != "m.07."+a+"."+b {
		t.Fatal(s)
	}
	pp, m, f, err := bus.ParseSubject(s)
	if err != nil || pp != 7 || m != a || f != b {
		t.Fatal(pp, m, f, err)
	}
	for _, bad := range []string{"", s + "x", strings.ToUpper(s), bus.MailboxSubject(7, a), strings.Replace(s, "07", "7x", 1),
		strings.Replace(s, "aa", "a.", 1), strings.Replace(s, "77", "71", 1)} {
		if _, _, _, err := bus.ParseSubject(bad); bus.CodeOf(err) != bus.CodeBadSubject {
			t.Errorf("%q: %v", bad, err)
		}
	}
	// The same as the server's own {{partition(64,1)}}.
	if got := bus.DefaultPartition("alice", 64); got != int(fnv("alice")%64) {
		t.Error(got)
	}
}

func fnv(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}

func FuzzParseSubject(f *testing.F) {
	f.Add("m.00.aaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbb")
	f.Add("m.*.>")
	f.Fuzz(func(t *testing.T, s string) {
		pp, m, from, err := bus.ParseSubject(s)
		if err == nil && bus.Subject(pp, m, from) != s {
			t.Fatalf("%q does not come back", s)
		}
	})
}
