package cobblestone

import (
	"crypto/sha512"
	stdhash "hash"
	"io"
	"sync"
)

// ReaderAt opens any range of a sealed payload. It may be used by many
// goroutines at once.
type ReaderAt struct {
	src    io.ReaderAt
	chunks chunks
	size   int64
	spare  sync.Pool // of *scratch
}

// scratch is what one call of ReadAt needs.
type scratch struct {
	chunks chunks
	sealed [SealedChunkSize]byte
	plain  [ChunkSize]byte
}

// OpenReaderAt opens a sealed payload of sealed bytes: it checks the
// commitment and opens the last chunk, so that the size is authenticated.
// Errors: ErrTruncated, ErrPart, those of src.
func OpenReaderAt(src io.ReaderAt, sealed int64, key, context []byte) (*ReaderAt, error) {
	return readAny(src, sealed, sha512.New, key, context)
}

func readAny(src io.ReaderAt, sealed int64, hash func() stdhash.Hash, key, context []byte) (*ReaderAt, error) {
	size, err := PlainSize(sealed)
	if err != nil {
		return nil, err
	}
	var header [HeaderSize]byte
	if err := readAt(src, header[:], 0); err != nil {
		return nil, err
	}
	c, err := open(hash, key, context, header[:])
	if err != nil {
		return nil, err
	}
	r := &ReaderAt{src: src, chunks: *c, size: size}
	r.spare.New = func() any { return &scratch{chunks: r.chunks} }
	s := r.spare.Get().(*scratch)
	defer r.spare.Put(s)
	if _, err := r.chunk(s, uint64(size/ChunkSize), s.plain[:0]); err != nil {
		return nil, err
	}
	return r, nil
}

// readAt fills p; a source that ends before is cut off.
func readAt(src io.ReaderAt, p []byte, at int64) error {
	n, err := src.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return cut(err)
}

// Size returns the length of the payload in plain bytes.
func (r *ReaderAt) Size() int64 { return r.size }

// ReadAt implements io.ReaderAt. It reads and opens whole chunks, so ranges
// that begin and end at multiples of ChunkSize are cheapest. Errors: ErrPart,
// ErrTruncated, those of the source; io.EOF at the end.
func (r *ReaderAt) ReadAt(p []byte, off int64) (total int, err error) {
	if off < 0 {
		return 0, errOffset
	}
	s := r.spare.Get().(*scratch)
	defer r.spare.Put(s)
	for len(p) > 0 && off < r.size {
		n, from := uint64(off/ChunkSize), off%ChunkSize
		var k int
		if want := min(ChunkSize, r.size-off); from == 0 && int64(len(p)) >= want && want <= int64(cap(p)) {
			plain, err := r.chunk(s, n, p[:0])
			if err != nil {
				return total, err
			}
			k = len(plain)
		} else {
			plain, err := r.chunk(s, n, s.plain[:0])
			if err != nil {
				return total, err
			}
			k = copy(p, plain[from:])
		}
		p, off, total = p[k:], off+int64(k), total+k
	}
	if len(p) > 0 {
		return total, io.EOF
	}
	return total, nil
}

// chunk appends the plain bytes of chunk n to dst, which has room for them.
func (r *ReaderAt) chunk(s *scratch, n uint64, dst []byte) ([]byte, error) {
	start := int64(n) * ChunkSize
	sealed := s.sealed[:min(ChunkSize, r.size-start)+tagSize]
	if err := readAt(r.src, sealed, HeaderSize+int64(n)*SealedChunkSize); err != nil {
		return nil, err
	}
	return s.chunks.open(dst, n, sealed)
}

// Section returns a reader of length plain bytes from off on, for answers to
// range requests.
func (r *ReaderAt) Section(off, length int64) *io.SectionReader {
	return io.NewSectionReader(r, off, length)
}
