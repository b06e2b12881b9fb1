package envelope

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/digital-spine/spine/envelope/cobblestone"
)

// TestPartSizes: the smallest power of two that gives at most 900 parts, and a
// description that fits the smallest network.
func TestPartSizes(t *testing.T) {
	const MiB = int64(1) << 20
	for _, c := range []struct {
		size, part int64
		parts      int
	}{
		{0, 8 * MiB, 1}, {1, 8 * MiB, 1}, {8*MiB - 1, 8 * MiB, 1}, {8 * MiB, 8 * MiB, 1}, {8*MiB + 1, 8 * MiB, 2},
		{900 * 8 * MiB, 8 * MiB, 900}, {900*8*MiB + 1, 16 * MiB, 451}, {FileMax, 16 * MiB, 597},
		{MaxObject, MaxPartSize, MaxParts},
	} {
		if part, n := PartSizeFor(c.size), PartsOf(c.size); part != c.part || n != c.parts {
			t.Errorf("%d bytes: %d parts of %d, want %d of %d", c.size, n, part, c.parts, c.part)
		}
	}
	o := &Object{
		OID: ID{1}, Name: strings.Repeat("n", MaxObjectName), Type: strings.Repeat("t", MaxFrameType),
		Size: MaxObject, PartSize: MaxPartSize, Parts: make([]Digest, MaxParts),
	}
	if n := len(o.Bytes()); n > MaxDescription {
		t.Errorf("longest description %d, room for %d", n, MaxDescription)
	}
	back := ok[*Object](t)(ParseObject(o.Bytes()))
	f := back.Frame(ID{1}, t0)
	wantCode(t, f.Check(WireMin), "")
	if o.SealedSize() != int64(MaxParts)*o.SealedPart(0) {
		t.Error("sealed size")
	}
	_, err := ParseObject(make([]byte, MaxDescription+1))
	wantCode(t, err, BadObject)
}

// TestDescriptions breaks each rule of a description.
func TestDescriptions(t *testing.T) {
	for _, d := range newMarket(t).descriptions() {
		t.Run(d.Name, func(t *testing.T) {
			_, err := ParseObject(d.Bytes)
			wantCode(t, err, d.Code)
		})
	}
}

// TestObject seals and opens files of all interesting sizes.
func TestObject(t *testing.T) {
	m := newMarket(t)
	for _, size := range []int64{0, 1, 16383, 16384, MinPartSize - 1, MinPartSize, MinPartSize + 1} {
		made, sealed := m.file(t, size)
		o := ok[*Object](t)(ParseObject(made.Bytes()))
		whole := content(size)
		var all []byte
		for i, b := range sealed {
			if int64(len(b)) != o.SealedPart(i) {
				t.Errorf("%d bytes, part %d: %d sealed, told %d", size, i, len(b), o.SealedPart(i))
			}
			plain, err := readPart(o, i, b)
			wantCode(t, err, "")
			all = append(all, plain...)

			r := ok[*PartReader](t)(o.OpenPart(iotest.HalfReader(bytes.NewReader(b)), i))
			var out bytes.Buffer
			if n, err := io.Copy(&out, r); err != nil || n != int64(len(plain)) || !bytes.Equal(out.Bytes(), plain) {
				t.Errorf("copied %d, %v", n, err)
			}
			if n, err := r.WriteTo(&out); n != 0 || err != nil {
				t.Errorf("copied again: %d, %v", n, err)
			}

			at := ok[*cobblestone.ReaderAt](t)(o.OpenPartAt(bytes.NewReader(b), int64(len(b)), i))
			if at.Size() != int64(len(plain)) {
				t.Errorf("random access to %d bytes of %d", at.Size(), len(plain))
			}
			_, err = o.OpenPartAt(bytes.NewReader(b), int64(len(b))-1, i)
			wantCode(t, err, Truncated)
		}
		if !bytes.Equal(all, whole) {
			t.Errorf("%d bytes: other content", size)
		}
		wantCode(t, o.CheckContent(Sum(all)), "")
		wantCode(t, o.CheckContent(Sum(append(all, 1))), BadObject)
	}
}

// TestPartRefused plays a sender that names parts which do not fit: told by
// the exact code, and final.
func TestPartRefused(t *testing.T) {
	m := newMarket(t)
	o, sealed := m.file(t, 2*MinPartSize+5)
	again := func(edit func(*Object), i int, last bool, plain []byte) []byte {
		other := *o
		edit(&other)
		return sealPart(t, &other, i, last, plain)
	}
	plain := content(o.Size)
	first := plain[:MinPartSize]
	same := func(*Object) {}
	for name, c := range map[string]struct {
		place int
		bytes []byte
		want  Code
	}{
		"good":                     {0, sealed[0], ""},
		"of another place":         {0, sealed[1], BadPart},
		"of another file":          {0, again(func(o *Object) { o.Key[0] ^= 1 }, 0, false, first), BadPart},
		"of another object's id":   {0, again(func(o *Object) { o.OID[0] ^= 1 }, 0, false, first), BadPart},
		"sealed as the last":       {0, again(same, 0, true, first), BadPart},
		"last, not sealed as it":   {2, again(same, 2, false, plain[2*MinPartSize:]), BadPart},
		"one byte short":           {0, again(same, 0, false, first[1:]), Truncated},
		"one byte long":            {0, again(same, 0, false, append(bytes.Clone(first), 0)), Truncated},
		"cut by a byte":            {0, sealed[0][:len(sealed[0])-1], Truncated},
		"cut at a chunk":           {0, sealed[0][:cobblestone.HeaderSize+9*cobblestone.SealedChunkSize], Truncated},
		"without its last chunk":   {0, sealed[0][:len(sealed[0])-16], Truncated},
		"cut in its header":        {0, sealed[0][:30], Truncated},
		"empty":                    {0, nil, Truncated},
		"last part, a byte more":   {2, append(bytes.Clone(sealed[2]), 0), Truncated},
		"a full part as the last":  {2, sealed[0], Truncated},
		"the last part in between": {1, sealed[2], Truncated},
	} {
		t.Run(name, func(t *testing.T) {
			named := *o
			named.Parts = append([]Digest{}, o.Parts...)
			named.Parts[c.place] = Sum(c.bytes)
			got, err := readPart(&named, c.place, c.bytes)
			wantCode(t, err, c.want)
			if c.want == BadPart && len(got) > 0 {
				t.Errorf("%d bytes were handed out", len(got))
			}
			if c.want != "" && c.want.Info().Then != Final {
				t.Error("not final")
			}
		})
	}
}

// TestPartReplaced plays the operator of the blob store: whatever it puts in
// the place of a part is content_hash, which asks again, and nothing of it is
// taken for the end.
func TestPartReplaced(t *testing.T) {
	m := newMarket(t)
	o, sealed := m.file(t, 2*MinPartSize+5)
	attempt := ok[*bytes.Buffer](t)(new(bytes.Buffer), nil)
	w := ok[*cobblestone.Writer](t)(SealPart(attempt, o.Key, o.OID, 0, false))
	_, err := w.Write(content(o.Size)[:MinPartSize])
	wantCode(t, err, "")
	wantCode(t, w.Close(), "")
	flipped := func(at int) []byte {
		b := bytes.Clone(sealed[0])
		b[at] ^= 1
		return b
	}
	for name, b := range map[string][]byte{
		"dropped":           nil,
		"swapped":           sealed[1],
		"the last part":     sealed[2],
		"another attempt":   attempt.Bytes(), // right key, right content
		"cut at a chunk":    sealed[0][:cobblestone.HeaderSize+100*cobblestone.SealedChunkSize],
		"cut by a byte":     sealed[0][:len(sealed[0])-1],
		"cut in the header": sealed[0][:40],
		"a byte more":       append(bytes.Clone(sealed[0]), 0),
		"a part more":       append(bytes.Clone(sealed[0]), sealed[0]...),
		"first bit":         flipped(0),
		"bit in the middle": flipped(len(sealed[0]) / 2),
		"last bit":          flipped(len(sealed[0]) - 1),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readPart(o, 0, b)
			wantCode(t, err, ContentHash)
			if !bytes.HasPrefix(content(o.Size), got) {
				t.Error("bytes that are not content were handed out")
			}
			r, err := o.OpenPart(bytes.NewReader(b), 0)
			if err == nil {
				_, err = r.WriteTo(io.Discard)
				if _, again := r.Read(make([]byte, 1)); CodeOf(again) != ContentHash {
					t.Errorf("read on: %v", again)
				}
			}
			wantCode(t, err, ContentHash)
		})
	}
}

// endless never ends; a hostile store may do so.
type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) {
	clear(p)
	e.read += int64(len(p))
	return len(p), nil
}

// TestPartEndless: not more is read than the longest part of the object has.
func TestPartEndless(t *testing.T) {
	m := newMarket(t)
	o, sealed := m.file(t, 1)
	src := &endless{}
	_, err := o.OpenPart(src, 0)
	wantCode(t, err, ContentHash)
	if limit := cobblestone.SealedSize(o.PartSize) + 64<<10; src.read > limit {
		t.Errorf("%d bytes read", src.read)
	}
	src = &endless{}
	r := ok[*PartReader](t)(o.OpenPart(io.MultiReader(bytes.NewReader(sealed[0]), src), 0))
	_, err = io.ReadAll(r)
	wantCode(t, err, ContentHash)
}

// TestPartInterrupted: a connection that breaks says nothing about the part,
// nor does a destination that is full.
func TestPartInterrupted(t *testing.T) {
	m := newMarket(t)
	o, sealed := m.file(t, 5*cobblestone.ChunkSize)
	broken := errors.New("broken")
	for _, at := range []int{0, 30, 56, 20000, len(sealed[0]) - 1, len(sealed[0])} {
		r, err := o.OpenPart(io.MultiReader(bytes.NewReader(sealed[0][:at]), iotest.ErrReader(broken)), 0)
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if !errors.Is(err, broken) || CodeOf(err) != "" {
			t.Errorf("broken at %d: %v", at, err)
		}
	}
	r := ok[*PartReader](t)(o.OpenPart(bytes.NewReader(sealed[0]), 0))
	if _, err := r.WriteTo(failing{broken}); !errors.Is(err, broken) {
		t.Errorf("full: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// TestResumePart goes on in the middle of a part to the same bytes.
func TestResumePart(t *testing.T) {
	m := newMarket(t)
	o, sealed := m.file(t, 9*cobblestone.ChunkSize+1)
	chunks, size := cobblestone.Kept(int64(len(sealed[0]) / 2))
	b := bytes.NewBuffer(bytes.Clone(sealed[0][:size]))
	w := ok[*cobblestone.Writer](t)(ResumePart(b, o.Key, o.OID, 0, true, w0(sealed[0]), chunks))
	_, err := w.Write(content(o.Size)[chunks*cobblestone.ChunkSize:])
	wantCode(t, err, "")
	wantCode(t, w.Close(), "")
	if !bytes.Equal(b.Bytes(), sealed[0]) {
		t.Error("other bytes")
	}
	_, err = ResumePart(b, o.Key, o.OID, 1, true, w0(sealed[0]), chunks)
	wantCode(t, err, BadPart)
}

func w0(sealed []byte) (h [cobblestone.HeaderSize]byte) {
	copy(h[:], sealed)
	return h
}

// TestObjectFrame sends a description through an envelope.
func TestObjectFrame(t *testing.T) {
	m := newMarket(t)
	o, _ := m.file(t, 1)
	f := o.Frame(m.frame.ID, t0+2000)
	wantCode(t, f.Check(WireDefault), "")
	e := ok[*Envelope](t)(m.keys.Seal(context.Background(), m.keyA, Entry{Prev: m.core.Session(), Time: t0 + 3000}, []Frame{f, m.frames(2, nil)[1]}))
	opened := ok[*Opened](t)(m.keys.Open(e))
	if opened.Frames[0].Kind != KindObject || opened.Frames[1].Kind != KindData {
		t.Errorf("kinds %d, %d", opened.Frames[0].Kind, opened.Frames[1].Kind)
	}
	back := ok[*Object](t)(ParseObject(opened.Frames[0].Body))
	if !bytes.Equal(back.Bytes(), o.Bytes()) {
		t.Error("description does not survive")
	}
	f.Kind = 2
	wantCode(t, f.Check(WireDefault), Malformed)
	if strings.Contains(o.Key.String(), "8") {
		t.Error("the key prints")
	}
}

// discard is io.Discard without its ReaderFrom, which would copy.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func BenchmarkPart(b *testing.B) {
	m := newMarket(b)
	o, sealed := m.file(b, MinPartSize)
	plain := content(MinPartSize)
	b.Run("seal", func(b *testing.B) {
		b.SetBytes(MinPartSize)
		b.ReportAllocs()
		for b.Loop() {
			w := ok[*cobblestone.Writer](b)(SealPart(io.Discard, o.Key, o.OID, 0, true))
			if _, err := w.Write(plain); err != nil || w.Close() != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) { // with the hash of the sealed bytes
		b.SetBytes(MinPartSize)
		b.ReportAllocs()
		for b.Loop() {
			r := ok[*PartReader](b)(o.OpenPart(bytes.NewReader(sealed[0]), 0))
			if n, err := r.WriteTo(discard{}); n != MinPartSize || err != nil {
				b.Fatal(n, err)
			}
		}
	})
}
