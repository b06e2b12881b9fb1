package sqlstore_test

import (
	"path/filepath"
	"testing"

	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/broker/conformance"
	"github.com/digital-spine/spine/broker/sqlstore"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T) broker.Store {
		s, err := sqlstore.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "b.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	})
}
