package identity

import (
	"context"
	"errors"
	"testing"

	"github.com/digital-spine/spine/envelope"
)

// tardyStore loses the connection in the middle of a commit: the database makes
// it later, after others have looked, or when the same row is written again.
type tardyStore struct {
	*memory
	lose int // the write to be lost, 0: none
	late []func() error
}

func (s *tardyStore) put(digest envelope.Digest, fn func() error) error {
	if s.lose--; s.lose == 0 {
		s.late = append(s.late, func() error {
			_, cert := s.memory.certs[digest]
			_, pkg := s.memory.pkgs[digest]
			if cert || pkg {
				return nil // whoever wrote it again had to wait for this one
			}
			return fn()
		})
		return errors.New("the connection was lost")
	}
	return fn()
}

func (s *tardyStore) PutCertificate(ctx context.Context, c Certificate) error {
	return s.put(c.Digest, func() error { return s.memory.PutCertificate(ctx, c) })
}

func (s *tardyStore) PutPackage(ctx context.Context, p Package) error {
	return s.put(p.Digest, func() error { return s.memory.PutPackage(ctx, p) })
}

// A commit whose answer was lost may come to be there after the store was asked:
// the key is there then, and no other paper under its name or generation.
func TestLatePaperKeepsItsKey(t *testing.T) {
	for lose := 1; lose <= 2; lose++ { // a certificate, a package
		w := newWorld(t)
		s := w.ready()
		store := &tardyStore{memory: w.store, lose: lose}
		s.d.Store = store
		if s.RaiseFloor(ctx) == nil {
			t.Fatal("nothing was lost")
		}
		w.step(s, "")
		w.step(s, "")
		for _, fn := range store.late {
			if err := fn(); err != nil {
				t.Fatal(err)
			}
		}
		keys, gens := map[string]bool{}, map[uint64]bool{}
		for _, c := range w.store.certs {
			if keys[c.Key] {
				t.Errorf("write %d: two certificates under key %s", lose, c.Key)
			}
			keys[c.Key] = true
			if _, _, err := w.ring.Public(ctx, c.Key); err != nil {
				t.Errorf("write %d: certificate %s: %v", lose, c.Key, err)
			}
		}
		for _, p := range w.store.pkgs {
			if gens[p.Gen] || keys[p.Key] {
				t.Errorf("write %d: two packages of generation %d", lose, p.Gen)
			}
			gens[p.Gen], keys[p.Key] = true, true
		}
		next := w.ready() // what it finds is what it seals under
		pkg, info, box := seal(t, next)
		if _, err := next.OpenBox(ctx, pkg, info, box); err != nil {
			t.Error(err)
		}
	}
}
