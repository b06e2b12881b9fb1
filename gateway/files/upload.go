package files

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding"
	"errors"
	"fmt"
	"mime"
	"strings"

	"github.com/google/uuid"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// TypeBinary is the media type of a file whose type was not given.
const TypeBinary = "application/octet-stream"

// uploadIdle is how long an unfinished upload waits for its next byte.
const uploadIdle = 24 * 3600 * 1000 // ms

// unknownMax bounds a file whose size is not said beforehand: its parts have
// the smallest size.
const unknownMax = envelope.MinPartSize * envelope.MaxParts

// Begin begins an upload. Codes name_invalid, type_invalid, body_empty,
// too_large, storage_full.
func (b *Box) Begin(ctx context.Context, n New) (*Upload, error) { return b.begin(ctx, n, false) }

func (b *Box) begin(ctx context.Context, n New, inline bool) (*Upload, error) {
	if err := b.checkNew(&n); err != nil {
		return nil, err
	}
	if err := b.checkSize(ctx, &n); err != nil {
		return nil, err
	}
	now := b.now()
	var oid [16]byte
	rand.Read(oid[:])
	key := make([]byte, envelope.SecretSize)
	rand.Read(key)
	r := &Row{ID: uuid.NewString(), Direction: Stored, State: StateUploading, Size: max(n.Size, -1), At: now, Touched: now, Channel: n.Channel, OID: oid, Send: n.Send, Inline: inline}
	m := &meta{Name: n.Name, Type: n.Type, To: n.To, Key: key}
	var err error
	if r.Meta, err = b.vault.sealMeta(r.ID, m); err != nil {
		return nil, err
	}
	if r.Size > 0 {
		r.Charged = m.object(r, make([]envelope.Digest, envelope.PartsOf(r.Size))).SealedSize()
	}
	if err := b.addCharged(ctx, r, nil); err != nil {
		return nil, err
	}
	return b.uploadOf(r, m), nil
}

// checkNew demands what can be known before the first byte.
func (b *Box) checkNew(n *New) error {
	if n.Type == "" {
		n.Type = TypeBinary
	}
	kind, _, err := mime.ParseMediaType(n.Type)
	switch {
	case err != nil || len(n.Type) > envelope.MaxFrameType || strings.Count(kind, "/") != 1:
		return ErrType
	case n.Name != "" && !envelope.ValidName(n.Name):
		return ErrName
	case n.Size == 0:
		return ErrEmpty
	case n.Size > b.max:
		return TooLarge(b.max)
	case len(n.To) > gateway.MaxRecipients || n.Send && n.Channel == "":
		return gateway.DraftInvalid("channel", "name the channel to send on")
	}
	// The description must fit: it is checked with the parts it will have.
	o := envelope.Object{OID: [16]byte{1}, Name: n.Name, Type: n.Type, Size: max(n.Size, 1)}
	o.PartSize, o.Parts = envelope.PartSizeFor(o.Size), make([]envelope.Digest, envelope.PartsOf(o.Size))
	if o.Check() != nil {
		return ErrType
	}
	return nil
}

func (b *Box) uploadOf(r *Row, m *meta) *Upload {
	return &Upload{ID: r.ID, Size: r.Size, Offset: r.Bytes, Expires: r.Touched + uploadIdle, Done: r.State != StateUploading,
		New: New{Name: m.Name, Type: m.Type, Size: r.Size, Channel: r.Channel, To: m.To, Send: r.Send}}
}

// upload reads a row that is, or was, uploaded here.
func (b *Box) upload(ctx context.Context, id string) (*Row, *meta, error) {
	r, err := b.store.Row(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if r == nil || r.Direction == In {
		return nil, nil, ErrUploadUnknown
	}
	m, err := b.vault.meta(r)
	return r, m, err
}

// Upload tells where an upload stands; code upload_unknown.
func (b *Box) Upload(ctx context.Context, id string) (*Upload, error) {
	r, m, err := b.upload(ctx, id)
	if err != nil {
		return nil, err
	}
	u := b.uploadOf(r, m)
	if u.Done && !r.Send {
		err = b.sentAlready(ctx, u)
	}
	return u, err
}

// sentAlready tells which message a complete file went with, for a client that
// missed the answer.
func (b *Box) sentAlready(ctx context.Context, u *Upload) error {
	ids, err := b.store.Messages(ctx, u.ID)
	if err == nil && len(ids) > 0 {
		u.Sent = &gateway.Accepted{ID: ids[0], State: gateway.StateWaiting}
	}
	return err
}

// Finish completes an upload whose size was not known: what is there is all.
// Codes as Append.
func (b *Box) Finish(ctx context.Context, id string) (*Upload, error) {
	a, err := b.take(ctx, id, nil)
	if err != nil {
		return nil, err
	}
	defer b.leave(id, a)
	r, m, err := b.upload(ctx, id)
	if err != nil {
		return nil, err
	}
	if r.State != StateUploading {
		return b.finished(ctx, r, m)
	}
	if r.Size >= 0 && r.Bytes < r.Size {
		return nil, ErrLength.With("offset", r.Bytes)
	}
	if r.Bytes == 0 {
		return nil, errors.Join(ErrEmpty, b.drop(ctx, id))
	}
	sum := sha256.New()
	if err := b.restore(r, sum.(encoding.BinaryUnmarshaler)); err != nil {
		return nil, err
	}
	// The tail was sealed as a part with others behind it; now it is the last.
	p := &parting{b: b, row: r, key: envelope.Secret(m.Key), index: tailPart(r), last: true}
	if r.Tail == nil {
		return nil, ErrDamaged
	}
	if err := p.reseal(ctx, *r.Tail, r.Bytes, false); err != nil {
		p.discard()
		return nil, err
	}
	h, err := p.commit()
	if err != nil {
		p.discard()
		return nil, err
	}
	m.SHA256 = envelope.Digest(sum.Sum(nil))
	r.Size = r.Bytes
	return b.complete(ctx, r, m, nil, h)
}

// complete notes that all of the content is here, with the parts that are not
// noted yet and the schema that it passed while it came, and sends it if it was
// to be.
func (b *Box) complete(ctx context.Context, r *Row, m *meta, passed []byte, parts ...envelope.Digest) (*Upload, error) {
	sealed, err := b.vault.sealMeta(r.ID, m)
	if err != nil {
		return nil, err
	}
	var tail *envelope.Digest
	now, size := b.now(), r.Size
	row, err := b.store.Change(ctx, r.ID, func(r *Row) error {
		tail = r.Tail
		r.State, r.Code, r.Size, r.Bytes, r.Touched, r.Meta, r.Mark, r.Tail = StateReady, "", size, size, now, sealed, nil, nil
		r.Passed = append(r.Passed, passed...)
		r.Charged = m.object(r, make([]envelope.Digest, envelope.PartsOf(size))).SealedSize()
		return nil
	}, parts...)
	if err == nil && row == nil {
		err = ErrUploadUnknown
	}
	if err != nil {
		if tail != nil {
			parts = append(parts, *tail)
		}
		b.unnoted(ctx, parts...)
		return nil, err
	}
	b.deleteBlob(ctx, tail)
	b.tell(*fileOf(row, m), "upload", size, nil)
	return b.finished(ctx, row, m)
}

// finished answers for a file that is complete: it is sent now, if it was to
// be and was not.
func (b *Box) finished(ctx context.Context, r *Row, m *meta) (*Upload, error) {
	u := b.uploadOf(r, m)
	if !r.Send {
		return u, b.sentAlready(ctx, u)
	}
	var err error
	if u.Sent, err = b.sendNow(ctx, r, m); err != nil {
		return nil, err
	}
	return u, nil
}

// restore sets a hash to where the row's content stands.
func (b *Box) restore(r *Row, sum encoding.BinaryUnmarshaler) error {
	if r.Bytes == 0 {
		return nil
	}
	state, err := b.vault.open("mark/"+r.ID, r.Mark)
	if err == nil {
		err = sum.UnmarshalBinary(state)
	}
	if err != nil {
		return fmt.Errorf("upload %s: %w", r.ID, err)
	}
	return nil
}
