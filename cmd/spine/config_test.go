package main

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/digital-spine/spine/internal/config"
)

// TestExamplesLoad reads each committed example as a system would: it says
// what the defaults say.
func TestExamplesLoad(t *testing.T) {
	for _, s := range systems() {
		if err := config.Load(s.name, filepath.Join("../../docs/config", s.name+".yaml"), s.cfg); err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		defaults := reflect.New(reflect.TypeOf(s.cfg).Elem()).Interface()
		if err := config.Load(s.name, "", defaults); err != nil {
			t.Fatal(err)
		}
		if got, want := config.Example(s.name, s.cfg), config.Example(s.name, defaults); got != want {
			t.Errorf("%s: loaded, the example says:\n%s\nthe defaults say:\n%s", s.name, got, want)
		}
	}
}

// TestExamplesAreInStep compares docs/config with what spine config write
// writes now; make examples writes them again.
func TestExamplesAreInStep(t *testing.T) {
	const folder = "../../docs/config"
	committed := map[string]bool{}
	list, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		committed[f.Name()] = true
	}
	for _, s := range systems() {
		name := s.name + ".yaml"
		delete(committed, name)
		got, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil || string(got) != config.Example(s.name, s.cfg) {
			t.Errorf("docs/config/%s is not what spine config write writes: run make examples (%v)", name, err)
		}
	}
	for name := range committed {
		t.Errorf("docs/config/%s belongs to no system", name)
	}
}
