package file

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/digital-spine/spine/blob"
)

// place makes a file the blob of a hash, durably; with an error, the file is
// where it was. One at a time in a folder: another blob of the same bytes may
// have been stored meanwhile, and answered. It does not go with one that is
// taken back: the file stays in its place then, since its bytes are the same.
func (s *Store) place(from string, h blob.Hash) error {
	mu := &s.placing[h[0]]
	mu.Lock()
	defer mu.Unlock()
	to := s.path(h)
	_, before := os.Lstat(to)
	if err := s.disk.rename(from, to); err != nil {
		return fail(err)
	}
	err := s.disk.syncDir(filepath.Dir(to))
	if err != nil && errors.Is(before, fs.ErrNotExist) {
		return errors.Join(fail(err), s.disk.rename(to, from))
	}
	return fail(err)
}

// placed reports whether a blob that was seen is there, durably: it may have
// been in the middle of place, here or in a process that was killed.
func (s *Store) placed(h blob.Hash) (bool, error) {
	mu := &s.placing[h[0]]
	mu.Lock()
	defer mu.Unlock()
	path := s.path(h)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err := s.disk.syncDir(filepath.Dir(path)); err != nil {
		return false, fail(err)
	}
	return true, nil
}
