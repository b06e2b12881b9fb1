package villain

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/internal/httpkit"
)

// Bodies and files travel beside the messages, through the broker's blob store:
// here is what its operator, or a sender of one's own, can do to them.

// StoredBlob is a blob as the broker keeps it.
type StoredBlob struct {
	Hash envelope.Digest `json:"hash"`
	Size int64           `json:"size"`
}

// Blobs lists what the broker's blob store holds, up to a thousand.
func (o *Operator) Blobs(ctx context.Context) ([]StoredBlob, error) {
	var out struct {
		Blobs []StoredBlob `json:"blobs"`
	}
	err := o.call(ctx, http.MethodGet, "blobs?limit=1000", nil, &out)
	return out.Blobs, err
}

// Blob reads a blob, as anybody who knows its hash may; the operator logs in as
// a participant for it.
func (v *Impostor) Blob(ctx context.Context, hash envelope.Digest) ([]byte, error) {
	r, err := v.broker.GetBlob(ctx, hash, 0, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, envelope.MaxPartSize))
}

// ReplaceBlob puts any bytes where a blob is.
func (o *Operator) ReplaceBlob(ctx context.Context, hash envelope.Digest, b []byte) error {
	_, err := httpkit.Do(ctx, o.http, http.MethodPut, o.base+"blobs/"+hash.String(), o.key, "application/octet-stream", b)
	return err
}

// DeleteBlob removes a blob before its time.
func (o *Operator) DeleteBlob(ctx context.Context, hash envelope.Digest) error {
	return o.call(ctx, http.MethodDelete, "blobs/"+hash.String()+"?reason=attack", nil, nil)
}

// PutBlob stores bytes under their hash for an hour.
func (v *Impostor) PutBlob(ctx context.Context, b []byte) (envelope.Digest, error) {
	hash := envelope.Sum(b)
	until := time.Now().Add(time.Hour).UnixMilli()
	err := v.broker.PutBlob(ctx, hash, int64(len(b)), until, func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b)), nil
	})
	if err != nil {
		return hash, fmt.Errorf("put a blob: %w", err)
	}
	return hash, nil
}

// Seal seals frames as the session's next envelope and keeps it back.
func (s *Session) Seal(ctx context.Context, frames ...envelope.Frame) (*envelope.Envelope, error) {
	s.next.Time = max(s.next.Time, time.Now().UnixMilli())
	e, err := s.keys.Seal(ctx, instanceSigner{s.v.instance}, s.next, frames)
	if err != nil {
		return nil, err
	}
	s.next.Seq++
	s.next.Prev = e.Digest()
	return e, nil
}

// Publish sends any bytes to the session's recipient.
func (s *Session) Publish(ctx context.Context, wire []byte) error { return s.publish(ctx, wire) }

// Mark signs a mark of the session: seq would be next, prev is before it.
func (s *Session) Mark(ctx context.Context, seq uint64, prev envelope.Digest, state uint64) (*envelope.Mark, error) {
	return envelope.NewMark(ctx, instanceSigner{s.v.instance}, envelope.MarkBody{
		Session: s.ID, Seq: seq, Prev: prev, Time: time.Now().UnixMilli(), State: state})
}
