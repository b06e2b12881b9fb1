package files

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// Content is the plain content of a file, opened while it is read. What does
// not open is never handed out: code file_damaged. It is not to be shared
// between goroutines.
type Content struct {
	File gateway.File
	At   time.Time // when the file was stored here

	ctx   context.Context
	blobs Blobs
	o     *envelope.Object
	cool  func(h blob.Hash, size int64) // told of a part that was read to its end; may be nil
	pos   int64                         // of the next byte
	next  int64                         // where r stands
	r     io.Reader
	src   io.Closer
}

// Open returns the content of a file that is complete; codes file_unknown,
// file_incomplete. Whoever reads it closes it.
func (b *Box) Open(ctx context.Context, id string) (*Content, error) {
	r, m, err := b.whole(ctx, id)
	if err != nil {
		return nil, err
	}
	c, err := b.content(ctx, r, m)
	if err == nil {
		c.cool = b.cool // who reads it takes it away
	}
	return c, err
}

func (b *Box) content(ctx context.Context, r *Row, m *meta) (*Content, error) {
	parts, err := b.store.Parts(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	o := m.object(r, parts)
	if err := o.Check(); err != nil {
		return nil, ErrDamaged.Wrap(err)
	}
	return &Content{File: *fileOf(r, m), At: time.UnixMilli(r.At), ctx: ctx, blobs: b.blobs, o: o}, nil
}

// Read implements io.Reader.
func (c *Content) Read(p []byte) (int, error) {
	if c.pos >= c.o.Size {
		return 0, io.EOF
	}
	for {
		if c.r == nil || c.next != c.pos {
			if err := c.turn(); err != nil {
				return 0, c.fail(err)
			}
		}
		n, err := c.r.Read(p)
		c.pos += int64(n)
		c.next = c.pos
		if n > 0 && c.cool != nil && (c.pos%c.o.PartSize == 0 || c.pos == c.o.Size) {
			i := int((c.pos - 1) / c.o.PartSize)
			c.cool(c.o.Parts[i], c.o.SealedPart(i))
		}
		if err == io.EOF {
			c.r = nil
			if err = nil; n == 0 && c.pos < c.o.Size {
				continue
			}
		}
		if err != nil {
			return n, c.fail(err)
		}
		return n, nil
	}
}

// turn opens the part in which the next byte is, at that byte.
func (c *Content) turn() error {
	c.Close()
	i := int(c.pos / c.o.PartSize)
	start, length := c.o.PlainPart(i)
	sealed := c.o.SealedPart(i)
	size, err := c.blobs.Stat(c.ctx, c.o.Parts[i])
	if err != nil {
		return err
	}
	if size != sealed {
		return ErrDamaged
	}
	at := &blobAt{ctx: c.ctx, blobs: c.blobs, hash: c.o.Parts[i], size: sealed}
	c.src = at
	part, err := c.o.OpenPartAt(at, sealed, i)
	if err != nil {
		return err
	}
	c.r, c.next = part.Section(c.pos-start, length-(c.pos-start)), c.pos
	return nil
}

// fail gives what cannot be read the code of the place where it lies.
func (c *Content) fail(err error) error {
	if c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	var d interface{ ErrorCode() string }
	if errors.As(err, &d) && d.ErrorCode() == CodeFileDamaged {
		return err
	}
	return ErrDamaged.Wrap(err)
}

// Seek implements io.Seeker.
func (c *Content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.pos
	case io.SeekEnd:
		offset += c.o.Size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning")
	}
	c.pos = offset
	return offset, nil
}

// Close ends reading.
func (c *Content) Close() error {
	c.r = nil
	if c.src != nil {
		c.src.Close()
		c.src = nil
	}
	return nil
}

// readAhead is how much of a blob is read at a time.
const readAhead = 256 << 10

// blobAt reads a blob at any place, and is quick when it is read in order.
type blobAt struct {
	ctx   context.Context
	blobs Blobs
	hash  blob.Hash
	size  int64
	buf   []byte
	at    int64         // of buf in the blob
	rd    io.ReadCloser // stands behind buf
}

// ReadAt implements io.ReaderAt.
func (r *blobAt) ReadAt(p []byte, off int64) (n int, err error) {
	for len(p) > 0 {
		if off < r.at || off >= r.at+int64(len(r.buf)) {
			if err := r.fill(off, int64(len(p))); err != nil {
				return n, err
			}
		}
		k := copy(p, r.buf[off-r.at:])
		p, off, n = p[k:], off+int64(k), n+k
	}
	return n, nil
}

func (r *blobAt) fill(off, want int64) error {
	if off >= r.size {
		return io.EOF
	}
	behind := r.at + int64(len(r.buf))
	if r.rd == nil || off != behind {
		r.Close()
		var err error
		if r.rd, err = r.blobs.Open(r.ctx, r.hash, off, -1); err != nil {
			return err
		}
	}
	if r.buf == nil && want < readAhead/16 {
		want = max(want, 512) // the header
	} else {
		want = max(want, readAhead)
	}
	if int64(cap(r.buf)) < want {
		r.buf = make([]byte, 0, want)
	}
	r.at = off
	k, err := io.ReadFull(r.rd, r.buf[:min(want, r.size-off)])
	r.buf = r.buf[:k]
	if k > 0 {
		return nil
	}
	return err
}

// Close implements io.Closer.
func (r *blobAt) Close() error {
	if r.rd == nil {
		return nil
	}
	err := r.rd.Close()
	r.rd, r.buf = nil, r.buf[:0]
	return err
}
