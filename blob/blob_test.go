package blob

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func TestParseHash(t *testing.T) {
	good := strings.Repeat("0f", 32)
	h, err := ParseHash(good)
	if err != nil || FormatHash(h) != good {
		t.Fatal(h, err)
	}
	for _, bad := range []string{"", "0f", good + "00", strings.ToUpper(good), strings.Repeat("0g", 32), strings.Repeat("..", 32), good[:63] + "\x00", good[:62] + "/."} {
		if _, err := ParseHash(bad); !errors.Is(err, ErrHashForm) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParseHash(f *testing.F) {
	f.Add(strings.Repeat("0f", 32))
	f.Add(strings.Repeat("0F", 32))
	f.Add("../../etc/passwd")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseHash(s)
		if err != nil {
			return
		}
		want, bad := hex.DecodeString(s)
		if bad != nil || !bytes.Equal(want, h[:]) || FormatHash(h) != s {
			t.Fatalf("%q was taken as %x", s, h)
		}
	})
}
