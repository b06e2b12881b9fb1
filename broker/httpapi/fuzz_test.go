package httpapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/internal/problem"
)

func TestParseRange(t *testing.T) {
	for _, tc := range []struct {
		header string
		size   int64
		want   string
	}{
		{"", 10, "0+10"}, {"bytes=0-0", 10, "0+1 part"}, {"bytes=0-", 10, "0+10 part"}, {"bytes=9-", 10, "9+1 part"}, {"bytes=10-", 10, "range"},
		{"bytes=-1", 10, "9+1 part"}, {"bytes=-10", 10, "0+10 part"}, {"bytes=-11", 10, "0+10 part"}, {"bytes=-0", 10, "range"}, {"bytes=-1", 0, "range"},
		{"bytes=0-", 0, "range"}, {"bytes=3-2", 10, "0+10"}, {"bytes=3-3", 10, "3+1 part"}, {"bytes=3-99", 10, "3+7 part"}, {"BYTES=1-2", 10, "1+2 part"},
		{"bytes=", 10, "0+10"}, {"bytes=-", 10, "0+10"}, {"bytes=--1", 10, "0+10"}, {"bytes=1-2,3-4", 10, "0+10"}, {"bytes=+1-2", 10, "0+10"},
		{"bytes=1-99999999999999999999", 10, "1+9 part"}, {"bytes=99999999999999999999-", 10, "range"}, {"items=1-2", 10, "0+10"}, {"bytes 1-2", 10, "0+10"},
	} {
		r, part, err := parseRange(tc.header, tc.size)
		got := fmt.Sprintf("%d+%d", r.offset, r.length)
		if part {
			got += " part"
		}
		if err != nil {
			got = problem.CodeOf(err)
		}
		if got != tc.want {
			t.Errorf("%q of %d: %s, want %s", tc.header, tc.size, got, tc.want)
		}
	}
}

// FuzzRange: whatever is asked, what is served lies within the blob.
func FuzzRange(f *testing.F) {
	for _, s := range []string{"", "bytes=0-9", "bytes=5-", "bytes=-7", "bytes=-0", "bytes=9-3", "bytes=0-1,4-5", "bytes=99999999999999999999-", "lines=1-2"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		r, part, err := parseRange(header, size)
		switch {
		case err != nil:
			if problem.CodeOf(err) != "range" || problem.From(err).Status != 416 {
				t.Fatal(err)
			}
		case r.offset < 0 || r.length < 0 || r.size != size || r.length > size-r.offset || (part && r.length == 0):
			t.Fatalf("%q of %d: %+v, %v", header, size, r, part)
		case !part && (r.offset != 0 || r.length != size):
			t.Fatalf("%q of %d: not the whole: %+v", header, size, r)
		}
	})
}

func FuzzUntil(f *testing.F) {
	for _, s := range []string{"", "0", "1767225600000", "-1", "99999999999999999999", "1e3", "١"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := parseUntil(s); err == nil && (n < 0 || n >= 1e16) {
			t.Fatalf("%q: %d", s, n)
		}
	})
}

// FuzzHave decodes bodies of POST blobs/have.
func FuzzHave(f *testing.F) {
	f.Add([]byte(`{"hashes":["` + strings.Repeat("0f", 32) + `"],"until":1}`))
	f.Add([]byte(`{"hashes":[null,"",7],"until":"x"}`))
	f.Add([]byte(`{"hashes":["` + strings.Repeat("0F", 32) + `"]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var in HaveBody
		if json.Unmarshal(b, &in) != nil {
			return
		}
		hashes, err := parseHashes(in.Hashes)
		if err != nil {
			return
		}
		if len(hashes) != len(in.Hashes) || len(hashes) > broker.MaxHave {
			t.Fatal(len(hashes))
		}
		for i, h := range hashes {
			if blob.FormatHash(h) != in.Hashes[i] {
				t.Fatalf("%q became %x", in.Hashes[i], h)
			}
		}
	})
}
