package lock_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/digital-spine/spine/internal/lock"
)

func TestDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	first, err := lock.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Dir(dir); !errors.Is(err, lock.ErrHeld) {
		t.Fatalf("a second one: %v", err)
	}
	first.Close()
	again, err := lock.Dir(dir)
	if err != nil {
		t.Fatalf("after the first: %v", err)
	}
	again.Close()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Dir(file); err == nil || errors.Is(err, lock.ErrHeld) {
		t.Fatalf("what is no folder: %v", err)
	}
}
