package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/digital-spine/spine"

// root is the repository's folder, seen from this package.
const root = "../.."

type pkg struct {
	ImportPath, Dir, Doc, Name         string
	Imports, TestImports, XTestImports []string
	GoFiles, TestGoFiles, XTestGoFiles []string
	IgnoredGoFiles                     []string
}

// rel is the package's path within the module.
func (p pkg) rel() string { return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/") }

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 20 {
		t.Fatalf("go list found %d packages only", len(all))
	}
	return all
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	banned := []string{"util", "utils", "common", "helpers", "types", "models"}
	for _, p := range packages(t) {
		if len(p.Doc) < 40 {
			t.Errorf("%s has no package comment (or one that says nothing): %q", p.rel(), p.Doc)
		}
		if slices.Contains(banned, path.Base(p.ImportPath)) {
			t.Errorf("%s: a package is named after what it is for, not after what it holds", p.rel())
		}
	}
}

// within reports whether rel is one of the rooms or below one.
func within(rel string, rooms ...string) bool {
	for _, r := range rooms {
		if rel == r || strings.HasPrefix(rel, r+"/") {
			return true
		}
	}
	return false
}

func TestImportRules(t *testing.T) {
	services := []string{"hub", "broker", "gateway", "ddhub", "authproxy", "console", "participant", "client"}
	pure := []string{"did", "vc", "ens", "schema", "envelope", "evidence"}
	for _, p := range packages(t) {
		rel := p.rel()
		for _, imp := range p.Imports {
			to, ours := strings.CutPrefix(imp, module+"/")
			deny := func(rule string) { t.Errorf("%s imports %s: %s", rel, imp, rule) }
			if within(rel, pure...) {
				if ours && within(to, append(services, "internal/httpkit", "internal/sqlkit", "internal/system", "bus")...) {
					deny("the vocabulary of identity and protection knows no service")
				}
				adapter := rel == "did/ethr" || rel == "did/web"
				if !adapter && (imp == "net/http" || imp == "net" || imp == "database/sql") {
					deny("the vocabulary of identity and protection does no network I/O")
				}
			}
			if !ours {
				if strings.HasPrefix(imp, "github.com/ethereum/go-ethereum/") && !within(rel, "evm/devchain") {
					sub := strings.TrimPrefix(imp, "github.com/ethereum/go-ethereum/")
					if within(sub, "eth", "node", "core/state", "p2p", "miner", "cmd") {
						deny("the chain's node is linked in evm/devchain alone")
					}
				}
				continue
			}
			for _, a := range []string{"hub", "broker", "gateway"} {
				for _, b := range []string{"hub", "broker", "gateway"} {
					if a != b && within(rel, a) && within(to, b) {
						deny("hub, broker and gateway meet over HTTP and NATS, not by import")
					}
				}
			}
			if within(rel, "console") && within(to, services...) && to != "client" && to != "gateway" && !within(to, "console") {
				deny("the console does what the documented API offers, through its client, and nothing else")
			}
			if within(rel, "blob", "bus", "keyring") && within(to, services...) {
				deny("adapters to engines know no service")
			}
			if within(to, "ddhub") && !within(rel, "ddhub", "cmd/spine", "internal/system", "test") {
				deny("nothing imports ddhub but the binary")
			}
			if within(to, "internal/system") && !within(rel, "internal/system", "cmd/spine", "test", "participant") {
				deny("only the binary and tests wire systems together")
			}
			if within(to, "test") && !within(rel, "test") {
				deny("tests are not imported")
			}
		}
	}
}

func TestDependenciesAreReviewed(t *testing.T) {
	list := read(t, "docs/dependencies.md")
	mod := read(t, "go.mod")
	_, required, _ := strings.Cut(mod, "\nrequire (") // after the versions that are excluded
	direct := regexp.MustCompile(`(?m)^\t([^\s/]+\.[^\s]+) v[^\s]+$`).FindAllStringSubmatch(required, -1)
	if len(direct) < 10 {
		t.Fatalf("found %d direct dependencies only", len(direct))
	}
	for _, m := range direct {
		if !strings.Contains(list, "`"+m[1]+"`") {
			t.Errorf("docs/dependencies.md does not say why %s is needed", m[1])
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(list, -1) {
		if !strings.Contains(mod, m[1]+" v") {
			t.Errorf("docs/dependencies.md lists %s, which go.mod does not have", m[1])
		}
	}
	if strings.Contains(mod, "\nreplace ") {
		t.Error("go.mod has a replace directive")
	}
}

func TestREADMECommandsAreReal(t *testing.T) {
	readme := read(t, "README.md")
	for _, want := range []string{"go run ./cmd/spine demo", "make test"} {
		if !strings.Contains(readme, want) {
			t.Errorf("README.md does not name %q", want)
		}
	}
	makefile := read(t, "Makefile")
	for _, m := range regexp.MustCompile("(?m)(?:^|`)make ([a-z]+)").FindAllStringSubmatch(readme, -1) {
		if !strings.Contains(makefile, "\n"+m[1]+":") {
			t.Errorf("README.md names make %s, which the Makefile does not have", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`).FindAllStringSubmatch(readme, -1) {
		if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
			t.Errorf("README.md links to %s, which is not there", m[1])
		}
	}
}

func TestNothingSecretInTheTree(t *testing.T) {
	pem := regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)
	named := regexp.MustCompile(`(?i)(private_?key|secret|password|api_?key|seed)["']?\s*[:=]+\s*["'](0x)?[0-9a-f]{64}["']`)
	for _, f := range tracked(t) {
		b, err := os.ReadFile(filepath.Join(root, f))
		if err != nil || bytes.IndexByte(b[:min(len(b), 8000)], 0) >= 0 {
			continue
		}
		mayName := !strings.Contains(f, "testdata") && !strings.HasSuffix(f, "_test.go")
		n := 0
		for line := range bytes.Lines(b) {
			n++
			// What cannot match is told apart first: the expressions are slow.
			if bytes.Contains(line, []byte("PRIVATE KEY-----")) && pem.Match(line) || mayName && len(line) > 64 && named.Match(line) {
				t.Errorf("%s:%d looks like a secret", f, n)
			}
		}
	}
}

func TestExportedSymbolsAreDocumented(t *testing.T) {
	for _, p := range packages(t) {
		if p.Name == "main" || within(p.rel(), "test") {
			continue
		}
		for _, name := range p.GoFiles {
			if strings.HasSuffix(name, ".gen.go") || strings.HasSuffix(name, "_templ.go") {
				continue
			}
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				for _, sym := range undocumented(d) {
					t.Errorf("%s/%s:%d: %s is exported without a comment", p.rel(), name, fset.Position(d.Pos()).Line, sym)
				}
			}
		}
	}
}

// undocumented returns the exported names of a declaration that have no comment.
func undocumented(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if !d.Name.IsExported() || d.Doc != nil {
			return nil
		}
		if d.Recv != nil {
			e := d.Recv.List[0].Type
			if s, ok := e.(*ast.StarExpr); ok {
				e = s.X
			}
			if x, ok := e.(*ast.IndexExpr); ok {
				e = x.X
			}
			if id, ok := e.(*ast.Ident); ok && !id.IsExported() {
				return nil
			}
			// Methods that only satisfy a well-known interface explain themselves.
			if slices.Contains([]string{"Error", "Unwrap", "Is", "String", "MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText", "Read", "Write", "Len", "Less", "Swap"}, d.Name.Name) {
				return nil
			}
		}
		return []string{d.Name.Name}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				for _, n := range s.Names {
					if n.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						names = append(names, n.Name)
					}
				}
			}
		}
	}
	return names
}

func TestFilesAreAboutOneThing(t *testing.T) {
	for _, f := range tracked(t) {
		if !strings.HasSuffix(f, ".go") || strings.HasSuffix(f, ".gen.go") || strings.HasSuffix(f, "_templ.go") || strings.HasSuffix(f, "_test.go") {
			continue
		}
		if n := bytes.Count([]byte(read(t, f)), []byte("\n")); n > 700 {
			t.Errorf("%s has %d lines: is it one thing?", f, n)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// tracked lists the files of the repository: those git knows or, in a source
// archive without git, all outside build folders.
func tracked(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files")
	cmd.Dir = root
	if out, err := cmd.Output(); err == nil {
		return strings.Fields(string(out))
	}
	var files []string
	err := filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(root, p)
			if !strings.HasPrefix(rel, "build/") && !strings.HasPrefix(rel, "spine-data/") {
				files = append(files, rel)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
