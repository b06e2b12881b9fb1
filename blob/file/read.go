package file

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/digital-spine/spine/blob"
)

// Open implements blob.Store. The reader is also an io.WriterTo that lets the
// kernel copy into a socket.
func (s *Store) Open(_ context.Context, h blob.Hash, offset, length int64) (io.ReadCloser, error) {
	f, err := os.Open(s.path(h))
	if err != nil {
		return nil, fail(err)
	}
	i, err := f.Stat()
	if err == nil {
		_, err = f.Seek(max(offset, 0), io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, fail(err)
	}
	left := max(0, i.Size()-max(offset, 0))
	if length >= 0 {
		left = min(left, length)
	}
	return &reader{f: f, lr: io.LimitedReader{R: f, N: left}}, nil
}

// reader reads a range of a blob.
type reader struct {
	f  *os.File
	lr io.LimitedReader
}

func (r *reader) Read(b []byte) (int, error) { return r.lr.Read(b) }

func (r *reader) Close() error { return r.f.Close() }

// WriteTo shows the file itself to io.Copy.
func (r *reader) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, &r.lr) }

// List implements blob.Store.
func (s *Store) List(ctx context.Context, after blob.Hash, max int) ([]blob.Info, error) {
	first := blob.FormatHash(after)
	var all []blob.Info
	for i := int(after[0]); i < 256 && len(all) < max; i++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		folder := filepath.Join(s.dir, fmt.Sprintf("%02x", i))
		entries, err := os.ReadDir(folder) // sorted
		if err != nil {
			return nil, fail(err)
		}
		from, found := slices.BinarySearchFunc(entries, first, func(e fs.DirEntry, n string) int { return strings.Compare(e.Name(), n) })
		if found {
			from++
		}
		for _, e := range entries[from:] {
			if len(all) == max {
				break
			}
			h, err := blob.ParseHash(e.Name())
			if err != nil || int(h[0]) != i {
				continue // not ours
			}
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
				all = append(all, blob.Info{Hash: h, Size: info.Size(), Modified: info.ModTime()})
			}
		}
	}
	return all, nil
}

// Overwrite puts any bytes where a stored blob is, with no check: it is what
// somebody with access to the disk can do, for attacks in tests and
// demonstrations. ErrNotFound when there is no such blob.
func (s *Store) Overwrite(ctx context.Context, h blob.Hash, r io.Reader) error {
	if _, err := s.Stat(ctx, h); err != nil {
		return err
	}
	d, err := s.create(incomingDir, 0)
	if err != nil {
		return err
	}
	defer d.Discard()
	if _, err := io.Copy(d, r); err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		return err
	}
	return fail(s.disk.rename(d.path(), s.path(h)))
}
