package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway"
)

// Verify reads a whole file again and makes every check of section 21 on it; a
// check that failed is in the list with its code. Codes file_unknown,
// file_incomplete.
func (b *Box) Verify(ctx context.Context, id string) ([]gateway.Check, error) {
	r, m, err := b.whole(ctx, id)
	if err != nil {
		return nil, err
	}
	parts, err := b.store.Parts(ctx, id)
	if err != nil {
		return nil, err
	}
	o := m.object(r, parts)
	description := check("description", "the description is complete: part size and number of parts are those of the size, the name is no path", o.Check(),
		"object", hex.EncodeToString(o.OID[:]), "size", strconv.FormatInt(o.Size, 10), "parts", strconv.Itoa(len(parts)))
	if description.Result != "ok" {
		return []gateway.Check{description}, nil
	}
	// One pass: each part is hashed, opened and its content hashed.
	sum := sha256.New()
	var hashErr, openErr error
	bad, good := "", 0
	for i := range parts {
		err := b.verifyPart(ctx, o, i, sum)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err == nil:
			good++
			continue
		case codeOf(err) == string(envelope.BadPart) || codeOf(err) == string(envelope.Truncated):
			openErr = err
		default:
			hashErr = envelope.ContentHash.Errorf("part %d: %w", i, err)
		}
		if bad == "" {
			bad = strconv.Itoa(i)
		}
	}
	contentErr := o.CheckContent(envelope.Digest(sum.Sum(nil)))
	if good < len(parts) {
		contentErr = fmt.Errorf("not all parts are good: %w", firstOf(hashErr, openErr))
	}
	return []gateway.Check{
		description,
		check("hash_list", "the hash of each sealed part is the one in the description that its sender signed", hashErr, "parts", strconv.Itoa(len(parts)), "first bad part", bad),
		check("parts", "each part opens under the file's key in its own place: it was not changed, moved, cut or taken from another file", openErr,
			"opened", strconv.Itoa(good), "first bad part", bad),
		check("content", "the hash of the content is the one in the description", contentErr, "sha256", o.SHA256.String()),
	}, nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *Box) verifyPart(ctx context.Context, o *envelope.Object, i int, w io.Writer) error {
	src, err := b.blobs.Open(ctx, o.Parts[i], 0, o.SealedPart(i)+1)
	if err != nil {
		return err
	}
	defer src.Close()
	part, err := o.OpenPart(src, i)
	if err != nil {
		return err
	}
	_, err = part.WriteTo(w)
	return err
}

func check(name, says string, err error, evidence ...string) gateway.Check {
	c := gateway.Check{Name: name, Rule: "21", Says: says, Result: "ok", Evidence: make(map[string]string, len(evidence)/2)}
	if err != nil {
		c.Result = codeOf(err)
	}
	for i := 0; i+1 < len(evidence); i += 2 {
		if evidence[i+1] != "" {
			c.Evidence[evidence[i]] = evidence[i+1]
		}
	}
	return c
}
