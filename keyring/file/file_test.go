package file

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digital-spine/spine/keyring"
	"github.com/digital-spine/spine/keyring/conformance"
)

func TestConformance(t *testing.T) {
	dirs := make(map[string]string)
	conformance.Run(t, func(t *testing.T) keyring.Keyring {
		if dirs[t.Name()] == "" {
			dirs[t.Name()] = t.TempDir()
		}
		k, _, err := Open(filepath.Join(dirs[t.Name()], "ring"), nil)
		if err != nil {
			t.Fatal(err)
		}
		return k
	})
}

func TestKeyComesFromTheEnvironmentFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ring")
	t.Setenv(KeyEnv, strings.Repeat("ab", 32))
	k, made, err := Open(path, nil)
	if err != nil || made {
		t.Fatal(made, err)
	}
	if _, err := k.Create(t.Context(), "did", keyring.Secp256k1); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + ".key"); !os.IsNotExist(err) {
		t.Error("a key file was made beside a key of the environment")
	}
	if b, _ := os.ReadFile(path); bytes.Contains(b, []byte("did")) {
		t.Error("names stand in clear in the file")
	}
	t.Setenv(KeyEnv, strings.Repeat("cd", 32))
	if _, _, err := Open(path, nil); !errors.Is(err, keyring.ErrLocked) {
		t.Errorf("another key: %v", err)
	}
	t.Setenv(KeyEnv, "secretvalue")
	if _, _, err := Open(path, nil); err == nil || strings.Contains(err.Error(), "secretvalue") {
		t.Errorf("a bad key: %v", err)
	}
}

func TestKeyFileMustBePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ring")
	if _, made, err := Open(path, nil); err != nil || !made {
		t.Fatal(made, err)
	}
	if err := os.Chmod(path+".key", 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(path, nil); err == nil {
		t.Error("a key file that others may read was used")
	}
}
