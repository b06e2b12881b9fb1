package file

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	keepSize  = 1 // FALLOC_FL_KEEP_SIZE
	startOnly = 2 // SYNC_FILE_RANGE_WRITE: begin, and do not wait
)

func (f osFile) reserve(size int64) error {
	if size <= 0 {
		return nil
	}
	err := syscall.Fallocate(int(f.Fd()), keepSize, 0, size)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return err
	}
	return nil // a file system that cannot: the writes tell
}

// start is a hint: Sync does the work that it did not begin.
func (f osFile) start(off, n int64) {
	_ = syscall.SyncFileRange(int(f.Fd()), off, n, startOnly)
}

func (osDisk) cool(f *os.File) { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }
