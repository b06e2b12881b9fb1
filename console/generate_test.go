package console

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digital-spine/spine/internal/testkit"
)

// TestGeneratedFilesAreInStep runs what go generate runs on a copy of the
// sources and compares what comes out with what is committed.
func TestGeneratedFilesAreInStep(t *testing.T) {
	tool := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(testkit.Context(t), "go", append([]string{"tool", "-modfile=../tools/go.mod"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err == nil {
			return
		}
		if s := string(out); strings.Contains(s, "module lookup disabled") || strings.Contains(s, "dial tcp") || strings.Contains(s, "no such host") {
			testkit.Skip(t, "the tools cannot be built here, without a network: "+s)
		}
		t.Fatalf("%s: %v\n%s", args[0], err, out)
	}
	dir := t.TempDir()
	for _, from := range []string{"components", "pages", "islands"} {
		if err := os.CopyFS(filepath.Join(dir, from), os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	var generated []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, "_templ.go") {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		generated = append(generated, rel)
		if err == nil {
			err = os.Remove(p)
		}
		return err
	})
	if err != nil || len(generated) < 5 {
		t.Fatalf("generated files: %v %v", generated, err)
	}
	tool("templ", "generate", "-path", dir, "-include-version=false")
	if err := os.Mkdir(filepath.Join(dir, "static"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, format := range map[string]string{"console": "esm", "theme": "iife"} {
		out := filepath.Join("static", name+".js")
		tool("esbuild", filepath.Join(dir, "islands", name+".ts"), "--bundle", "--format="+format, "--target=es2022", "--minify", "--legal-comments=none", "--log-level=warning", "--outfile="+filepath.Join(dir, out))
		generated = append(generated, out)
	}
	for _, name := range generated {
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(withoutPaths(got), withoutPaths(want)) {
			t.Errorf("%s is not what go generate ./console makes of its source", name)
		}
	}
}

// withoutPaths leaves out the file names that templ puts into its errors: they
// depend on where it ran.
func withoutPaths(b []byte) []byte {
	lines := bytes.Split(b, []byte("\n"))
	for i, l := range lines {
		if at := bytes.Index(l, []byte("FileName: `")); at >= 0 {
			lines[i] = l[:at]
		}
	}
	return bytes.Join(lines, []byte("\n"))
}
