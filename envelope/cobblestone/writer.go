package cobblestone

import (
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	stdhash "hash"
	"io"
)

// Writer seals what is written to it. It must be closed: without its last
// chunk a payload counts as cut off. It is not to be shared between
// goroutines.
type Writer struct {
	dst    io.Writer
	chunks *chunks
	n      uint64
	header [HeaderSize]byte
	plain  []byte // the chunk that is not full yet
	sealed []byte
	err    error
}

// NewWriter writes a header with a fresh random salt to dst and returns the
// writer of what follows. context binds the payload to its place and may be
// empty; it is not part of the sealed bytes.
func NewWriter(dst io.Writer, key, context []byte) (*Writer, error) {
	var salt [SaltSize]byte
	rand.Read(salt[:])
	return NewWriterSalt(dst, key, context, salt)
}

// NewWriterSalt is NewWriter with a salt that the caller drew; it must never
// have been used with this key before, whatever the context.
func NewWriterSalt(dst io.Writer, key, context []byte, salt [SaltSize]byte) (*Writer, error) {
	return seal(dst, sha512.New, key, context, salt)
}

func seal(dst io.Writer, hash func() stdhash.Hash, key, context []byte, salt [SaltSize]byte) (*Writer, error) {
	c, commitment, err := derive(hash, key, context, salt[:])
	if err != nil {
		return nil, err
	}
	w := newWriter(dst, c)
	copy(w.header[:], salt[:])
	copy(w.header[SaltSize:], commitment)
	if _, err := dst.Write(w.header[:]); err != nil {
		return nil, err
	}
	return w, nil
}

// Resume goes on with a payload of which header and the first full chunks are
// already in place before dst, as [Kept] counted them: nothing is written for
// them. What is then written must begin at plain byte chunks * ChunkSize.
//
// A chunk that was sealed once, and could have been read by anybody, must be
// kept: sealing other bytes under its number would use a nonce twice. So cut
// off only what never became a whole chunk, and begin anew, with a fresh salt,
// where the bytes before may have changed. Errors: ErrPart when the header is
// not that of this key and context.
func Resume(dst io.Writer, key, context []byte, header [HeaderSize]byte, chunks uint64) (*Writer, error) {
	c, err := open(sha512.New, key, context, header[:])
	if err != nil {
		return nil, err
	}
	if chunks >= maxChunks {
		return nil, errChunks
	}
	w := newWriter(dst, c)
	w.header, w.n = header, chunks
	return w, nil
}

func newWriter(dst io.Writer, c *chunks) *Writer {
	return &Writer{dst: dst, chunks: c, plain: make([]byte, 0, ChunkSize), sealed: make([]byte, 0, batch*SealedChunkSize)}
}

// open derives the chunks of a payload from its header and checks the
// commitment. Errors: ErrPart.
func open(hash func() stdhash.Hash, key, context, header []byte) (*chunks, error) {
	c, commitment, err := derive(hash, key, context, header[:SaltSize])
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(commitment, header[SaltSize:]) != 1 {
		return nil, ErrPart
	}
	return c, nil
}

// Header returns salt and commitment, which stand at the beginning of the
// sealed bytes.
func (w *Writer) Header() [HeaderSize]byte { return w.header }

// Chunks returns how many full chunks were written to the destination.
func (w *Writer) Chunks() uint64 { return w.n }

// Pending returns the plain bytes that wait for their chunk to fill, fewer
// than ChunkSize; not to be changed, and valid until the next call. Whoever
// wants to resume later has to keep them and to write them again.
func (w *Writer) Pending() []byte { return w.plain }

// Write seals p. When it returns, every chunk that is full was written to the
// destination. After an error of the destination every call returns it.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	total := len(p)
	for len(w.plain)+len(p) >= ChunkSize {
		full := p
		if len(w.plain) > 0 {
			n := ChunkSize - len(w.plain)
			w.plain = append(w.plain, p[:n]...)
			full, p = w.plain, p[n:]
			w.plain = w.plain[:0]
		} else {
			n := min(len(p)/ChunkSize, batch) * ChunkSize
			full, p = p[:n], p[n:]
		}
		if err := w.flush(full); err != nil {
			w.err = err
			return total - len(p) - len(full), err
		}
	}
	w.plain = append(w.plain, p...)
	return total, nil
}

// flush seals and writes up to batch full chunks.
func (w *Writer) flush(plain []byte) error {
	w.sealed = w.sealed[:0]
	n := w.n
	for ; len(plain) > 0; plain = plain[ChunkSize:] {
		if n >= maxChunks-1 {
			return errSize
		}
		w.sealed = w.chunks.seal(w.sealed, n, plain[:ChunkSize])
		n++
	}
	if _, err := w.dst.Write(w.sealed); err != nil {
		return err
	}
	w.n = n
	return nil
}

// Close seals and writes the last chunk. It does not close the destination.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	w.err = errClosed
	w.sealed = w.chunks.seal(w.sealed[:0], w.n, w.plain)
	clear(w.plain)
	_, err := w.dst.Write(w.sealed)
	return err
}
