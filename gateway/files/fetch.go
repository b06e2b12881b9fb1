package files

import (
	"context"
	"errors"
	"hash"
	"io"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/envelope/cobblestone"
	"github.com/digital-spine/spine/gateway"
)

// fetch brings the parts of one object here and opens them.
type fetch struct {
	b    *Box
	p    *pull
	file gateway.File
	here []chan bool // of each part: it is here; false: it was before
}

// part brings one part, unless it is here.
func (f *fetch) part(ctx context.Context, i int) error {
	o := f.p.o
	h, want := o.Parts[i], o.SealedPart(i)
	size, err := f.b.blobs.Stat(ctx, h)
	switch {
	case err == nil && size == want:
		f.here[i] <- false
		return nil
	case err == nil:
		// Another file's part of the same bytes does not fit into this place.
		return envelope.Truncated.Errorf("part %d has %d bytes, its place %d", i, size, want)
	case !errors.Is(err, blob.ErrNotFound):
		return err
	}
	if err := f.get(ctx, i, h, want); err != nil {
		return err
	}
	_, plain := o.PlainPart(i)
	f.b.tell(f.file, "pull", f.p.through.Add(plain), nil)
	f.here[i] <- true
	return nil
}

// get takes one part from the broker. What it sends is believed only when its
// hash is the one that the sender signed.
func (f *fetch) get(ctx context.Context, i int, h envelope.Digest, want int64) error {
	longest := cobblestone.SealedSize(f.p.o.PartSize)
	body, err := f.b.remote.GetBlob(ctx, h, 0, longest+1)
	if err != nil {
		return absent(err, i)
	}
	defer body.Close()
	d, err := f.b.blobs.Create(ctx)
	if err != nil {
		return err
	}
	defer d.Discard() // nothing after Commit
	n, err := io.CopyBuffer(onlyWriter{d}, io.LimitReader(body, longest+1), make([]byte, bufferSize))
	switch {
	case err != nil:
		return absent(err, i)
	case d.Sum() != h:
		return envelope.ContentHash.Errorf("part %d: the broker has other bytes under its hash", i)
	case n != want:
		return envelope.Truncated.Errorf("part %d has %d bytes, its place %d", i, n, want)
	}
	return d.Commit(h)
}

// onlyWriter hides what else a writer can.
type onlyWriter struct{ io.Writer }

// absent gives what the broker does not have the protocol's code; other errors
// pass, and are tried again.
func absent(err error, i int) error {
	if errors.Is(err, blob.ErrNotFound) || codeOf(err) == blob.ErrNotFound.Code {
		return envelope.ContentHash.Errorf("part %d is not in the broker's store: %w", i, err)
	}
	return err
}

// open reads all parts in order, each when it is here.
func (f *fetch) open(ctx context.Context, sum hash.Hash, check *streamCheck) error {
	w := io.Writer(sum)
	if check != nil {
		w = io.MultiWriter(sum, check.w)
	}
	for i := range f.here {
		var fresh bool
		select {
		case fresh = <-f.here[i]:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := f.openPart(ctx, i, fresh, w); err != nil {
			select {
			case <-check.refused():
				return errStopped // no more of it needs to come; the check's end tells why
			default:
			}
			return err
		}
	}
	return nil
}

// openPart authenticates a part and gives its content to w. One that was here
// before is hashed again: it may have been damaged since.
func (f *fetch) openPart(ctx context.Context, i int, fresh bool, w io.Writer) error {
	o := f.p.o
	src, err := f.b.blobs.Open(ctx, o.Parts[i], 0, -1)
	if err != nil {
		return err
	}
	defer src.Close()
	if !fresh {
		part, err := o.OpenPart(src, i)
		if err == nil {
			_, err = part.WriteTo(w)
		}
		if codeOf(err) == string(envelope.ContentHash) {
			h := o.Parts[i]
			f.b.deleteBlob(ctx, &h)
			return errAgain
		}
		if err == nil {
			_, plain := o.PlainPart(i)
			f.p.through.Add(plain)
		}
		return err
	}
	part, err := cobblestone.NewReader(src, o.Key[:], envelope.PartContext(o.OID, uint32(i), i == len(o.Parts)-1))
	if err != nil {
		return err
	}
	_, err = io.Copy(w, part)
	return err
}

// errAgain says that a damaged copy was deleted: the part is fetched anew.
var errAgain = errors.New("a stored part was damaged")
