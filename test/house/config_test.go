package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestExampleConfigurationsAreInStep compares docs/config with what the binary
// writes now; make examples writes them again.
func TestExampleConfigurationsAreInStep(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("go", "run", "./cmd/spine", "config", "write", dir)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("spine config write: %v\n%s", err, out)
	}
	written, committed := names(t, dir), names(t, filepath.Join(root, "docs/config"))
	for name := range committed {
		if !written[name] {
			t.Errorf("docs/config/%s belongs to no system", name)
		}
	}
	if len(written) < 5 {
		t.Errorf("only %d examples are written", len(written))
	}
	for name := range written {
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(root, "docs/config", name))
		if err != nil || string(got) != string(want) {
			t.Errorf("docs/config/%s is not what spine config write writes: run make examples", name)
		}
	}
}

// names are the names of a folder's files.
func names(t *testing.T, dir string) map[string]bool {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]bool, len(list))
	for _, f := range list {
		all[f.Name()] = true
	}
	return all
}
