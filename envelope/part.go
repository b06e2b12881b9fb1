package envelope

import (
	"crypto/sha256"
	"errors"
	stdhash "hash"
	"io"

	"github.com/digital-spine/spine/envelope/cobblestone"
)

// PartReader reads the content of one part from its sealed bytes as they come
// from a blob store, in constant memory. Only io.EOF says that the part is
// whole and the one named in the hash list; until then what was read is
// authentic content of this place, but may lack its end.
type PartReader struct {
	open *cobblestone.Reader
	src  *measured
	err  error
	want Digest
	full int64 // length of a sealed part that is not the last
}

// OpenPart reads part i from src: at most one byte more than the longest part
// of the object has. Reads end with io.EOF or with
//
//   - content_hash: not the bytes that the hash list names, cut and foreign ones
//     included: the store's damage, so the part is asked for again;
//   - truncated: the bytes named, but with another length than this place has;
//   - part: the bytes named, but of another object, place or attempt;
//   - an error of src, which says nothing about the part.
//
// The last three are its sender's doing, or none of the part's.
func (o *Object) OpenPart(src io.Reader, i int) (*PartReader, error) {
	size := o.SealedPart(i)
	m := &measured{src: src, sum: sha256.New(), expected: size, left: size}
	p := &PartReader{src: m, want: o.Parts[i], full: cobblestone.SealedSize(o.PartSize)}
	open, err := cobblestone.NewReader(m, o.Key[:], o.context(i))
	if err != nil {
		return nil, p.judge(err)
	}
	p.open = open
	return p, nil
}

// Read implements io.Reader.
func (p *PartReader) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.open.Read(b)
	if err != nil {
		p.err = p.judge(err)
	}
	return n, p.err
}

// WriteTo implements io.WriterTo. It tells errors of w as they are.
func (p *PartReader) WriteTo(w io.Writer) (int64, error) {
	if p.err == io.EOF {
		return 0, nil
	}
	if p.err != nil {
		return 0, p.err
	}
	out := &errorKeeper{w: w}
	n, err := p.open.WriteTo(out)
	if out.err != nil {
		return n, out.err
	}
	if err == nil {
		err = io.EOF
	}
	if p.err = p.judge(err); p.err != io.EOF {
		return n, p.err
	}
	return n, nil
}

// judge says whose fault an end is: it reads on to the end of the part, since
// only the hash over all of it tells damage in the store from a wrong
// description.
func (p *PartReader) judge(end error) error {
	refused := end == io.EOF || errors.Is(end, cobblestone.ErrPart) || errors.Is(end, cobblestone.ErrTruncated)
	if !refused {
		return end
	}
	if _, err := io.Copy(io.Discard, p.src); err != nil {
		return err
	}
	short := p.src.left > 0
	long, err := p.src.beyond(p.full)
	switch {
	case err != nil:
		return err
	case Digest(p.src.sum.Sum(nil)) != p.want:
		return fail(ContentHash, "part is not the bytes that its hash names")
	case short || long:
		return fail(Truncated, "part has another length than its place")
	case end != io.EOF:
		return fail(BadPart, "part does not open in its place")
	}
	return io.EOF
}

// measured hashes what it reads, and reads left bytes at most.
type measured struct {
	src            io.Reader
	sum            stdhash.Hash
	expected, left int64
}

func (m *measured) Read(b []byte) (int, error) {
	if m.left == 0 {
		return 0, io.EOF
	}
	n, err := m.src.Read(b[:min(int64(len(b)), m.left)])
	m.sum.Write(b[:n])
	m.left -= int64(n)
	return n, err
}

// beyond reads on after the last byte expected, up to size bytes in all and
// one more, and reports whether there was anything. What is longer than every
// part of the object is not hashed to its end: it counts as other bytes.
func (m *measured) beyond(size int64) (bool, error) {
	if m.left > 0 {
		return false, nil
	}
	m.left = size - m.expected + 1
	n, err := io.Copy(io.Discard, m)
	return n > 0, err
}

// errorKeeper remembers the error of a writer, to tell it from those of the
// source.
type errorKeeper struct {
	w   io.Writer
	err error
}

func (k *errorKeeper) Write(b []byte) (int, error) {
	n, err := k.w.Write(b)
	k.err = err
	return n, err
}
