package sqlstore_test

import (
	"path/filepath"
	"testing"

	"github.com/digital-spine/spine/gateway/conformance"
	"github.com/digital-spine/spine/gateway/outbox"
	"github.com/digital-spine/spine/gateway/sqlstore"
	"github.com/digital-spine/spine/internal/sqlkit"
	"github.com/digital-spine/spine/internal/testkit"
)

// reopening returns a function that opens one new database again and again.
func reopening[T any](t *testing.T, part func(*sqlstore.Store) T) func() T {
	path := filepath.Join(t.TempDir(), "gateway.db")
	var s *sqlstore.Store
	closeStore := func() {
		if s == nil {
			return
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(func() { closeStore() })
	return func() T {
		t.Helper()
		closeStore()
		var err error
		if s, err = sqlstore.Open(testkit.Context(t), "sqlite:"+path, sqlkit.Options{}); err != nil {
			t.Fatal(err)
		}
		return part(s)
	}
}

func TestOutboxConformance(t *testing.T) {
	conformance.Outbox(t, func(t *testing.T) func() outbox.Store {
		return reopening(t, func(s *sqlstore.Store) outbox.Store { return s.Outbox() })
	})
}
