package envelope

import (
	"bytes"
	"errors"
	"testing"
)

// Each target feeds a decoder of bytes from outside. Whatever it accepts must
// be the encoding of what it read, must be canonical CBOR to the library too,
// and must print.

type coded interface{ Bytes() []byte }

func fuzz[T coded](f *testing.F, name string, parse func([]byte) (T, error)) {
	structures := newMarket(f).structures(f)
	f.Add(structures[name])
	f.Add(structures[name][:len(structures[name])/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := parse(b)
		if err != nil {
			if CodeOf(err).Info() == nil {
				t.Fatalf("error without a code of the list: %v", err)
			}
			return
		}
		if !bytes.Equal(v.Bytes(), b) {
			t.Fatalf("%x was read, but is written %x", b, v.Bytes())
		}
		checkOracle(t, b)
		if _, err := Inspect(b); err != nil {
			t.Fatalf("accepted, but not inspected: %v", err)
		}
	})
}

func FuzzParseCertificate(f *testing.F) { fuzz(f, "certificate", ParseCertificate) }
func FuzzParsePackage(f *testing.F)     { fuzz(f, "package", ParsePackage) }
func FuzzParseTopic(f *testing.F)       { fuzz(f, "topic", ParseTopic) }
func FuzzParseSchema(f *testing.F)      { fuzz(f, "schema", ParseSchema) }
func FuzzParseCore(f *testing.F)        { fuzz(f, "core", ParseCore) }
func FuzzParseGrant(f *testing.F)       { fuzz(f, "grant", ParseGrant) }
func FuzzParseBoxText(f *testing.F)     { fuzz(f, "boxtext", ParseBoxText) }
func FuzzParseEnvelope(f *testing.F)    { fuzz(f, "envelope", ParseEnvelope) }
func FuzzParseNotice(f *testing.F)      { fuzz(f, "notice", ParseNotice) }
func FuzzParseMark(f *testing.F)        { fuzz(f, "mark", ParseMark) }
func FuzzParseObject(f *testing.F)      { fuzz(f, "object", ParseObject) }
func FuzzParseReceipt(f *testing.F)     { fuzz(f, "receipt", ParseReceipt) }
func FuzzParseLogin(f *testing.F)       { fuzz(f, "login", ParseLogin) }
func FuzzParseStatus(f *testing.F)      { fuzz(f, "status", ParseStatus) }

type appended struct{ append func([]byte) []byte }

func (a appended) Bytes() []byte { return a.append(nil) }

func FuzzParseHeader(f *testing.F) {
	fuzz(f, "header", func(b []byte) (appended, error) {
		h, err := ParseHeader(b)
		if err != nil {
			return appended{}, err
		}
		return appended{h.append}, nil
	})
}

func FuzzParseFrame(f *testing.F) {
	fuzz(f, "frame", func(b []byte) (appended, error) {
		frame, err := ParseFrame(b)
		if err != nil {
			return appended{}, err
		}
		if frame.Size() != len(b) {
			return appended{}, errors.New("size is not the length")
		}
		return appended{frame.Append}, nil
	})
}

// FuzzOpenPart reads sealed parts of one place: nothing panics, what is handed
// out is a beginning of the content, and only the part itself ends well.
func FuzzOpenPart(f *testing.F) {
	m := newMarket(f)
	o, sealed := m.file(f, 100)
	f.Add(sealed[0])
	f.Add(sealed[0][:60])
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readPart(o, 0, b)
		if (err == nil) != bytes.Equal(b, sealed[0]) || !bytes.HasPrefix(content(100), got) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		if err != nil {
			wantCode(t, err, ContentHash)
		}
		named := *o
		named.Parts = []Digest{Sum(b)}
		if _, err := readPart(&named, 0, b); (err == nil) != bytes.Equal(b, sealed[0]) {
			t.Fatal(err)
		}
	})
}

// FuzzFrames reads plaintexts: what is accepted is packed to the same bytes.
func FuzzFrames(f *testing.F) {
	m := newMarket(f)
	for _, n := range []int{1, 3} {
		plain, _, err := pack(m.frames(n, []byte("{}")))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(plain)
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		frames, _, err := unpack(plain)
		if err != nil {
			wantCode(t, err, BadFrames)
			return
		}
		again, _, err := pack(frames)
		if err != nil || !bytes.Equal(again, plain) {
			t.Fatalf("packed again differently: %v", err)
		}
	})
}

func FuzzInspect(f *testing.F) {
	for _, b := range newMarket(f).structures(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := Inspect(b); err != nil && CodeOf(err).Info() == nil {
			t.Fatalf("error without a code of the list: %v", err)
		}
	})
}

func FuzzCanonical(f *testing.F) {
	for _, list := range []map[string]string{looseCBOR, brokenCBOR} {
		for _, s := range list {
			f.Add(unhexed(f, s))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkOracle(t, b) })
}
