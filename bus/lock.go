package bus

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/digital-spine/spine/internal/lock"
)

// marker is written into a store when it is first used. A stand-alone store that
// is started with a cluster block loses its streams, and the other way round, so
// a store says what it is and is never started as anything else.
const (
	markerFile     = "MODE"
	modeStandalone = "standalone\n"
)

// lockStore takes the store directory for this process. The server itself has no
// lock: two of them on one directory would both write.
func lockStore(dir string) (*os.File, error) {
	f, err := lock.Dir(dir)
	if err != nil {
		return nil, fmt.Errorf("message store: %w", err)
	}
	if err := checkMarker(dir); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func checkMarker(dir string) error {
	path := filepath.Join(dir, markerFile)
	b, err := os.ReadFile(path)
	switch {
	case err == nil && bytes.Equal(b, []byte(modeStandalone)):
		return nil
	case err == nil:
		return fmt.Errorf("message store %s belongs to %q: starting it stand-alone would delete its streams; move them by snapshot and restore",
			dir, bytes.TrimSpace(b))
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("read mode of message store: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "jetstream")); err == nil {
		return fmt.Errorf("message store %s has streams but no %s file: it was not made by this program", dir, markerFile)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("mark message store: %w", err)
	}
	_, err = f.WriteString(modeStandalone)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("mark message store: %w", err)
	}
	return nil
}
