package file

import (
	"testing"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/blob/conformance"
	"github.com/digital-spine/spine/internal/testkit"
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, Options{Log: testkit.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T) conformance.Fixture {
		dir := t.TempDir() + "/a/b"
		s := open(t, dir)
		return conformance.Fixture{Store: s, Reopen: func() blob.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, dir)
		}}
	})
}
