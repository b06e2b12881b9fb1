package files

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/schema"
)

// errStopped ends a check whose content does not come to its end.
var errStopped = errors.New("content broke off")

// streamCheck has a schema check content while it comes. A nil one checks
// nothing.
type streamCheck struct {
	digest envelope.Digest
	w      *io.PipeWriter
	failed chan struct{} // closed when the content was refused
	result chan error
}

// startCheck runs a validator over what is written.
func startCheck(digest envelope.Digest, v schema.Streamer, mediaType string) *streamCheck {
	r, w := io.Pipe()
	c := &streamCheck{digest: digest, w: w, failed: make(chan struct{}), result: make(chan error, 1)}
	go func() {
		err := v.ValidateReader(r, mediaType)
		if err != nil && !errors.Is(err, errStopped) {
			close(c.failed)
		}
		if err == nil {
			_, _ = io.Copy(io.Discard, r) // it may not need all of it
		}
		r.CloseWithError(errStopped)
		c.result <- err
	}()
	return c
}

// streamCheck checks an upload that begins, where it is known for which topic
// it is; one that goes on is checked when it is complete.
func (b *Box) streamCheck(ctx context.Context, r *Row, m *meta) *streamCheck {
	if b.topics == nil || r.Channel == "" || !r.Send || r.Bytes > 0 {
		return nil
	}
	digest, v, err := b.topics.ForChannel(ctx, r.Channel)
	if err != nil {
		return nil // sending will say so, if it still holds then
	}
	if _, ok := v.(schema.Sized); ok && r.Size >= 0 {
		return nil // it passed when the upload began, and does again when it is sent
	}
	s, ok := v.(schema.Streamer)
	if !ok {
		return nil
	}
	return startCheck(digest, s, m.Type)
}

// checkSize refuses an upload that is to be sent, before its first byte, when
// the topic's schema can tell by its type and size.
func (b *Box) checkSize(ctx context.Context, n *New) error {
	if b.topics == nil || !n.Send || n.Size < 0 {
		return nil
	}
	_, v, err := b.topics.ForChannel(ctx, n.Channel)
	if err != nil {
		return nil // sending will say so, if it still holds then
	}
	if s, ok := v.(schema.Sized); ok {
		return s.ValidateSize(n.Type, n.Size)
	}
	return nil
}

func (c *streamCheck) write(b []byte) {
	if c != nil && len(b) > 0 {
		_, _ = c.w.Write(b)
	}
}

// refused returns a channel that is closed once the content was refused.
func (c *streamCheck) refused() <-chan struct{} {
	if c == nil {
		return nil
	}
	return c.failed
}

// end returns the digest of the schema that all of the content passed, or why
// it did not.
func (c *streamCheck) end(whole bool) (passed []byte, refused error) {
	if c == nil {
		return nil, nil
	}
	if whole {
		c.w.Close()
	} else {
		c.w.CloseWithError(errStopped)
	}
	err := <-c.result
	switch {
	case errors.Is(err, errStopped):
		return nil, nil
	case err != nil:
		return nil, err
	case !whole:
		return nil, nil
	}
	return c.digest[:], nil
}

// hasPassed reports whether a schema is among those that content passed.
func hasPassed(passed []byte, digest envelope.Digest) bool {
	for d := range slices.Chunk(passed, len(digest)) {
		if bytes.Equal(d, digest[:]) {
			return true
		}
	}
	return false
}

// Check has a file's content pass a topic's schema; at once when it already
// passed it. Code schema, with row and column or pointer.
func (b *Box) Check(ctx context.Context, file string, schemaDigest envelope.Digest, v schema.Validator) error {
	r, m, err := b.whole(ctx, file)
	if err != nil || v == nil || hasPassed(r.Passed, schemaDigest) {
		return err
	}
	if err := b.checkContent(ctx, r, m, v); err != nil {
		return err
	}
	_, err = b.store.Change(ctx, file, func(r *Row) error {
		if !hasPassed(r.Passed, schemaDigest) && len(r.Passed) < maxPassed*len(schemaDigest) {
			r.Passed = append(r.Passed, schemaDigest[:]...)
		}
		return nil
	})
	return err
}

// checkContent has content pass a schema; it is read only when the schema asks
// for more than its type and length.
func (b *Box) checkContent(ctx context.Context, r *Row, m *meta, v schema.Validator) error {
	if s, ok := v.(schema.Sized); ok {
		return s.ValidateSize(m.Type, r.Size)
	}
	c, err := b.content(ctx, r, m)
	if err != nil {
		return err
	}
	defer c.Close()
	if s, ok := v.(schema.Streamer); ok {
		return s.ValidateReader(c, m.Type)
	}
	doc, err := io.ReadAll(io.LimitReader(c, maxDocument+1))
	switch {
	case err != nil:
		return err
	case len(doc) > maxDocument:
		return TooLarge(maxDocument)
	}
	return v.Validate(doc)
}

const (
	maxDocument = 64 << 20 // bytes of a file for a validator that wants all of it at once
	maxPassed   = 16       // schemas that are remembered of a file
)
