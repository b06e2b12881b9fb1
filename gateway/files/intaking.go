package files

import (
	"context"
	"crypto/sha256"
	"encoding"
	"errors"
	"hash"
	"io"

	"github.com/digital-spine/spine/envelope"
)

// How content is taken in.
const (
	bufferSize = 256 << 10 // bytes that are read, sealed and hashed at a time
	buffers    = 4         // such steps that may be under way
	committing = 2         // full parts that may wait for the disk
)

// intaking is the content of one request on its way into parts: this goroutine
// reads and seals, a second hashes (and has the schema check) what was sealed,
// a third brings full parts to disk and notes them in order.
type intaking struct {
	b     *Box
	ctx   context.Context
	asked *appending
	row   *Row // as it was at the start
	m     *meta
	total int64 // bytes of the file so far
	part  *parting
	sum   hash.Hash // of all content; the hasher's until it ended

	free   chan []byte
	hashes chan toHash
	hashed chan struct{}
	parts  chan fullPart
	noted  chan struct{}
	last   []envelope.Digest // the last part, on disk and not noted
	fault  error             // of noting parts; read after noted
	broken chan struct{}

	check    *streamCheck
	passed   []byte // digest of the schema that the content passed
	hopeless bool   // nothing of the file can be kept
}

// toHash is content for the hasher, who frees buf then and tells the state of
// the hash behind it.
type toHash struct {
	data, buf []byte
	state     chan<- []byte
}

// fullPart is a part that is sealed and on its way to disk; several are at a
// time, and noted in order.
type fullPart struct {
	*parting
	upto   int64 // bytes of the file with it
	state  <-chan []byte
	onDisk <-chan error
	hash   *envelope.Digest // once onDisk told nil
}

func newIntaking(ctx context.Context, b *Box, a *appending, row *Row, m *meta) *intaking {
	in := &intaking{b: b, ctx: ctx, asked: a, row: row, m: m, total: row.Bytes, sum: sha256.New(),
		free: make(chan []byte, buffers), hashes: make(chan toHash, buffers), hashed: make(chan struct{}),
		parts: make(chan fullPart, committing), noted: make(chan struct{}), broken: make(chan struct{})}
	for range buffers {
		in.free <- nil
	}
	return in
}

// run takes the body; what came before its end or its error is durable when it
// returns, unless the error is one of storing.
func (in *intaking) run(r io.Reader) error {
	in.check = in.b.streamCheck(in.ctx, in.row, in.m)
	go in.hash()
	go in.note()
	ended, err := in.read(r)
	close(in.parts)
	<-in.noted
	err = errors.Join(in.fault, err)
	if ended && in.fault == nil {
		err = errors.Join(err, in.keep())
	} else if in.part != nil {
		in.part.discard()
	}
	close(in.hashes)
	<-in.hashed
	passed, refused := in.check.end(err == nil && in.total == in.row.Size)
	if refused != nil {
		in.hopeless = true
		return refused
	}
	in.passed = passed
	return err
}

// read takes the body to its end. ended is true when that, or an error of the
// body, is why it returned, and false when storing failed.
func (in *intaking) read(r io.Reader) (ended bool, err error) {
	if err := in.resume(); err != nil {
		return false, err
	}
	for {
		buf := <-in.free
		if buf == nil {
			buf = make([]byte, bufferSize)
		}
		n, end := fill(r, buf)
		if err := in.limit(int64(n)); err != nil {
			in.free <- buf
			return true, err
		}
		if err := in.take(buf[:n], buf); err != nil {
			return false, err
		}
		select {
		case <-in.broken:
			return false, nil
		case <-in.check.refused():
			return false, nil
		default:
		}
		switch {
		case end == io.EOF, end != nil && in.total == in.row.Size:
			return true, nil
		case in.asked.stopped.Load():
			return true, ErrBusy
		case end != nil:
			return true, end
		}
	}
}

// fill reads until buf is full or r ends; the error is r's own.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var k int
		k, err = r.Read(buf[n:])
		n += k
	}
	return n, err
}

// limit refuses content beyond what was said or may be.
func (in *intaking) limit(n int64) error {
	most := min(in.b.max, unknownMax)
	switch {
	case in.row.Size >= 0 && in.total+n > in.row.Size:
		return ErrLength.With("length", in.row.Size)
	case in.row.Size < 0 && in.total+n > most:
		return TooLarge(most)
	}
	return nil
}

// resume goes on with the part that the last request left.
func (in *intaking) resume() error {
	if in.row.Tail == nil {
		return nil
	}
	in.next(tailPart(in.row))
	return in.part.reseal(in.ctx, *in.row.Tail, in.row.Bytes, in.part.last)
}

// next sets the part that is being sealed.
func (in *intaking) next(index int) {
	last := in.row.Size >= 0 && index == envelope.PartsOf(in.row.Size)-1
	in.part = &parting{b: in.b, row: in.row, key: envelope.Secret(in.m.Key), index: index, last: last}
}

// take seals content and hands it to the hasher, who frees buf.
func (in *intaking) take(data, buf []byte) error {
	size := partSize(in.row.Size)
	for len(data) > 0 {
		if in.part != nil && in.part.n == size {
			in.full() // others follow it
		}
		if in.part == nil {
			in.next(int(in.total / size))
			if err := in.part.begin(in.ctx); err != nil {
				return err
			}
		}
		n := min(int64(len(data)), size-in.part.n)
		if err := in.part.write(data[:n]); err != nil {
			return err
		}
		in.total += n
		item := toHash{data: data[:n]}
		if data = data[n:]; len(data) == 0 {
			item.buf = buf
		}
		in.hashes <- item
		if in.row.Size >= 0 && (in.part.n == size || in.total == in.row.Size) {
			in.full()
		}
	}
	return nil
}

// full hands the part over to be brought to disk.
func (in *intaking) full() {
	onDisk := make(chan error, 1)
	p := fullPart{parting: in.part, upto: in.total, state: in.state(), onDisk: onDisk, hash: new(envelope.Digest)}
	in.part = nil
	go func() {
		var err error
		*p.hash, err = p.commit()
		onDisk <- err
	}()
	in.parts <- p
}

// state asks the hasher for its state behind what it was given so far.
func (in *intaking) state() <-chan []byte {
	state := make(chan []byte, 1)
	in.hashes <- toHash{state: state}
	return state
}

func (in *intaking) hash() {
	defer close(in.hashed)
	for item := range in.hashes {
		in.sum.Write(item.data)
		in.check.write(item.data)
		if item.buf != nil {
			in.free <- item.buf
		}
		if item.state != nil {
			b, _ := in.sum.(encoding.BinaryMarshaler).MarshalBinary() // never fails (crypto/sha256)
			item.state <- b
		}
	}
}

// note notes parts in order, each when it is on disk; after a failure it drops
// those that still come.
func (in *intaking) note() {
	defer close(in.noted)
	for p := range in.parts {
		err := <-p.onDisk
		switch {
		case err != nil:
			p.discard()
		case in.fault != nil:
			in.b.deleteBlob(in.ctx, p.hash) // nobody will note it
		default:
			if in.row.Send {
				in.b.pushEarly(in.row, *p.hash, p.draft.Size())
			}
			if p.upto == in.row.Size {
				in.last = []envelope.Digest{*p.hash} // noted when the file is complete
			} else if err = in.advance(p.upto, <-p.state, nil, p.draft.Size(), *p.hash); err == nil {
				in.b.tell(*fileOf(in.row, in.m), "upload", p.upto, nil)
			}
		}
		if err != nil && in.fault == nil {
			in.fault = err
			close(in.broken)
		}
	}
}

// keep brings what is in an unfinished part to disk, so that the next request
// goes on there.
func (in *intaking) keep() error {
	if in.part == nil || in.part.n == 0 && in.row.Tail == nil {
		return nil
	}
	h, err := in.part.commit()
	if err != nil {
		in.part.discard()
		return err
	}
	return in.advance(in.total, <-in.state(), &h, 0)
}

// advance notes how far the content is here.
func (in *intaking) advance(upto int64, state []byte, tail *envelope.Digest, sealed int64, parts ...envelope.Digest) error {
	mark := in.b.vault.seal("mark/"+in.row.ID, state)
	now := in.b.now()
	var old *envelope.Digest
	r, err := in.b.store.Change(in.ctx, in.row.ID, func(r *Row) error {
		old = r.Tail
		r.Bytes, r.Mark, r.Tail, r.Touched = upto, mark, tail, now
		if r.Size < 0 {
			r.Charged += sealed
		}
		return nil
	}, parts...)
	if err == nil && r == nil {
		err = ErrUploadUnknown
	}
	if err != nil {
		for _, h := range []*envelope.Digest{tail, old} {
			if h != nil {
				parts = append(parts, *h)
			}
		}
		in.b.unnoted(in.ctx, parts...)
		return err
	}
	in.b.deleteBlob(in.ctx, old)
	if r.Size < 0 {
		return in.b.checkRoom(in.ctx)
	}
	return nil
}
