package files

import (
	"context"
	"errors"
	"io"

	blobfile "github.com/digital-spine/spine/blob/file"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/envelope/cobblestone"
)

// parting is one part of an upload while it is sealed into a draft. Each has a
// salt of its own, so that what arrives after an interruption, and may be other
// content, never meets a key and nonce that were used: the bytes before it are
// opened and sealed again.
type parting struct {
	b     *Box
	row   *Row
	key   envelope.Secret
	index int
	last  bool
	draft *blobfile.Draft
	w     *cobblestone.Writer
	n     int64 // plain bytes
}

func (p *parting) begin(ctx context.Context) error {
	var err error
	if p.draft, err = p.b.blobs.Create(ctx); err != nil {
		return err
	}
	p.w, err = envelope.SealPart(p.draft, p.key, p.row.OID, uint32(p.index), p.last)
	return err
}

func (p *parting) write(b []byte) error {
	n, err := p.w.Write(b)
	p.n += int64(n)
	return err
}

// reseal begins the part that a tail is, with the tail's content, which ends at
// byte upto of the file. was says whether it was sealed as a last part.
func (p *parting) reseal(ctx context.Context, tail envelope.Digest, upto int64, was bool) error {
	if err := p.begin(ctx); err != nil {
		return err
	}
	src, err := p.b.blobs.Open(ctx, tail, 0, -1)
	if err != nil {
		return damaged(err)
	}
	defer src.Close()
	plain, err := cobblestone.NewReader(src, p.key[:], envelope.PartContext(p.row.OID, uint32(p.index), was))
	if err != nil {
		return damaged(err)
	}
	n, err := io.Copy(p.w, plain)
	p.n += n
	switch {
	case err != nil:
		return damaged(err)
	case int64(p.index)*partSize(p.row.Size)+n != upto:
		return ErrDamaged
	}
	return nil
}

// commit ends the part, durably; the hash is its name in the blob store.
func (p *parting) commit() (envelope.Digest, error) {
	if err := p.w.Close(); err != nil {
		return envelope.Digest{}, err
	}
	h := p.draft.Sum()
	return h, p.draft.Commit(h)
}

// discard drops a part that did not come to its end.
func (p *parting) discard() {
	if p.draft == nil {
		return
	}
	if err := p.draft.Discard(); err != nil {
		p.b.log.Warn("a draft could not be removed", "err", err)
	}
}

// tailPart is the index of the part that a file's tail is, or of the next one
// when it has none.
func tailPart(r *Row) int {
	i := int(r.Bytes / partSize(r.Size))
	if r.Tail != nil && r.Bytes%partSize(r.Size) == 0 {
		i-- // a full part of which it was not known whether others follow
	}
	return i
}

// partSize is that of a file of size bytes, below 0: of one whose size is not
// known.
func partSize(size int64) int64 {
	if size < 0 {
		return envelope.MinPartSize
	}
	return envelope.PartSizeFor(size)
}

// damaged says that a stored blob is not what was stored; a full disk stays
// what it is.
func damaged(err error) error {
	if codeOf(err) == CodeStorageFull || errors.Is(err, context.Canceled) {
		return err
	}
	return ErrDamaged.Wrap(err)
}
