package files

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// Store keeps a message's large body as a file that is not listed; it passed
// its schema already.
func (b *Box) Store(ctx context.Context, typ string, body []byte) (file string, err error) {
	u, err := b.begin(ctx, New{Type: typ, Size: int64(len(body))}, true)
	if err != nil {
		return "", err
	}
	if _, err := b.append(ctx, u.ID, 0, bytes.NewReader(body)); err != nil {
		return "", errors.Join(err, b.drop(context.WithoutCancel(ctx), u.ID))
	}
	return u.ID, nil
}

// Body returns the content of a file of at most max bytes, for messages whose
// body travelled as an object; codes file_unknown, file_incomplete, too_large.
func (b *Box) Body(ctx context.Context, file string, max int64) ([]byte, error) {
	c, err := b.Open(ctx, file)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if c.File.Size > max {
		return nil, TooLarge(max)
	}
	body := make([]byte, c.File.Size)
	_, err = io.ReadFull(c, body)
	return body, err
}
