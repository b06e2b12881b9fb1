// Package cobblestone seals large payloads in chunks: it is Cobblestone-256 of
// c2sp.org/chunked-encryption (HKDF-Expand with SHA-512, AES-256-GCM), byte for
// byte, and nothing else of that document.
//
// A sealed payload is
//
//	salt (24) || commitment (32) || chunk 0 || chunk 1 || ... || last chunk
//
// where every chunk but the last holds exactly 16 KiB and the last one less,
// perhaps nothing, each followed by its tag of 16 bytes. So there is one
// sealed length for each plain length, a chunk is found by arithmetic, and what
// is cut off, added or moved does not open. The key, the salt and the
// context give the key of the chunks, their nonces and the commitment:
//
//	key (32) || nonce (12) || commitment (32) =
//	    HKDF-Expand(key given, "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM" || 0x00 || salt || context)
//
// The nonce of chunk n is the derived one with n added by exclusive or.
//
// [Writer] seals a stream, [Reader] opens one, [ReaderAt] opens any range, all
// in constant memory and without allocating for each chunk. Nothing that was
// not authenticated is handed out.
//
// Nonces that are computed, not drawn, are refused by Go's FIPS-only mode
// (GODEBUG=fips140=only): there nothing can be sealed here, and NewWriter says
// so.
//
// It does no I/O but on what it is given, knows nothing of objects and parts
// (package envelope does) and offers no other instantiation, no passwords and
// no raw mode.
package cobblestone

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"encoding/binary"
	"errors"
	stdhash "hash"
)

const (
	// KeySize is the length of the key; it must be uniformly random.
	KeySize = 32
	// SaltSize is the length of the salt, which must never repeat for a key.
	SaltSize = 24
	// HeaderSize is the length of salt and commitment.
	HeaderSize = SaltSize + commitmentSize
	// ChunkSize is how many plain bytes every chunk but the last holds.
	ChunkSize = 16 << 10
	// SealedChunkSize is the length of such a chunk when sealed.
	SealedChunkSize = ChunkSize + tagSize
	// MaxSize is the longest payload: 2^38 chunks, the last of them not full.
	MaxSize = maxChunks*ChunkSize - 1

	commitmentSize = 32
	tagSize        = 16
	nonceSize      = 12
	maxChunks      = 1 << 38
	// batch is how many chunks are handled between two calls of the
	// underlying reader or writer.
	batch = 8

	label = "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"
)

// failure is an error of opening, with the code of docs/protocol.md section 18.
type failure struct{ code, message string }

func (f *failure) Error() string     { return f.code + ": " + f.message }
func (f *failure) ErrorCode() string { return f.code }

// Errors of opening, told apart by errors.Is; their ErrorCode is that of
// docs/protocol.md section 18.
var (
	// ErrPart (code part): sealed under another key or context, or bytes were
	// changed, moved or added.
	ErrPart error = &failure{"part", "sealed bytes do not open"}
	// ErrTruncated (code truncated): the length is none that sealing gives, or
	// the end is missing.
	ErrTruncated error = &failure{"truncated", "the end of the sealed bytes is missing"}
)

var (
	errKey    = errors.New("cobblestone: key of another length than 32 bytes")
	errClosed = errors.New("cobblestone: writer is closed")
	errSize   = errors.New("cobblestone: payload above 4 PiB")
	errOffset = errors.New("cobblestone: negative offset")
	errChunks = errors.New("cobblestone: no such chunk to go on at")
)

// SealedSize returns the length of a sealed payload of plain bytes, 0 to
// MaxSize.
func SealedSize(plain int64) int64 {
	return HeaderSize + plain + tagSize*(plain/ChunkSize+1)
}

// PlainSize returns how many plain bytes a sealed payload of this length
// holds. Errors: ErrTruncated for a length that sealing never gives.
func PlainSize(sealed int64) (int64, error) {
	chunks := sealed - HeaderSize
	rest := chunks % SealedChunkSize
	if chunks < tagSize || rest < tagSize || sealed > SealedSize(MaxSize) {
		return 0, ErrTruncated
	}
	return chunks/SealedChunkSize*ChunkSize + rest - tagSize, nil
}

// Kept says what of the first sealed bytes of a payload can be gone on with:
// the number of whole full chunks, and the length up to their end, to which
// the bytes have to be cut before [Resume]. Below HeaderSize nothing can: both
// are 0.
func Kept(sealed int64) (chunks uint64, size int64) {
	if sealed < HeaderSize {
		return 0, 0
	}
	n := min((sealed-HeaderSize)/SealedChunkSize, maxChunks-1)
	return uint64(n), HeaderSize + n*SealedChunkSize
}

// chunks seals and opens the chunks of one payload. It is not to be shared
// between goroutines.
type chunks struct {
	aead  cipher.AEAD
	base  [nonceSize]byte
	nonce [nonceSize]byte
}

// derive returns the chunks of a payload and its commitment. The hash is
// SHA-512; the published vectors use SHA-256 with all else equal.
func derive(hash func() stdhash.Hash, key, context, salt []byte) (*chunks, []byte, error) {
	if len(key) != KeySize {
		return nil, nil, errKey
	}
	info := label + string(salt) + string(context)
	b, err := hkdf.Expand(hash, key, info, KeySize+nonceSize+commitmentSize)
	if err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher(b[:KeySize])
	if err != nil {
		return nil, nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, nil, err
	}
	return &chunks{aead: aead, base: [nonceSize]byte(b[KeySize:])}, b[KeySize+nonceSize:], nil
}

// at sets the nonce to that of chunk n.
func (c *chunks) at(n uint64) []byte {
	c.nonce = c.base
	low := c.nonce[nonceSize-8:]
	binary.BigEndian.PutUint64(low, binary.BigEndian.Uint64(low)^n)
	return c.nonce[:]
}

// seal appends chunk n to dst.
func (c *chunks) seal(dst []byte, n uint64, plain []byte) []byte {
	return c.aead.Seal(dst, c.at(n), plain, nil)
}

// open appends the plain bytes of chunk n to dst.
func (c *chunks) open(dst []byte, n uint64, sealed []byte) ([]byte, error) {
	plain, err := c.aead.Open(dst, c.at(n), sealed, nil)
	if err != nil {
		return nil, ErrPart
	}
	return plain, nil
}
