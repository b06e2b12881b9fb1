package sqlstore_test

import (
	"path/filepath"
	"testing"

	"github.com/digital-spine/spine/hub"
	"github.com/digital-spine/spine/hub/conformance"
	"github.com/digital-spine/spine/hub/sqlstore"
)

func TestSQLite(t *testing.T) {
	conformance.Run(t, func(t *testing.T) hub.Store {
		s, err := sqlstore.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "hub.db"))
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// What was written is there after the store was opened again.
func TestReopen(t *testing.T) {
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "hub.db")
	var secrets [2][32]byte
	for i := range secrets {
		s, err := sqlstore.Open(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		if secrets[i], err = s.Secret(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if secrets[0] != secrets[1] {
		t.Error("the secret changed")
	}
}
