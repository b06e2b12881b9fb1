package cobblestone

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"
)

var (
	testKey  = bytes.Repeat([]byte{7}, KeySize)
	testSalt = [SaltSize]byte{1, 2, 3}
	sizes    = []int{0, 1, 16383, 16384, 16385, 2*ChunkSize - 1, 2 * ChunkSize, batch*ChunkSize - 1, batch * ChunkSize, batch*ChunkSize + 1, 3*batch*ChunkSize + 77}
)

func TestSizes(t *testing.T) {
	for _, n := range sizes {
		b := sealed(t, testKey, nil, testSalt, plainBytes(n))
		if got := SealedSize(int64(n)); got != int64(len(b)) {
			t.Errorf("sealed size of %d: %d, is %d", n, got, len(b))
		}
	}
	seen := make(map[int64]bool)
	for n := int64(0); n < 3*ChunkSize; n++ {
		if back, err := PlainSize(SealedSize(n)); back != n || err != nil {
			t.Fatalf("plain size of the sealed size of %d: %d, %v", n, back, err)
		}
		seen[SealedSize(n)] = true
	}
	for n := int64(-5); n < SealedSize(3*ChunkSize-1); n++ {
		if _, err := PlainSize(n); (err == nil) != seen[n] {
			t.Fatalf("sealed size %d: %v", n, err)
		}
	}
	if n, err := PlainSize(SealedSize(MaxSize)); n != MaxSize || err != nil {
		t.Errorf("longest payload: %d, %v", n, err)
	}
	for _, n := range []int64{SealedSize(MaxSize) + 1, 1<<63 - 1} {
		if _, err := PlainSize(n); !errors.Is(err, ErrTruncated) {
			t.Errorf("sealed size %d: %v", n, err)
		}
	}
	for _, c := range []struct {
		sealed, size int64
		chunks       uint64
	}{
		{0, 0, 0}, {55, 0, 0}, {56, 56, 0}, {56 + SealedChunkSize - 1, 56, 0}, {56 + SealedChunkSize, 56 + SealedChunkSize, 1},
		{56 + 3*SealedChunkSize + 9, 56 + 3*SealedChunkSize, 3},
	} {
		if chunks, size := Kept(c.sealed); chunks != c.chunks || size != c.size {
			t.Errorf("kept of %d: %d chunks, %d bytes", c.sealed, chunks, size)
		}
	}
}

// TestWrites seals in pieces of all sizes to the same bytes.
func TestWrites(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range sizes {
		plain := plainBytes(n)
		want := sealed(t, testKey, []byte("c"), testSalt, plain)
		for range 20 {
			var b bytes.Buffer
			w, err := NewWriterSalt(&b, testKey, []byte("c"), testSalt)
			if err != nil {
				t.Fatal(err)
			}
			for rest := plain; len(rest) > 0; {
				k := min(len(rest), 1+random.IntN(3*batch*ChunkSize/2))
				if wrote, err := w.Write(rest[:k]); wrote != k || err != nil {
					t.Fatal(wrote, err)
				}
				rest = rest[k:]
				done := len(plain) - len(rest)
				if w.Chunks() != uint64(done/ChunkSize) || !bytes.Equal(w.Pending(), plain[done/ChunkSize*ChunkSize:done]) ||
					b.Len() != HeaderSize+done/ChunkSize*SealedChunkSize {
					t.Fatalf("after %d bytes: %d chunks, %d pending, %d written", done, w.Chunks(), len(w.Pending()), b.Len())
				}
			}
			if err := w.Close(); err != nil || !bytes.Equal(b.Bytes(), want) {
				t.Fatalf("%d bytes in pieces: other bytes, %v", n, err)
			}
			if _, err := w.Write(nil); err == nil {
				t.Fatal("written after the end")
			}
		}
	}
}

// TestResume cuts a payload anywhere and goes on from what is kept.
func TestResume(t *testing.T) {
	plain := plainBytes(5*ChunkSize + 99)
	want := sealed(t, testKey, []byte("c"), testSalt, plain)
	for _, at := range []int64{56, 57, 56 + SealedChunkSize - 1, 56 + SealedChunkSize, 56 + 3*SealedChunkSize + 5, int64(len(want)) - 1} {
		chunks, size := Kept(at)
		b := bytes.NewBuffer(bytes.Clone(want[:size]))
		w, err := Resume(b, testKey, []byte("c"), [HeaderSize]byte(want), chunks)
		if err != nil {
			t.Fatal(err)
		}
		if w.Header() != [HeaderSize]byte(want) || w.Chunks() != chunks {
			t.Error("another header or number")
		}
		if _, err := w.Write(plain[chunks*ChunkSize:]); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil || !bytes.Equal(b.Bytes(), want) {
			t.Errorf("resumed at %d: other bytes, %v", at, err)
		}
	}
	if _, err := Resume(io.Discard, testKey, []byte("d"), [HeaderSize]byte(want), 1); !errors.Is(err, ErrPart) {
		t.Errorf("resumed under another context: %v", err)
	}
	if _, err := Resume(io.Discard, testKey, []byte("c"), [HeaderSize]byte(want), maxChunks); err == nil {
		t.Error("resumed beyond the last chunk")
	}
	if _, err := Resume(io.Discard, testKey[1:], nil, [HeaderSize]byte(want), 0); err == nil {
		t.Error("resumed with a short key")
	}
}

// TestChanged flips one bit in each region, cuts at every interesting length,
// and moves chunks: each is refused by name.
func TestChanged(t *testing.T) {
	plain := plainBytes(2*ChunkSize + 100)
	good := sealed(t, testKey, nil, testSalt, plain)
	edited := func(edit func(b []byte) []byte) []byte { return edit(bytes.Clone(good)) }
	cases := map[string]struct {
		b    []byte
		want error
	}{
		"swapped chunks": {edited(func(b []byte) []byte {
			return append(append(append(b[:56:56], good[56+SealedChunkSize:56+2*SealedChunkSize]...), good[56:56+SealedChunkSize]...), good[56+2*SealedChunkSize:]...)
		}), ErrPart},
		"dropped chunk":   {edited(func(b []byte) []byte { return append(b[:56], good[56+SealedChunkSize:]...) }), ErrPart},
		"repeated chunk":  {edited(func(b []byte) []byte { return append(b[:56+SealedChunkSize], good[56:]...) }), ErrPart},
		"cut at a chunk":  {good[:56+SealedChunkSize], ErrTruncated},
		"cut at both":     {good[:56+2*SealedChunkSize], ErrTruncated},
		"only the header": {good[:56], ErrTruncated},
		"half a header":   {good[:40], ErrTruncated},
		"nothing":         {nil, ErrTruncated},
		"cut in a tag":    {good[:56+2*SealedChunkSize+15], ErrTruncated},
		"cut in a chunk":  {good[:len(good)-1], ErrPart},
		"longer":          {append(bytes.Clone(good), 0), ErrPart},
		"another's last":  {append(bytes.Clone(good[:56+2*SealedChunkSize]), sealed(t, testKey, nil, [SaltSize]byte{9}, plain)[56+2*SealedChunkSize:]...), ErrPart},
	}
	for _, at := range []int{0, 23, 24, 55, 56, 56 + ChunkSize, 56 + SealedChunkSize - 1, 56 + SealedChunkSize, len(good) - 17, len(good) - 1} {
		cases[fmt.Sprint("bit at ", at)] = struct {
			b    []byte
			want error
		}{edited(func(b []byte) []byte { b[at] ^= 1; return b }), ErrPart}
	}
	for name, c := range cases {
		for how, read := range readers {
			got, err := read(sha512.New, c.b, testKey, nil)
			if !errors.Is(err, c.want) || !bytes.HasPrefix(plain, got) {
				t.Errorf("%s, %s: got %v after %d bytes, want %v", name, how, err, len(got), c.want)
			}
		}
	}
	for name, other := range map[string][2][]byte{
		"key":     {bytes.Repeat([]byte{8}, KeySize), nil},
		"context": {testKey, []byte("c")},
	} {
		for how, read := range readers {
			if got, err := read(sha512.New, good, other[0], other[1]); !errors.Is(err, ErrPart) || len(got) > 0 {
				t.Errorf("another %s, %s: got %v", name, how, err)
			}
		}
	}
	var coded interface{ ErrorCode() string }
	if !errors.As(ErrPart, &coded) || coded.ErrorCode() != "part" || !errors.As(ErrTruncated, &coded) || coded.ErrorCode() != "truncated" {
		t.Error("codes")
	}
}

// TestReadAt compares every kind of range, from many goroutines.
func TestReadAt(t *testing.T) {
	for _, n := range sizes {
		plain := plainBytes(n)
		b := sealed(t, testKey, nil, testSalt, plain)
		r, err := OpenReaderAt(bytes.NewReader(b), int64(len(b)), testKey, nil)
		if err != nil || r.Size() != int64(n) {
			t.Fatal(n, err)
		}
		var all sync.WaitGroup
		for g := range 4 {
			all.Go(func() {
				random := rand.New(rand.NewPCG(uint64(g), 5))
				for range 50 {
					off := random.Int64N(int64(n) + 2)
					p := make([]byte, random.IntN(3*ChunkSize))
					if random.IntN(2) == 0 {
						off = off / ChunkSize * ChunkSize
					}
					got, err := r.ReadAt(p, off)
					want := copy(make([]byte, len(p)), plain[min(off, int64(n)):])
					if got != want || (err == io.EOF) != (want < len(p)) || !bytes.Equal(p[:got], plain[min(off, int64(n)):][:got]) {
						t.Errorf("%d bytes at %d of %d: %d, %v", len(p), off, n, got, err)
					}
				}
			})
		}
		all.Wait()
		if section, err := io.ReadAll(r.Section(1, 5)); err != nil || !bytes.Equal(section, plain[min(1, n):min(6, n)]) {
			t.Errorf("section of %d: %q, %v", n, section, err)
		}
		if _, err := r.ReadAt(nil, -1); err == nil {
			t.Error("read before the beginning")
		}
	}
	b := sealed(t, testKey, nil, testSalt, plainBytes(3*ChunkSize))
	r, err := OpenReaderAt(bytes.NewReader(b), int64(len(b)), testKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	b[56+SealedChunkSize+8] ^= 1 // bytes.Reader shares the slice: damage after opening
	if n, err := r.ReadAt(make([]byte, 2*ChunkSize), 0); n != ChunkSize || !errors.Is(err, ErrPart) {
		t.Errorf("damaged chunk: %d, %v", n, err)
	}
	if n, err := r.ReadAt(make([]byte, 9), 2*ChunkSize); n != 9 || err != nil {
		t.Errorf("whole chunk behind a damaged one: %d, %v", n, err)
	}
	if _, err := OpenReaderAt(bytes.NewReader(b[:len(b)-16]), int64(len(b)), testKey, nil); !errors.Is(err, ErrTruncated) {
		t.Errorf("source shorter than told: %v", err)
	}
}

// TestSourceErrors keeps the errors of sources and destinations apart from
// those of the content.
func TestSourceErrors(t *testing.T) {
	broken := errors.New("broken")
	b := sealed(t, testKey, nil, testSalt, plainBytes(20*ChunkSize))
	for _, cut := range []int{10, 56, 1000, 56 + 9*SealedChunkSize} {
		src := io.MultiReader(bytes.NewReader(b[:cut]), iotest.ErrReader(broken))
		r, err := NewReader(src, testKey, nil)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if !errors.Is(err, broken) {
			t.Errorf("broken at %d: %v", cut, err)
		}
	}
	for _, room := range []int{0, 56, 56 + SealedChunkSize} {
		w, err := NewWriterSalt(&full{room: room}, testKey, nil, testSalt)
		if err == nil {
			_, err = w.Write(plainBytes(2 * ChunkSize))
			if _, again := w.Write([]byte{1}); err != nil && again != err {
				t.Errorf("the error does not stay: %v", again)
			}
			if err == nil {
				err = w.Close()
			} else if again := w.Close(); again != err {
				t.Errorf("closed after an error: %v", again)
			}
		}
		if !errors.Is(err, errFull) {
			t.Errorf("room for %d: %v", room, err)
		}
	}
	for _, key := range [][]byte{nil, testKey[1:], append(bytes.Clone(testKey), 0)} {
		if _, err := NewWriter(io.Discard, key, nil); err == nil {
			t.Error("key of another length")
		}
	}
}

var errFull = errors.New("full")

type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.room {
		return 0, errFull
	}
	f.room -= len(p)
	return len(p), nil
}

// TestAllocations: sealing and opening chunk after chunk takes no memory.
func TestAllocations(t *testing.T) {
	plain := plainBytes(4 * batch * ChunkSize)
	w, err := NewWriter(io.Discard, testKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(20, func() {
		if _, err := w.Write(plain); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("sealing: %v allocations", n)
	}
	b := sealed(t, testKey, nil, testSalt, plainBytes(64*batch*ChunkSize))
	r, err := NewReader(bytes.NewReader(b), testKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, batch*ChunkSize)
	if n := testing.AllocsPerRun(20, func() {
		if _, err := io.ReadFull(r, p); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("opening: %v allocations", n)
	}
	at, err := OpenReaderAt(bytes.NewReader(b), int64(len(b)), testKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(20, func() {
		if _, err := at.ReadAt(p, 3*ChunkSize); err != nil {
			t.Fatal(err)
		}
	}); n > 1 { // the pool may be emptied by the collector
		t.Errorf("opening a range: %v allocations", n)
	}
}

// FuzzOpen: hostile bytes neither panic nor open, and all ways agree.
func FuzzOpen(f *testing.F) {
	for _, n := range []int{0, 1, ChunkSize} {
		f.Add(sealed(f, testKey, nil, testSalt, plainBytes(n)))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		plain, err := readers["stream"](sha512.New, b, testKey, nil)
		again, err2 := readers["at"](sha512.New, b, testKey, nil)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%v, but %v", err, err2)
		}
		if err == nil && (!bytes.Equal(plain, again) || !bytes.Equal(sealed(t, testKey, nil, [SaltSize]byte(b), plain), b)) {
			t.Fatal("opened differently, or not sealed to the same bytes")
		}
	})
}

const benchSize = 8 << 20

func BenchmarkSeal(b *testing.B) {
	plain := plainBytes(benchSize)
	w, err := NewWriter(io.Discard, testKey, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Write(plain); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	in := sealed(b, testKey, nil, testSalt, plainBytes(benchSize))
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		r, err := NewReader(bytes.NewReader(in), testKey, nil)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(discard{}, r); n != benchSize || err != nil {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkOpenRange(b *testing.B) {
	in := sealed(b, testKey, nil, testSalt, plainBytes(benchSize))
	r, err := OpenReaderAt(bytes.NewReader(in), int64(len(in)), testKey, nil)
	if err != nil {
		b.Fatal(err)
	}
	p := make([]byte, 256<<10)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.ReadAt(p, 5*ChunkSize); err != nil {
			b.Fatal(err)
		}
	}
}

// discard is io.Discard without its ReaderFrom, which would copy.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
