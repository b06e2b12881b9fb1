package cobblestone

import (
	"crypto/sha512"
	"errors"
	stdhash "hash"
	"io"
)

// Reader opens a sealed payload from its beginning. It hands out what is
// authenticated and nothing else; io.EOF says that the payload is whole. It is
// not to be shared between goroutines.
type Reader struct {
	src    io.Reader
	chunks *chunks
	n      uint64
	sealed []byte
	buf    []byte
	plain  []byte // opened and not read yet, a slice of buf
	err    error  // what comes after plain
}

// NewReader reads the header from src and checks its commitment. The reader
// reads ahead by up to 128 KiB, but not beyond the end of src. Errors:
// ErrPart, ErrTruncated, those of src.
func NewReader(src io.Reader, key, context []byte) (*Reader, error) {
	return read(src, sha512.New, key, context)
}

func read(src io.Reader, hash func() stdhash.Hash, key, context []byte) (*Reader, error) {
	var header [HeaderSize]byte
	if _, err := io.ReadFull(src, header[:]); err != nil {
		return nil, cut(err)
	}
	c, err := open(hash, key, context, header[:])
	if err != nil {
		return nil, err
	}
	return &Reader{src: src, chunks: c, sealed: make([]byte, batch*SealedChunkSize), buf: make([]byte, 0, batch*ChunkSize)}, nil
}

// cut turns the end of a source into ErrTruncated and keeps other errors.
func cut(err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	return err
}

// Read implements io.Reader. Errors: ErrPart, ErrTruncated, those of the
// source.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.plain) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.fill()
	}
	n := copy(p, r.plain)
	r.plain = r.plain[n:]
	return n, nil
}

// WriteTo implements io.WriterTo; it saves io.Copy a buffer.
func (r *Reader) WriteTo(w io.Writer) (total int64, err error) {
	for {
		n, err := w.Write(r.plain)
		total += int64(n)
		if err == nil && n < len(r.plain) {
			err = io.ErrShortWrite
		}
		r.plain = r.plain[n:]
		switch {
		case err != nil:
			return total, err
		case r.err == io.EOF:
			return total, nil
		case r.err != nil:
			return total, r.err
		}
		r.fill()
	}
}

// fill opens the next chunks and sets plain and err.
func (r *Reader) fill() {
	n, err := io.ReadFull(r.src, r.sealed)
	ended := err == io.EOF || err == io.ErrUnexpectedEOF
	if err != nil && !ended {
		r.err = err
		return
	}
	r.plain = r.buf[:0]
	rest := r.sealed[:n]
	for len(rest) >= SealedChunkSize {
		if !r.open(rest[:SealedChunkSize]) {
			return
		}
		rest = rest[SealedChunkSize:]
	}
	switch {
	case !ended:
	case len(rest) < tagSize:
		r.err = ErrTruncated
	case r.open(rest):
		r.err = io.EOF
	}
}

// open opens the next chunk; on failure what was opened before it is still
// read first.
func (r *Reader) open(sealed []byte) bool {
	if r.n >= maxChunks {
		r.err = ErrPart
		return false
	}
	plain, err := r.chunks.open(r.plain, r.n, sealed)
	if err != nil {
		r.err = err
		return false
	}
	r.plain = plain
	r.n++
	return true
}
