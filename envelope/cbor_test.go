package envelope

import (
	"bytes"
	"slices"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"pgregory.net/rapid"
)

// looseCBOR are bytes that decode but are not their own encoding, one of each
// class.
var looseCBOR = map[string]string{
	"integer in 1 byte":    "1801",
	"integer in 2 bytes":   "190001",
	"integer in 4 bytes":   "1a00000001",
	"integer in 8 bytes":   "1b0000000000000001",
	"negative in 1 byte":   "3800",
	"length of bytes":      "580100",
	"length of text":       "780161",
	"length of array":      "9801f5",
	"length of map":        "b80101f5",
	"unsorted keys":        "a2020001f5",
	"unsorted text keys":   "a262616100616200",
	"indefinite bytes":     "5f4100ff",
	"indefinite text":      "7f6161ff",
	"indefinite array":     "9f01ff",
	"indefinite map":       "bf0102ff",
	"unsorted key, nested": "81a2020001f5",
}

// brokenCBOR are bytes that this protocol never reads, one of each class.
var brokenCBOR = map[string]string{
	"nothing":                "",
	"truncated integer":      "18",
	"truncated bytes":        "4201",
	"truncated array":        "8201",
	"truncated map":          "a101",
	"indefinite without end": "9f01",
	"break alone":            "ff",
	"reserved head":          "1c",
	"indefinite integer":     "1fff",
	"chunk of another type":  "5f6161ff",
	"null":                   "f6",
	"undefined":              "f7",
	"simple value":           "f8ff",
	"half float":             "f93c00",
	"double":                 "fb3ff0000000000000",
	"tag":                    "c000",
	"duplicate key":          "a201000100",
	"invalid UTF-8":          "61ff",
	"trailing byte":          "0100",
	"integer above 2^53":     "1b0020000000000000",
	"huge array":             "9b7fffffffffffffff",
	"huge bytes":             "5b7fffffffffffffff",
	"nested seven times":     "8181818181818100",
}

func TestCanonical(t *testing.T) {
	for name, s := range looseCBOR {
		t.Run(name, func(t *testing.T) { wantCode(t, canonical(unhexed(t, s)), NotCanonical) })
	}
	for name, s := range brokenCBOR {
		t.Run(name, func(t *testing.T) { wantCode(t, canonical(unhexed(t, s)), Malformed) })
	}
	for _, s := range []string{"00", "17", "1818", "1b001fffffffffffff", "20", "40", "60", "80", "a0", "f4", "f5", "818181818180", "a201000200"} {
		wantCode(t, canonical(unhexed(t, s)), "")
	}
}

// TestDecode has what the library's decoder takes and the structure is not.
func TestDecode(t *testing.T) {
	m := newMarket(t)
	core := m.core.Bytes()
	edit := func(old, new string) []byte {
		b := bytes.Replace(core, unhexed(t, old), unhexed(t, new), 1)
		if bytes.Equal(b, core) {
			t.Fatalf("%s is not in the core", old)
		}
		return b
	}
	for name, c := range map[string]struct {
		b    []byte
		want Code
	}{
		"good":             {core, ""},
		"version 2":        {edit("ab0101", "ab0102"), BadVersion},
		"version long":     {edit("ab0101", "ab011801"), NotCanonical},
		"version absent":   {edit("ab0101", "aa"), Malformed},
		"unknown key":      {append(edit("ab0101", "ac0101"), 0x0c, 0), Malformed},
		"unknown key, v 2": {append(edit("ab0101", "ac0102"), 0x0c, 0), BadVersion},
		"inst absent":      {bytes.Replace(edit("ab0101", "aa0101"), []byte{4, 0}, nil, 1), Malformed},
		"inst as text":     {edit("0400", "0460"), Malformed},
		"inst as bool":     {edit("0400", "04f4"), Malformed},
		"inst negative":    {edit("0400", "0420"), Malformed},
		"chan short":       {edit("0650000102030405060708090a0b0c0d0e0f", "064f0102030405060708090a0b0c0d0e0f"), Malformed},
		"chan long":        {edit("0650000102030405060708090a0b0c0d0e0f", "0651ff000102030405060708090a0b0c0d0e0f"), Malformed},
		"chan as array":    {edit("0650000102030405060708090a0b0c0d0e0f", "0690000102030405060708090a0b0c0d0e0f"), Malformed},
		"array":            {[]byte{0x80}, Malformed},
		"integer":          {[]byte{0}, Malformed},
		"above the limit":  {make([]byte, MaxCore+1), TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseCore(c.b)
			wantCode(t, err, c.want)
		})
	}
	for n := range core {
		_, err := ParseCore(core[:n])
		wantCode(t, err, Malformed)
	}
	for name, s := range looseCBOR {
		_, err := ParseHeader(unhexed(t, s))
		if CodeOf(err) != NotCanonical {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCanonicalAgrees compares the walker with the library on random items and
// on random bytes.
func TestCanonicalAgrees(t *testing.T) {
	item := func(t *rapid.T) []byte { return encode(randomItem(t, 4)) }
	rapid.Check(t, func(t *rapid.T) {
		b := item(t)
		if err := canonical(b); err != nil {
			t.Fatalf("%x: %v", b, err)
		}
		checkOracle(t, b)
		if len(b) > 0 {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
		checkOracle(t, b)
	})
	rapid.Check(t, func(t *rapid.T) { checkOracle(t, rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes")) })
}

func randomItem(t *rapid.T, depth int) any {
	kinds := 7
	if depth == 0 {
		kinds = 5
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return rapid.Uint64Range(0, maxInt).Draw(t, "uint")
	case 1:
		return rapid.Int64Range(-1000, -1).Draw(t, "int")
	case 2:
		return rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes")
	case 3:
		return rapid.String().Draw(t, "text")
	case 4:
		return rapid.Bool().Draw(t, "bool")
	case 5:
		list := make([]any, rapid.IntRange(0, 5).Draw(t, "n"))
		for i := range list {
			list[i] = randomItem(t, depth-1)
		}
		return list
	}
	m := make(map[any]any)
	for range rapid.IntRange(0, 5).Draw(t, "n") {
		m[rapid.Uint64Range(0, 300).Draw(t, "key")] = randomItem(t, depth-1)
	}
	return m
}

// fatal is what rapid and testing have in common.
type fatal interface{ Fatalf(string, ...any) }

// checkOracle demands that the walker accepts nothing that the library, set to
// the same rules, would not give back byte for byte.
func checkOracle(t fatal, b []byte) {
	if canonical(b) != nil {
		return
	}
	var v any
	if err := decoding.Unmarshal(b, &v); err != nil {
		switch err.(type) {
		case *cbor.InvalidMapKeyTypeError: // byte strings and containers as keys have no Go form
			return
		case *cbor.MaxArrayElementsError: // long lists are canonical, only above a limit
			return
		}
		t.Fatalf("%x: accepted, but the library says %v", b, err)
	}
	if again := encode(v); !bytes.Equal(again, b) {
		t.Fatalf("%x: accepted, but the library encodes %x", b, again)
	}
}

// TestHeaderAgrees and TestFrameAgrees keep what is written by hand equal to
// what the library writes for the same structure.
func TestHeaderAgrees(t *testing.T) {
	type header struct {
		V       uint64 `cbor:"1,keyasint"`
		Session Digest `cbor:"2,keyasint"`
		Seq     uint64 `cbor:"3,keyasint"`
		Prev    Digest `cbor:"4,keyasint"`
		Time    int64  `cbor:"5,keyasint"`
		Root    Digest `cbor:"6,keyasint"`
	}
	rapid.Check(t, func(t *rapid.T) {
		h := Header{
			Session: Sum([]byte(rapid.String().Draw(t, "session"))), Seq: rapid.Uint64Range(0, MaxEnvelopes-1).Draw(t, "seq"),
			Prev: Sum([]byte(rapid.String().Draw(t, "prev"))), Time: rapid.Int64Range(0, maxInt).Draw(t, "time"),
		}
		b := h.append(nil)
		if want := encode(header{1, h.Session, h.Seq, h.Prev, h.Time, h.Root}); !bytes.Equal(b, want) {
			t.Fatalf("got %x, want %x", b, want)
		}
		if got, err := ParseHeader(b); err != nil || *got != h {
			t.Fatalf("parsed %+v, %v", got, err)
		}
		if len(b) > headerSize {
			t.Fatalf("%d bytes, more than %d", len(b), headerSize)
		}
	})
}

func TestFrameAgrees(t *testing.T) {
	type frame struct {
		ID    ID                `cbor:"1,keyasint"`
		Type  string            `cbor:"2,keyasint"`
		Body  []byte            `cbor:"3,keyasint"`
		At    int64             `cbor:"4,keyasint"`
		Re    ID                `cbor:"5,keyasint,omitzero"`
		Corr  string            `cbor:"6,keyasint,omitempty"`
		Txn   string            `cbor:"7,keyasint,omitempty"`
		Attrs map[string]string `cbor:"8,keyasint,omitempty"`
		Kind  uint64            `cbor:"9,keyasint,omitempty"`
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 40, MaxFrameType)
		f := Frame{
			ID: ID{1}, Type: text.Draw(t, "type"), Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
			At: rapid.Int64Range(0, maxInt).Draw(t, "at"), Corr: text.Draw(t, "corr"), Txn: text.Draw(t, "txn"),
		}
		if rapid.Bool().Draw(t, "re") {
			f.Re = ID{2}
		}
		if rapid.Bool().Draw(t, "object") {
			f.Kind = KindObject
		}
		if attrs := rapid.MapOfN(text, text, 0, MaxAttrs).Draw(t, "attrs"); len(attrs) > 0 {
			f.Attrs = attrs
		}
		b := f.Append(nil)
		if want := encode(frame(f)); !bytes.Equal(b, want) || f.Size() != len(b) {
			t.Fatalf("got %x of %d, want %x", b, f.Size(), want)
		}
		got, err := ParseFrame(b)
		if err != nil {
			t.Fatalf("parse: %v", err)
		}
		if !slices.Equal(got.Append(nil), b) {
			t.Fatal("frame does not survive")
		}
	})
}
