// Package lock takes folders for one process at a time, so that a second one
// started on the same data stops before it harms it.
//
// A lock ends with its process, however that ends. It is no means of
// coordination between threads or machines.
package lock

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// File is the file in a folder that is locked; it stays there.
const File = "LOCK"

// ErrHeld says that another process has the folder.
var ErrHeld = errors.New("in use by another process")

// Dir makes a folder where it is missing and takes it until the returned file
// is closed or the process ends; ErrHeld when somebody has it.
func Dir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, File), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s is %w", dir, ErrHeld)
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return f, nil
}
