package access

import "testing"

// FuzzParse: a token comes from whoever can reach the API. What is taken for one
// has the form of one.
func FuzzParse(f *testing.F) {
	f.Add(newToken())
	f.Add("spk_0123456789ab_short")
	f.Add("spk__")
	f.Fuzz(func(t *testing.T, token string) {
		id, _, ok := parse(token)
		if ok && (len(id) != 12 || len(token) > 128) {
			t.Fatalf("%q was taken for a token with id %q", token, id)
		}
	})
}
