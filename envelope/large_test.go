package envelope

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/digital-spine/spine/envelope/cobblestone"
)

// fileVector is an object whose content is content(Size). The salt of part i
// is H("salt" || u32 i) cut to 24 bytes.
type fileVector struct {
	Size        int64        `json:"size"`
	Description hexBytes     `json:"description"`
	Parts       []partVector `json:"parts"`
}

type partVector struct {
	Context    hexBytes `json:"context"`
	SealedSize int64    `json:"sealedSize"`
	// Sealed is there for small parts.
	Sealed hexBytes `json:"sealed,omitempty"`
	// Changed says what is said of other bytes when the description names
	// them; when it does not, it is content_hash.
	Changed []changedVector `json:"changed,omitempty"`
}

// changedVector is the sealed part cut to Length, if that is not its own, and
// then the byte at At changed by Xor.
type changedVector struct {
	What   string `json:"what"`
	Length int    `json:"length"`
	At     int    `json:"at"`
	Xor    byte   `json:"xor"`
	Code   Code   `json:"code"`
}

// apply returns the changed part; longer ones end with zeros.
func (c *changedVector) apply(sealed []byte) []byte {
	b := make([]byte, c.Length)
	copy(b, sealed)
	b[c.At] ^= c.Xor
	return b
}

// content returns size bytes H(u64 0) || H(u64 1) || ...
func content(size int64) []byte {
	b := make([]byte, 0, size+32)
	for i := uint64(0); int64(len(b)) < size; i++ {
		h := sha256.Sum256(binary.BigEndian.AppendUint64(nil, i))
		b = append(b, h[:]...)
	}
	return b[:size]
}

// sealPart seals a part with a salt that a test can draw again.
func sealPart(t testing.TB, o *Object, i int, last bool, plain []byte) []byte {
	t.Helper()
	salt := Sum(binary.BigEndian.AppendUint32([]byte("salt"), uint32(i)))
	var b bytes.Buffer
	w := ok[*cobblestone.Writer](t)(cobblestone.NewWriterSalt(&b, o.Key[:], PartContext(o.OID, uint32(i), last), [cobblestone.SaltSize]byte(salt[:])))
	_, err := w.Write(plain)
	wantCode(t, err, "")
	wantCode(t, w.Close(), "")
	return b.Bytes()
}

// file describes an object of this size and returns its sealed parts.
func (m *market) file(t testing.TB, size int64) (*Object, [][]byte) {
	t.Helper()
	plain := content(size)
	o := &Object{
		OID: ID(run(0x60, 16)), Name: "network model.csv", Type: "text/csv", Size: size, PartSize: PartSizeFor(size),
		Key: Secret(run(0x80, 32)), SHA256: Sum(plain),
	}
	var sealed [][]byte
	for i := range PartsOf(size) {
		start, length := o.PlainPart(i)
		part := sealPart(t, o, i, i == PartsOf(size)-1, plain[start:start+length])
		sealed, o.Parts = append(sealed, part), append(o.Parts, Sum(part))
	}
	return o, sealed
}

// object is a description of two parts, without the parts.
func (m *market) object() *Object {
	return &Object{
		OID: ID(run(0x60, 16)), Name: "network model.csv", Type: "text/csv", Size: MinPartSize + 1, PartSize: MinPartSize,
		Key: Secret(run(0x80, 32)), Parts: []Digest{{1}, {2}}, SHA256: Digest{3},
	}
}

func (m *market) objectFrame() []byte {
	f := m.object().Frame(m.frame.ID, m.frame.At)
	return f.Append(nil)
}

func (m *market) markBody() MarkBody {
	return MarkBody{Session: m.core.Session(), Seq: 1, Prev: m.envelope.Digest(), Time: t0 + 4000, State: MarkAlive}
}

// readPart returns what OpenPart hands out before it ends.
func readPart(o *Object, i int, sealed []byte) ([]byte, error) {
	p, err := o.OpenPart(bytes.NewReader(sealed), i)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(p)
}

// checkLarge judges structures of Part B as check does.
func (m *market) checkLarge(name string, b []byte) error {
	switch name {
	case "notice":
		return check(b, ParseNotice, func(n *Notice) error {
			if n.Session != m.core.Session() {
				return fail(SessionUnknown, "no such session")
			}
			if err := n.Verify(m.certA.PublicKey()); err != nil {
				return err
			}
			_, err := n.Envelope(m.envelope.Ciphertext)
			if err == nil && n.Len != len(m.envelope.Ciphertext) {
				return fail(ContentHash, "another length")
			}
			return err
		})
	case "mark":
		return check(b, ParseMark, func(k *Mark) error {
			if k.Session != m.core.Session() {
				return fail(SessionUnknown, "no such session")
			}
			if err := k.Verify(m.certA.PublicKey()); err != nil {
				return err
			}
			return k.CheckTime(m.core, 0, t0+5000)
		})
	case "object":
		return check(b, ParseObject, func(*Object) error { return nil })
	}
	return check(b, ParseFrame, func(f *Frame) error {
		if f.Kind != KindObject {
			return nil
		}
		_, err := ParseObject(f.Body)
		return err
	})
}

func (m *market) fileVectors(t *testing.T) []fileVector {
	var files []fileVector
	for _, size := range []int64{0, 1, 16383, 16384, MinPartSize - 1, MinPartSize, MinPartSize + 1} {
		o, sealed := m.file(t, size)
		f := fileVector{Size: size, Description: o.Bytes()}
		for i, b := range sealed {
			p := partVector{Context: o.context(i), SealedSize: int64(len(b))}
			if size < 2*cobblestone.ChunkSize {
				p.Sealed, p.Changed = b, changes(o, b)
			}
			f.Parts = append(f.Parts, p)
		}
		files = append(files, f)
	}
	return files
}

// changes returns one change in each part of the sealed bytes of a small
// object, and each way to cut it.
func changes(o *Object, sealed []byte) []changedVector {
	n := len(sealed)
	list := []changedVector{
		{What: "salt", Length: n}, {What: "commitment", Length: n, At: 24}, {What: "tag at the end", Length: n, At: n - 1},
		{What: "cut by a byte", Length: n - 1}, {What: "cut to the header", Length: cobblestone.HeaderSize},
		{What: "cut in the header", Length: 40}, {What: "one byte more", Length: n + 1},
	}
	if o.Size > 0 {
		list = append(list, changedVector{What: "chunk", Length: n, At: cobblestone.HeaderSize})
	}
	if o.Size == cobblestone.ChunkSize {
		list = append(list,
			changedVector{What: "tag of chunk 0", Length: n, At: cobblestone.HeaderSize + cobblestone.SealedChunkSize - 1},
			changedVector{What: "cut at a chunk", Length: cobblestone.HeaderSize + cobblestone.SealedChunkSize})
	}
	for i := range list {
		c := &list[i]
		if c.Xor = 1; c.Length != n {
			c.Xor, c.At = 0, 0
		}
		named := *o
		b := c.apply(sealed)
		named.Parts = []Digest{Sum(b)}
		_, err := readPart(&named, 0, b)
		c.Code = CodeOf(err)
	}
	return list
}

// descriptions returns good ones (code empty) and one that breaks each rule.
func (m *market) descriptions() []encodingVector {
	edited := map[string]func(*Object){
		"good":                       func(*Object) {},
		"no name":                    func(o *Object) { o.Name = "" },
		"name of 255 bytes":          func(o *Object) { o.Name = strings.Repeat("n", 255) },
		"name of many scripts":       func(o *Object) { o.Name = "Netzmodell Österreich 網 🔌.csv" },
		"name ...":                   func(o *Object) { o.Name = "..." },
		"empty, one part":            func(o *Object) { o.Size, o.Parts = 0, o.Parts[:1] },
		"full part":                  func(o *Object) { o.Size, o.Parts = MinPartSize, o.Parts[:1] },
		"bad name of 256 bytes":      func(o *Object) { o.Name = strings.Repeat("n", 256) },
		"bad name ../a":              func(o *Object) { o.Name = "../a" },
		"bad name ..":                func(o *Object) { o.Name = ".." },
		"bad name .":                 func(o *Object) { o.Name = "." },
		"bad name /etc/passwd":       func(o *Object) { o.Name = "/etc/passwd" },
		`bad name C:\a`:              func(o *Object) { o.Name = `C:\a` },
		"bad name with NUL":          func(o *Object) { o.Name = "a\x00.csv" },
		"bad name with a line":       func(o *Object) { o.Name = "a\nb" },
		"bad name with escape":       func(o *Object) { o.Name = "a\x1b[2Jb" },
		"bad name with C1 control":   func(o *Object) { o.Name = "a\u009bb" },
		"bad name with DEL":          func(o *Object) { o.Name = "a\x7f" },
		"bad name turned round":      func(o *Object) { o.Name = "a\u202efdp.exe" },
		"bad name with isolate":      func(o *Object) { o.Name = "a\u2066b" },
		"bad name, line separator":   func(o *Object) { o.Name = "a\u2028b" },
		"bad type, empty":            func(o *Object) { o.Type = "" },
		"bad type of 129 bytes":      func(o *Object) { o.Type = strings.Repeat("t", 129) },
		"bad type with a line":       func(o *Object) { o.Type = "text/csv\r\nx: y" },
		"bad id, zero":               func(o *Object) { o.OID = ID{} },
		"bad size, one part too few": func(o *Object) { o.Size = 2*MinPartSize + 1 },
		"bad size, a part too many":  func(o *Object) { o.Size = MinPartSize },
		"bad part size 0":            func(o *Object) { o.PartSize = 0 },
		"bad part size 1":            func(o *Object) { o.PartSize = 1 },
		"bad part size 4 MiB":        func(o *Object) { o.PartSize = MinPartSize / 2 },
		"bad part size 16 MiB":       func(o *Object) { o.PartSize = 2 * MinPartSize },
		"bad part size, no power":    func(o *Object) { o.PartSize = MinPartSize + 1 },
		"bad part size 2^53 - 1":     func(o *Object) { o.PartSize = maxInt },
		"bad size 2^53 - 1":          func(o *Object) { o.Size = maxInt },
		"bad size above the limit":   func(o *Object) { o.Size, o.PartSize, o.Parts = MaxObject+1, MaxPartSize, make([]Digest, MaxParts+1) },
		"bad list, empty":            func(o *Object) { o.Parts = []Digest{} },
		"bad list, empty object":     func(o *Object) { o.Size, o.Parts = 0, []Digest{} },
	}
	var list []encodingVector
	for _, name := range slices.Sorted(maps.Keys(edited)) {
		o := m.object()
		edited[name](o)
		v := encodingVector{Name: name, Bytes: o.Bytes()}
		if strings.HasPrefix(name, "bad") {
			v.Code = BadObject
		}
		list = append(list, v)
	}
	good := m.object().Bytes()
	swap := func(from, to string) []byte { return bytes.Replace(good, unhexedConst(from), unhexedConst(to), 1) }
	return append(list,
		encodingVector{"bad size -1", swap("051a00800001", "0520"), BadObject},
		encodingVector{"bad version", swap("a90101", "a90102"), BadObject},
		encodingVector{"bad key of 31 bytes", append(append([]byte{}, good[:bytes.Index(good, unhexedConst("075820"))]...), unhexedConst("07581f")...), BadObject},
		encodingVector{"bad name written empty", swap("0371"+hex.EncodeToString([]byte("network model.csv")), "0360"), BadObject},
		encodingVector{"bad key 10", append(swap("a9", "aa"), 10, 1), BadObject},
		encodingVector{"bad, long size", swap("051a00800001", "051b0000000000800001"), BadObject},
		encodingVector{"bad, nothing", []byte{}, BadObject},
	)
}

func unhexedConst(s string) []byte { return must(hex.DecodeString(s)) }

// checkFiles holds the vectors of files against what the code makes and says.
func (m *market) checkFiles(t *testing.T, v, want *vectors) {
	if fmt.Sprint(v.Files) != fmt.Sprint(want.Files) || fmt.Sprint(v.Descriptions) != fmt.Sprint(want.Descriptions) {
		t.Error("files or descriptions differ from the file")
	}
	for _, d := range v.Descriptions {
		_, err := ParseObject(d.Bytes)
		if CodeOf(err) != d.Code {
			t.Errorf("description, %s: got %v, want %q", d.Name, err, d.Code)
		}
	}
	for _, f := range v.Files {
		o := ok[*Object](t)(ParseObject(f.Description))
		if !bytes.Equal(o.Bytes(), f.Description) || o.Size != f.Size || len(o.Parts) != len(f.Parts) {
			t.Errorf("file of %d: another description", f.Size)
		}
		for _, c := range f.Parts[0].Changed {
			if c.Code != BadPart && c.Code != Truncated {
				t.Errorf("file of %d, %s: code %q", f.Size, c.What, c.Code)
			}
			_, err := readPart(o, 0, c.apply(f.Parts[0].Sealed))
			wantCode(t, err, ContentHash)
		}
	}
}
