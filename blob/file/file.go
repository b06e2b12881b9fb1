// Package file is a blob.Store in a folder of a local disk.
//
// A blob lies at <dir>/ab/abcd…, where abcd… is its hash in hexadecimal. Bytes
// are written to a temporary file, forced to disk, renamed, and the folder is
// forced to disk: what was stored survives power loss, and what was not leaves
// nothing but a temporary file, which the next Open removes. Drafts are
// temporary files that a crash does not end: whoever made one goes on with
// Resume, or discards it.
//
// It is for one process at a time, which is enforced, and for POSIX systems. It
// does not encrypt, and does not hash what it reads.
package file

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/internal/lock"
)

// Folders and files beside the blobs.
const (
	incomingDir = "incoming" // of Put; emptied by Open
	draftsDir   = "drafts"   // of Create; kept
)

// Options of Open.
type Options struct {
	// Reserve is how many bytes of the disk stay free: Put and Create refuse with
	// storage_full below it, so that databases on the same disk go on working.
	Reserve int64
	Log     *slog.Logger
}

// Store is a blob.Store in a folder.
type Store struct {
	dir     string
	reserve int64
	log     *slog.Logger
	lock    *os.File
	disk    disk
	cooled  recent
	placing [256]sync.Mutex // of each folder
}

var (
	_ blob.Store  = (*Store)(nil)
	_ blob.Cooler = (*Store)(nil)
)

// Open makes the folder when it is missing, takes it for this process and
// removes what an interrupted Put left.
func Open(dir string, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{dir: dir, reserve: o.Reserve, log: o.Log, disk: osDisk{}}
	if err := s.open(); err != nil {
		if s.lock != nil {
			s.lock.Close()
		}
		return nil, fmt.Errorf("blob store %s: %w", dir, err)
	}
	return s, nil
}

func (s *Store) open() error {
	if err := mkdirAll(s.dir); err != nil {
		return err
	}
	var err error
	if s.lock, err = lock.Dir(s.dir); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(s.dir, incomingDir)); err != nil {
		return err
	}
	// All folders are made now, so that no Put depends on another's having
	// forced a new folder to disk.
	names := []string{incomingDir, draftsDir}
	for i := range 256 {
		names = append(names, fmt.Sprintf("%02x", i))
	}
	for _, n := range names {
		if err := os.Mkdir(filepath.Join(s.dir, n), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	// What a process that was killed had put there and not forced to disk is
	// found from now on: it has to stay.
	for _, n := range names {
		if err := settle(filepath.Join(s.dir, n)); err != nil {
			return err
		}
	}
	return syncDir(s.dir)
}

// Close gives the folder back. Drafts and readers stay usable, but nothing may
// be committed after it.
func (s *Store) Close() error { return s.lock.Close() }

// path is where a blob lies.
func (s *Store) path(h blob.Hash) string {
	name := blob.FormatHash(h)
	return filepath.Join(s.dir, name[:2], name)
}

// buffers are for copying; one is taken per Put or check under way.
var buffers = sync.Pool{New: func() any { b := make([]byte, 1<<20); return &b }}

// Put implements blob.Store.
func (s *Store) Put(ctx context.Context, h blob.Hash, size int64, r io.Reader) error {
	if size < 0 {
		return blob.ErrHash
	}
	switch ok, err := s.Intact(ctx, h); {
	case err != nil:
		return err
	case ok:
		if n, err := s.Stat(ctx, h); err == nil && n != size {
			return blob.ErrHash
		}
		if there, err := s.placed(h); there || err != nil {
			return err
		}
	}
	d, err := s.create(incomingDir, size)
	if err != nil {
		return err
	}
	if err = d.fill(ctx, r, size); err == nil {
		err = d.Commit(h)
	}
	if err != nil {
		return errors.Join(err, d.Discard())
	}
	return nil
}

// fill copies exactly size bytes. They are hashed beside reading and writing,
// by a goroutine of its own: on one thread the hash alone costs as much time as
// a fast disk.
func (d *Draft) fill(ctx context.Context, r io.Reader, size int64) error {
	const ahead = 4 // buffers between writing and hashing
	written, free := make(chan []byte, ahead), make(chan []byte, ahead)
	whole := buffers.Get().(*[]byte)
	for part := range slices.Chunk(*whole, len(*whole)/ahead) {
		free <- part
	}
	hashed := make(chan struct{})
	go func() {
		defer close(hashed)
		for b := range written {
			d.sum.Write(b)
			free <- b[:len(*whole)/ahead]
		}
	}()
	defer func() {
		close(written)
		<-hashed
		buffers.Put(whole)
	}()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		buf := <-free
		n, err := r.Read(buf)
		if int64(n) > size-d.size {
			return blob.ErrHash
		}
		if err := d.append(buf[:n]); err != nil {
			return err
		}
		written <- buf[:n]
		switch {
		case err == io.EOF:
			if d.size != size {
				return blob.ErrHash
			}
			return nil
		case err != nil:
			return fmt.Errorf("blob store: read: %w", err)
		}
	}
}

// Intact reads a stored blob and reports whether its bytes are those of its
// hash; an absent one is not intact.
func (s *Store) Intact(ctx context.Context, h blob.Hash) (bool, error) {
	f, err := os.Open(s.path(h))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("blob store: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	if err := hashTo(ctx, sum, f); err != nil {
		// A file that cannot be read is damaged too, unless the caller left.
		if ctx.Err() != nil {
			return false, err
		}
		s.log.Warn("a stored blob cannot be read", "hash", blob.FormatHash(h), "err", err)
		return false, nil
	}
	return blob.Hash(sum.Sum(nil)) == h, nil
}

// hashTo writes all of r to w, until ctx ends.
func hashTo(ctx context.Context, w io.Writer, r io.Reader) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.Read(*buf)
		w.Write((*buf)[:n])
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// Stat implements blob.Store.
func (s *Store) Stat(_ context.Context, h blob.Hash) (int64, error) {
	i, err := os.Stat(s.path(h))
	if err != nil {
		return 0, fail(err)
	}
	return i.Size(), nil
}

// Delete implements blob.Store. A deletion may be undone by power loss.
func (s *Store) Delete(_ context.Context, h blob.Hash) error {
	return remove(s.path(h))
}

// remove removes a file that may be absent.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("blob store: %w", err)
	}
	return nil
}

// fail gives an error of the file system its code.
func fail(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return blob.ErrNotFound
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return blob.ErrFull.Wrap(err)
	}
	return fmt.Errorf("blob store: %w", err)
}
