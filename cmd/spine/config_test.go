package main

import (
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
