package envelope

import (
	"encoding/json"
	"testing"
)

func TestDigestText(t *testing.T) {
	type pair struct {
		D Digest
		I ID
	}
	in := pair{Sum([]byte("x")), ID(run(0xa0, 16))}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out pair
	if err := json.Unmarshal(b, &out); err != nil || out != in {
		t.Fatalf("%s: %+v, %v", b, out, err)
	}
	if s := in.I.String(); s != "a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf" {
		t.Error(s)
	}
	for _, s := range []string{"", "00", in.D.String()[:63], in.D.String() + "0", "Z" + in.D.String()[1:], "A" + in.D.String()[1:]} {
		_, err := ParseDigest(s)
		wantCode(t, err, Malformed)
	}
	for _, s := range []string{"", "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf", "A0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf", "a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeag"} {
		_, err := ParseID(s)
		wantCode(t, err, Malformed)
	}
}

// TestLabels keeps hashes of one purpose apart from those of another: no label
// is a prefix of another.
func TestLabels(t *testing.T) {
	labels := []string{labelAddress, labelCert, labelPackage, labelTopic, labelSchema, labelSession, labelGrant, labelBox, labelEnvelope}
	for i, a := range labels {
		for j, b := range labels {
			if i != j && len(a) <= len(b) && b[:len(a)] == a {
				t.Errorf("%q is a prefix of %q", a, b)
			}
		}
	}
}
