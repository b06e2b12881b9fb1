package sqlstore_test

import (
	"path/filepath"
	"testing"

	"github.com/digital-spine/spine/gateway/conformance"
	"github.com/digital-spine/spine/gateway/sqlstore"
	"github.com/digital-spine/spine/internal/sqlkit"
	"github.com/digital-spine/spine/internal/testkit"
)

func TestIntakeConformance(t *testing.T) {
	conformance.Intake(t, func(t *testing.T) conformance.Stores {
		s, err := sqlstore.Open(testkit.Context(t), "sqlite:"+filepath.Join(t.TempDir(), "gateway.db"), sqlkit.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return conformance.Stores{Intake: s.Intake(), Inbox: s.Inbox()}
	})
}
