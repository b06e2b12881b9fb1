package inbox

import "testing"

func FuzzToken(f *testing.F) {
	f.Add(token(1, 2, 3))
	f.Add("")
	f.Add("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, s string) {
		consumer, ref, err := parseToken(s)
		if err == nil && token(consumer, ref.pos, ref.frame) != s {
			t.Fatalf("%q is accepted and is not what it names", s)
		}
	})
}
