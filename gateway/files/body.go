package files

import (
	"bytes"
	"context"
	"errors"
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
