package file

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// disk is what the store does to the file system when it writes; tests have
// one that fails.
type disk interface {
	open(path string, flag int) (file, error)
	rename(from, to string) error
	syncDir(dir string) error
	// free returns the bytes of the disk that are free for this process.
	free(dir string) (int64, error)
	// cool drops what of a file is in memory and on disk from memory.
	cool(f *os.File)
}

// file is a file being written.
type file interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
	Truncate(int64) error
	Close() error
	// reserve takes room for size bytes, so that a full disk is known before
	// anything is transferred.
	reserve(size int64) error
	// start asks the kernel to begin bringing a range to disk.
	start(off, n int64)
}

// osDisk is the operating system's.
type osDisk struct{}

type osFile struct{ *os.File }

func (osDisk) open(path string, flag int) (file, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }

func (osDisk) syncDir(dir string) error { return syncDir(dir) }

func (osDisk) free(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

// syncDir forces a folder's entries to disk.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// settle is syncDir for a folder in which there is something.
func settle(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	if _, err = f.Readdirnames(1); err == nil {
		err = f.Sync()
	} else if err == io.EOF {
		err = nil
	}
	return errors.Join(err, f.Close())
}

// mkdirAll makes a folder and those above it, and forces the new entries to
// disk.
func mkdirAll(dir string) error {
	dir = filepath.Clean(dir)
	if i, err := os.Stat(dir); err == nil && i.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := mkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}
