package cobblestone

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	stdhash "hash"
	"io"
	"os"
	"testing"
	"testing/iotest"
)

func readJSON(t testing.TB, name string, v any) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

func unhexed(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// plainBytes are those of testdata/peer.py.
func plainBytes(size int) []byte {
	b := make([]byte, 0, size+32)
	for i := uint64(0); len(b) < size; i++ {
		h := sha256.Sum256(binary.BigEndian.AppendUint64(nil, i))
		b = append(b, h[:]...)
	}
	return b[:size]
}

func sealed(t testing.TB, key, context []byte, salt [SaltSize]byte, plain []byte) []byte {
	t.Helper()
	return sealedWith(t, sha512.New, key, context, salt, plain)
}

// sealedWith seals in one call of Write.
func sealedWith(t testing.TB, hash func() stdhash.Hash, key, context []byte, salt [SaltSize]byte, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := seal(&b, hash, key, context, salt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type c2spVector struct {
	Name       string
	Expect     string
	Key        string
	Context    string
	Ciphertext []byte
	Compressed bool
	SHA256     string `json:"payload_sha256"`
	Length     *int   `json:"payload_length"`
}

func c2spVectors(t testing.TB) []c2spVector {
	var file struct{ Vectors []c2spVector }
	readJSON(t, "c2sp.json", &file)
	for i := range file.Vectors {
		v := &file.Vectors[i]
		if v.Compressed {
			r, err := zlib.NewReader(bytes.NewReader(v.Ciphertext))
			if err != nil {
				t.Fatal(err)
			}
			if v.Ciphertext, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(file.Vectors) < 30 {
		t.Fatalf("%d vectors", len(file.Vectors))
	}
	return file.Vectors
}

// c2spErrors are the refusals whose name is the end that is missing; all
// others are ErrPart.
var c2spErrors = map[string]error{
	"aes256gcm_short_chunk":                     ErrTruncated,
	"aes256gcm_trailing_garbage_short":          ErrTruncated,
	"aes256gcm_missing_tag":                     ErrTruncated,
	"aes256gcm_no_chunks":                       ErrTruncated,
	"aes256gcm_empty_message":                   ErrTruncated,
	"aes256gcm_short_header_no_commitment":      ErrTruncated,
	"aes256gcm_short_header_partial_commitment": ErrTruncated,
	"aes256gcm_short_header_no_salt":            ErrTruncated,
	"aes256gcm_truncated_at_chunk_boundary":     ErrTruncated,
	"aes256gcm_short_key":                       errKey,
	"aes256gcm_long_key":                        errKey,
}

// TestC2SP opens the published vectors, which derive with SHA-256, in three ways, seals the good ones
// again to the same bytes, and refuses the bad ones after exactly the bytes
// that the vectors allow to be read.
func TestC2SP(t *testing.T) {
	for _, v := range c2spVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			key, context := unhexed(t, v.Key), []byte(v.Context)
			want := c2spErrors[v.Name]
			if want == nil && v.Expect != "success" {
				want = ErrPart
			}
			for name, read := range readers {
				plain, err := read(sha256.New, v.Ciphertext, key, context)
				if !errors.Is(err, want) || (err == nil) != (v.Expect == "success") {
					t.Fatalf("%s: got %v, want %v", name, err, want)
				}
				random := name == "at"
				if v.Length != nil && (err == nil || !random) {
					if sum := sha256.Sum256(plain); len(plain) != *v.Length || hex.EncodeToString(sum[:]) != v.SHA256 {
						t.Errorf("%s: read %d bytes, want %d", name, len(plain), *v.Length)
					}
				} else if err != nil && len(plain) > 0 {
					t.Errorf("%s: %d bytes were handed out", name, len(plain))
				}
				if err == nil && !bytes.Equal(sealedWith(t, sha256.New, key, context, [SaltSize]byte(v.Ciphertext), plain), v.Ciphertext) {
					t.Error("sealed again, other bytes")
				}
			}
		})
	}
}

// readers open a whole payload and return what was handed out before an error.
var readers = map[string]func(hash func() stdhash.Hash, b, key, context []byte) ([]byte, error){
	"stream": func(hash func() stdhash.Hash, b, key, context []byte) ([]byte, error) {
		r, err := read(iotest.HalfReader(bytes.NewReader(b)), hash, key, context)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	},
	"copy": func(hash func() stdhash.Hash, b, key, context []byte) ([]byte, error) {
		r, err := read(bytes.NewReader(b), hash, key, context)
		if err != nil {
			return nil, err
		}
		var out bytes.Buffer
		n, err := io.Copy(&out, r)
		if n != int64(out.Len()) {
			return nil, fmt.Errorf("%d bytes counted, %d written", n, out.Len())
		}
		return out.Bytes(), err
	},
	"at": func(hash func() stdhash.Hash, b, key, context []byte) ([]byte, error) {
		r, err := readAny(bytes.NewReader(b), int64(len(b)), hash, key, context)
		if err != nil {
			return nil, err
		}
		plain := make([]byte, r.Size())
		n, err := io.ReadFull(io.NewSectionReader(r, 0, r.Size()), plain)
		if err != nil {
			return nil, err
		}
		return plain[:n], nil
	},
}

// TestPeer computes again what another implementation sealed.
func TestPeer(t *testing.T) {
	var file struct {
		Key     string
		Vectors []struct {
			Size                                    int
			Context, Salt, Commitment, SealedSHA256 string
			SealedSize                              int64
		}
	}
	readJSON(t, "peer.json", &file)
	if len(file.Vectors) == 0 {
		t.Fatal("no vectors")
	}
	key := unhexed(t, file.Key)
	for _, v := range file.Vectors {
		b := sealed(t, key, unhexed(t, v.Context), [SaltSize]byte(unhexed(t, v.Salt)), plainBytes(v.Size))
		sum := sha256.Sum256(b)
		if hex.EncodeToString(sum[:]) != v.SealedSHA256 || int64(len(b)) != v.SealedSize ||
			hex.EncodeToString(b[SaltSize:HeaderSize]) != v.Commitment {
			t.Errorf("%d bytes, context %q: other bytes than the peer's", v.Size, v.Context)
		}
		if SealedSize(int64(v.Size)) != v.SealedSize {
			t.Errorf("sealed size of %d: %d, want %d", v.Size, SealedSize(int64(v.Size)), v.SealedSize)
		}
	}
}
